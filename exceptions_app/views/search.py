"""One box for numbers, names, references and amounts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.queries import search as queries
from exceptions_app.queries import transactions
from exceptions_app.queries.transactions import sight_within
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.transactions import Row, rows_of

MOST_CHARACTERS = 200


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def search(request: HttpRequest) -> HttpResponse:
    """The whole number of one exception leads straight to it; anything else to a list."""
    text = request.GET.get("q", "").strip()[:MOST_CHARACTERS]
    found = queries.search(reach_for(request), text)
    if found.only is not None:
        return redirect("exceptions:case", ref=found.only.ref)
    context = {"search_query": text, "found": found, "transactions": _transactions(request, text)}
    return render(request, "exceptions/search.html", context)


def _transactions(request: HttpRequest, text: str) -> list[Row]:
    """What was handed over for delivery under this reference or identifier."""
    if len(text) < queries.SHORTEST_PART:
        return []
    sight = sight_within(reach_for(request), person(request))
    return rows_of(transactions.find(sight, text), sight)
