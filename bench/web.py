"""Requests to the application as its web server makes them, without the web server and its sockets."""

import io
from collections.abc import Callable, Mapping
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.test import Client
from django.utils.timezone import now

from workbench.models import User
from workbench.tokens import create_api_token
from workbench.wsgi import application


def call(method: str, path: str, *, expect: int, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Send one request through every middleware, read the whole answer, and return its body."""
    environ: dict[str, object] = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json", "REMOTE_ADDR": "127.0.0.1",
    } | {f"HTTP_{name.upper()}": value for name, value in headers.items()}  # fmt: skip
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start(status: str, *_more: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    answer = application(environ, start)
    try:
        content = b"".join(answer)
    finally:
        answer.close()
    if not statuses[0].startswith(str(expect)):
        raise RuntimeError(f"{method} {path} was answered {statuses[0]}: {content[:500]!r}")
    return content


def with_token(account: User) -> dict[str, str]:
    """The headers of a program that signs in with a token."""
    _, token = create_api_token(account, name="bench", at=now())
    return {"authorization": f"Bearer {token}"}


def with_session(account: User) -> dict[str, str]:
    """The headers of a browser in which that person has signed in."""
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return {"cookie": f"{name}={client.cookies[name].value}"}
