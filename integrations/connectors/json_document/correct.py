"""A list of steps applied together, and the steps that a filled-in form amounts to."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.json_document.pointers import BadPointer, index_of, pointer_to, steps_of
from integrations.connectors.json_document.tree import Entry, Kind, Value, read_value, same, text_value
from integrations.safe_json import UnsafeJson, loads

MAX_OPERATIONS: Final = 2000

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOM: Final = b"\xef\xbb\xbf"
_AS_A_PATH: Final = "Name the place as a JSON Pointer, such as /lines/0/text."

IsNumber = Callable[[str], bool]  # path → whether the document writes that field as a number


@dataclass(slots=True)
class Document:
    """`lead` and `tail` are what stands around the one value."""

    root: Value
    lead: str = ""
    tail: str = ""
    bom: bytes = b""

    def write(self) -> bytes:
        return self.bom + f"{self.lead}{self.root.json}{self.tail}".encode()


def read_document(payload: bytes) -> Document:
    """Raises CorrectionError for what is not JSON that we accept."""
    try:
        loads(payload)
    except UnsafeJson as error:
        raise CorrectionError(error.problem, path=error.pointer, remedy=error.remedy) from None
    text = payload.removeprefix(_BOM).decode()
    bare = text.strip(" \t\n\r")
    lead = text[: len(text) - len(text.lstrip(" \t\n\r"))]
    tail = text[len(lead) + len(bare) :]
    return Document(read_value(bare), lead, tail, _BOM if payload.startswith(_BOM) else b"")


def correct(payload: bytes, operations: Sequence[Operation]) -> bytes:
    """Apply all operations in their order, or none: raises CorrectionError, which names the path at fault."""
    if len(operations) > MAX_OPERATIONS:
        raise CorrectionError(
            f"{len(operations)} steps are more than the {MAX_OPERATIONS} of one correction.", remedy="Split it."
        )
    document = read_document(payload)
    for operation in operations:
        apply(document, operation)
    try:
        corrected = document.write()
        loads(corrected)
    except UnicodeEncodeError:
        raise CorrectionError(
            "A text contains half of a surrogate pair.", remedy="Send the complete character."
        ) from None
    except UnsafeJson as error:
        raise CorrectionError(error.problem, path=error.pointer, remedy=error.remedy) from None
    return corrected


def apply(document: Document, operation: Operation) -> None:
    """One step, on the document itself; raises CorrectionError."""
    path, op = operation.get("path", ""), operation.get("op")
    place = find(document, path)
    if op == "test":
        _require_same(place, operation.get("value", ""))
    elif op == "replace":
        place.replace(_value_like(place.require(), operation.get("value", ""), path))
    elif op == "add":
        place.add(added_value(operation.get("value", ""), path))
    elif op == "remove":
        place.remove()
    else:
        raise CorrectionError(f"A step cannot be “{op}”.", path=path, remedy="Use test, replace, add or remove.")


@dataclass(slots=True)
class Place:
    """Where a path leads: an entry of `holder`, or the place at which it would stand; the root has no holder."""

    document: Document
    path: str
    holder: Value | None = None
    step: str = ""
    entry: Entry | None = None

    @property
    def value(self) -> Value | None:
        if self.holder is None:
            return self.document.root
        return self.entry.value if self.entry else None

    def require(self) -> Value:
        value = self.value
        if value is None:
            _refuse(self.path, "There is nothing here.", "Add it instead.")
        return value

    def replace(self, value: Value) -> None:
        if self.entry is not None:
            self.entry.value = value
        else:
            self.document.root = value

    def add(self, value: Value) -> None:
        """Insert into a list, before what stands there; a member of an object must be new."""
        if self.holder is None or (self.entry is not None and self.holder.kind is Kind.OBJECT):
            _refuse(self.path, "Something is here already.", "Replace it instead.")
        if self.holder.kind is Kind.OBJECT:
            return self.holder.put(len(self.holder.entries), value, key=self.step)
        count = len(self.holder.entries)
        index = count if self.step == "-" else index_of(self.step)
        if index is None or index > count:
            _refuse(self.path, f"The list has {count} entries.", f"Add at a place from 0 to {count}.")
        return self.holder.put(index, value)

    def remove(self) -> None:
        self.require()
        if self.holder is None or self.entry is None:
            _refuse(self.path, "The whole document cannot be removed.", "Decline the exception instead.")
        self.holder.take(self.entry)


def find(document: Document, path: str) -> Place:
    """Follow a path; everything but its last step must be there. Raises CorrectionError."""
    try:
        steps = steps_of(path)
    except BadPointer:
        _refuse(path, f"“{path}” is not a path.", _AS_A_PATH)
    place = Place(document, path)
    for number, step in enumerate(steps):
        holder = place.value
        if holder is None or holder.kind not in (Kind.OBJECT, Kind.LIST):
            _refuse(path, f"There is no {pointer_to(*steps[:number])} with fields in it.", _AS_A_PATH)
        place = Place(document, path, holder, step, _entry_at(holder, step))
    return place


def _entry_at(holder: Value, step: str) -> Entry | None:
    if holder.kind is Kind.OBJECT:
        return holder.member(step)
    index = index_of(step)
    return holder.entries[index] if index is not None and index < len(holder.entries) else None


def _require_same(place: Place, wanted: str) -> None:
    """An empty text also means: nothing stands here."""
    stands = place.value
    if stands is None or stands.is_null:
        agrees = wanted in ("", "null") if stands else wanted == ""
    elif stands.kind is Kind.TEXT:
        agrees = stands.text == wanted
    else:
        expected = _json_value(wanted)
        agrees = expected is not None and same(stands, expected)
    if not agrees:
        here = "nothing" if stands is None else f"“{stands.text[:80]}”"
        _refuse(place.path, f"Here stands {here}, not “{wanted[:80]}”.", "Look at the latest version and start again.")


def _value_like(stands: Value, text: str, path: str) -> Value:
    """A value of the type that stands there."""
    if stands.is_null:
        return added_value(text, path)
    if stands.kind is Kind.TEXT:
        return text_value(text)
    if stands.kind is Kind.NUMBER and not _NUMBER.fullmatch(text.strip()):
        _refuse(path, f"“{text[:80]}” is not a number.", "Write digits with a point, such as 1428.00.")
    value = _json_value(text)
    if value is None or value.kind is not stands.kind:
        _refuse(path, f"Here stands {stands.kind}, and “{text[:80]}” is none.", "Remove it and add the other.")
    return value


def added_value(text: str, path: str) -> Value:
    """JSON, or else a text; raises CorrectionError for an object or list that is not whole."""
    value = _json_value(text)
    if value is not None:
        return value
    if text.lstrip()[:1] in ("{", "["):
        _refuse(path, "This begins like JSON and is none.", "Correct it, or put a text in quotation marks.")
    return text_value(text)


def _json_value(text: str) -> Value | None:
    try:
        loads(text.encode())
    except (UnsafeJson, UnicodeEncodeError):
        return None
    return read_value(text.strip(" \t\n\r\ufeff"))


def written_as_added(value: Value) -> str:
    """The text that `added_value` reads as this value."""
    if value.kind is not Kind.TEXT:
        return value.json
    text = value.text
    plain = _json_value(text) is None and text.lstrip()[:1] not in ("{", "[")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _refuse(path: str, problem: str, remedy: str) -> NoReturn:
    raise CorrectionError(problem, path=path, remedy=remedy)


class Recorder:
    """Applies steps to a document and keeps them, so that each path is right at the moment of its step."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.operations: list[Operation] = []

    def run(self, operation: Operation) -> None:
        apply(self.document, operation)
        self.operations.append(operation)

    def replace(self, path: str, value: Value) -> None:
        """Keeping the type where there is one; a value of another type is removed and added."""
        stands = find(self.document, path).require()
        if stands.kind is not value.kind or stands.is_null:
            self.remove(path)
            self.add(path, value)
            return
        self.run({"op": "test", "path": path, "value": stands.text})
        self.run({"op": "replace", "path": path, "value": value.text})

    def remove(self, path: str) -> None:
        stands = find(self.document, path).require()
        self.run({"op": "test", "path": path, "value": stands.text})
        self.run({"op": "remove", "path": path})

    def add(self, path: str, value: Value) -> None:
        self.run({"op": "add", "path": path, "value": written_as_added(value)})


