"""Corrections of an XML document: a list of steps applied together, and the steps that a filled-in form amounts to."""

from collections.abc import Mapping, Sequence
from typing import Final

from lxml import etree

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.xml_document import paths
from integrations.connectors.xml_document.grammar import Grammar
from integrations.connectors.xml_document.steps import apply, read_path, single, value_at
from integrations.connectors.xml_document.trees import serialise
from integrations.safe_xml import UnsafeXml, parse

MAX_OPERATIONS: Final = 2000


def correct(grammar: Grammar, payload: bytes, operations: Sequence[Operation]) -> bytes:
    """Apply all operations in their order, or none: raises CorrectionError, which names the path at fault."""
    if len(operations) > MAX_OPERATIONS:
        raise CorrectionError(
            f"{len(operations)} steps are more than the {MAX_OPERATIONS} of one correction.", remedy="Split it."
        )
    tree = parse_payload(payload)
    for operation in operations:
        apply(grammar, tree.getroot(), operation)
    return serialise(tree, payload)


def parse_payload(payload: bytes) -> etree._ElementTree:
    """The tree of a payload; raises CorrectionError when it is not XML that we accept."""
    try:
        return parse(payload)
    except UnsafeXml as error:
        raise CorrectionError(error.problem, remedy=error.remedy) from None


class _Recorder:
    """Applies steps to a tree and keeps them, so that each path is right at the moment of its step."""

    def __init__(self, grammar: Grammar, root: etree._Element) -> None:
        self.grammar = grammar
        self.root = root
        self.operations: list[Operation] = []

    def run(self, *operations: Operation) -> None:
        for operation in operations:
            apply(self.grammar, self.root, operation)
            self.operations.append(operation)


def operations_for(grammar: Grammar, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
    """Form changes as operations: path → new text, where an empty text removes. Each begins with a test of the old.

    What is not changed makes no operation. Removing the last field of a group removes the group.
    """
    recorder = _Recorder(grammar, parse_payload(payload).getroot())
    additions: list[tuple[paths.Path, str]] = []
    removals: list[tuple[etree._Element, paths.Path]] = []
    qualified: set[etree._Element] = set()  # given an attribute, so emptied but not removed
    for text, typed in changes.items():
        path, value = read_path(grammar, text, recorder.root), typed.replace("\r\n", "\n")
        if not paths.find_elements(path, recorder.root):
            if value.strip():
                additions.append((path, value))
            continue
        element = single(recorder.root, path)
        stands = value_at(element, path.attribute)
        if (stands or "").strip() == value.strip():
            continue
        if path.attribute and value.strip():
            qualified.add(element)
        if not value.strip():
            removals.append((element, path))
        elif stands is None:
            additions.append((path, value))
        else:
            where = paths.canonical(element, path.attribute)
            recorder.run(_step("test", where, stands), _step("replace", where, value))
    for path, value in sorted(additions, key=lambda addition: addition[0].attribute != ""):
        recorder.run(_step("test", path.text, ""), _step("add", path.text, value))
    emptied = [(element, path) for element, path in removals if element in qualified and not path.attribute]
    for element, _ in emptied:
        where = paths.canonical(element)
        recorder.run(_step("test", where, value_at(element, "") or ""), _step("replace", where, ""))
    _run_removals(recorder, [removal for removal in removals if removal not in emptied])
    return recorder.operations


def _run_removals(recorder: _Recorder, removals: list[tuple[etree._Element, paths.Path]]) -> None:
    """From the end of the document to its beginning, so that no removal moves the place of another."""
    order = {element: index for index, element in enumerate(recorder.root.iter("*"))}
    for element, path in sorted(removals, key=lambda removal: (order[removal[0]], removal[1].attribute), reverse=True):
        where = paths.canonical(element, path.attribute)
        recorder.run(_step("test", where, value_at(element, path.attribute) or ""))
        recorder.run(
            _remove_step(where if path.attribute else paths.canonical(_outermost_emptied(recorder.grammar, element)))
        )


def _outermost_emptied(grammar: Grammar, element: etree._Element) -> etree._Element:
    """The element, or the highest group that would be left without content."""
    parent = element.getparent()
    while parent is not None and parent.getparent() is not None and not _has_other_content(grammar, parent, element):
        element, parent = parent, parent.getparent()
    return element


def _has_other_content(grammar: Grammar, parent: etree._Element, element: etree._Element) -> bool:
    others = [child for child in parent.iterchildren("*") if child is not element]
    return any(child.tag != grammar.markers.get(parent.tag) for child in others)


def _step(op: str, path: str, value: str) -> Operation:
    if op == "test":
        return {"op": "test", "path": path, "value": value}
    return {"op": "replace" if op == "replace" else "add", "path": path, "value": value}


def _remove_step(path: str) -> Operation:
    return {"op": "remove", "path": path}
