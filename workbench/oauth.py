"""OAuth 2 client credentials (RFC 6749, section 4.4): a secret of a service account for a token of a few minutes.

The access token is signed and not stored: it names the secret that it was given for, and that secret is looked at with
every use. So it is over with its secret, its account and the owner of the account, and there is nothing to clear away.
"""

import base64
import binascii
from datetime import timedelta
from urllib.parse import unquote_plus

from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.callers import client_address, network_of
from exceptions_app.limits import Counted, count, give_back
from workbench.models import ApiToken
from workbench.tokens import ACCESS_PREFIX, ACCESS_SALT, ACCESS_SECONDS, digest_of, find_secret

WINDOW = timedelta(minutes=5)
FAILURES_PER_CLIENT = 10
FAILURES_PER_ADDRESS = 30
_PARAMETERS = ("grant_type", "client_id", "client_secret", "scope")
_MOST_CHARACTERS = 1000


class OAuthError(Exception):
    """A refusal by RFC 6749, section 5.2."""

    def __init__(self, code: str, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.code, self.words, self.status = code, words, status


@sensitive_post_parameters("client_secret")
@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    try:
        body = _given(request)
    except OAuthError as error:
        body = {"error": error.code, "error_description": error.words}
        answer = JsonResponse(body, status=error.status)
        if error.status == 401:
            answer["WWW-Authenticate"] = 'Basic realm="Exception Workbench", charset="UTF-8"'
    else:
        answer = JsonResponse(body)
    answer["Cache-Control"], answer["Pragma"] = "no-store", "no-cache"
    return answer


def _given(request: HttpRequest) -> dict[str, object]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "Send application/x-www-form-urlencoded.")
    if any(len(request.POST.getlist(name)) > 1 for name in _PARAMETERS):
        raise OAuthError("invalid_request", "A parameter is given twice.")
    if any(len(request.POST.get(name, "")) > _MOST_CHARACTERS for name in _PARAMETERS):
        raise OAuthError("invalid_request", "A parameter is too long.")
    client, secret = _client_of(request)
    grant_type = request.POST.get("grant_type", "")
    if not grant_type:
        raise OAuthError("invalid_request", "Send grant_type=client_credentials.")
    found = _authenticated(request, client, secret)
    if grant_type != "client_credentials":
        raise OAuthError("unsupported_grant_type", "Only client_credentials is given here.")
    held = list(found.scopes or ())
    asked = request.POST.get("scope", "").split() or held
    if not set(asked) <= set(held):
        raise OAuthError("invalid_scope", f"This secret has {' '.join(held)}, and gives no more.")
    return _issue(found, sorted(set(asked)))


def _client_of(request: HttpRequest) -> tuple[str, str]:
    """The client's name and secret, from the header or from the body, and never from both."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    posted = request.POST.get("client_id", ""), request.POST.get("client_secret", "")
    if not scheme:
        if not all(posted):
            raise OAuthError("invalid_client", "Send client_id and client_secret.", status=401)
        return posted
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client", "Authenticate with Basic, or in the body.", status=401)
    if posted[1]:
        raise OAuthError("invalid_request", "Authenticate in the header or in the body, and not in both.")
    try:
        name, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_client", "The header cannot be read.", status=401) from None
    client = unquote_plus(name)
    if not colon or (posted[0] and posted[0] != client):
        raise OAuthError("invalid_client", "The header names no client, or another than the body.", status=401)
    return client, unquote_plus(secret)


def _authenticated(request: HttpRequest, client: str, secret: str) -> ApiToken:
    """The secret, when it is the client's and counts. Counted before it is looked at, so that guessing is slow."""
    at, address = now(), network_of(client_address(request))
    attempts: list[tuple[Counted, int]] = [
        (count(f"oauth:{address}:{digest_of(client)[:16]}", window=WINDOW, at=at), FAILURES_PER_CLIENT),
        (count(f"oauth:{address}", window=WINDOW, at=at), FAILURES_PER_ADDRESS),
    ]
    if any(counted.number > most for counted, most in attempts):
        raise OAuthError("invalid_client", "Too many attempts failed. Wait some minutes.", status=429)
    found = find_secret(client, secret, at=at)
    if found is None:
        raise OAuthError("invalid_client", "The client is unknown, over, or its secret is another.", status=401)
    for counted, _ in attempts:
        give_back(counted)
    return found


@transaction.atomic
def _issue(secret: ApiToken, scopes: list[str]) -> dict[str, object]:
    at = now()
    ApiToken.objects.filter(pk=secret.pk).update(last_used_at=at)
    username = secret.user.get_username()
    log.record(
        "token.issued",
        subject=f"person:{username}",
        scope=SCOPE,
        actor=username,
        at=at,
        summary=f"{username} got an access token for {ACCESS_SECONDS // 60} minutes by its secret {secret.name}.",
        data={"name": secret.name, "scopes": scopes, "seconds": ACCESS_SECONDS},
    )
    text = signing.dumps({"secret": secret.pk, "scopes": scopes}, salt=ACCESS_SALT, compress=False)
    return {
        "access_token": f"{ACCESS_PREFIX}{text}",
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "scope": " ".join(scopes),
    }
