"""The canonical record of a partner: what a clerk sees and may change, with the path of every value."""

from collections.abc import Iterator

from integrations.connectors.erp.values import date_of, text_of
from integrations.connectors.erp_master.document import Partner, read_partner
from integrations.connectors.erp_master.terms import KINDS, TERMS
from integrations.connectors.json_document.pointers import pointer_to
from integrations.records.partner import PartnerRecord
from integrations.records.record import RecordField, ValueKind


def read(payload: bytes) -> PartnerRecord:
    """The canonical projection of a payload; raises MessageNotUnderstood."""
    return record_of(read_partner(payload))


def record_of(partner: Partner) -> PartnerRecord:
    """The record of a partner that is already parsed."""
    return PartnerRecord(
        kind=KINDS[partner.kind],
        number=partner.number,
        company=partner.text("company"),
        name=partner.text("name"),
        country=partner.text("country"),
        vat_id=partner.text("vat_id"),
        account=partner.text("iban"),
        currency=partner.text("currency"),
        valid_from=date_of(partner.content.get("valid_from")),
        fields=tuple(_fields(partner)),
    )


def _fields(partner: Partner) -> Iterator[RecordField]:
    """The known ones in their groups, then what only this document has."""
    for name, term in TERMS.items():
        value = partner.content.get(name)
        shown = None if value is None else text_of(value)
        yield RecordField("", term.label, term.group, term.kind, pointer_to(name), shown, term.hint)
    for name, value in partner.content.items():
        if name not in TERMS and name != "type" and not isinstance(value, dict | list):
            label = " ".join(name.replace("_", " ").split()).capitalize() or "A field without a name"
            shown = None if value is None else text_of(value)
            yield RecordField("", label, "Document", ValueKind.TEXT, pointer_to(name), shown)
