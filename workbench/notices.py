"""What a page says once after something was done, kept in a cookie until it is shown."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class InCookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}messages"


class Notices(FallbackStorage):
    """Django's own, but that the name of the cookie keeps it to this host."""

    storage_classes = (InCookie, SessionStorage)
