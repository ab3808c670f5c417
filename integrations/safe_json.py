"""JSON from outside, parsed without trusting it: exact decimals, no NaN, no duplicate keys, bounded size and depth."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_DEPTH: Final = 100
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 40

# A text is passed over from escape to escape, not character by character: documents are long and have many of them.
_STRUCTURE: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class UnsafeJson(ValueError):
    """The bytes are not JSON that we accept. `pointer` is the RFC 6901 place, empty for the document as a whole."""

    def __init__(self, problem: str, remedy: str, *, pointer: str = "") -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.pointer = pointer


class _Fault(str):
    """Stands where a value could not be accepted, until its pointer is known."""

    remedy: str

    def __new__(cls, problem: str, remedy: str) -> "_Fault":
        fault = super().__new__(cls, problem)
        fault.remedy = remedy
        return fault


def loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Parse one JSON value; numbers with a fraction become Decimal. `max_bytes` in bytes; raises UnsafeJson.

    A UTF-8 byte order mark is tolerated, because exports from spreadsheets and Windows tools carry one.
    """
    if len(data) > max_bytes:
        raise UnsafeJson(
            f"The document has {len(data):,} bytes, more than the {max_bytes:,} that are accepted.",
            "Split the message.",
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise UnsafeJson("The document is empty.", "Send a JSON value.")
    if b"\x00" in data:
        raise UnsafeJson("The document contains a NUL byte or is not UTF-8.", "Send it as UTF-8 without NUL.")
    _scan_depth(data, max_depth=max_depth)
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise UnsafeJson(
            f"The document is not valid UTF-8: byte {error.start} cannot be read.", "Send it as UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        raise UnsafeJson(
            f"The document is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
            "Correct it at that place and send it again.",
        ) from None
    _refuse_faults(value)
    return value


def _scan_depth(data: bytes, *, max_depth: int) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(data):
        mark = found[0][:1]
        if mark in b"[{":
            depth += 1
            if depth > max_depth:
                raise UnsafeJson(f"The document is nested more than {max_depth} levels deep.", "Flatten it.")
        elif mark in b"]}":
            depth -= 1


def _decimal(text: str) -> Decimal | _Fault:
    digits, _, exponent = text.lower().partition("e")
    places = exponent.lstrip("+-").lstrip("0")  # as many leading zeros as one likes are JSON
    if len(digits) > MAX_DIGITS or len(places) > len(str(MAX_EXPONENT)) or int(places or 0) > MAX_EXPONENT:
        return _Fault(f"The number {_short(text)} is out of range.", f"Use at most {MAX_DIGITS} digits.")
    return Decimal(text)


def _integer(text: str) -> int | _Fault:
    if len(text) > MAX_DIGITS:
        return _Fault(f"The number {_short(text)} is out of range.", f"Use at most {MAX_DIGITS} digits.")
    return int(text)


def _constant(text: str) -> _Fault:
    return _Fault(f"{text} is not a number in JSON.", "Send a number, or null when there is none.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                result[key] = _Fault(f"The key {_short(key)} occurs twice.", "Send each key once.")
            seen.add(key)
    return result


def _refuse_faults(value: Any) -> None:
    """Walk without recursion and refuse the first value, or text, that cannot be accepted, naming its place.

    It holds one iterator for each level and no copy of what is there: a small document may have millions of values.
    """
    levels: list[Iterator[tuple[object, Any]]] = [iter([("", value)])]
    steps: list[object] = []  # to what the last level goes through; the first is that to the document itself
    while levels:
        for step, item in levels[-1]:
            if isinstance(item, _Fault):
                _refuse(str(item), item.remedy, _place(steps, step))
            elif isinstance(item, str):
                _refuse_text(item, steps, step)
            elif isinstance(item, dict):
                for key in item:
                    _refuse_text(key, steps, step)
                steps.append(step)
                levels.append(iter(item.items()))
                break
            elif isinstance(item, list):
                steps.append(step)
                levels.append(enumerate(item))
                break
        else:
            levels.pop()
            if steps:
                steps.pop()


def _place(steps: Sequence[object], step: object) -> list[str]:
    return [str(one) for one in (*steps, step)][1:]


def _refuse_text(text: str, steps: Sequence[object], step: object) -> None:
    if "\x00" in text:
        _refuse("A text contains the character NUL.", "Remove it.", _place(steps, step))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("A text contains half of a surrogate pair.", "Send the complete character.", _place(steps, step))


def _refuse(problem: str, remedy: str, place: Sequence[str]) -> NoReturn:
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in place)
    pointer = pointer.encode("utf-8", "replace").decode("utf-8")
    where = f" (at {pointer})" if pointer else ""
    raise UnsafeJson(problem.rstrip(".") + where + ".", remedy, pointer=pointer)


def _short(text: str) -> str:
    safe = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")
    return safe if len(safe) <= 24 else f"{safe[:24]}…"
