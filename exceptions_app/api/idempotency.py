"""Idempotency-Key: a request that acts is carried out once, and its repeats receive the first answer.

The key, the action and the stored answer are one database transaction under an advisory lock that ends with it. So a
process that dies in the middle leaves neither an effect nor a key that stays "in flight".
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.http import HttpResponse
from django.utils.timezone import now
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, asks_for_proof, header, problem_of, problem_response
from exceptions_app.models import ApiRequest

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(days=7)
_CLEARED_AT_ONCE = 100
PASSING = (kinds.TOO_MANY_REQUESTS.status, kinds.UNAVAILABLE.status, kinds.STORAGE_FULL.status)
_USABLE = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("ETag", "Location", "WWW-Authenticate", "Retry-After")


def once(
    request: Request, act: Callable[[], Response], *, repeated: Callable[[bytes], bytes] = bytes
) -> Response | HttpResponse:
    """Act, or answer as the first request with this key was answered. Without a key: simply act.

    `repeated` returns what of a stored answer the account may still be told; it may raise instead.
    """
    key = key_of(request)
    if key is None:
        return act()
    fingerprint = fingerprint_of(request.method, request.path, request.data)
    at = now()
    with transaction.atomic():
        stored = find_answer(request, key, fingerprint, at=at)
        if stored is not None:
            return HttpResponse(
                repeated(bytes(stored.body)), status=stored.status, content_type=stored.media_type,
                headers={**stored.headers, "Idempotency-Replayed": "true"},
            )  # fmt: skip
        response = _act_or_refuse(request, act)
        keep_answer(
            request, key, fingerprint, at=at, status=response.status_code, body=JSONRenderer().render(response.data),
            media_type=response.content_type or "application/json",
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
        )  # fmt: skip
    return response


def find_answer(request: Request, key: str, fingerprint: str, *, at: datetime) -> ApiRequest | None:
    """The answer that is kept under the key, which from here on is this transaction's until its end.

    Raises Problem when the key is in use elsewhere at this moment, or belongs to another request.
    """
    if not _lock(request, key):
        raise Problem(kinds.REQUEST_IN_FLIGHT, headers={"Retry-After": "1"})
    stored: ApiRequest | None = ApiRequest.objects.filter(**_owned(request, key), stored_at__gt=at - KEPT_FOR).first()
    if stored is not None and stored.fingerprint != fingerprint:
        raise Problem(kinds.KEY_REUSED, errors=[
            {"header": HEADER, "detail": "This key belongs to another request.", "remedy": "Use a new key."}
        ])  # fmt: skip
    return stored


def keep_answer(
    request: Request,
    key: str,
    fingerprint: str,
    *,
    at: datetime,
    status: int,
    body: bytes,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Keep an answer under a key that `find_answer` found free, in the transaction of what was done."""
    _forget_expired(at=at)
    ApiRequest.objects.filter(**_owned(request, key)).delete()
    ApiRequest.objects.create(
        **_owned(request, key),
        method=request.method or "",
        path=request.path[:500],
        fingerprint=fingerprint,
        status=status,
        media_type=media_type,
        headers=dict(headers or {}),
        body=body,
        stored_at=at,
    )


def usable_key(sent: str) -> str | None:
    """The key, with or without the quotes of a structured field (RFC 9651); None for what cannot be one."""
    key = sent.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    return key if _USABLE.fullmatch(key) else None


def key_of(request: Request) -> str | None:
    sent = request.headers.get(HEADER)
    if sent is None:
        return None
    key = usable_key(sent)
    if key is None:
        raise header(HEADER, "The key is empty, too long, or has blanks.", "Send 1 to 255 visible ASCII characters.")
    return key


def _owned(request: Request, key: str) -> dict[str, Any]:
    """A key belongs to the account that sent it: nobody meets another's answer."""
    return {"user_id": request.user.pk, "key": key}


def fingerprint_of(*parts: Any) -> str:
    """Two requests are the same when these parts are, such as method, address and content of the body."""
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


def _act_or_refuse(request: Request, act: Callable[[], Response]) -> Response:
    """A refusal is an answer too, and kept; what it had begun is undone.

    What may pass by itself is not kept, nor is the question for a proof, after which the same is sent again.
    """
    try:
        with transaction.atomic():
            return act()
    except Exception as error:
        problem = problem_of(error)
        passes = problem is None or problem.kind.status in PASSING or asks_for_proof(problem.kind.type, request)
        if problem is None or passes:
            raise
        return problem_response(problem, request)


def _forget_expired(*, at: datetime) -> None:
    """A few at a time with each new one, so that the table stays small without a task of its own."""
    expired = ApiRequest.objects.select_for_update(skip_locked=True).filter(stored_at__lte=at - KEPT_FOR)
    ApiRequest.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:_CLEARED_AT_ONCE])).delete()
