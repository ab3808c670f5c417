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
from integrations.refusals import MessageNotUnderstood, RefusalError, Severity
from integrations.safe_xml import parse

STYLESHEET: Final = schema.UBL_FOLDER / "EN16931-UBL-validation.xslt"
SCHEMA_CODE: Final = "XSD"
MAX_SCHEMA_ERRORS: Final = 200

_VERSION: Final = re.compile(rb"Schematron version ([0-9][0-9.]*)")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( (?P<names>[^)]*) \)")
_BRACED: Final = re.compile(r"\{[^}]*\}")


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
    found = _rule_errors(document)
    found = (*_schema_errors(document, found), *found)
    return CheckReport(
        check=check_name(),
        errors=tuple(error for error in found if error.severity is Severity.ERROR),
        warnings=tuple(error for error in found if error.severity is not Severity.ERROR),
    )


def _rule_errors(document: UblDocument) -> tuple[RefusalError, ...]:
    try:
        report = _validator.run(etree.tostring(document.root, encoding="unicode"))
    except PySaxonApiError as error:
        reason = " ".join(str(error).split())[:300]
        return (
            RefusalError(
                code="EN16931",
                severity=Severity.ERROR,
                text=reason,
                plain="The official rules cannot be evaluated: an amount, quantity or date is not written as one.",
            ),
        )
    return errors_of(parse(report.encode("utf-8")).getroot(), document)


def _schema_errors(document: UblDocument, found: tuple[RefusalError, ...]) -> tuple[RefusalError, ...]:
    """What the schema objects to, less what a rule has already said better (a missing issue date is both)."""
    validator = schema.load_validator(document.root.tag)
    with _schema_lock:
        validator.validate(document.tree)
        entries: list[Any] = list(cast("Any", validator.error_log))[:MAX_SCHEMA_ERRORS]
    said = {_last_name(error.field_path) for error in found}
    prefixes = {prefix: uri for node in document.root.iter("*") for prefix, uri in node.nsmap.items() if prefix}
    errors: dict[str, RefusalError] = {}
    for entry in entries:
        expected = _EXPECTED.search(entry.message or "")
        missing = {_last_name(name.strip("# ")) for name in expected["names"].split(", ")} if expected else set()
        if not missing & said and (entry.path or "") not in errors:
            errors[entry.path or ""] = _schema_error(
                entry, _element_at(str(entry.path or ""), document, prefixes), document
            )
    return explain(list(errors.values()), document)


_schema_lock: Final = threading.Lock()


def _last_name(path: str) -> str:
    name = re.sub(r"\[[^\]]*\]", "", _BRACED.sub("", path)).rpartition("/")[2]
    return name.rpartition(":")[2]


def _schema_error(entry: Any, element: etree._Element | None, document: UblDocument) -> RefusalError:
    path = document.path_of(element) if element is not None else ""
    term = document.term_at(path)
    message = _BRACED.sub("", str(entry.message))
    return RefusalError(
        code=SCHEMA_CODE,
        severity=Severity.ERROR,
        text=message,
        plain=_schema_words(message, element),
        path=str(entry.path or ""),
        field_path=path,
        term=term.number if term else "",
        field=term.label if term else (etree.QName(element).localname if element is not None else ""),
    )


def _element_at(path: str, document: UblDocument, prefixes: dict[str, str]) -> etree._Element | None:
    """The element that libxml2's own path names, with the prefixes of the document."""
    try:
        nodes: Any = document.tree.xpath(path, namespaces=prefixes) if path else []
    except etree.XPathError:
        return None
    return nodes[0] if nodes else None


def _schema_words(message: str, element: etree._Element | None) -> str:
    name = etree.QName(element).localname if element is not None else "The document"
    if "is not a valid value of the atomic type" in message or "is not accepted by the pattern" in message:
        return f"The value of {name} is not written as the UBL schema demands, such as 12.50 or 2026-03-31."
    if "not expected" in message:
        return f"{name} stands where the UBL schema does not allow it, or something before it is missing."
    if "Missing child element" in message:
        return f"{name} lacks a part that the UBL schema demands."
    if "attribute" in message:
        return f"An attribute of {name} is missing or not allowed by the UBL schema."
    return f"{name} does not follow the UBL schema."
