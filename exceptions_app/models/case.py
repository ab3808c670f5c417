"""The exception: narrow and hot. Its payloads, wide and cold, are in `payload`."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar, Final, Self

import pgtrigger
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from guardian.shortcuts import get_objects_for_user
from simple_history.models import HistoricalRecords

from audit.guard import (
    Guard,
    append_only_until_erased,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from exceptions_app.models.cause import Cause
from exceptions_app.models.organisation import LegalEntity, Queue
from exceptions_app.models.references import NumberedQuerySet, number_in
from exceptions_app.states import OPEN_STATES, SNOOZED_IN, Clock, Kind, Outcome, State, Verb, WakesOn
from exceptions_app.tags import LONGEST_TAG, MOST_TAGS, PATTERN
from integrations.models import Connection
from integrations.refusals import Category

REF_PREFIX = "EX-"
NEVER_SCORED = date(1970, 1, 1)
HELD_BY_FIELD_MAP = "field_map"
"""The sub-category of a transaction that a field map could not translate."""

# What stands for a missing value in an order, so that rows without it come last and none is lost between pages.
_IS_OPEN = Q(state__in=sorted(state.value for state in OPEN_STATES))
DUE_OR_NEVER = Coalesce("due_at", Value(datetime(9999, 12, 31, tzinfo=UTC)), output_field=models.DateTimeField())
AMOUNT_OR_SMALLEST = Coalesce("amount", Value(Decimal(-(10**18))), output_field=models.DecimalField())


class ExceptionCaseQuerySet(NumberedQuerySet["ExceptionCase"]):
    prefix = REF_PREFIX

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Exceptions whose queue and whose legal entity are both granted to the person."""
        return self.granting(user, Verb.SEE)

    def granting(self, user: AbstractBaseUser | AnonymousUser, verb: Verb) -> Self:
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(
            queue__in=granted_objects(user, verb, Queue), entity__in=granted_objects(user, verb, LegalEntity)
        )

    def open(self) -> Self:
        return self.filter(state__in=sorted(OPEN_STATES))

    def snoozed(self) -> Self:
        return self.filter(snoozed_by__isnull=False)

    def awake(self) -> Self:
        """What the work lists show: all that nobody snoozed."""
        return self.filter(snoozed_by__isnull=True)


def number_of(ref: str) -> int | None:
    """The number in a reference, such as 1042 in EX-1042; None when the text is none."""
    return number_in(ref, REF_PREFIX)


def granted_objects(user: object, verb: Verb, model: type[models.Model]) -> models.QuerySet[models.Model]:
    """Queues or legal entities on which the person holds the verb, by themselves or through a group.

    No role of the product is a superuser, and a superuser sees no payload by virtue of being one.
    """
    return get_objects_for_user(user, verb.value, model, with_superuser=False, accept_global_perms=False)


# Deferred to the commit, so that decision and case may be written in either order. An approval to close an exception
# is none to send it.
_DECIDED_BEFORE_IT_LEAVES_OR_CLOSES = Guard(
    name="decided",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF NEW.state IN ('replaying', 'outcome_unknown', 'resolved', 'dismissed') AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_decision d
        JOIN public.exceptions_app_proposal p ON p.id = d.proposal_id
        WHERE p.case_id = NEW.id AND p.state = 'approved' AND d.verdict = 'approved'
            AND CASE WHEN NEW.state = 'dismissed' THEN p.kind IN ('decline', 'dismiss')
                ELSE p.kind IN ('replay', 'release', 'reverse') END
    ) THEN
        RAISE EXCEPTION 'exception % cannot become % without an approved decision', NEW.id, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)


