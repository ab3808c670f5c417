"""Bearer tokens for programs. Only their hashes are stored, so a copy of the database opens nothing."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from workbench.models import ApiToken, User

PREFIX = "wb_"
# A busy client would otherwise write its token's row with every request.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def digest_of(token: str) -> str:
    """Return what is stored of a token. A plain hash is enough, since a token is random and long."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_api_token(user: User, *, name: str, expires_at: datetime | None, at: datetime) -> tuple[ApiToken, str]:
    """Store a new token and return it with its text, which cannot be shown again."""
    text = PREFIX + secrets.token_urlsafe(32)
    stored = ApiToken.objects.create(user=user, name=name, digest=digest_of(text), created_at=at, expires_at=expires_at)
    return stored, text


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer wb_…``"""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        if len(words) != 2:
            raise AuthenticationFailed("Send one token: Authorization: Bearer TOKEN.")
        now = timezone.now()
        token = (
            ApiToken.objects.select_related("user")
            .filter(digest=digest_of(words[1].decode("latin-1")), user__is_active=True)
            .filter(Q(expires_at=None) | Q(expires_at__gt=now))
            .first()
        )
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired, or its user is not active.")
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_RESOLUTION)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
