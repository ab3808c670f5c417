"""Signing in by an OpenID provider. The protocol is django-allauth's; whose account it is, and what it may do, is ours.

An identity is the issuer and its subject, never a name or an address: those change hands.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
import requests
from allauth.socialaccount.internal import jwtkit, statekit
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.roles import change_roles
from exceptions_app.machines import SIGN_ON, machine
from workbench.models import User

PROVIDER = "oidc"
SECONDS_OF_SKEW = 60
# Signatures by a key pair, all of which PyJWT knows. What the token itself names counts only when it stands here.
ALGORITHMS = frozenset(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)) | {"EdDSA"}
_NO_NAME = re.compile(r"[^\w.@+-]+")
LONGEST_NAME = 140
LONGEST_SUBJECT = 191


class NotSignedIn(Exception):
    """The provider's answer opens no session here; says why, for the person and for the audit trail."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said of a person, its signature, audience, times and nonce checked."""

    claims: Mapping[str, Any]
    next_url: str
    proves: int | None  # the account that wants to prove itself again, when it was asked for that

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    @property
    def groups(self) -> frozenset[str]:
        """Those that the provider names; none when it names none, leaves the claim out, or sends something else."""
        said = self.claims.get(settings.OIDC_GROUPS_CLAIM)
        named = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        return frozenset(group for group in named if isinstance(group, str))

    @property
    def proved_at(self) -> float:
        """When the person last proved themselves there; long ago when the provider does not say.

        A clock of theirs that is ahead does not make it later than the moment in which the answer was made.
        """
        said = self.claims.get("auth_time")
        return float(min(said, time.time())) if isinstance(said, int | float) else 1.0


class Adapter(OpenIDConnectOAuth2Adapter):
    """The one provider of this installation, from its settings and not from rows that somebody could add."""

    def get_provider(self) -> "Provider":
        app = SocialApp(
            provider=OpenIDConnectProvider.id,
            provider_id=PROVIDER,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_ISSUER, "oauth_pkce_enabled": True},
        )
        return Provider(self.request, app=app)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("oidc_callback"))


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = Adapter


def send_to_provider(request: HttpRequest, *, next_url: str, proves: int | None = None) -> HttpResponse:
    """Lead to the provider, with what its answer must bring back. Raises NotSignedIn."""
    nonce = secrets.token_urlsafe(24)
    # Who is to prove themselves again is asked for more than a session that the provider still has.
    fresh = {"prompt": "login", "max_age": "0"} if proves is not None else {}
    try:
        answer: HttpResponse = (
            Adapter(request, PROVIDER)
            .get_provider()
            .redirect(
                request,
                AuthProcess.LOGIN,
                next_url=next_url,
                data={"nonce": nonce, "proves": proves},
                auth_params={"nonce": nonce, **fresh},
            )
        )
    except (requests.RequestException, KeyError, ValueError) as error:
        raise NotSignedIn(f"{settings.OIDC_NAME} does not answer as it should.") from error
    return answer


def state_of(request: HttpRequest) -> dict[str, Any] | None:
    """What this browser was sent to the provider with; once, and None when it was not, or too long ago."""
    state: dict[str, Any] | None = statekit.unstash_state(
        request, state_id=request.GET.get("state", ""), provider_id=PROVIDER
    )
    return state


def read_answer(request: HttpRequest, state: Mapping[str, Any] | None) -> Answer:
    """Exchange the code that the person brings for what the provider says of them. Raises NotSignedIn."""
    if state is None:
        raise NotSignedIn("This sign-in was not begun in this browser, or more than ten minutes ago.")
    if "code" not in request.GET:
        raise NotSignedIn(f"{settings.OIDC_NAME} did not let you in.")
    adapter = Adapter(request, PROVIDER)
    app = adapter.get_provider().app
    try:
        token = adapter.get_access_token_data(
            request, app, adapter.get_client(request, app), pkce_code_verifier=state.get("pkce_code_verifier")
        )
        claims = _claims_of(token["id_token"], adapter.openid_config, nonce=state["data"]["nonce"])
    except (OAuth2Error, requests.RequestException, jwt.PyJWTError, KeyError, ValueError) as error:
        raise NotSignedIn(f"What {settings.OIDC_NAME} answered cannot be trusted, or it does not answer.") from error
    return Answer(claims, next_url=state.get("next", "/"), proves=state["data"]["proves"])


