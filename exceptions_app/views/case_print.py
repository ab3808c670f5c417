"""One exception on paper: what is known about it with its whole history, and nothing to press."""

from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.queries.case_history import Part
from exceptions_app.queries.case_page import CasePage, read_case_page
from exceptions_app.views.case_context import Asked, case_context
from exceptions_app.views.case_history import history_context
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for, visible_case

# Of the middle column what is read; the rest are forms.
_READ = ("_case_held", "_case_diff", "_case_problems", "_case_lines")
_READ_TEMPLATES = frozenset(f"exceptions/{name}.html" for name in _READ)
_PARTS = {
    Part.TIMELINE: "exceptions/_case_timeline.html",
    Part.VERSIONS: "exceptions/_case_versions.html",
    Part.ATTEMPTS: "exceptions/_case_attempts.html",
    Part.ARRIVALS: "exceptions/_case_arrivals.html",
}


@require_safe
@never_cache
@signed_in
def case_print(request: HttpRequest, ref: str) -> HttpResponse:
    """For the browser's own printing; each list has its newest entries and says when there are more."""
    page = read_case_page(visible_case(request, ref), person(request))
    context = case_context(page, Asked(), reach_for(request))
    context |= {
        "sections": [template for template in context["sections"] if template in _READ_TEMPLATES],
        "parts": [_part(page, part) for part in _PARTS],
        "printed_at": now(),
        "printed_by": person(request),
        "pack_key": str(uuid4()),
    }
    return render(request, "exceptions/case_print.html", context)


def _part(page: CasePage, part: Part) -> dict[str, Any]:
    history = history_context(page.case, tab=part.value, verbs=page.standing.verbs)
    return {
        "name": part.value,
        "label": next(tab["label"] for tab in history["tabs"] if tab["current"]),
        "template": _PARTS[part],
        "rows": history["rows"],
        "count": history["count"],
        "is_cut": bool(history["older_url"]),
    }
