"""A refused or held UBL invoice with what the tax authority, validator or screening said about it, as one refusal."""

from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from integrations.connectors.base import IncomingMessage
from integrations.connectors.en16931 import names
from integrations.connectors.en16931.document import UblDocument, read_document
from integrations.connectors.en16931.identity import business_key_of
from integrations.connectors.en16931.read import record_of
from integrations.connectors.en16931.report import errors_of, findings
from integrations.connectors.en16931.rules import sub_of
from integrations.connectors.en16931.values import currency_of, decimal_of
from integrations.records.invoice import InvoiceRecord
from integrations.refusals import (
    Category,
    MessageNotUnderstood,
    Money,
    Refusal,
    RefusalError,
    RefusedTransaction,
    Severity,
    TransactionKind,
)
from integrations.safe_json import UnsafeJson, loads
from integrations.safe_xml import UnsafeXml
from integrations.safe_xml import parse as parse_xml

XML_MEDIA_TYPE: Final = "application/xml"

_HOLD_SUBS: Final = {"AMOUNT_LIMIT": "amount_limit", "SANCTIONS_HIT": "sanctions"}
_SEND_REPORT: Final = (
    "Send the SVRL report with its failed assertions, the hold notice, or the HTTP status of the answer."
)
_NOT_CHECKABLE: Final = (
    "The tax authority could not apply its rules: an amount, a rate or a date is not written as one."
)
_HELD: Final = "The document is held by a policy. A second person must release it."
_GENERAL_HOLDS: Final = {
    "AMOUNT_LIMIT": "The amount is above the limit. A second person must release it.",
    "SANCTIONS_HIT": "Sanctions screening found a possible match. A second person must clear it.",
}
_MAX_TEXT: Final = 2000


def parse(message: IncomingMessage) -> list[RefusedTransaction]:
    """One payload with one refusal makes one refused transaction; raises MessageNotUnderstood."""
    document = read_document(message.payload)
    record = record_of(document)
    refusal = refusal_of(document, body=message.refusal, status=message.refusal_status)
    return [
        RefusedTransaction(
            object_type=document.object_type,
            business_key=business_key_of(document, message.payload),
            refusal=refusal,
            record=record,
            payload=message.payload,
            media_type=message.payload_media_type or XML_MEDIA_TYPE,
            context={**message.context, **_context(record, document)},
        )
    ]


def read_refusal(*, payload: bytes, body: bytes, status: int | None) -> Refusal:
    """What an answer to `payload` says, for a client that has just sent it; raises MessageNotUnderstood."""
    return refusal_of(read_document(payload), body=body, status=status)


def refusal_of(document: UblDocument, *, body: bytes, status: int | None) -> Refusal:
    """The refusal in an answer: an SVRL report, a JSON notice, or nothing but an HTTP status."""
    shared = {"keys": _keys(document), "money": _money(document)}
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if _is_transport(status) and start != b"{" and (start != b"<" or not _has_findings(body)):
        return _transport_refusal(status or 0, shared)
    if start == b"":
        raise MessageNotUnderstood("The refusal is empty.", field="refusal", remedy=_SEND_REPORT)
    if start in (b"{", b"["):
        return _json_refusal(document, body, status, shared)
    return _report_refusal(document, body, shared)


def _is_transport(status: int | None) -> bool:
    return status in (401, 403, 408, 429) or (status is not None and status >= 500)


def _has_findings(body: bytes) -> bool:
    try:
        return bool(findings(parse_xml(body).getroot()))
    except UnsafeXml:
        return False


