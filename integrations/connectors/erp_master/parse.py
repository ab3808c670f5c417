"""A refused or held change of master data with what the ERP said about it, as one refusal."""

from typing import Any

from integrations.connectors.base import IncomingMessage
from integrations.connectors.erp.messages import SEND_ERROR, Message, read_error
from integrations.connectors.erp.parse import JSON_MEDIA_TYPE, classified, is_transport, transport_refusal
from integrations.connectors.erp_master.codes import meaning_of
from integrations.connectors.erp_master.document import Partner, read_partner
from integrations.connectors.erp_master.read import record_of
from integrations.connectors.erp_master.terms import TERMS
from integrations.connectors.json_document.pointers import pointer_to
from integrations.refusals import MessageNotUnderstood, Refusal, RefusalError, RefusedTransaction


def parse(message: IncomingMessage) -> list[RefusedTransaction]:
    """One partner with one answer makes one refused transaction; raises MessageNotUnderstood."""
    partner = read_partner(message.payload)
    refusal = refusal_of(partner, body=message.refusal, status=message.refusal_status)
    return [
        RefusedTransaction(
            object_type=partner.kind,
            business_key=partner.number,
            refusal=refusal,
            record=record_of(partner),
            payload=message.payload,
            media_type=message.payload_media_type or JSON_MEDIA_TYPE,
            context={**message.context, **{name: text for name in TERMS if (text := partner.text(name))}},
        )
    ]


def refusal_of(partner: Partner, *, body: bytes, status: int | None) -> Refusal:
    """The refusal in an answer: the ERP's error body, or nothing but an HTTP status; raises MessageNotUnderstood."""
    shared: dict[str, Any] = {"keys": {name: text for name in ("id", "company") if (text := partner.text(name))}}
    try:
        error = read_error(body)
    except MessageNotUnderstood as problem:
        if is_transport(status):
            return transport_refusal(status or 0, shared)
        if not body.strip():
            raise MessageNotUnderstood("The refusal is empty.", field="refusal", remedy=SEND_ERROR) from None
        raise problem from None
    if error.transaction_id:
        shared["keys"] = {**shared["keys"], "transaction_id": error.transaction_id}
    meanings = [meaning_of(message.code) for message in error.messages]
    if is_transport(status) and not any(meanings):
        return transport_refusal(status or 0, shared, error.messages)
    return classified(tuple(_error(message) for message in error.messages), meanings, shared)


def _error(message: Message) -> RefusalError:
    meaning = meaning_of(message.code)
    name = message.place.strip("/") if message.place.strip("/") in TERMS else (meaning.field if meaning else "")
    term = TERMS.get(name)
    text = message.text or message.code
    return RefusalError(
        code=message.code,
        severity=message.severity,
        text=text,
        plain=meaning.plain if meaning else text,
        path=message.place,
        field_path=pointer_to(name) if term else "",
        field=term.label if term else "",
        language=message.language,
    )
