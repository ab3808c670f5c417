"""Faults, switched by an HTTP call: for a number of requests, until `none`, or for a share of the requests.

Of each path one fault is in force for all requests; beside it any number of them may each hit a share. A share is drawn
from the request itself, the seed, and how often the same request came: a storm with the same seed hits the same
documents, in whatever order the workers send them.
"""

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultName(StrEnum):
    REFUSE = "refuse"  # answers a refusal even to a valid document
    ERROR_IN_200 = "error_in_200"  # the same, but with the status 200
    SLOW = "slow"  # waits, then does everything as usual
    REORDER = "reorder"  # lets the next request of the path go first, but waits no longer than `seconds`
    TIMEOUT_BEFORE = "timeout_before"  # holds the connection, does nothing, cuts it
    TIMEOUT_AFTER = "timeout_after"  # does everything, holds the connection, cuts it without an answer
    BOOK_LATE = "book_late"  # cuts the connection at once, does everything after `seconds`
    BOOK_TWICE = "book_twice"  # books one request as two documents
    HALF_ACCEPT = "half_accept"  # of several documents in one request, books the first half and refuses the rest
    ALREADY_DONE_4XX = "already_done_4xx"  # books, then answers as if the document had been there before
    ERROR_AFTER = "error_after"  # does everything, then answers 500
    DROP_MID_ANSWER = "drop_mid_answer"  # does everything, sends half of the answer, cuts the connection
    GARBAGE = "garbage"  # does everything, then answers what nobody can read
    TOO_MANY_REQUESTS = "too_many_requests"  # 429 with Retry-After
    THROTTLED_403 = "throttled_403"  # 403 with X-RateLimit-Remaining and X-RateLimit-Reset
    THROTTLED_400 = "throttled_400"  # 400 that says so in its text
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 — 401, whatever the method
    DOWN = "down"  # 503 with Retry-After, whatever the method
    NONE = "none"


WRITES = "POST/PUT"
DEFAULT_PATH = "/tax-authority/documents"
MAX_SECONDS = 600.0
_WHATEVER_THE_METHOD = frozenset({FaultName.DOWN, FaultName.TOKEN_EXPIRED})


class FaultNotUnderstood(Exception):
    """`field` names what is wrong in the request."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


@dataclass(slots=True)
class Fault:
    name: FaultName
    path: str
    method: str  # "*" for all, WRITES for what may have an effect
    seconds: float
    remaining: int | None  # None: until switched off
    share: float | None = None  # of the requests, above 0, up to 1; None: all of them
    seed: int = 0

    def hits(self, method: str, path: str) -> bool:
        return self.path == path and (self.method == "*" or method in self.method.split("/"))

    def as_json(self) -> dict[str, Any]:
        told = {"fault": self.name, "path": self.path, "method": self.method, "seconds": self.seconds}
        told["remaining"] = self.remaining
        return told if self.share is None else told | {"share": self.share, "seed": self.seed}


class FaultSwitch:
    def __init__(self, *, seed: int = 0) -> None:
        """`seed` is that of the shares whose request gives none."""
        self._lock = threading.Lock()
        self._seed = seed
        self._for_all: dict[str, Fault] = {}
        self._shares: list[Fault] = []
        self._seen: Counter[bytes] = Counter()

    def switch(self, request: dict[str, Any]) -> None:
        """Put a fault in place, or remove with `none` (those of one path when `path` is given, else all).

        With `share` it comes beside those that are there, in place of the share of the same fault, path and method.
        """
        name = _name_of(request)
        if name is FaultName.NONE:
            return self.clear(path=request.get("path"))
        share = _share_of(request)
        fault = Fault(
            name=name,
            path=str(request.get("path", DEFAULT_PATH)),
            # A look-up books nothing: only an outage touches it, unless the caller says otherwise.
            method=str(request.get("method", "*" if name in _WHATEVER_THE_METHOD else WRITES)),
            seconds=_seconds_of(request),
            remaining=_times_of(request),
            share=share,
            seed=_seed_of(request, self._seed),
        )
        with self._lock:
            if share is None:
                self._for_all[fault.path] = fault
            else:
                self._add_share(fault)
        return None

    def _add_share(self, fault: Fault) -> None:
        place = (fault.name, fault.path, fault.method)
        others = [known for known in self._shares if (known.name, known.path, known.method) != place]
        taken = sum(known.share or 0 for known in others if known.path == fault.path)
        if taken + (fault.share or 0) > 1:
            raise FaultNotUnderstood("share", f"share: the others of this path take {taken:g} already.")
        self._shares = [*others, fault]

    def take(self, *, method: str, path: str, content: bytes = b"") -> Fault | None:
        """The fault that hits this request, counted down; None when all is well.

        `content` is what tells the request from others: its query, or its body.
        """
        with self._lock:
            fault = self._for_all.get(path)
            if fault is None or not fault.hits(method, path):
                fault = self._drawn(method, path, content)
            if fault is None:
                return None
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining == 0:
                    self._remove(fault)
            return fault

    def _drawn(self, method: str, path: str, content: bytes) -> Fault | None:
        candidates = [fault for fault in self._shares if fault.hits(method, path)]
        if not candidates:
            return None
        request = hashlib.sha256(f"{method} {path}\n".encode() + content).digest()
        self._seen[request] += 1
        begin = 0.0
        for fault in candidates:
            source = f"{fault.seed}|{request.hex()}|{self._seen[request]}".encode()
            drawn = int.from_bytes(hashlib.sha256(source).digest()[:8]) / 2**64
            share = fault.share or 0.0
            if begin <= drawn < begin + share:
                return fault
            begin += share
        return None

    def _remove(self, fault: Fault) -> None:
        if fault.share is None:
            del self._for_all[fault.path]
        else:
            self._shares.remove(fault)

    def active(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.as_json() for fault in (*self._for_all.values(), *self._shares)]

    def clear(self, *, path: str | None = None) -> None:
        """Of one path, or all of them; the draws begin anew when all are gone."""
        with self._lock:
            if path is None:
                self._for_all.clear()
                self._shares.clear()
                self._seen.clear()
            else:
                self._for_all.pop(path, None)
                self._shares = [fault for fault in self._shares if fault.path != path]


def _name_of(request: dict[str, Any]) -> FaultName:
    try:
        return FaultName(request.get("fault", ""))
    except ValueError:
        known = ", ".join(FaultName)
        raise FaultNotUnderstood("fault", f"fault must be one of {known}.") from None


def _times_of(request: dict[str, Any]) -> int | None:
    times = request.get("times")
    if times is None:
        return None
    if type(times) is not int or times < 1:
        raise FaultNotUnderstood("times", "times must be a whole number from 1, or null for until switched off.")
    return times


def _seconds_of(request: dict[str, Any]) -> float:
    seconds = request.get("seconds", 30)
    if type(seconds) not in (int, float) or not 0 <= seconds <= MAX_SECONDS:
        raise FaultNotUnderstood("seconds", f"seconds must be a number from 0 to {MAX_SECONDS:g}.")
    return float(seconds)


def _share_of(request: dict[str, Any]) -> float | None:
    share = request.get("share")
    if share is None:
        return None
    if type(share) not in (int, float) or not 0 < share <= 1:
        raise FaultNotUnderstood("share", "share must be a number above 0 and up to 1, such as 0.06.")
    return float(share)


def _seed_of(request: dict[str, Any], default: int) -> int:
    seed = request.get("seed", default)
    if type(seed) is not int:
        raise FaultNotUnderstood("seed", "seed must be a whole number.")
    return seed
