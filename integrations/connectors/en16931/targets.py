"""Which business field a finding is about: by the rule, by its words, by its test, or by the place reported."""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from integrations.connectors.en16931.document import Place, UblDocument
from integrations.connectors.en16931.groups import group_of, leading_term
from integrations.connectors.en16931.rules import Rule
from integrations.connectors.en16931.syntax_rules import unexpected_place
from integrations.connectors.en16931.terms import Term
from integrations.connectors.xml_document import paths

_TERM_MENTION: Final = re.compile(r"\(?\b(BT-\d{1,3}(?:-\d)?)\b")
_GROUP_MENTION: Final = re.compile(r"\b(BG-\d{1,2})\b")
_LONGEST_TEST: Final = 300  # characters; a longer one is not simple, and comes from outside
_SIMPLE_TEST: Final = re.compile(
    r"(?:not|exists|normalize-space|boolean)?\s*\(?\s*((?:(?:\w+|\*):)?\w+(?:/(?:(?:\w+|\*):)?\w+)*(?:/@\w+)?|@\w+)\s*\)?\s*(?:!=\s*(?:''|\"\"))?"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a report says about one rule. `context` is the element reported, None when it cannot be told."""

    rule: Rule
    text: str
    test: str
    attribute: str
    context: etree._Element | None


@dataclass(frozen=True, slots=True)
class Target:
    """The business field that an error is about; `name` is what stands there, in words."""

    path: str = ""
    term: str = ""
    label: str = ""
    name: str = ""


def target_of(finding: Finding, document: UblDocument) -> Target:
    """The field to correct, or the nearest place to it that can be named."""
    rule, context = finding.rule, finding.context
    if rule.outside:
        return _unexpected(finding, document)
    known = [document.terms[number] for number in rule.terms if number in document.terms]
    if known:
        return _choose(known, rule, context, document)
    if context is not None and len(context) == 0 and (term := document.term_at(document.path_of(context))):
        return Target(document.path_of(context, finding.attribute), term.number, term.label)
    known = [document.terms[number] for number in _mentioned(finding.text) if number in document.terms]
    if known:
        return _choose(known, rule, context, document)
    return _target_of_test(finding, document)


def _mentioned(text: str) -> list[str]:
    """The terms that a text names, first those after “shall”; else what stands for the groups that it names."""
    demand = text.partition("shall")[2] or text
    for part in (demand, text):
        if found := _TERM_MENTION.findall(part):
            return list(dict.fromkeys(found))
    return [
        term for part in (demand, text) for number in _GROUP_MENTION.findall(part) if (term := leading_term(number))
    ]


def _choose(terms: list[Term], rule: Rule, context: etree._Element | None, document: UblDocument) -> Target:
    """Of several terms the one inside the place reported, and there the missing one, or the one that should not be."""
    places = [(term, place) for term in terms for place in document.places_near(term.number, context)]
    if context is not None:
        inside = [(term, place) for term, place in places if _is_inside(place.path, context, document)]
        places = inside or places
    if rule.repeated:
        wanted = _second(places)
    else:
        wanted = [(term, place) for term, place in places if bool((place.value or "").strip()) is rule.unwanted]
    term, place = (wanted or places)[0]
    return Target(place.path, term.number, term.label)


def _second(places: list[tuple[Term, Place]]) -> list[tuple[Term, Place]]:
    """What stands although the same term stood before."""
    seen: set[str] = set()
    found = []
    for term, place in places:
        if place.element is not None and term.number in seen:
            found.append((term, place))
        if place.element is not None:
            seen.add(term.number)
    return found or [(term, place) for term, place in places if place.element is not None]


def _is_inside(path: str, context: etree._Element, document: UblDocument) -> bool:
    around = document.path_of(context)
    return path == around or path.startswith((f"{around}/", f"{around}["))


def _unexpected(finding: Finding, document: UblDocument) -> Target:
    """What the standard does not have: at the place reported, or where the rule's test finds it."""
    context = finding.context
    if context is None:
        return Target()
    if context is not document.root:
        return _at_element(context, finding.attribute, document)
    try:
        path = paths.parse_path(unexpected_place(finding.test, paths.short_name_of(document.line_tag)), document.root)
    except paths.PathError:
        return Target()
    holds = paths.find_elements(path, context)
    found = [node for node in holds if not path.attribute or node.get(path.attribute) is not None]
    found = [node for node in found if not document.term_at(document.path_of(node, path.attribute))] or found
    return _at_element(found[0], path.attribute, document) if found else Target()


def _target_of_test(finding: Finding, document: UblDocument) -> Target:
    """For rules that we do not know: the place which the rule's own test looks at, or the place reported."""
    context = finding.context
    if context is None:
        return Target()
    test = " ".join(finding.test[:_LONGEST_TEST].split())
    found = _SIMPLE_TEST.fullmatch(test)
    if found is None or found[1] in ("true", "false"):
        return _at_element(context, finding.attribute, document)
    try:
        path = paths.parse_path(found[1], document.root)
    except paths.PathError:
        return _at_element(context, finding.attribute, document)
    below = paths.elements_at(path.steps, context)
    if len(below) == 1:
        return _at_element(below[0], path.attribute, document)
    if below:
        return _at_element(context, finding.attribute, document)
    return _named(f"{document.path_of(context)}/{found[1]}", found[1].rpartition("/")[2], context, document)


def _at_element(element: etree._Element, attribute: str, document: UblDocument) -> Target:
    name = etree.QName(element).localname
    return _named(document.path_of(element, attribute), f"{name} {attribute}".strip(), element, document)


def _named(path: str, name: str, element: etree._Element, document: UblDocument) -> Target:
    words = in_words(name)
    term = document.term_at(path) or document.term_at(path.partition("/@")[0])
    if term is not None:
        return Target(path, term.number, term.label, words)
    group = group_of(element)
    if group is None and path == document.path_of(element):
        for below in element.iterdescendants("*"):
            if element is not document.root and (term := document.term_at(document.path_of(below))):
                return Target(document.path_of(below), term.number, term.label, words)
    return Target(path, group.number if group is not None else "", words, words)


def in_words(name: str) -> str:
    """The name of an element as words: Contract document reference."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.rpartition(":")[2].removeprefix("@"))
    return words if words.isupper() else words[:1].upper() + words[1:].lower()