def operations_for(payload: bytes, changes: Mapping[str, str], *, is_number: IsNumber) -> list[Operation]:
    """Form changes as operations: path → new text, where an empty text removes. Each begins with a test of the old.

    What is not changed makes no operation. An item of a list that is left without any field is removed altogether.
    `is_number` says which fields that are not there yet are written as numbers.
    """
    document = read_document(payload)
    recorder = Recorder(document)
    removals: list[str] = []
    for path, typed in changes.items():
        text = typed.replace("\r\n", "\n")
        stands = find(document, path).value
        if stands is None or stands.is_null:
            if text.strip():
                _fill(recorder, path, text, number=is_number(path))
        elif not text.strip():
            removals += [path] if stands.text.strip() else []
        elif stands.text.strip() != text.strip():
            recorder.run({"op": "test", "path": path, "value": stands.text})
            recorder.run({"op": "replace", "path": path, "value": text})
    for path in sorted(removals, key=_from_the_end):
        recorder.remove(path)
    for path in dict.fromkeys(pointer_to(*steps_of(path)[:-1]) for path in sorted(removals, key=_from_the_end)):
        place = find(document, path)
        if place.holder is not None and place.holder.kind is Kind.LIST and not place.require().entries:
            recorder.remove(path)
    return recorder.operations


def _fill(recorder: Recorder, path: str, text: str, *, number: bool) -> None:
    """Put a value where none stands, or null."""
    if number and not _NUMBER.fullmatch(text.strip()):
        _refuse(path, f"“{text[:80]}” is not a number.", "Write digits with a point, such as 1428.00.")
    value = Value(Kind.NUMBER, text.strip()) if number else text_value(text)
    if find(recorder.document, path).value is not None:
        recorder.remove(path)
    else:
        recorder.run({"op": "test", "path": path, "value": ""})
    recorder.add(path, value)


def _from_the_end(path: str) -> tuple[tuple[int, str], ...]:
    """Later items of a list first, so that no removal moves the place of another."""
    return tuple((-index if (index := index_of(step)) is not None else 0, step) for step in steps_of(path))
