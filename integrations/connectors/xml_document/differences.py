"""The steps that lead from one document to another, for a correction that was made in the raw view."""

from copy import deepcopy
from difflib import SequenceMatcher

from lxml import etree

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.xml_document import paths
from integrations.connectors.xml_document.correct import MAX_OPERATIONS, parse_payload
from integrations.connectors.xml_document.grammar import Grammar
from integrations.connectors.xml_document.steps import apply
from integrations.connectors.xml_document.trees import as_fragment, own_text, same_content


def operations_between(grammar: Grammar, before: bytes, after: bytes) -> list[Operation]:
    """Field by field where that is possible, else the whole document anew. Comments and layout are not compared."""
    start, goal = parse_payload(before).getroot(), parse_payload(after).getroot()
    if start.tag != goal.tag:
        raise CorrectionError(
            f"The correction turns the {etree.QName(start).localname} into a {etree.QName(goal).localname}.",
            path=paths.canonical(start),
            remedy="Correct the document, or decline it and have the other kind issued.",
        )
    whole: Operation = {"op": "replace", "path": paths.canonical(start), "value": as_fragment(goal)}
    comparison = _Comparison(grammar, deepcopy(start))
    try:
        comparison.lead(comparison.root, goal)
    except CorrectionError:
        return [whole]
    fits = len(comparison.operations) <= MAX_OPERATIONS and same_content(comparison.root, goal)
    return comparison.operations if fits else [whole]


class _Comparison:
    """Changes a copy of the document step by step until it is like the other, and keeps the steps."""

    def __init__(self, grammar: Grammar, root: etree._Element) -> None:
        self.grammar = grammar
        self.root = root
        self.operations: list[Operation] = []

    def _run(self, operation: Operation) -> None:
        apply(self.grammar, self.root, operation)
        self.operations.append(operation)

    def lead(self, element: etree._Element, goal: etree._Element) -> None:
        """Make `element`, which is part of the copy, say what `goal` says."""
        self._lead_attributes(element, goal)
        if next(goal.iterchildren("*"), None) is None and next(element.iterchildren("*"), None) is None:
            stands, wanted = own_text(element), own_text(goal)
            if stands != wanted:
                path = paths.canonical(element)
                self._run({"op": "test", "path": path, "value": stands})
                self._run({"op": "replace", "path": path, "value": wanted})
            return
        tags = dict.fromkeys(child.tag for parent in (element, goal) for child in parent.iterchildren("*"))
        for tag in tags:
            self._lead_children(element, goal, tag)

    def _lead_attributes(self, element: etree._Element, goal: etree._Element) -> None:
        for name in dict.fromkeys((*element.attrib, *goal.attrib)):
            stands, wanted = element.get(name), goal.get(name)
            if stands == wanted:
                continue
            if name.startswith("{"):
                raise CorrectionError("Attributes with a namespace cannot be named.", path=paths.canonical(element))
            path = paths.canonical(element, name)
            if stands is not None:
                self._run({"op": "test", "path": path, "value": stands})
            if wanted is None:
                self._run({"op": "remove", "path": path})
            else:
                self._run({"op": "add" if stands is None else "replace", "path": path, "value": wanted})

    def _lead_children(self, element: etree._Element, goal: etree._Element, tag: str) -> None:
        present, wanted = list(element.iterchildren(tag)), list(goal.iterchildren(tag))
        surplus: list[etree._Element] = []
        missing: list[int] = []
        for i1, i2, j1, j2 in _gaps(present, wanted):
            paired = min(i2 - i1, j2 - j1)
            for index in range(paired):
                self.lead(present[i1 + index], wanted[j1 + index])
            surplus.extend(present[i1 + paired : i2])
            missing.extend(range(j1 + paired, j2))
        for child in reversed(surplus):
            path = paths.canonical(child)
            self._run({"op": "test", "path": path, "value": _value_of(child)})
            self._run({"op": "remove", "path": path})
        for index in missing:
            position = f"[{index + 1}]" if self.grammar.repeats(element, tag) else ""
            path = f"{paths.canonical(element)}/{paths.short_name(wanted[index])}{position}"
            self._run({"op": "add", "path": path, "value": _text_or_fragment(self.grammar, wanted[index])})


def _gaps(present: list[etree._Element], wanted: list[etree._Element]) -> list[tuple[int, int, int, int]]:
    """Where two rows of like elements differ, as index ranges of one and the other."""
    if len(present) == len(wanted):
        return [(0, len(present), 0, len(wanted))]
    ours, theirs = [_signature(node) for node in present], [_signature(node) for node in wanted]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    return [(i1, i2, j1, j2) for kind, i1, i2, j1, j2 in matcher.get_opcodes() if kind != "equal"]


def _signature(element: etree._Element) -> tuple[object, ...]:
    children = tuple(_signature(child) for child in element.iterchildren("*"))
    return (element.tag, tuple(sorted(element.attrib.items())), own_text(element), children)


def _text_or_fragment(grammar: Grammar, element: etree._Element) -> str:
    """A plain field as its text, anything else as XML."""
    text = own_text(element)
    plain = len(element) == 0 and not element.attrib and not text.lstrip().startswith("<")
    return text if plain and not grammar.children(element) else as_fragment(element)


def _value_of(element: etree._Element) -> str:
    return own_text(element) if next(element.iterchildren("*"), None) is None else as_fragment(element)
