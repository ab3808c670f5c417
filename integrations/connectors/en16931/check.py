"""The judgement of the target before anything is sent: UBL 2.1 schema, then the official EN 16931 rules of CEN.

The stylesheet is compiled once per process, at first use (about half a second). One lock guards it: the validator
takes 4 to 15 ms, threads gain nothing from running it side by side, and its memory stays bounded this way.
"""

import os
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

from integrations.connectors.base import CheckReport
from integrations.connectors.en16931 import schema
from integrations.connectors.en16931.document import UblDocument, read_document
from integrations.connectors.en16931.report import errors_of, explain
from integrations.connectors.en16931.targets import in_words
from integrations.records.record import ValueKind
from integrations.refusals import MessageNotUnderstood, RefusalError, Severity
from integrations.safe_xml import parse

STYLESHEET: Final = schema.UBL_FOLDER / "EN16931-UBL-validation.xslt"
SCHEMA_CODE: Final = "XSD"
MAX_SCHEMA_ERRORS: Final = 200

_VERSION: Final = re.compile(rb"Schematron version ([0-9][0-9.]*)")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( (?P<names>[^)]*) \)")
_BRACED: Final = re.compile(r"\{[^}]*\}")
_CONDITION: Final = re.compile(r"\[[^\]]*\]")
_STEP_NAME: Final = re.compile(r"[\w.\-]+(?=/|$)")


@dataclass(slots=True)
class _Compiled:
    processor: PySaxonProcessor
    executable: Any  # saxonche ships no types


class _Validator:
    """The compiled rules, one caller at a time. After a fork the child begins with a free lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._compiled: _Compiled | None = None
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def run(self, xml: str) -> str:
        """The SVRL report on one document; raises PySaxonApiError when the rules cannot be evaluated on it."""
        with self._lock:
            if self._compiled is None:
                processor = PySaxonProcessor(license=False)
                compiler = processor.new_xslt30_processor()
                self._compiled = _Compiled(processor, compiler.compile_stylesheet(stylesheet_file=str(STYLESHEET)))
            node = self._compiled.processor.parse_xml(xml_text=xml)
            return str(self._compiled.executable.transform_to_string(xdm_node=node))


_validator: Final = _Validator()


@lru_cache(maxsize=1)
def check_name() -> str:
    """What the check is called on screen and in evidence, with the version that the stylesheet states."""
    with STYLESHEET.open("rb") as file:
        found = _VERSION.search(file.read(4096))
    version = f" {found[1].decode('ascii')}" if found else ""
    return f"EN 16931 official validator (CEN schematron{version})"


def check(payload: bytes) -> CheckReport:
    """Judge a payload as the tax authority would. A payload that cannot be read fails with one error, code XML."""
    try:
        document = read_document(payload)
    except MessageNotUnderstood as error:
        unreadable = RefusalError("XML", Severity.ERROR, error.problem, plain=f"{error.problem} {error.remedy}".strip())
        return CheckReport(check=check_name(), errors=(unreadable,))
    found = _all_errors(document)
    return CheckReport(
        check=check_name(),
        errors=tuple(error for error in found if error.severity is Severity.ERROR),
        warnings=tuple(error for error in found if error.severity is not Severity.ERROR),
    )


def _all_errors(document: UblDocument) -> tuple[RefusalError, ...]:
    try:
        report = _validator.run(etree.tostring(document.root, encoding="unicode"))
    except PySaxonApiError as error:
        # The rules stop at a value that is not of its type; the schema says which one.
        reason = " ".join(str(error).split())[:300]
        return _schema_errors(document, ()) or (
            RefusalError(
                code="EN16931",
                severity=Severity.ERROR,
                text=reason,
                plain="The official rules cannot be evaluated: an amount, quantity or date is not written as one.",
            ),
        )
    found = errors_of(parse(report.encode("utf-8")).getroot(), document)
    return (*_schema_errors(document, found), *found)


def _schema_errors(document: UblDocument, found: tuple[RefusalError, ...]) -> tuple[RefusalError, ...]:
    """What the schema objects to, less what a rule has already said better (a missing issue date is both)."""
    validator = schema.load_validator(document.root.tag)
    with _schema_lock:
        validator.validate(document.tree)
        entries: list[Any] = list(cast("Any", validator.error_log))[:MAX_SCHEMA_ERRORS]
    said = {name for error in found for name in _STEP_NAME.findall(_CONDITION.sub("", error.field_path))}
    prefixes = {prefix: uri for node in document.root.iter("*") for prefix, uri in node.nsmap.items() if prefix}
    errors: dict[str, RefusalError] = {}
    for entry in entries:
        path, expected = str(entry.path or ""), _expected(str(entry.message))
        if path not in errors and not said.intersection(expected):
            errors[path] = _schema_error(entry, expected, _element_at(path, document, prefixes), document)
    return explain(list(errors.values()), document)


def _expected(message: str) -> list[str]:
    """The local names of the elements that would be right at the place of an error."""
    found = _EXPECTED.search(_BRACED.sub("", message))
    return [name.strip("# ") for name in found["names"].split(",")] if found else []


_schema_lock: Final = threading.Lock()


def _schema_error(
    entry: Any, expected: list[str], element: etree._Element | None, document: UblDocument
) -> RefusalError:
    path = document.path_of(element) if element is not None else ""
    term = document.term_at(path)
    name = in_words(etree.QName(element).localname) if element is not None else "Document"
    message = _BRACED.sub("", str(entry.message))
    return RefusalError(
        code=SCHEMA_CODE,
        severity=Severity.ERROR,
        text=message,
        plain=_schema_words(message, expected, term.label if term else name, term.kind if term else ValueKind.TEXT),
        path=str(entry.path or ""),
        field_path=path,
        term=term.number if term else "",
        field=term.label if term else name,
    )


def _element_at(path: str, document: UblDocument, prefixes: dict[str, str]) -> etree._Element | None:
    """The element that libxml2's own path names, with the prefixes of the document."""
    try:
        nodes: Any = document.tree.xpath(path, namespaces=prefixes) if path else []
    except etree.XPathError:
        return None
    return nodes[0] if nodes else None


def _schema_words(message: str, expected: list[str], name: str, kind: ValueKind) -> str:
    if "is not a valid value of" in message:
        return f"{name}: the value is not written as one{_EXAMPLES.get(kind, '')}."
    if "Missing child element" in message and len(expected) == 1:
        return f"{name}: the part {in_words(expected[0]).lower()} is missing."
    if "not expected" in message and len(expected) == 1:
        return f"{name} stands too early: {in_words(expected[0]).lower()} must come before it."
    if "not expected" in message:
        return f"{name} stands where the UBL schema does not allow it, or something before it is missing."
    if "attribute" in message:
        return f"{name}: an attribute is missing or not allowed by the UBL schema."
    return f"{name} does not follow the UBL schema."


_EXAMPLES: Final = {
    ValueKind.DATE: ", such as 2026-03-31",
    ValueKind.AMOUNT: ", such as 1234.50",
    ValueKind.PERCENT: ", such as 19 or 5.5",
    ValueKind.QUANTITY: ", such as 3 or 2.5",
}
