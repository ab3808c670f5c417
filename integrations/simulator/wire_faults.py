"""What faults put on the wire: the dialects in which a target turns requests away, and answers that nobody can read."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from integrations.simulator.faults import FaultName
from integrations.simulator.replies import Reply

RETRY_AFTER: Final = 1  # seconds
Problem = Callable[[int, str, str], Reply]

_TURNED_AWAY: Final = {
    FaultName.TOO_MANY_REQUESTS: (429, "TOO_MANY_REQUESTS", "Slow down."),
    FaultName.THROTTLED_403: (403, "RATE_LIMITED", "The quota of requests is used up."),
    FaultName.THROTTLED_400: (
        400,
        "REQUEST_LIMIT_EXCEEDED",
        f"The limit of requests is exceeded. Try again in {RETRY_AFTER} seconds.",
    ),
    FaultName.TOKEN_EXPIRED: (401, "TOKEN_EXPIRED", "The bearer token has expired."),
    FaultName.DOWN: (503, "DOWN", "Closed for now."),
}
_UNREADABLE: Final = (
    Reply(200, b"<!DOCTYPE html><title>Welcome</title><p>You are signed in.", "text/html; charset=utf-8"),
    Reply(200, b'{"document": "51000', "application/json"),
    Reply(200, b"\x00\xff\xfe<Document><GrpHdr></Document>\x00", "application/xml"),
    Reply(200, b"", "application/json"),
)


def turned_away(fault: FaultName, problem: Problem) -> Reply | None:
    """The answer of a target that does not look at a request, in the words of its system; None for other faults."""
    if fault not in _TURNED_AWAY:
        return None
    return replace(problem(*_TURNED_AWAY[fault]), headers=_headers(fault))


def _headers(fault: FaultName) -> dict[str, str]:
    match fault:
        case FaultName.TOO_MANY_REQUESTS:
            return {"Retry-After": str(RETRY_AFTER)}
        case FaultName.THROTTLED_403:
            # When the quota begins anew, in seconds since 1970: how the APIs say it that answer 403.
            return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 1 + RETRY_AFTER)}
        case FaultName.TOKEN_EXPIRED:
            return {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"'}
        case FaultName.DOWN:
            return {"Retry-After": str(RETRY_AFTER), "Connection": "close"}
    return {}


def unreadable(body: bytes) -> Reply:
    """An answer that nobody can read; which one follows from the request."""
    return _UNREADABLE[hashlib.sha256(body).digest()[0] % len(_UNREADABLE)]
