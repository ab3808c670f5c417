"""A long poll that costs a thread and nothing else: no transaction of the database is open while it waits."""

import re
import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Final

from rest_framework.request import Request

from exceptions_app.api.problems import parameter

LONGEST: Final = 20  # seconds
EVERY: Final = 0.5  # seconds between two looks
MOST_AT_ONCE: Final = 4
"""Of one process: whoever comes beyond is answered at once, so that threads are left for everybody else."""

_WAITING = BoundedSemaphore(MOST_AT_ONCE)


def seconds_of(request: Request) -> int:
    """How long the caller wants to wait; raises Problem for what is no such number."""
    text = request.query_params.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > LONGEST:
        raise parameter("wait", f"“{text[:20]}” cannot be waited.", f"Send whole seconds from 0 to {LONGEST}.")
    return int(text)


def wait_until(is_done: Callable[[], bool], *, seconds: int) -> None:
    """Return when it is done or the time is over, whichever comes first; at once when too many wait already."""
    ends_at = time.monotonic() + seconds
    if not seconds or not _WAITING.acquire(blocking=False):
        return
    try:
        while time.monotonic() < ends_at and not is_done():
            time.sleep(EVERY)
    finally:
        _WAITING.release()


def names(request: Request, tag: str) -> bool:
    """Whether If-None-Match names this tag; compared weakly, as RFC 9110 (13.1.2) asks."""
    wanted = request.headers.get("If-None-Match", "")
    return wanted.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in wanted.split(",")]