def _transport_refusal(status: int, shared: Mapping[str, Any]) -> Refusal:
    """The way there failed, not the document. Only sign-in and throttling tell for certain that nothing was booked."""
    sub = {401: "auth", 403: "auth", 429: "rate_limit", 408: "timeout", 504: "timeout"}.get(status, "server_error")
    words = {
        "auth": "The other system refused our sign-in.",
        "rate_limit": "The other system asked us to slow down.",
        "timeout": "The other system did not answer in time. It may have booked the document.",
        "server_error": "The other system had a fault. It may have booked the document.",
    }
    error = RefusalError(f"HTTP {status}", Severity.ERROR, f"HTTP status {status} without a reason.", plain=words[sub])
    certain = sub in ("auth", "rate_limit")
    return Refusal(Category.TRANSPORT, sub, auto_retry=sub != "auth", errors=(error,), definitive=certain, **shared)


def _report_refusal(document: UblDocument, body: bytes, shared: Mapping[str, Any]) -> Refusal:
    root = _parse_report(body)
    found = findings(root)
    if not found:
        what = (
            "raises nothing"
            if _is_report(root)
            else f"begins with <{etree.QName(root).localname[:60]}>, and is no SVRL report"
        )
        raise MessageNotUnderstood(f"The refusal {what}.", field="refusal", remedy=_SEND_REPORT)
    errors = errors_of(root, document)
    if errors[0].severity is Severity.ERROR:
        return Refusal(Category.COMPLIANCE, sub_of(errors[0].code), auto_retry=False, errors=errors, **shared)
    # Warnings alone do not refuse: the document may be booked already, and a person decides whether it may stay.
    return Refusal(
        Category.COMPLIANCE,
        "warning",
        auto_retry=False,
        errors=errors,
        kind=TransactionKind.HELD,
        definitive=False,
        **shared,
    )


def _parse_report(body: bytes) -> etree._Element:
    try:
        return parse_xml(body).getroot()
    except UnsafeXml as error:
        raise MessageNotUnderstood(error.problem, field="refusal", remedy=error.remedy) from None


def _is_report(root: etree._Element) -> bool:
    return next(root.iter(f"{{{names.SVRL}}}schematron-output"), None) is not None


def _json_refusal(document: UblDocument, body: bytes, status: int | None, shared: Mapping[str, Any]) -> Refusal:
    try:
        data = loads(body)
    except UnsafeJson as error:
        raise MessageNotUnderstood(error.problem, field="refusal", remedy=error.remedy) from None
    if not isinstance(data, dict):
        raise MessageNotUnderstood("The refusal is a JSON list or value.", field="refusal", remedy=_SEND_REPORT)
    if "hold" in data:
        return _hold_refusal(document, data["hold"], shared)
    return _problem_refusal(data, status, shared)


def _hold_refusal(document: UblDocument, hold: object, shared: Mapping[str, Any]) -> Refusal:
    if not isinstance(hold, dict) or not _word(hold, "code"):
        raise MessageNotUnderstood(
            "The hold notice has no code.", field="refusal", remedy='Send {"hold": {"code": …, "text": …}}.'
        )
    code, text = _word(hold, "code"), _word(hold, "text")
    term = document.terms.get(
        _word(hold, "field") or {"AMOUNT_LIMIT": "BT-112", "SANCTIONS_HIT": "BT-44"}.get(code, "")
    )
    error = RefusalError(
        code=code,
        severity=Severity.ERROR,
        text=text or code,
        plain=_hold_words(code, text, hold),
        general=_GENERAL_HOLDS.get(code, _HELD),
        field_path=document.place(term.number).path if term else "",
        term=term.number if term else "",
        field=term.label if term else "",
    )
    return Refusal(
        Category.POLICY_HOLD,
        _HOLD_SUBS.get(code, "policy"),
        auto_retry=False,
        errors=(error,),
        kind=TransactionKind.HELD,
        **shared,
    )


def _hold_words(code: str, text: str, hold: Mapping[str, object]) -> str:
    limit, currency, matched = _word(hold, "limit"), _word(hold, "currency"), _word(hold, "matched")
    if code == "AMOUNT_LIMIT":
        above = f"the limit of {limit} {currency}".rstrip() if limit else "the limit"
        return f"The amount is above {above}. A second person must release it."
    if code == "SANCTIONS_HIT":
        match = f"match with “{matched}”" if matched else "match"
        return f"Sanctions screening found a possible {match}{_found_in(hold)}. A second person must clear it."
    return text or _HELD


