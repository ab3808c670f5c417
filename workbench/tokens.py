"""Bearer tokens for programs. Only their hashes are stored, so a copy of the database opens nothing."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.core import signing
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import require_administrator
from exceptions_app.machines import is_machine
from workbench.models import ApiToken, User

PREFIX = "wb_"
ACCESS_PREFIX = "wba_"
ACCESS_SALT = "workbench.oauth.access"
ACCESS_SECONDS = 600
DEFAULT_DAYS = 90
MOST_DAYS = 366
# A busy client would otherwise write its token's row with every request.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def digest_of(token: str) -> str:
    """Return what is stored of a token. A plain hash is enough, since a token is random and long."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def create_api_token(
    user: User,
    *,
    name: str,
    at: datetime,
    expires_at: datetime | None = None,
    by: AbstractUser | None = None,
    because: str = "",
    scopes: list[str] | None = None,
    kind: str = ApiToken.Kind.TOKEN,
) -> tuple[ApiToken, str]:
    """Store a new token and return it with its text, which cannot be shown again.

    It expires after DEFAULT_DAYS unless another time is given, at most MOST_DAYS away, or ValueError is raised. With
    `scopes` it may be used for these alone; without, for all that the account may.
    `by` is who makes it: the account itself when nobody is named, else an administrator, or NotPermitted is raised.
    """
    author = by or user
    if author.pk != user.pk:
        require_administrator(author)
    expires_at = expires_at or at + timedelta(days=DEFAULT_DAYS)
    if expires_at > at + timedelta(days=MOST_DAYS):
        raise ValueError(f"expires_at: a token lives at most {MOST_DAYS} days.")
    text = PREFIX + secrets.token_urlsafe(32)
    stored = ApiToken.objects.create(
        user=user, name=name, digest=digest_of(text), created_at=at, expires_at=expires_at, scopes=scopes, kind=kind
    )
    log.record(
        "token.made",
        subject=f"person:{user.get_username()}",
        scope=SCOPE,
        actor=author.get_username(),
        actor_kind="machine" if is_machine(author) else "person",
        at=at,
        summary=f"{author} made the API token {name} for {user}.",
        because=because,
        data={"name": name, "expires_at": expires_at} | ({"scopes": scopes, "kind": str(kind)} if scopes else {}),
    )
    return stored, text


@transaction.atomic
def withdraw_api_token(user: User, *, name: str, by: AbstractUser, at: datetime, because: str = "") -> bool:
    """Remove a token, from the next request on; False when the account has none of that name.

    Raises NotPermitted unless `by` is an administrator.
    """
    require_administrator(by)
    found = ApiToken.objects.select_for_update().filter(user=user, name=name).first()
    if found is None:
        return False
    found.delete()
    log.record(
        "token.withdrawn",
        subject=f"person:{user.get_username()}",
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} withdrew the API token {name} of {user}.",
        because=because,
        data={"name": name},
    )
    return True


def _in_force(*, at: datetime) -> QuerySet[ApiToken]:
    """Those whose account counts: of people the active ones, of machines those with an owner who is, and not over."""
    theirs = Q(user__service__isnull=True) | Q(user__service__ends_at__gt=at, user__service__owner__is_active=True)
    found = ApiToken.objects.select_related("user").filter(theirs, user__is_active=True)
    return found.filter(Q(expires_at=None) | Q(expires_at__gt=at))


def find_secret(username: str, text: str, *, at: datetime) -> ApiToken | None:
    """The secret of that service account, when it counts."""
    if "\x00" in username:
        return None
    secrets_of = _in_force(at=at).filter(kind=ApiToken.Kind.SECRET, user__username=username)
    return secrets_of.filter(digest=digest_of(text)).first()


def _find_of_access(text: str, *, at: datetime) -> ApiToken | None:
    """The secret for which a short-lived token was given, with the scopes of that token."""
    try:
        given = signing.loads(text.removeprefix(ACCESS_PREFIX), salt=ACCESS_SALT, max_age=ACCESS_SECONDS)
    except signing.BadSignature:
        return None
    found = _in_force(at=at).filter(pk=given["secret"], kind=ApiToken.Kind.SECRET).first()
    if found is not None:
        found.scopes = [scope for scope in given["scopes"] if scope in (found.scopes or ())]
    return found


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer wb_…``"""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send one token: Authorization: Bearer TOKEN.")
        now, text = timezone.now(), words[1].decode("latin-1")
        if text.startswith(ACCESS_PREFIX):
            token = _find_of_access(text, at=now)
        else:
            token = _in_force(at=now).filter(digest=digest_of(text), kind=ApiToken.Kind.TOKEN).first()
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired, or its user is not active.")
        if token.last_used_at is None or token.last_used_at < now - LAST_USED_RESOLUTION:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
