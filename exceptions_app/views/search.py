"""One box for numbers, names, references, amounts and tokens."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.filters import ANY
from exceptions_app.queries import transactions
from exceptions_app.queries.search import SHORTEST_PART
from exceptions_app.queries.transactions import sight_within
from exceptions_app.search_box import MOST_CHARACTERS, Answer, look_up
from exceptions_app.search_text import TOKENS
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.transactions import Row, rows_of


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def search(request: HttpRequest) -> HttpResponse:
    """The whole number of one exception leads straight to it; anything else to a list."""
    text = request.GET.get("q", "").strip()[:MOST_CHARACTERS]
    answer = look_up(person(request), reach_for(request), text)
    found = answer.found
    if found.only is not None and not answer.notices:
        return redirect("exceptions:case", ref=found.only.ref)
    context = {
        "search_query": text,
        "found": found,
        "answer": answer,
        "tokens": TOKENS.values(),
        "list_url": _list_url(answer),
        "transactions": _transactions(request, answer),
    }
    return render(request, "exceptions/search.html", context)


def _list_url(answer: Answer) -> str:
    """The same exceptions as a work list, where a token narrowed the search; there what is closed is asked for."""
    if not answer.filters:
        return ""
    asked = {"state": ANY, **answer.filters} | ({"text": answer.words} if answer.words else {})
    return f"{reverse('exceptions:queue')}?{urlencode(asked)}"


def _transactions(request: HttpRequest, answer: Answer) -> list[Row]:
    """What was handed over for delivery under this reference or identifier; tokens are for exceptions alone."""
    if len(answer.words) < SHORTEST_PART or answer.filters:
        return []
    sight = sight_within(reach_for(request), person(request))
    return rows_of(transactions.find(sight, answer.words), sight)
