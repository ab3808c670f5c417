"""The steps that lead from one document to another, for a correction that was made in the raw view."""

from copy import deepcopy
from typing import Any, Final

import jsonpatch

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.json_document.correct import MAX_OPERATIONS, Document, Recorder, find, read_document
from integrations.connectors.json_document.tree import Entry, Kind, Value, read_value, text_value

_MARKS: Final = {Kind.TEXT: "t", Kind.NUMBER: "n", Kind.LITERAL: "l"}


def operations_between(before: bytes, after: bytes) -> list[Operation]:
    """Value by value, else the whole document anew. Layout and the order of keys are not compared; digits are.

    Raises CorrectionError when one of them is not JSON that we accept, or when they are not of one kind.
    """
    start, goal = read_document(before), read_document(after)
    if start.root.kind is not goal.root.kind:
        raise CorrectionError(
            f"The correction turns {start.root.kind} into {goal.root.kind}.",
            remedy="Correct the document, or decline it and have the other kind issued.",
        )
    whole: list[Operation] = [{"op": "replace", "path": "", "value": goal.root.text}]
    marked, wanted = _marked(start.root), _marked(goal.root)
    if marked == wanted:
        return []
    recorder = Recorder(Document(deepcopy(start.root)))
    try:
        for step in jsonpatch.make_patch(marked, wanted).patch:
            _run(recorder, step)
    except CorrectionError:
        return whole
    fits = len(recorder.operations) <= MAX_OPERATIONS and _marked(recorder.document.root) == wanted
    return recorder.operations if fits else whole


def _run(recorder: Recorder, step: dict[str, Any]) -> None:
    match step["op"]:
        case "remove":
            recorder.remove(step["path"])
        case "add":
            recorder.add(step["path"], _unmarked(step["value"]))
        case "replace":
            recorder.replace(step["path"], _unmarked(step["value"]))
        case "move":
            moved = find(recorder.document, step["from"]).require()
            recorder.remove(step["from"])
            recorder.add(step["path"], moved)


def _marked(value: Value) -> Any:
    """Plain data in which 1.0 and 1.00, and 1 and "1", are different."""
    if value.kind is Kind.OBJECT:
        return {entry.key: _marked(entry.value) for entry in value.entries}
    if value.kind is Kind.LIST:
        return [_marked(entry.value) for entry in value.entries]
    return _MARKS[value.kind] + value.text


def _unmarked(data: Any) -> Value:
    if isinstance(data, dict):
        entries = [
            Entry(_unmarked(item), key, text_value(key).written, " " if index else "", ": ")
            for index, (key, item) in enumerate(data.items())
        ]
        return Value(Kind.OBJECT, entries=entries)
    if isinstance(data, list):
        items = [Entry(_unmarked(item), before=" " if index else "") for index, item in enumerate(data)]
        return Value(Kind.LIST, entries=items)
    text = str(data)
    return text_value(text[1:]) if text[0] == _MARKS[Kind.TEXT] else read_value(text[1:])
