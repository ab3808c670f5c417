"""Which keys there are, and what the palette finds."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app import shortcuts
from exceptions_app.navigation import ENTRIES
from exceptions_app.queries.search import Match
from exceptions_app.search_box import look_up
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import shown

MOST_FOUND = 8
GROUPS = (
    shortcuts.Group(gettext_noop("Everywhere"), shortcuts.EVERYWHERE),
    shortcuts.Group(gettext_noop("In a list"), shortcuts.IN_A_LIST),
    shortcuts.Group(gettext_noop("In an exception"), shortcuts.IN_AN_EXCEPTION),
)


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def keys(request: HttpRequest) -> HttpResponse:
    """All keys: as a page, or as the list alone for the dialog."""
    context = {
        "groups": GROUPS,
        "go_to": shortcuts.GO_TO,
        "places": [(entry.key, shown(entry.label)) for entry in ENTRIES if entry.key],
    }
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    return render(request, "exceptions/_keys_list.html" if fragment else "exceptions/keys.html", context)


@require_safe
@signed_in
def palette(request: HttpRequest) -> HttpResponse:
    """The first exceptions that a search finds, as {"found": [{"label", "note", "url"}]}; at most MOST_FOUND."""
    found = look_up(person(request), reach_for(request), request.GET.get("q", "")).found
    return JsonResponse({"found": [_choice(match) for match in found.matches[:MOST_FOUND]]})


def _choice(match: Match) -> dict[str, str]:
    case = match.case
    return {
        "label": f"{case.document_number or case.ref} · {case.counterparty}".removesuffix(" · "),
        "note": " · ".join(text for text in (shown(match.why), case.ref) if text),
        "url": reverse("exceptions:case", kwargs={"ref": case.ref}),
    }
