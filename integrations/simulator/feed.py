"""The simulated feed: items of a source system, each with a number, read page by page with a cursor.

`GET /feed/items?cursor=&limit=` answers `{"items": [...], "next_cursor": "…"}`, oldest first in the order of delivery;
at the end the cursor stays. `GET /feed/items?from=&to=` has the items of these numbers, without those that are lost.
`POST /control/feed` sets it up: `add` items, of which the first `skip` are held back with their numbers; deliver `late`
what was held back, or `lose` it; `repeat` the items of some numbers; `answer` the next `times` requests with a status.
"""

from typing import Any

from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.routes import Refused, Request, Route, Routes, World

SYSTEM = "feed"
_ITEMS, _CONTROL = "/feed/items", "/control/feed"
_MOST, _USUAL = 5_000, 100
_KNOWN = frozenset({"add", "skip", "late", "repeat", "lose", "answer", "times", "retry_after"})


class Feed:
    """What it was given stands in the ledger, in the order in which it was given: a restart forgets nothing."""

    def __init__(self, *, world: World) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self._answers: list[tuple[int, str]] = []
        self.index()

    def routes(self) -> Routes:
        return {
            ("GET", _ITEMS): Route(self.read, signed_in=True),
            ("GET", _CONTROL): Route(self.show),
            ("POST", _CONTROL): Route(self.change),
        }

    def index(self) -> None:
        self._stream: list[dict[str, Any]] = []
        self._held: dict[int, dict[str, Any]] = {}  # by number: skipped so far
        self._last = 0
        self._answers = []
        for setting in self._ledger.settings:
            if setting.get("system") == SYSTEM:
                self._apply(setting["change"])

    def close(self) -> None:
        """Nothing is held."""

    def read(self, request: Request) -> Reply:
        with self._lock:
            if self._answers:
                status, wait = self._answers.pop(0)
                headers = {"Retry_After": wait} if wait else {}
                return problem(status, "ASKED_FOR", "This answer was asked for.", **headers)
            if "from" in request.query or "to" in request.query:
                return self._range(request)
            return self._page(request)

    def _page(self, request: Request) -> Reply:
        begin = _number(request, "cursor", 0)
        limit = min(max(_number(request, "limit", _USUAL), 1), _MOST)
        items = self._stream[begin : begin + limit]
        return json_reply(200, {"items": items, "next_cursor": str(max(begin, min(begin + limit, len(self._stream))))})

    def _range(self, request: Request) -> Reply:
        first, last = _number(request, "from", 0), _number(request, "to", 0)
        known = self._held | {item["sequence"]: item for item in self._stream}
        return json_reply(200, {"items": [known[number] for number in sorted(known) if first <= number <= last]})

    def show(self, request: Request) -> Reply:
        with self._lock:
            return json_reply(200, {"items": len(self._stream), "last": self._last, "held": sorted(self._held)})

    def change(self, request: Request) -> Reply:
        given = request.json_object()
        with self._lock:
            change = self._understood(given)
            if change.get("answer"):
                self._answers += [(change["answer"], str(change.get("retry_after", "")))] * change.get("times", 1)
            self._ledger.append({"record": "setting", "system": SYSTEM, "change": change})
            self._apply(change)
        return self.show(request)

    def _understood(self, given: dict[str, Any]) -> dict[str, Any]:
        """The change, when it can be made whole; raises Refused."""
        unknown = sorted(set(given) - _KNOWN)
        if unknown:
            raise _refused(unknown[0], f"it is none of {', '.join(sorted(_KNOWN))}.")
        items = given.get("add", [])
        if not isinstance(items, list) or not all(isinstance(item, dict) and item.get("payload") for item in items):
            raise _refused("add", "write a list of objects with a payload, and an id and a refusal if you like.")
        for name in ("skip", "answer", "times"):
            if not (type(given.get(name, 0)) is int and given.get(name, 0) >= 0):
                raise _refused(name, "write a whole number.")
        if not isinstance(given.get("late", []), list) or not set(given.get("late", [])) <= set(self._held):
            raise _refused("late", f"write a list of numbers that were skipped: {sorted(self._held)}.")
        for name in ("repeat", "lose"):
            numbers = given.get(name, [])
            known = set(self._held) | {item["sequence"] for item in self._stream}
            if not isinstance(numbers, list) or not set(numbers) <= known:
                raise _refused(name, "write a list of numbers of items.")
        return given

    def _apply(self, change: dict[str, Any]) -> None:
        new = change.get("add", [])
        skipped = change.get("skip", 0)
        for place, given in enumerate(new):
            self._last += 1
            item = {"id": f"feed-{self._last}", **given, "sequence": self._last}
            if place < skipped:
                self._held[self._last] = item
            else:
                self._stream.append(item)
        for number in change.get("late", []):
            self._stream.append(self._held.pop(number))
        for number in change.get("repeat", []):
            self._stream.extend([item for item in self._stream if item["sequence"] == number][:1])
        for number in change.get("lose", []):
            self._held.pop(number, None)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise _refused(name, "write a whole number.", status=422)
    return int(text)


def _refused(name: str, text: str, *, status: int = 400) -> Refused:
    return Refused(problem(status, "NOT_UNDERSTOOD", f"{name}: {text}"))
