"""Asks for a fresh proof in the middle of a decision: what was typed is kept, and the decision goes on after it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app.actions.fresh_proof import Caller, FreshProofNeeded, called_by
from exceptions_app.refusing import is_no_refusal
from exceptions_app.views import errors
from exceptions_app.views.interrupted import keep_meanwhile, may_be_kept
from exceptions_app.views.scope import person
from workbench import passkeys, proofs

PREFIX = "proof"


class StepUpMiddleware:
    """Says who asks for decisions, and turns a refusal for want of a proof into the question for it.

    The form of the question goes where the decision went, with all that was typed. The proof in it is looked at
    before the view is, which then decides as if nothing had been in between.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with called_by(lambda: _caller_of(request)):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, arguments: object, named: object) -> HttpResponse | None:
        # By its address, so that nothing is read of other forms, and nothing asked of the database for them.
        if request.method != "POST" or PREFIX not in request.GET or not request.user.is_authenticated:
            return None
        if not any(name.startswith(f"{PREFIX}-") for name in request.POST):
            return None  # the view came back with errors after a proof, and its form goes to the same address
        form_class = proofs.form_for(person(request))
        if form_class is None:
            return None
        form = form_class(request.POST, prefix=PREFIX)
        refusal = proofs.prove(request, form)
        if refusal is not None:
            return refusal
        return _ask(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY) if form.errors else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, FreshProofNeeded):
            return None
        if exception.by_token:
            return errors.not_permitted(request, exception.reason)
        is_no_refusal(request)  # the decision goes on after the proof
        form_class = proofs.form_for(person(request))
        form = form_class(prefix=PREFIX) if form_class is not None else None
        return _ask(request, form, reason=exception.reason, status=HTTPStatus.FORBIDDEN)


def _caller_of(request: HttpRequest) -> Caller:
    """A token goes before a session, as it does for the API."""
    has_token = request.headers.get("Authorization", "").lower().startswith("bearer")
    return Caller(has_token=has_token, proved_lately=not has_token and proofs.is_fresh(request, at=now()))


def _administers(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.app_name == "admin"


def _ask(request: HttpRequest, form: forms.Form | None, *, status: HTTPStatus, reason: str = "") -> HttpResponse:
    kept: list[tuple[str, Any]] = [
        (name, value) for name, values in request.POST.lists() if may_be_kept(name) for value in values
    ]
    context: dict[str, Any] = {"form": form, "kept": kept, "reason": reason, "address": request.path, "marked": PREFIX}
    context["passkey"] = passkeys.offer_to(person(request))
    context["administers"] = administers = _administers(request)
    if form is None and administers:  # whose pages do not show again what waits in a session
        context |= {"oidc_name": settings.OIDC_NAME, "page": reverse("admin:index")}
    elif form is None:  # the proof is given elsewhere, so that what was typed waits here
        context |= {"oidc_name": settings.OIDC_NAME, "page": keep_meanwhile(request)}
    answer = render(request, "registration/prove_and_decide.html", context, status=status)
    if request.headers.get("HX-Request") == "true":
        # In place of the content of the page, and not of the fragment that was asked for.
        answer.status_code = HTTPStatus.OK
        answer["HX-Retarget"] = answer["HX-Reselect"] = "#content"
        answer["HX-Reswap"] = "outerHTML"
    return answer
