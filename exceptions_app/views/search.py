"""One box for numbers, names, references and amounts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.queries import search as queries
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.reach import reach_for

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
    return render(request, "exceptions/search.html", {"search_query": text, "found": found})
