"""Who has which verb where, since when, given by whom and last used: for administrators and for those who audit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.timezone import localdate, now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.actions.access_export import export_access
from exceptions_app.models import LegalEntity, Queue
from exceptions_app.policies import VERB_WORDS
from exceptions_app.queries.access import ADMINISTER, DIRECTLY, AccessFilter, AccessRow, access_page, readable_access
from exceptions_app.queries.access_used import DAYS, NOT_TOLD
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.views.addresses import PLACE, address
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person
from exceptions_app.wording import say
from integrations.models import Connection

MISSING = say(
    "You may not see who has which access. It is shown to administrators and to whoever reads the audit trail."
)
PERMISSION = say("export on a queue and on a legal entity")
_MOST_CHARACTERS = 150
WORDS: Mapping[str, str] = {
    **{verb.value: words for verb, words in VERB_WORDS.items()},
    "ingest_messages": "hand messages in",
    "configure_connection": "configure the connection",
    ADMINISTER: "administer accounts and access",
}


class AccessForm(forms.Form):
    """Four queries for what can be chosen."""

    use_required_attribute = False
    person = forms.CharField(label=gettext_lazy("Person"), required=False, max_length=_MOST_CHARACTERS)
    role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)
    place = forms.ChoiceField(label=gettext_lazy("Place"), required=False)

    def __init__(self, data: Mapping[str, Any], *, within: frozenset[str] | None) -> None:
        super().__init__(data)
        self.within = within
        roles, places = self.fields["role"], self.fields["place"]
        if isinstance(roles, forms.ChoiceField) and isinstance(places, forms.ChoiceField):
            roles.choices = [
                ("", gettext_lazy("All")),
                (DIRECTLY, gettext_lazy("None, given directly")),
                *((one, one) for one in role_names()),
            ]
            places.choices = [("", gettext_lazy("All")), *place_choices(within)]

    def wanted(self) -> AccessFilter:
        return AccessFilter(
            **{name: self.cleaned_data[name] for name in ("person", "role", "place")}, within=self.within
        )


def role_names() -> list[str]:
    return list(Group.objects.order_by("name").values_list("name", flat=True))


def place_choices(within: frozenset[str] | None = None) -> list[tuple[str, list[tuple[str, str]]]]:
    """Queues, legal entities and connections by the subjects that the trail names them by. Three queries."""
    kinds = ((gettext("Queues"), "queue", Queue, "slug"), (gettext("Legal entities"), "entity", LegalEntity, "code"),
             (gettext("Connections"), "connection", Connection, "slug"))  # fmt: skip
    found = [
        (
            label,
            [
                (f"{kind}:{key}", str(name))
                for key, name in model._default_manager.order_by("name", "pk").values_list(attribute, "name")
                if within is None or f"{kind}:{key}" in within
            ],
        )
        for label, kind, model, attribute in kinds
    ]
    return [*found, ("Workbench", [("workbench:workbench", gettext("Administration"))])]


@dataclass(frozen=True, slots=True)
class Line:
    """A row in words. `given_by` is a name where there is one; `unknown` says why there is no last use."""

    row: AccessRow
    verb: str
    given_by: str
    unknown: str


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
def access(request: HttpRequest) -> HttpResponse:
    within = readable_access(person(request))
    if within is not None and not within:
        return not_permitted(request, MISSING, permission=PERMISSION)
    form = AccessForm(request.GET, within=within)
    context: dict[str, Any] = {"form": form, "now": now(), "may_review": within is None}
    if form.is_valid():
        context |= _list(request, form)
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "_access_list.html" if fragment else "access.html"
    return render(request, f"exceptions/{template}", context, status=200 if form.is_valid() else 422)


@require_GET
@never_cache
@login_required
def access_export(request: HttpRequest) -> HttpResponseBase:
    """The rows of the filter in the address, as CSV. That it was taken is an event."""
    within = readable_access(person(request))
    if within is not None and not within:
        return not_permitted(request, MISSING, permission=PERMISSION)
    form = AccessForm(request.GET, within=within)
    if not form.is_valid():
        return render(request, "exceptions/access.html", {"form": form, "may_review": within is None}, status=422)
    chunks = export_access(form.wanted(), by=person(request), at=now())
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    name = f"access-{localdate().isoformat()}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def _list(request: HttpRequest, form: AccessForm) -> dict[str, Any]:
    notices: list[str] = []
    wanted, at = form.wanted(), now()
    direction: Direction = "before" if request.GET.get("before") else "after"
    try:
        page = access_page(wanted, at=at, cursor=request.GET.get(direction, ""), direction=direction)
    except InvalidCursor:
        notices.append(gettext("That place in the list is not known any more; this is the first page."))
        page = access_page(wanted, at=at)
    query = {name: text for name, text in request.GET.items() if text and name not in PLACE}
    return {
        "lines": lines_of(page.rows),
        "notices": notices,
        "is_filtered": wanted != AccessFilter(within=wanted.within),
        "csv_url": f"{reverse('exceptions:access_export')}{'?' if query else ''}{urlencode(query)}",
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }


def lines_of(rows: Collection[AccessRow]) -> list[Line]:
    names = full_names({row.given_by for row in rows if row.given_by})
    return [
        Line(row, WORDS.get(row.verb, row.verb), names.get(row.given_by, row.given_by), why_no_use(row.verb))
        for row in rows
    ]


def why_no_use(*verbs: str) -> str:
    """What is said where the trail has no use of these verbs."""
    return say("Looking leaves no event") if NOT_TOLD.issuperset(verbs) else say("None in {days} days", days=DAYS)
