"""What can be said of a payment before the bank sees it: the official schema, then what a schema cannot say.

The bank's own rules, its knowledge of accounts and its limits are not part of it, and its name says so.
"""

import re
import threading
from collections.abc import Iterator
from typing import Any, Final, cast

from babel.core import get_global
from lxml import etree

from integrations.connectors.base import CheckReport
from integrations.connectors.iso20022.envelope import LONGEST_IDENTIFIER
from integrations.connectors.iso20022.fields import fields_of
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, read_file
from integrations.connectors.iso20022.names import STANDARD, child, local, namespace
from integrations.connectors.iso20022.schema import VERSIONS, load_validator
from integrations.connectors.iso20022.values import decimal_of, iban_fault, is_bic
from integrations.connectors.xml_document import paths
from integrations.records.record import RecordField
from integrations.refusals import MessageNotUnderstood, RefusalError, Severity

CHECK_NAME: Final = (
    "ISO 20022 schema of pain.001, and the workbench's own check of account numbers, BIC, amounts and control totals; "
    "not the bank's rules"
)
MAX_ERRORS: Final = 200

_BRACED: Final = re.compile(r"\{[^}]*\}")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( (?P<names>[^)]*) \)")
_ELEMENT: Final = re.compile(r"Element '(?P<name>[^']+)'")
_DECIMAL_COMMA: Final = re.compile(r"[0-9]{1,15},[0-9]{1,5}")
_MINOR_UNITS_UNKNOWN: Final = 2
_schema_lock: Final = threading.Lock()


def check(payload: bytes) -> CheckReport:
    """Judge a payment file. One that cannot be read fails with one error, code XML."""
    try:
        file = read_file(payload)
    except MessageNotUnderstood as error:
        unreadable = RefusalError("XML", Severity.ERROR, error.problem, plain=f"{error.problem} {error.remedy}".strip())
        return CheckReport(check=CHECK_NAME, errors=(unreadable,))
    own = list(_own_errors(file))
    said = {error.field_path for error in own}
    schema = [error for error in _schema_errors(file) if error.field_path not in said]
    found = (*own, *schema)[:MAX_ERRORS]
    return CheckReport(
        check=CHECK_NAME,
        errors=tuple(error for error in found if error.severity is Severity.ERROR),
        warnings=tuple(error for error in found if error.severity is not Severity.ERROR),
    )


class _Labels:
    """What people call the places of a file, read payment by payment when there is something to say of one."""

    def __init__(self, file: PaymentFile) -> None:
        self._file = file
        self._payments = {payment.element: payment for payment in file.payments}
        self._fields: dict[int, dict[str, RecordField]] = {}

    def field_at(self, element: etree._Element | None) -> RecordField | None:
        if element is None:
            return None
        around = (element, *element.iterancestors())
        payment = next((self._payments[node] for node in around if node in self._payments), self._file.payments[0])
        if payment.position not in self._fields:
            self._fields[payment.position] = {field.path: field for field in fields_of(self._file, payment)}
        return self._fields[payment.position].get(paths.canonical(element))


def _own_errors(file: PaymentFile) -> Iterator[RefusalError]:
    labels = _Labels(file)
    blocks: set[etree._Element] = set()
    for payment in file.payments:
        holders = [(payment.element, "Cdtr")]
        if payment.block not in blocks:
            blocks.add(payment.block)
            holders.append((payment.block, "Dbtr"))
        for holder, role in holders:
            yield from _account_errors(child(holder, f"{role}Acct/Id/IBAN"), labels)
            yield from _bic_errors(child(holder, f"{role}Agt/FinInstnId/BICFI"), labels)
            yield from _bic_errors(child(holder, f"{role}Agt/FinInstnId/BIC"), labels)
        yield from _amount_errors(payment, labels)
        for name in ("PmtId/EndToEndId", "PmtId/InstrId"):
            yield from _length_errors(child(payment.element, name), labels)
    for element in (child(file.header, "MsgId"), *(child(block, "PmtInfId") for block in file.blocks)):
        yield from _length_errors(element, labels)
    for element, right, words in file.total_findings():
        yield _error("TOTAL", words, element, labels, proposed=right)


def _account_errors(account: etree._Element | None, labels: _Labels) -> Iterator[RefusalError]:
    if account is not None and (fault := iban_fault(account.text or "")):
        words = f"{account.text or '(empty)'} is no account number: {fault}."
        yield _error("IBAN", words, account, labels)


def _bic_errors(bic: etree._Element | None, labels: _Labels) -> Iterator[RefusalError]:
    if bic is not None and not is_bic(bic.text or ""):
        words = f"{bic.text or '(empty)'} has not the form of a BIC, 8 or 11 letters and digits."
        yield _error("BIC", words, bic, labels)


