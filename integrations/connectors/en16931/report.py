"""A validator's SVRL report as errors with their business field, plain words and, where it is certain, a proposal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names
from integrations.connectors.en16931.document import UblDocument
from integrations.connectors.en16931.rules import Rule, rule_of
from integrations.connectors.en16931.sums import RootCause, find_root_cause
from integrations.connectors.en16931.terms import Term
from integrations.connectors.en16931.values import currency_of
from integrations.connectors.xml_document import paths
from integrations.refusals import RefusalError, Severity

MAX_ERRORS: Final = 500

_FINDINGS: Final = (f"{{{names.SVRL}}}failed-assert", f"{{{names.SVRL}}}successful-report")
_SEVERITIES: Final = {
    "fatal": Severity.ERROR,
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "information": Severity.INFO,
    "info": Severity.INFO,
}
_TERM_MENTION: Final = re.compile(r"\(?\b(BT-\d{1,3}(?:-\d)?)\b")
_CODE_IN_TEXT: Final = re.compile(r"^\s*\[?([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)\]?\s*[-:\u2013]?\s*")
_SIMPLE_TEST: Final = re.compile(
    r"(?:not|exists|normalize-space|boolean)?\s*\(?\s*((?:(?:\w+|\*):)?\w+(?:/(?:(?:\w+|\*):)?\w+)*(?:/@\w+)?|@\w+)\s*\)?\s*(?:!=\s*(?:''|\"\"))?"
)
_XML_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class _Target:
    """The business field that an error is about."""

    path: str = ""
    term: str = ""
    label: str = ""


def findings(report: etree._Element) -> list[etree._Element]:
    """Every failed assertion and successful report, wherever in the document and with whatever prefix they stand."""
    return list(report.iter(*_FINDINGS))


def errors_of(report: etree._Element, document: UblDocument) -> tuple[RefusalError, ...]:
    """The errors of a report about `document`, the likeliest root first, at most MAX_ERRORS."""
    errors = [_error(finding, document) for finding in findings(report)]
    return explain(list(dict.fromkeys(errors)), document)[:MAX_ERRORS]


def explain(errors: Sequence[RefusalError], document: UblDocument) -> tuple[RefusalError, ...]:
    """Add what follows from looking at all errors together: proposals, consequences, and the order to work in."""
    codes = {error.code for error in errors}
    explained = _explain_sums(errors, find_root_cause(document)) if codes & _SUM_CODES else list(errors)
    explained = _explain_currency(explained, document)
    return tuple(sorted(explained, key=_rank))


_SUM_CODES: Final = frozenset(
    {f"BR-CO-{number}" for number in range(10, 18)}
    | {f"BR-{code}-{number}" for code in ("S", "Z", "E", "AE", "IC", "G", "O", "AF", "AG") for number in ("08", "09")}
    | {"BR-12", "BR-13", "BR-14", "BR-15", "BR-45", "BR-46"}
)
_SEVERITY_RANK: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_SETTLES: Final = " settles this too."


def _rank(error: RefusalError) -> tuple[int, int, int]:
    follows = error.plain.endswith(_SETTLES)
    return (_SEVERITY_RANK[error.severity], 1 if follows else 0, 0 if error.proposed_value is not None else 1)


def _error(finding: etree._Element, document: UblDocument) -> RefusalError:
    text_node = finding.find(f"{{{names.SVRL}}}text")
    text = " ".join((paths.text_of(text_node) if text_node is not None else "").split())
    code = _code(finding, text)
    location = (finding.get("location") or "").strip()
    context = _element_at(location, document)
    rule = rule_of(code)
    target = _target(rule, text, finding.get("test") or "", context, document)
    return RefusalError(
        code=code,
        severity=_severity(finding),
        text=text or f"The rule {code} is not kept.",
        plain=rule.plain or _clean(text, code),
        path=location,
        field_path=target.path,
        term=target.term,
        field=target.label,
        language=_language(text_node),
    )


def _code(finding: etree._Element, text: str) -> str:
    found = _CODE_IN_TEXT.match(text)
    return (finding.get("id") or "").strip() or (found[1] if found else "unnamed")


def _severity(finding: etree._Element) -> Severity:
    flag = (finding.get("flag") or finding.get("role") or "").strip().lower()
    missing = Severity.ERROR if finding.tag == _FINDINGS[0] else Severity.WARNING
    return _SEVERITIES.get(flag, missing)


def _language(text_node: etree._Element | None) -> str:
    language = text_node.get(_XML_LANGUAGE, "") if text_node is not None else ""
    return language.partition("-")[0] or "en"


def _clean(text: str, code: str) -> str:
    found = _CODE_IN_TEXT.match(text)
    return text[found.end() :] if found and found[1] == code else text


def _element_at(location: str, document: UblDocument) -> etree._Element | None:
    """The element that a validator's location names, if it names exactly one."""
    try:
        found = paths.find_elements(paths.parse_path(location, document.root), document.root)
    except paths.PathError:
        return None
    return found[0] if len(found) == 1 else None


