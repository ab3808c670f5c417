"""Faults, switched by an HTTP call: at most one for each path, for a number of requests or until `none`."""

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultName(StrEnum):
    REFUSE = "refuse"  # answers a refusal even to a valid document
    SLOW = "slow"  # waits, then does everything as usual
    TIMEOUT_BEFORE = "timeout_before"  # holds the connection, does nothing, cuts it
    TIMEOUT_AFTER = "timeout_after"  # does everything, holds the connection, cuts it without an answer
    TOO_MANY_REQUESTS = "too_many_requests"  # 429 with Retry-After
    DOWN = "down"  # 503 with Retry-After, whatever the method
    NONE = "none"


DEFAULT_PATH = "/tax-authority/documents"
MAX_SECONDS = 600.0


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
    method: str  # "*" for all
    seconds: float
    remaining: int | None  # None: until switched off

    def hits(self, method: str, path: str) -> bool:
        return self.path == path and self.method in ("*", method)


class FaultSwitch:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}

    def switch(self, request: dict[str, Any]) -> None:
        """Put a fault in place, or remove it with `none` (of one path when `path` is given, else all)."""
        name = _name_of(request)
        with self._lock:
            if name is FaultName.NONE:
                doomed = [request["path"]] if "path" in request else list(self._faults)
                for path in doomed:
                    self._faults.pop(path, None)
                return
            fault = Fault(
                name=name,
                path=str(request.get("path", DEFAULT_PATH)),
                # A look-up books nothing: only an outage touches it, unless the caller says otherwise.
                method=str(request.get("method", "*" if name is FaultName.DOWN else "POST")),
                seconds=_seconds_of(request),
                remaining=_times_of(request),
            )
            self._faults[fault.path] = fault

    def take(self, *, method: str, path: str) -> Fault | None:
        """The fault that hits this request, counted down; None when all is well."""
        with self._lock:
            fault = self._faults.get(path)
            if fault is None or not fault.hits(method, path):
                return None
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining == 0:
                    del self._faults[path]
            return fault

    def active(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"fault": f.name, "path": f.path, "method": f.method, "seconds": f.seconds, "remaining": f.remaining}
                for f in self._faults.values()
            ]

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()


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