def _amount_errors(payment: Payment, labels: _Labels) -> Iterator[RefusalError]:
    element = payment.amount_element
    if element is None:
        return  # the schema says so
    stands = (element.text or "").strip()
    amount = decimal_of(stands)
    if amount is None:
        proposed = stands.replace(",", ".") if _DECIMAL_COMMA.fullmatch(stands) else None
        words = f"“{stands}” is not written as an amount, such as 1234.50."
        yield _error("AMOUNT", words, element, labels, proposed=proposed)
        return
    if amount <= 0:
        yield _error("AMOUNT", f"{stands} is not more than zero.", element, labels)
    allowed = _minor_units(element.get("Ccy", ""))
    if -int(amount.normalize().as_tuple().exponent) > allowed:
        words = f"{stands} has more decimals than the {allowed} of {element.get('Ccy', '')}."
        yield _error("AMOUNT", words, element, labels)


def _minor_units(currency: str) -> int:
    """Decimals of a currency by ISO 4217, as the Unicode CLDR lists them."""
    fractions = cast("dict[str, tuple[int, ...]]", get_global("currency_fractions"))
    return fractions.get(currency, (_MINOR_UNITS_UNKNOWN,))[0]


def _length_errors(element: etree._Element | None, labels: _Labels) -> Iterator[RefusalError]:
    length = len((element.text or "").strip()) if element is not None else 0
    if element is not None and length > LONGEST_IDENTIFIER:
        words = f"it has {length} characters; {LONGEST_IDENTIFIER} are allowed."
        yield _error("LENGTH", words, element, labels)


def _error(
    code: str, words: str, element: etree._Element, labels: _Labels, *, proposed: str | None = None
) -> RefusalError:
    """An error at one place; the words begin with what people call it, save for totals, which say it themselves."""
    field = labels.field_at(element)
    label = field.label if field is not None else local(element)
    plain = words if code == "TOTAL" else f"{label}: {words}"
    return RefusalError(
        code=code,
        severity=Severity.ERROR,
        text=plain,
        plain=plain,
        field_path=paths.canonical(element),
        term=field.term if field is not None else "",
        field=label,
        proposed_value=proposed,
    )


def _schema_errors(file: PaymentFile) -> Iterator[RefusalError]:
    """What the official schema objects to; a national variant or another version has none here, which is said."""
    version = namespace(file.message.body).removeprefix(STANDARD)
    if version not in VERSIONS:
        words = (
            f"There is no official schema of {file.message.name or 'this version'} here; its structure was not checked."
        )
        yield RefusalError("XSD", Severity.WARNING, words, plain=words)
        return
    validator = load_validator(version)
    document = _document_of(file)
    with _schema_lock:
        validator.validate(document)
        entries: list[Any] = list(cast("Any", validator.error_log))[:MAX_ERRORS]
    labels = _Labels(file)
    said: set[str] = set()
    for entry in entries:
        element = _element_at(str(entry.path or ""), document)
        path = paths.canonical(element) if element is not None else ""
        if path not in said:  # the first is about the value, what follows repeats it
            said.add(path)
            yield _schema_error(str(entry.message), str(entry.path or ""), path, labels.field_at(element))


def _document_of(file: PaymentFile) -> etree._ElementTree:
    """The document without what it is wrapped in, which has a schema of its own."""
    root = file.message.root
    document = file.message.body.getparent()
    return file.message.tree if document is None or document is root else etree.ElementTree(document)


def _element_at(path: str, tree: etree._ElementTree) -> etree._Element | None:
    try:
        nodes: Any = tree.xpath(path) if path else []
    except etree.XPathError:
        return None
    return nodes[0] if nodes else None


def _schema_error(message: str, vendor_path: str, path: str, field: RecordField | None) -> RefusalError:
    text = _BRACED.sub("", message)
    named = _ELEMENT.search(text)
    label = field.label if field is not None else named["name"] if named else "The file"
    return RefusalError(
        code="XSD",
        severity=Severity.ERROR,
        text=text,
        plain=_words(text, label),
        path=vendor_path,
        field_path=path,
        term=field.term if field is not None else "",
        field=label,
    )


def _words(message: str, label: str) -> str:
    expected = _EXPECTED.search(message)
    names = expected["names"].strip() if expected else ""
    if "Missing child element" in message:
        return f"{label}: {names or 'a part'} is missing."
    if "not expected" in message:
        return f"{label} stands where the schema does not allow it" + (
            f"; {names} should stand here." if names else "."
        )
    if "[facet 'maxLength']" in message:
        return f"{label} is longer than the schema allows."
    if "is not a valid value" in message or "[facet" in message:
        return f"{label}: the value is not written as the schema asks."
    if "attribute" in message:
        return f"{label}: an attribute, such as the currency, is missing or not allowed."
    return f"{label} does not follow the schema."
