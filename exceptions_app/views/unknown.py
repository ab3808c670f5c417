"""The list of what was sent and of which nobody knows whether it was booked."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from exceptions_app.queries.unknown import MOST_SHOWN, unknown_outcomes
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for


@require_safe
@signed_in
def unknown(request: HttpRequest) -> HttpResponse:
    """The longest unknown first. What can be done about each is on its own page."""
    found = unknown_outcomes(person(request), reach_for(request))
    context = {"rows": found, "at": now(), "most": MOST_SHOWN, "is_cut": len(found) >= MOST_SHOWN}
    return render(request, "exceptions/unknown.html", context)