def _target(rule: Rule, text: str, test: str, context: etree._Element | None, document: UblDocument) -> _Target:
    known = [document.terms[number] for number in rule.terms if number in document.terms]
    if known:
        return _choose(known, rule, context, document)
    if context is not None and len(context) == 0 and (term := document.term_at(document.path_of(context))):
        return _Target(document.path_of(context, rule.attribute), term.number, term.label)
    mentioned = list(
        dict.fromkeys(_TERM_MENTION.findall(text.partition("shall")[2] or text) or _TERM_MENTION.findall(text))
    )
    known = [document.terms[number] for number in mentioned if number in document.terms]
    if known:
        return _choose(known, rule, context, document)
    return _target_of_test(test, context, document)


def _choose(terms: list[Term], rule: Rule, context: etree._Element | None, document: UblDocument) -> _Target:
    """Of several terms the one inside the place reported, and there the missing one, or the one that should not be."""
    places = [(term, document.place(term.number, context)) for term in terms]
    if context is not None:
        inside = [(term, place) for term, place in places if _is_inside(place.path, context, document)]
        places = inside or places
    wanted = [(term, place) for term, place in places if bool(place.value) is rule.unwanted]
    term, place = (wanted or places)[0]
    return _Target(place.path, term.number, term.label)


def _is_inside(path: str, context: etree._Element, document: UblDocument) -> bool:
    around = document.path_of(context)
    return path == around or path.startswith((f"{around}/", f"{around}["))


def _target_of_test(test: str, context: etree._Element | None, document: UblDocument) -> _Target:
    """For rules that we do not know: the place which the rule's own test looks at, or the place reported."""
    if context is None:
        return _Target()
    found = _SIMPLE_TEST.fullmatch(test.strip())
    if found is None or found[1] in ("true", "false"):
        return _at_element(context, "", document)
    try:
        path = paths.parse_path(found[1], document.root)
    except paths.PathError:
        return _at_element(context, "", document)
    below = paths.elements_at(path.steps, context)
    if len(below) == 1:
        return _at_element(below[0], path.attribute, document)
    where = f"{document.path_of(context)}/{found[1]}"
    return _named(where, found[1].rpartition("/")[2], document) if not below else _at_element(context, "", document)


def _at_element(element: etree._Element, attribute: str, document: UblDocument) -> _Target:
    return _named(document.path_of(element, attribute), attribute or etree.QName(element).localname, document)


def _named(path: str, name: str, document: UblDocument) -> _Target:
    term = document.term_at(path)
    if term is not None:
        return _Target(path, term.number, term.label)
    return _Target(path, "", in_words(name))


def in_words(name: str) -> str:
    """The name of an element as words: Contract document reference."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.rpartition(":")[2].removeprefix("@"))
    return words if words.isupper() else words[:1].upper() + words[1:].lower()


def _explain_sums(errors: Sequence[RefusalError], cause: RootCause | None) -> list[RefusalError]:
    if cause is None:
        return list(errors)
    named = any(error.field_path == cause.amount.path for error in errors)
    return [_with_cause(error, cause, named=named) for error in errors]


def _with_cause(error: RefusalError, cause: RootCause, *, named: bool) -> RefusalError:
    if error.field_path == cause.amount.path:
        return replace(error, proposed_value=f"{cause.value:f}")
    if error.code not in cause.rules:
        return error
    words = f"Correcting {cause.amount.term}{_SETTLES}" if named else _line_words(cause)
    return replace(error, plain=f"{error.plain} {words}")


def _line_words(cause: RootCause) -> str:
    stands = "is missing" if cause.amount.value is None else f"is {cause.amount.value:f}"
    line = re.search(r"Line\[(\d+)\]", cause.amount.path)
    where = f"of line {line[1]} " if line else ""
    return (
        f"The likely cause: the net amount {where}({cause.amount.term}) {stands}, "
        f"but quantity times price comes to {cause.value:f}."
    )


def _explain_currency(errors: Sequence[RefusalError], document: UblDocument) -> list[RefusalError]:
    """When all amounts are in one currency and the invoice's code is another, that code is the root."""
    place = document.place("BT-5")
    used = {value for node in document.root.iter("*") if (value := node.get("currencyID"))}
    currency = currency_of(used.pop()) if len(used) == 1 else ""
    if not currency or currency == (place.value or "").strip():
        return list(errors)
    named = any(error.field_path == place.path for error in errors)
    return [_with_currency(error, place.path, currency, named=named) for error in errors]


def _with_currency(error: RefusalError, path: str, currency: str, *, named: bool) -> RefusalError:
    if error.field_path == path:
        return replace(error, proposed_value=currency)
    if error.code != "BR-CO-15" or error.proposed_value is not None:
        return error
    if named:
        return replace(error, plain=f"{error.plain} Correcting BT-5{_SETTLES}")
    return replace(
        error,
        plain=f"All amounts are in {currency}, but the invoice currency code is another, so no VAT total counts.",
        field_path=path,
        term="BT-5",
        field="Invoice currency code",
        proposed_value=currency,
    )