def _claims_of(id_token: str, provider: Mapping[str, Any], *, nonce: str) -> dict[str, Any]:
    """The claims of an ID token that this provider made for us, now, for this very sign-in."""
    issuer = provider["issuer"]
    if issuer.rstrip("/") != settings.OIDC_ISSUER:
        raise ValueError("The issuer is another one than is configured.")
    algorithm, key = jwtkit.fetch_key(id_token, provider["jwks_uri"], jwtkit.lookup_kid_jwk)
    if algorithm not in ALGORITHMS:
        raise ValueError("The token is not signed with a key pair, or in a way that is not known here.")
    claims: dict[str, Any] = jwt.decode(
        id_token,
        key=key,
        algorithms=[algorithm],
        audience=settings.OIDC_CLIENT_ID,
        issuer=issuer,
        leeway=SECONDS_OF_SKEW,
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )
    if claims.get("nonce") != nonce:
        raise ValueError("The token was made for another sign-in.")
    if not 0 < len(str(claims["sub"])) <= LONGEST_SUBJECT:
        raise ValueError("The subject is empty, or longer than is kept.")
    return claims


def identities() -> QuerySet[SocialAccount]:
    """Those of this provider, the one that counts first: also what was kept while its issuer had a slash at its end."""
    spellings = (settings.OIDC_ISSUER, f"{settings.OIDC_ISSUER}/")
    return SocialAccount.objects.filter(provider__in=spellings).order_by("provider")


def find_person(answer: Answer) -> User | None:
    account = identities().filter(uid=answer.subject).select_related("user").first()
    return account.user if account is not None else None


@transaction.atomic
def person_of(answer: Answer, *, at: datetime) -> User:
    """The account of this identity, made at its first sign-in, with the roles of its groups. Raises NotSignedIn."""
    person = find_person(answer) or _add(answer, at=at)
    if not person.is_active:
        raise NotSignedIn("Your account here is not active. Ask an administrator.")
    _give_roles(person, answer.groups, at=at)
    return person


def _add(answer: Answer, *, at: datetime) -> User:
    """An account without any right, and without a password. It is never one that exists under such a name."""
    claims = answer.claims
    person = User(
        username=_free_name(str(claims.get("preferred_username") or claims.get("email") or answer.subject)),
        first_name=str(claims.get("given_name") or "")[:150],
        last_name=str(claims.get("family_name") or claims.get("name") or "")[:150],
        email=str(claims.get("email") or "")[:254],
    )
    person.set_unusable_password()
    person.save()
    SocialAccount.objects.create(user=person, provider=settings.OIDC_ISSUER, uid=answer.subject)
    log.record(
        "person.added",
        subject=f"person:{person.get_username()}",
        scope=SCOPE,
        actor=SIGN_ON,
        actor_kind="machine",
        at=at,
        summary=f"{person} was added at the first sign-in by {settings.OIDC_NAME}.",
        data={"issuer": settings.OIDC_ISSUER, "subject": answer.subject},
    )
    return person


def _free_name(wanted: str) -> str:
    name = _NO_NAME.sub("-", wanted)[:LONGEST_NAME].strip("-") or "person"
    taken = set(User.objects.filter(username__istartswith=name).values_list("username", flat=True))
    folded = {username.casefold() for username in taken}
    candidates = (name if number == 1 else f"{name}-{number}" for number in range(1, len(folded) + 2))
    return next(candidate for candidate in candidates if candidate.casefold() not in folded)


def _give_roles(person: User, groups: frozenset[str], *, at: datetime) -> None:
    """Give and take the roles that groups are mapped to; others, which administrators give, are left alone.

    What is refused, such as a role beside which the person may not have another, is an event for the administrators.
    """
    wanted = {role for group, role in settings.OIDC_ROLES.items() if group in groups}
    held = set(person.groups.filter(name__in=settings.OIDC_ROLES.values()).values_list("name", flat=True))
    because = f"By the groups that {settings.OIDC_NAME} names."
    change_roles(person, give=wanted - held, take=held - wanted, by=machine(SIGN_ON), at=at, because=because)
