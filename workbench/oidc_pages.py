"""The way to the OpenID provider and back. Refused answers are recorded, and counted for their address."""

from http import HTTPStatus
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login as open_session
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.callers import client_address
from workbench import oidc, proofs, sessions
from workbench.attempts import Attempt, record, record_refusal, too_many
from workbench.signing_in import BACKEND


@require_safe
@never_cache
def go(request: HttpRequest) -> HttpResponse:
    """A link, since a form that ends at another site is what the content policy refuses. Nothing is decided by it.

    From another site it leads to the sign-in page with its button: nobody is signed in here without wanting to be.
    """
    if not settings.OIDC_ISSUER:
        raise Http404
    next_url = _safe(request, request.GET.get("next", ""))
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': next_url})}")
    proves = request.user.pk if request.user.is_authenticated and "prove" in request.GET else None
    if request.user.is_authenticated and proves is None:
        return HttpResponseRedirect(next_url)
    try:
        return oidc.send_to_provider(request, next_url=next_url, proves=proves)
    except oidc.NotSignedIn as refused:
        return _refused(request, str(refused))


@require_safe
@never_cache
def come_back(request: HttpRequest) -> HttpResponse:
    if not settings.OIDC_ISSUER:
        raise Http404
    state = oidc.state_of(request)
    attempt = Attempt.of_provider(client_address(request), at=now(), begun=state is not None)
    if attempt.wait:
        return too_many(request, attempt)
    try:
        answer = oidc.read_answer(request, state)
        if answer.proves is not None:
            _prove(request, answer)
        else:
            _open_once(request, answer)
    except oidc.NotSignedIn as refused:
        record_refusal(attempt, str(refused))
        return _refused(request, str(refused))
    attempt.succeeded()
    return HttpResponseRedirect(_safe(request, answer.next_url))


def _open_once(request: HttpRequest, answer: oidc.Answer) -> None:
    """Two first sign-ins of one person at once make one account: the slower one finds it."""
    try:
        _open(request, answer)
    except IntegrityError:
        _open(request, answer)


@transaction.atomic
def _open(request: HttpRequest, answer: oidc.Answer) -> None:
    at = now()
    person = oidc.person_of(answer, at=at)
    open_session(request, person, backend=BACKEND)
    request.session[proofs.PROVED_AT] = answer.proved_at
    sessions.note_where(request)
    record(
        "person.signed_in", person.get_username(), request, words=f"signed in by {settings.OIDC_NAME}",
        issuer=settings.OIDC_ISSUER,
    )  # fmt: skip


def _prove(request: HttpRequest, answer: oidc.Answer) -> None:
    """The same person as in this session, who has just proved themselves over there."""
    person = oidc.find_person(answer)
    if person is None or person.pk != request.user.pk or answer.proves != person.pk:
        raise oidc.NotSignedIn("It was somebody else who proved themselves.")
    if now().timestamp() - answer.proved_at >= proofs.FRESH.total_seconds():
        raise oidc.NotSignedIn(f"{settings.OIDC_NAME} does not say that you proved yourself just now.")
    record(
        "person.proved_again", person.get_username(), request,
        words=f"proved again who they are ({settings.OIDC_NAME})", by="provider",
    )  # fmt: skip
    request.session[proofs.PROVED_AT] = answer.proved_at


def _safe(request: HttpRequest, wanted: str) -> str:
    fits = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if fits else "/"


def _refused(request: HttpRequest, reason: str) -> HttpResponse:
    return render(request, "registration/oidc_refused.html", {"reason": reason}, status=HTTPStatus.FORBIDDEN)
