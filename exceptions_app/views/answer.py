"""The answer card: one exception in a plain sentence, for whoever is asked about it, and as a page of its own."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.answer_words import answer_of
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.answers import history_of
from exceptions_app.queries.case_page import refused_again_in
from exceptions_app.queries.notifications import wish_of
from exceptions_app.veiling import never_shows
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, visible_case
from integrations.connectors.registry import get_connector


def answer_context(case: ExceptionCase, user: AbstractUser, *, is_changed: bool) -> dict[str, Any]:
    """What `exceptions/_case_answer.html` needs; `is_changed` as in `answer_of`. Two queries."""
    words = get_connector(case.connection.connector).words
    return {"answer": answer_of(case, words, history_of(case), is_changed=is_changed), "wish": wish_of(user, case)}


def _is_changed(case: ExceptionCase) -> bool:
    """As the page of the exception knows it. One query, or two of what was corrected."""
    newest = PayloadVersion.objects.filter(case=case).only("case", "number", "created_at").order_by("-number")[0]
    return newest.number > 1 and refused_again_in(case, newest) is None


@require_safe
@never_cache
@signed_in
def answer(request: HttpRequest, ref: str) -> HttpResponse:
    case = visible_case(request, ref)
    never_shows(request)
    context = answer_context(case, person(request), is_changed=_is_changed(case))
    return render(request, "exceptions/answer.html", {"case": case, **context})
