"""How often people took the values that precedents suggested."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.queries.suggestion_rates import rates_of
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.scope import reach_for


@require_safe
@never_cache
@signed_in
def suggestions(request: HttpRequest) -> HttpResponse:
    """Per field, over what the person may see."""
    rates = rates_of(reach_for(request))
    accepted, count = sum(rate.accepted for rate in rates), sum(rate.count for rate in rates)
    context = {
        "rates": rates,
        "accepted": accepted,
        "count": count,
        "percent": round(100 * accepted / count) if count else 0,
        "notices": unknown_names(request, {}),
    }
    return render(request, "exceptions/suggestions.html", context)