def _found_in(hold: Mapping[str, object]) -> str:
    """Which list has the match, and how close it is, as far as the notice says so."""
    found = [f"{key} {word}" for key in ("list", "score") if (word := _word(hold, key))]
    return f" ({', '.join(found)})" if found else ""


def _problem_refusal(data: Mapping[str, object], status: int | None, shared: Mapping[str, Any]) -> Refusal:
    """A problem in JSON: the authority's own codes, or whatever code and message another system gives."""
    code = _word(data, "code") or _word(data, "type")
    text = next((word for key in ("message", "detail", "title", "text") if (word := _word(data, key))), code)
    if not text:
        raise MessageNotUnderstood("The refusal names no code and no reason.", field="refusal", remedy=_SEND_REPORT)
    code = code or f"HTTP {status}"
    category, sub, plain = {
        "DUPLICATE_DOCUMENT": (Category.DUPLICATE, "already_processed", "The tax authority already has this document."),
        "NOT_XML": (Category.SCHEMA, "malformed", "The tax authority could not read the document as XML."),
        "NOT_CHECKABLE": (Category.SCHEMA, "malformed", _NOT_CHECKABLE),
    }.get(code, (Category.UNCLASSIFIED, "", text))
    if category is Category.UNCLASSIFIED and _is_transport(status):
        return _transport_refusal(status or 0, shared)
    # The text of a code that is not known here may name anything.
    general = f"Refused with {code}." if category is Category.UNCLASSIFIED else ""
    error = RefusalError(code, Severity.ERROR, text, plain=plain, general=general)
    return Refusal(category, sub, auto_retry=False, errors=(error,), **shared)


def _word(data: Mapping[str, object], key: str) -> str:
    """A text or number of a notice as a line of text."""
    value = data.get(key)
    return (
        " ".join(str(value).split())[:_MAX_TEXT]
        if value is not None and not isinstance(value, dict | list | bool)
        else ""
    )


def _keys(document: UblDocument) -> dict[str, str]:
    terms = {
        "number": "BT-1",
        "seller": "BT-31",
        "buyer": "BT-48",
        "purchase_order": "BT-13",
        "buyer_reference": "BT-10",
    }
    return {key: value for key, term in terms.items() if (value := document.value(term))}


def _money(document: UblDocument) -> Money | None:
    """The total with VAT, else the amount due, in the currency that the amount itself carries."""
    for term in ("BT-112", "BT-115", "BT-109"):
        place = document.place(term)
        amount = decimal_of(place.value)
        if amount is not None and place.element is not None:
            currency = currency_of(place.element.get("currencyID")) or currency_of(document.value("BT-5"))
            return Money(amount, currency) if currency else None
    return None


def _context(record: InvoiceRecord, document: UblDocument) -> dict[str, str]:
    """What a person wants to know about the document before opening it, as plain text."""
    values = {
        "number": record.number,
        "type_code": record.type_code,
        "seller_name": record.seller.name,
        "seller_vat_id": record.seller.vat_id,
        "seller_country": record.seller.country,
        "buyer_name": record.buyer.name,
        "buyer_vat_id": record.buyer.vat_id,
        "buyer_country": record.buyer.country,
        "currency": record.currency,
        "issue_date": record.issue_date.isoformat() if record.issue_date else "",
        "due_date": record.due_date.isoformat() if record.due_date else "",
        "delivery_date": document.value("BT-72"),
        "total_without_vat": document.value("BT-109"),
        "total_vat": document.value("BT-110"),
        "total_with_vat": document.value("BT-112"),
        "amount_due": document.value("BT-115"),
    }
    return {key: value for key, value in values.items() if value}