# Each once and in the order of the alphabet, so that the same tags are the same array.
_TAGS_ARE_SOUND = Guard(
    name="tags_sound",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func=f"""
    IF cardinality(NEW.tags) > {MOST_TAGS}
        OR NEW.tags <> ARRAY(SELECT DISTINCT tag COLLATE "C" FROM unnest(NEW.tags) AS found(tag) ORDER BY 1)
        OR EXISTS (
            SELECT 1 FROM unnest(NEW.tags) AS found(tag)
            WHERE tag IS NULL OR length(tag) > {LONGEST_TAG} OR tag !~ '^{PATTERN}$'
        ) THEN
        RAISE EXCEPTION 'exception % cannot have these tags', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,  # noqa: S608 - of constants
)

RECKONED = ("score", "score_reasons", "scored_on")
"""Columns that follow from others by reckoning, so that no event tells of their change."""
# Of whole rows without these, so that a column that is added later is guarded by itself.
_MORE_THAN_RECKONED = pgtrigger.Condition(
    f"((to_jsonb(OLD) - '{{{','.join(RECKONED)}}}'::text[])"
    f" IS DISTINCT FROM (to_jsonb(NEW) - '{{{','.join(RECKONED)}}}'::text[]))"
)


class ExceptionCase(models.Model):
    """One failed or held transaction in somebody's care.

    Identity is (connection, object type, business key): while it is open, a repeat is another occurrence of it.
    Nothing changes a row but the functions in `exceptions_app.actions` and `exceptions_app.intake`.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    object_type = models.CharField(max_length=40)
    business_key = models.CharField(max_length=300)
    kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in Kind])
    state = models.CharField(max_length=20, default=State.NEW, choices=[(s.value, s.value) for s in State])
    outcome = models.CharField(max_length=20, blank=True, choices=[(o.value, o.value) for o in Outcome])
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="cases")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="cases")
    category = models.CharField(max_length=30, choices=[(c.value, c.value) for c in Category])
    sub = models.CharField(max_length=40, blank=True)
    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="cases")
    problem = models.CharField(max_length=300, blank=True, help_text="What is wrong with it, in plain words.")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    priority = models.PositiveSmallIntegerField(default=3)
    due_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    waiting_for = models.CharField(max_length=300, blank=True)
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="Whoever took it out of the work lists for a while.",
    )  # fmt: skip
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_for = models.CharField(
        max_length=20, blank=True, default="", choices=[(event.value, event.value) for event in WakesOn],
        help_text="The event that wakes it.",
    )  # fmt: skip
    statutory_clock = models.CharField(max_length=10, blank=True, default="", help_text="Under which rule it stands.")
    score = models.PositiveSmallIntegerField(default=0, help_text="How important it is; the reasons say why.")
    score_reasons = models.JSONField(default=list)
    scored_on = models.DateField(default=NEVER_SCORED, help_text="The day of its legal entity of which the score is.")
    payable_on = models.DateField(null=True, help_text="When the document is due, or its bank has to have it.")
    discount_until = models.DateField(null=True, help_text="When the document's cash discount ends.")
    tags = ArrayField(
        models.CharField(max_length=LONGEST_TAG), default=list, db_default=[], blank=True,
        help_text="Words that people put on it to find it again.",
    )  # fmt: skip
    document_number = models.CharField(max_length=200)
    document_date = models.DateField(null=True)
    counterparty = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=21, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own document reference.")
    occurrences_count = models.PositiveIntegerField(default=1)
    revision = models.PositiveIntegerField(default=1, help_text="Raised by every change; guards against lost edits.")
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followed_by")
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = ExceptionCaseQuerySet.as_manager()
    # What django-simple-history writes beside the next row of the history.
    _history_user: AbstractBaseUser
    _change_reason: str | None
    history = HistoricalRecords(excluded_fields=list(RECKONED))

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in State]), name="case_known_state"),
            models.CheckConstraint(condition=Q(kind__in=[k.value for k in Kind]), name="case_known_kind"),
            models.CheckConstraint(
                condition=Q(outcome__in=["", *(o.value for o in Outcome)]), name="case_known_outcome"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["resolved", "dismissed"], closed_at__isnull=False) & ~Q(outcome="")
                | ~Q(state__in=["resolved", "dismissed"]) & Q(closed_at__isnull=True, outcome=""),
                name="case_closed_with_outcome",
            ),
            models.CheckConstraint(condition=Q(priority__range=(1, 4)), name="case_known_priority"),
            # PostgreSQL knows years that Python does not: such a row could be stored and never be read again.
            models.CheckConstraint(
                condition=Q(held_until__isnull=True) | Q(held_until__lt=datetime(3000, 1, 1, tzinfo=UTC)),
                name="case_held_until_readable",
            ),
            models.CheckConstraint(
                condition=Q(statutory_clock__in=["", *(clock.value for clock in Clock)]), name="case_known_clock"
            ),
            models.CheckConstraint(
                condition=Q(snoozed_by__isnull=True, snoozed_until__isnull=True, snoozed_for="")
                | Q(snoozed_by__isnull=False) & (Q(snoozed_until__isnull=False) | ~Q(snoozed_for="")),
                name="case_snooze_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_by__isnull=True) | Q(state__in=sorted(state.value for state in SNOOZED_IN)),
                name="case_snoozed_while_worked_on",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_for__in=["", *(event.value for event in WakesOn)]), name="case_known_snooze"
            ),
            models.CheckConstraint(
                condition=Q(snoozed_until__isnull=True) | Q(snoozed_until__lt=datetime(3000, 1, 1, tzinfo=UTC)),
                name="case_snoozed_until_readable",
            ),
            models.CheckConstraint(condition=Q(amount__isnull=True) | ~Q(currency=""), name="case_amount_has_currency"),
            models.UniqueConstraint(
                fields=["connection", "object_type", "business_key"],
                condition=~Q(state__in=["resolved", "dismissed"]),
                name="case_one_open_per_document",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["queue", "state", "-opened_at", "-id"], name="case_queue_page"),
            models.Index(fields=["assignee", "state"], name="case_my_queue"),
            models.Index(fields=["state", "changed_at"], name="case_by_state"),
            models.Index(fields=["document_number"], name="case_document_number"),
            # How often and since when, for whom: read from the indexes alone, as `queries.causes` asks for it.
            models.Index(fields=["cause", "opened_at"], include=["queue", "entity"], name="case_by_cause"),
            models.Index(
                fields=["cause", "currency", "queue", "entity"],
                include=["amount"],
                condition=_IS_OPEN,
                name="case_open_by_cause",
            ),
            # The newest that ended well, for what they suggest to one with the same problem.
            models.Index(fields=["cause", "-id"], condition=Q(state="resolved"), name="case_resolved_by_cause"),
            models.Index(fields=["amount"], name="case_by_amount"),
            # Whether a counterparty is known already, as `queries.batch_changes` asks for it.
            models.Index(fields=["connection", "counterparty"], name="case_by_counterparty"),
            models.Index(fields=["opened_at", "id"], name="case_by_opening"),
            models.Index(
                F("cause"), F("closed_at").desc(), condition=Q(closed_at__isnull=False), name="case_closed_by_cause"
            ),
            GinIndex(fields=["tags"], name="case_by_tag"),
            # Which tags are in use, for whom: read from the index alone, as `queries.tags` asks for it.
            models.Index(
                fields=["queue", "entity"], include=["tags"], condition=_IS_OPEN & ~Q(tags=[]), name="case_tagged"
            ),
            # What the sweep looks for: few rows, however many exceptions there are.
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_by__isnull=False), name="case_snoozed"),
            # The orders of the work lists, as `queries.queue_page` asks for them.
            models.Index(F("score").desc(), F("id"), condition=_IS_OPEN, name="case_open_by_score"),
            models.Index(fields=["entity", "scored_on"], condition=_IS_OPEN, name="case_open_by_day_scored"),
            models.Index(F("priority"), DUE_OR_NEVER, F("id"), condition=_IS_OPEN, name="case_open_by_urgency"),
            models.Index(AMOUNT_OR_SMALLEST.desc(), F("id"), condition=_IS_OPEN, name="case_open_by_amount"),
        ]
        triggers: ClassVar = [
            audit_required(f"'case:{REF_PREFIX}' || NEW.id", operation=pgtrigger.Insert),
            audit_required(
                f"'case:{REF_PREFIX}' || NEW.id",
                name="audit_required_to_change",
                operation=pgtrigger.Update,
                condition=_MORE_THAN_RECKONED,
            ),
            frozen_columns("connection_id", "object_type", "business_key", "kind", "opened_at"),
            never_deleted(),
            truncate_refused(),
            _DECIDED_BEFORE_IT_LEAVES_OR_CLOSES,
            _TAGS_ARE_SOUND,
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.document_number}"

    @property
    def ref(self) -> str:
        return f"{REF_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        """Its name in the audit trail and in the outbox."""
        return f"case:{self.ref}"

    @property
    def is_open(self) -> bool:
        return State(self.state) in OPEN_STATES


class Identifier(models.Model):
    """Something a person may search an exception by: number, customer, order, reference; in any spelling."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="identifiers")
    label = models.CharField(max_length=60)
    value = models.CharField(max_length=300)
    folded = models.CharField(max_length=300, help_text="Upper case without separators.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "label", "folded"], name="identifier_once_per_case")
        ]
        indexes: ClassVar = [
            models.Index(fields=["folded"], name="identifier_folded", opclasses=["varchar_pattern_ops"]),
            # Parts of a number or a name; the other index knows only beginnings.
            GinIndex(fields=["folded"], name="identifier_parts", opclasses=["gin_trgm_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.value}"


_TEXT: Final = {"text": ""}


class Comment(models.Model):
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [
            append_only_until_erased(_TEXT),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return self.text[:60]
