"""A validator's SVRL report as errors with their business field, plain words and, where it is certain, a proposal."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names
from integrations.connectors.en16931.document import UblDocument
from integrations.connectors.en16931.rules import rule_of
from integrations.connectors.en16931.sums import RootCause, find_root_cause
from integrations.connectors.en16931.targets import Finding, target_of
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
_CODE_IN_TEXT: Final = re.compile(r"^\s*\[?([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)\]?\s*[-:\u2013]?\s*")
_XML_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


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
    context, attribute = _place_reported(location, document)
    rule = rule_of(code)
    target = target_of(Finding(rule, text, finding.get("test") or "", attribute or rule.attribute, context), document)
    return RefusalError(
        code=code,
        severity=_severity(finding),
        text=text or f"The rule {code} is not kept.",
        plain=rule.plain or (_outside_words(target.name) if rule.outside and target.name else _clean(text, code)),
        general=rule.plain or f"The rule {code} is not kept.",
        path=location,
        field_path=target.path,
        term=target.term,
        field=target.label,
        language=_language(text_node),
    )


def _outside_words(name: str) -> str:
    return (
        f"{name} has no place in the European standard, so the receiver may not read it. "
        "Take it out, unless you have agreed on it."
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


def _place_reported(location: str, document: UblDocument) -> tuple[etree._Element | None, str]:
    """The element that a validator's location names, if it names exactly one, and the attribute if it names one."""
    try:
        path = paths.parse_path(location, document.root)
    except paths.PathError:
        return None, ""
    found = paths.find_elements(path, document.root)
    return (found[0], path.attribute) if len(found) == 1 else (None, "")


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
