"""Which exceptions a list shows: the same filters, under the same names, for the pages and for the API."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any

import django_filters
from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from exceptions_app.amounts import read_amount
from exceptions_app.facts import fold
from exceptions_app.models import Cause, Identifier, LegalEntity, Queue
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within, reach_of
from exceptions_app.states import OPEN_STATES, STATE_WORDS, Kind, State, Verb
from exceptions_app.tags import LONGEST_TEXT, NotATag, read_tags
from exceptions_app.two_amounts import read_two_ways
from exceptions_app.wording import offered, shown, told_by
from integrations.connectors.registry import CONNECTORS
from integrations.models import Connection
from integrations.refusals import Category

MOST_MATCHED = 1_000
OPEN, CLOSED, ANY = "open", "closed", "any"
ME, NOBODY = "me", "nobody"
AWAKE, SNOOZED = "no", "only"
_MOST_DAYS = 36_500
_DAYS = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(2200, 12, 31))]
STATE_CHOICES = [
    (OPEN, "Open"),
    *((state.value, STATE_WORDS[state].capitalize()) for state in State),
    (CLOSED, "Closed"),
    (ANY, "Open and closed"),
]
KIND_CHOICES = [(Kind.FAILED.value, "Failed"), (Kind.HELD.value, "Held")]
OBJECT_TYPE_CHOICES = [
    (object_type, title) for connector in CONNECTORS.values() for object_type, title in connector.object_types.items()
]
CATEGORY_CHOICES = [(category.value, category.value.replace("_", " ").capitalize()) for category in Category]
PRIORITY_CHOICES = [(str(level), f"P{level}") for level in range(1, 5)]
SNOOZED_CHOICES = [(AWAKE, "Left out"), (SNOOZED, "Only those"), (ANY, "Among the others")]
DUE_CHOICES = [("overdue", "Overdue"), ("today", "Within 24 hours")]
# By which role of a document its counterparty is known, in the words of the records.
CUSTOMERS = ("Buyer", "Customer")
SUPPLIERS = ("Seller", "Supplier", "Payee")


class AmountField(forms.Field):
    """An amount in any usual spelling; one that could mean two amounts is refused with both."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values:
            return None
        amount = read_amount(str(value))
        if amount is None or amount.currency:
            raise forms.ValidationError(gettext_lazy("Write an amount, such as 1250.00, without a currency."))
        if not amount.is_clear:
            raise forms.ValidationError(shown(read_two_ways(str(value), amount)))
        return amount.values[0]


class TagsField(forms.CharField):
    """Tags that all have to be there, in their one spelling."""

    def to_python(self, value: Any) -> str:
        try:
            return ",".join(read_tags(str(super().to_python(value) or "")))
        except NotATag as error:
            raise forms.ValidationError(told_by(error)) from error


class TagsFilter(django_filters.CharFilter):  # type: ignore[misc]
    field_class = TagsField


class AmountFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = AmountField


def _person_choices(reach: Reach, user: AbstractUser) -> list[tuple[str, str]]:
    """Me, nobody, and everybody who has an open exception that the reader may see."""
    working = cases_within(reach).open().filter(assignee=OuterRef("pk"))
    people = get_user_model()._default_manager.filter(Exists(working)).exclude(pk=user.pk)
    named = [(found.get_username(), str(found)) for found in people.order_by("last_name", "first_name", "username")]
    return [(ME, "Me"), (NOBODY, "Nobody"), *named]


def _occurring(model: type[models.Model], cases: ExceptionCaseQuerySet) -> QuerySet[Any]:
    return model._default_manager.filter(Exists(cases))


class CaseFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Needs `request`, whose user decides which queues, entities, causes and people may be named at all.

    A value that is not understood is left out and stands in `errors`, so that a page can say so; the API refuses it.
    """

    default_state = ANY
    """Which state is meant when none is named."""
    default_snoozed = ANY
    """Whether what is snoozed is meant when that is not said and no text is looked for: a search finds it always."""

    text = django_filters.CharFilter(method="filter_text", label=gettext_lazy("Contains"), max_length=200)
    queue = django_filters.ModelChoiceFilter(
        queryset=Queue.objects.none(),
        to_field_name="slug",
        label=gettext_lazy("Queue"),
        empty_label=gettext_lazy("All"),
    )
    entity = django_filters.ModelChoiceFilter(
        queryset=LegalEntity.objects.none(),
        to_field_name="code",
        label=gettext_lazy("Entity"),
        empty_label=gettext_lazy("All"),
    )
    state = django_filters.ChoiceFilter(
        method="filter_state",
        choices=offered(STATE_CHOICES),
        label=gettext_lazy("State"),
        empty_label=None,
        required=False,
    )
    priority = django_filters.ChoiceFilter(
        choices=PRIORITY_CHOICES, label=gettext_lazy("Priority"), empty_label=gettext_lazy("All")
    )
    assignee = django_filters.ChoiceFilter(
        method="filter_assignee",
        choices=[(ME, gettext_lazy("Me")), (NOBODY, gettext_lazy("Nobody"))],
        label=gettext_lazy("Assignee"),
        empty_label=gettext_lazy("Anybody"),
    )
    category = django_filters.ChoiceFilter(
        choices=offered(CATEGORY_CHOICES), label=gettext_lazy("Category"), empty_label=gettext_lazy("All")
    )
    kind = django_filters.ChoiceFilter(
        choices=offered(KIND_CHOICES), label=gettext_lazy("Failed or held"), empty_label=gettext_lazy("All")
    )
    object_type = django_filters.ChoiceFilter(
        choices=offered(OBJECT_TYPE_CHOICES), label=gettext_lazy("Kind of transaction"), empty_label=gettext_lazy("All")
    )
    code = django_filters.CharFilter(
        field_name="cause__code", lookup_expr="iexact", label=gettext_lazy("Error code"), max_length=100
    )
    customer = django_filters.CharFilter(method="filter_customer", label=gettext_lazy("Customer"), max_length=200)
    supplier = django_filters.CharFilter(method="filter_supplier", label=gettext_lazy("Supplier"), max_length=200)
    cause = django_filters.ModelChoiceFilter(
        queryset=Cause.objects.none(),
        method="filter_cause",
        label=gettext_lazy("Cause"),
        empty_label=gettext_lazy("All"),
    )
    connection = django_filters.ModelChoiceFilter(
        queryset=Connection.objects.none(),
        to_field_name="slug",
        label=gettext_lazy("Connection"),
        empty_label=gettext_lazy("All"),
    )
    tag = TagsFilter(method="filter_tag", label=gettext_lazy("Tag"), max_length=LONGEST_TEXT)
    due = django_filters.ChoiceFilter(
        method="filter_due",
        choices=offered(DUE_CHOICES),
        label=gettext_lazy("Due"),
        empty_label=gettext_lazy("Any time"),
    )
    snoozed = django_filters.ChoiceFilter(
        method="filter_snoozed",
        choices=offered(SNOOZED_CHOICES),
        label=gettext_lazy("Snoozed"),
        empty_label=gettext_lazy("As usual"),
    )
    amount_min = AmountFilter(field_name="amount", lookup_expr="gte", label=gettext_lazy("Amount from"))
    amount_max = AmountFilter(field_name="amount", lookup_expr="lte", label=gettext_lazy("Amount to"))
    amount_above = AmountFilter(field_name="amount", lookup_expr="gt", label=gettext_lazy("Amount above"))
    amount_below = AmountFilter(field_name="amount", lookup_expr="lt", label=gettext_lazy("Amount below"))
    currency = django_filters.CharFilter(
        method="filter_currency", label=gettext_lazy("Currency"), min_length=3, max_length=3
    )
    opened_from = django_filters.DateFilter(
        method="filter_opened_from", validators=_DAYS, label=gettext_lazy("Opened from")
    )
    opened_to = django_filters.DateFilter(method="filter_opened_to", validators=_DAYS, label=gettext_lazy("Opened to"))
    age = django_filters.NumberFilter(
        method="filter_age",
        label=gettext_lazy("At least days old"),
        min_value=0,
        max_value=_MOST_DAYS,
        decimal_places=0,
    )
    age_max = django_filters.NumberFilter(
        method="filter_age_max",
        label=gettext_lazy("At most days old"),
        min_value=0,
        max_value=_MOST_DAYS,
        decimal_places=0,
    )

    def __init__(
        self,
        data: Mapping[str, str] | None = None,
        queryset: ExceptionCaseQuerySet | None = None,
        *,
        reach: Reach | None = None,
        **more: Any,
    ) -> None:
        super().__init__(data, queryset, **more)
        self.offer(reach or reach_of(self.request.user))

    def offer(self, reach: Reach) -> None:
        """Let those queues, entities, causes, connections and people be named that the reader may know of."""
        cases = cases_within(reach)
        self.filters["queue"].queryset = Queue.objects.filter(pk__in=reach.queues(Verb.SEE)).order_by("name")
        self.filters["entity"].queryset = LegalEntity.objects.filter(pk__in=reach.entities(Verb.SEE)).order_by("name")
        self.filters["cause"].queryset = _occurring(Cause, cases.filter(cause=OuterRef("pk"))).order_by("code", "title")
        self.filters["connection"].queryset = _occurring(Connection, cases.filter(connection=OuterRef("pk"))).order_by(
            "name"
        )
        # Read when a person is asked for or the list is drawn, and then once.
        self.filters["assignee"].extra["choices"] = cache(partial(_person_choices, reach, self.request.user))

    def filter_queryset(self, queryset: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
        cleaned = self.form.cleaned_data
        state, asked = cleaned.pop("state", "") or self.default_state, cleaned.pop("snoozed", "")
        self.snoozed_or_not: ExceptionCaseQuerySet = super().filter_queryset(queryset)
        cleaned["state"], cleaned["snoozed"] = state, asked
        snoozed = asked or (ANY if cleaned.get("text") else self.default_snoozed)
        self.includes_snoozed = snoozed == ANY
        return self.filter_state(self.filter_snoozed(self.snoozed_or_not, "snoozed", snoozed), "state", state)

    def filter_snoozed(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        return {AWAKE: cases.awake, SNOOZED: cases.snoozed}.get(value, cases.all)()

    def filter_text(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        """Part of any identifier or name, in any spelling; or our own reference."""
        if not fold(value):
            return cases.none()
        return cases.filter(Q(pk__in=self.known_by(value)) | Q(pk__in=cases.with_ref(value)))

    def filter_customer(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        return cases.filter(pk__in=self.known_by(value, label__in=CUSTOMERS)) if fold(value) else cases.none()

    def filter_supplier(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        return cases.filter(pk__in=self.known_by(value, label__in=SUPPLIERS)) if fold(value) else cases.none()

    def known_by(self, text: str, **labels: Any) -> Any:
        """The exceptions with an identifier that contains the text, in any spelling.

        Looked up once instead of once for each count of the page, unless the text says little.
        """
        matching = known_by(text, **labels)
        few = list(matching[: MOST_MATCHED + 1])
        return few if len(few) <= MOST_MATCHED else matching

    def filter_state(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        if value == ANY:
            return cases
        wanted = {OPEN: OPEN_STATES, CLOSED: frozenset(State) - OPEN_STATES}.get(value, frozenset({value}))
        return cases.filter(state__in=sorted(wanted))

    def filter_assignee(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        if value == ME:
            return cases.filter(assignee=self.request.user)
        if value == NOBODY:
            return cases.filter(assignee__isnull=True)
        return cases.filter(assignee__username=value)

    def filter_tag(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        return cases.filter(tags__contains=value.split(","))

    def filter_cause(self, cases: ExceptionCaseQuerySet, _name: str, value: Cause) -> ExceptionCaseQuerySet:
        return cases.filter(cause__in=Cause.objects.one_with(value).values("pk"))

    def filter_due(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        at = timezone.now()
        if value == "overdue":
            return cases.filter(due_at__lt=at, state__in=sorted(OPEN_STATES))
        return cases.filter(due_at__range=(at, at + timedelta(hours=24)), state__in=sorted(OPEN_STATES))

    def filter_currency(self, cases: ExceptionCaseQuerySet, _name: str, value: str) -> ExceptionCaseQuerySet:
        return cases.filter(currency=value.upper())

    def filter_opened_from(self, cases: ExceptionCaseQuerySet, _name: str, value: date) -> ExceptionCaseQuerySet:
        return cases.filter(opened_at__gte=_midnight(value))

    def filter_opened_to(self, cases: ExceptionCaseQuerySet, _name: str, value: date) -> ExceptionCaseQuerySet:
        return cases.filter(opened_at__lt=_midnight(value + timedelta(days=1)))

    def filter_age(self, cases: ExceptionCaseQuerySet, _name: str, value: Decimal) -> ExceptionCaseQuerySet:
        return cases.filter(opened_at__lte=timezone.now() - timedelta(days=int(value)))

    def filter_age_max(self, cases: ExceptionCaseQuerySet, _name: str, value: Decimal) -> ExceptionCaseQuerySet:
        return cases.filter(opened_at__gt=timezone.now() - timedelta(days=int(value)))


def known_by(text: str, **labels: Any) -> "QuerySet[Any, int]":
    """Numbers of the exceptions with an identifier that contains the text; a part of another query."""
    return Identifier.objects.filter(folded__contains=fold(text), **labels).values_list("case", flat=True)


def _midnight(day: date) -> datetime:
    """The start of the day where the reader is."""
    return timezone.make_aware(datetime.combine(day, time.min))
