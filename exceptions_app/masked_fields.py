"""Fields of which nothing is ever carried from one exception to another, declared here and nowhere else.

What one document says about whom it pays, who somebody is or how to reach them is no example for another: the right
account of one supplier is the wrong one of the next, and a name or tax number that is offered elsewhere has left the
exception for which its readers were granted it. The same holds for free text, in which anything may stand, for the
number by which a document is known, which is right for that document alone, and for a field that a source added by
itself, since nobody has said what it holds.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from integrations.connectors.en16931.terms import CREDIT_NOTE_TERMS, INVOICE_TERMS
from integrations.connectors.erp.terms import LAYOUTS
from integrations.connectors.erp_master.terms import TERMS as MASTER_TERMS
from integrations.records.record import RecordField, ValueKind

_BANK = "BT-84 BT-85 BT-86 BT-87 BT-88 BT-89 BT-90 BT-91"
_REGISTERED = "BT-29 BT-30 BT-31 BT-32 BT-46 BT-47 BT-48 BT-60 BT-61 BT-63"  # tax and register numbers
_REACHED = "BT-34 BT-40 BT-49 BT-55 BT-69 BT-71 BT-80"  # electronic addresses, countries of addresses, places
_OWN_NUMBER = "BT-1"
# Texts in which the buyer says where it books: codes in everything but name.
_BOOKED_BY = frozenset({"BT-10", "BT-19", "BT-133"})
# Names of parties and persons, lines of addresses, telephones, notes, descriptions, reasons.
_TEXTS = frozenset(term.number for term in INVOICE_TERMS.values() if term.kind is ValueKind.TEXT)

MASKED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en16931": (_TEXTS - _BOOKED_BY) | frozenset(f"{_BANK} {_REGISTERED} {_REACHED} {_OWN_NUMBER}".split()),
        "erp": frozenset({"number", "reference", "customer_name", "customer_vat_id", "text", "description"}),
        "erp_master": frozenset(
            {"id", "version", "name", "vat_id", "iban", "bic", "street", "postal_code", "city", "country"}
        ),
        # Of a payment whatever stands below one of these: payer and payee, their accounts and banks, what for, and the
        # identifiers of the payment, its block and its file.
        "iso20022": frozenset(
            {"Cdtr", "CdtrAcct", "CdtrAgt", "Dbtr", "DbtrAcct", "DbtrAgt", "RmtInf", "PmtId", "PmtInfId", "MsgId"}
        ),
    }
)
_KNOWN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en16931": frozenset({*INVOICE_TERMS, *CREDIT_NOTE_TERMS}),
        "erp": frozenset(name for layout in LAYOUTS.values() for name in (*layout.head, *layout.line)),
        "erp_master": frozenset(MASTER_TERMS),
    }
)
# What belongs to one document alone: the same old value twice is chance.
_OF_ONE_DOCUMENT = frozenset({ValueKind.AMOUNT, ValueKind.QUANTITY, ValueKind.DATE})
_INDEX = re.compile(r"/\d+(?=/|$)")


def may_be_carried(field: RecordField, *, connector: str) -> bool:
    """Whether a value of this field may be suggested to another exception. No for a connector that is not declared."""
    masked = MASKED.get(connector)
    if masked is None or field.kind in _OF_ONE_DOCUMENT:
        return False
    if connector == "iso20022":
        return bool(field.term) and field.term.partition("/")[0] not in masked
    name = field.term or field.path.rpartition("/")[2]
    return name in _KNOWN[connector] and name not in masked


def kind_of_place(term: str, path: str) -> str:
    """What the same field of any document and any line has in common: its term, else its path without numbers."""
    return term or _INDEX.sub("/*", path)
