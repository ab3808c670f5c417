"""Idempotency-Key: a request that acts is carried out once, and its repeats receive the first answer.

The key, the action and the stored answer are one database transaction under an advisory lock that ends with it. So a
process that dies in the middle leaves neither an effect nor a key that stays "in flight".
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils.timezone import now
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, header, problem_of, problem_response
from exceptions_app.models import ApiRequest, ExceptionCase
from exceptions_app.models.case import ExceptionCaseQuerySet

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(days=7)
_CLEARED_AT_ONCE = 100
_PASSING = (kinds.TOO_MANY_REQUESTS.status, kinds.UNAVAILABLE.status, kinds.STORAGE_FULL.status)
_USABLE = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("ETag", "Location", "WWW-Authenticate", "Retry-After")


def once(request: Request, act: Callable[[], Response]) -> Response | HttpResponse:
    """Act, or answer as the first request with this key was answered. Without a key: simply act."""
    key = _key_of(request)
    if key is None:
        return act()
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        if not _lock(request, key):
            raise Problem(kinds.REQUEST_IN_FLIGHT, headers={"Retry-After": "1"})
        at = now()
        stored = ApiRequest.objects.filter(**_owned(request, key), stored_at__gt=at - KEPT_FOR).first()
        if stored is not None:
            return _replay(stored, fingerprint, request)
        response = _act_or_refuse(request, act)
        _store(request, response, key=key, fingerprint=fingerprint, at=at)
    return response


def _key_of(request: Request) -> str | None:
    """The key, with or without the quotes of a structured field (RFC 9651)."""
    sent = request.headers.get(HEADER)
    if sent is None:
        return None
    key = sent.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _USABLE.fullmatch(key):
        raise header(HEADER, "The key is empty, too long, or has blanks.", "Send 1 to 255 visible ASCII characters.")
    return key


def _owned(request: Request, key: str) -> dict[str, Any]:
    """A key belongs to the account that sent it: nobody meets another's answer."""
    return {"user_id": request.user.pk, "key": key}


def _fingerprint(request: Request) -> str:
    """Two requests are the same when method, address and content of the body are."""
    parts = [request.method, request.path, request.data]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_exactly).encode()).hexdigest()


def _exactly(value: Any) -> dict[str, str]:
    return {type(value).__name__: str(value)}


def lock_number(user_id: int, key: str) -> int:
    """The advisory lock of one key of one account."""
    return int.from_bytes(hashlib.sha256(f"{user_id}\x1f{key}".encode()).digest()[:8], "big", signed=True)


def _lock(request: Request, key: str) -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_number(int(request.user.pk or 0), key)])
        return bool(cursor.fetchone()[0])


def _replay(stored: ApiRequest, fingerprint: str, request: Request) -> HttpResponse:
    if stored.fingerprint != fingerprint:
        raise Problem(kinds.KEY_REUSED, errors=[
            {"header": HEADER, "detail": "This key belongs to another request.", "remedy": "Use a new key."}
        ])  # fmt: skip
    _require_visible(request)
    return HttpResponse(
        bytes(stored.body), status=stored.status, content_type=stored.media_type,
        headers={**stored.headers, "Idempotency-Replayed": "true"},
    )  # fmt: skip


def _require_visible(request: Request) -> None:
    """An answer about an exception is for as long as the account may see it; after that it does not exist."""
    ref = (request.parser_context or {}).get("kwargs", {}).get("ref")
    if ref is None:
        return
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.visible_to(request.user).with_ref(ref)
    if not cases.exists():
        raise Http404


def _act_or_refuse(request: Request, act: Callable[[], Response]) -> Response:
    """A refusal is an answer too, and kept; what it had begun is undone. What may pass by itself is not kept."""
    try:
        with transaction.atomic():
            return act()
    except Exception as error:
        problem = problem_of(error)
        if problem is None or problem.kind.status in _PASSING:
            raise
        return problem_response(problem, request)


def _store(request: Request, response: Response, *, key: str, fingerprint: str, at: datetime) -> None:
    _forget_expired(at=at)
    ApiRequest.objects.filter(**_owned(request, key)).delete()
    ApiRequest.objects.create(
        **_owned(request, key),
        method=request.method or "",
        path=request.path[:500],
        fingerprint=fingerprint,
        status=response.status_code,
        media_type=response.content_type or "application/json",
        headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
        body=JSONRenderer().render(response.data),
        stored_at=at,
    )


def _forget_expired(*, at: datetime) -> None:
    """A few at a time with each new one, so that the table stays small without a task of its own."""
    expired = ApiRequest.objects.select_for_update(skip_locked=True).filter(stored_at__lte=at - KEPT_FOR)
    ApiRequest.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:_CLEARED_AT_ONCE])).delete()
