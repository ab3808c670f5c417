"""The EN 16931 connector: what the tax authority promises, and the way to each part of the work."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from integrations.connectors.base import (
    Capabilities,
    CheckReport,
    Endpoint,
    FieldName,
    IncomingMessage,
    Operation,
    TargetClient,
    TargetKind,
    Words,
)
from integrations.connectors.en16931 import check, document, held, identity, parse, read
from integrations.connectors.en16931.client import THROTTLES, TaxAuthorityClient
from integrations.connectors.en16931.grammar import UBL
from integrations.connectors.en16931.rules import is_of_the_standard
from integrations.connectors.en16931.terms import CREDIT_NOTE_TERMS, INVOICE_TERMS
from integrations.connectors.held import Held, ShowsContent
from integrations.connectors.xml_document import correct, differences
from integrations.records.invoice import InvoiceRecord
from integrations.records.record import ValueKind
from integrations.refusals import Batch, Refusal, RefusedTransaction

_CAPABILITIES: Final = Capabilities(
    target_kind=TargetKind.DEDUPLICATES,
    looked_up_by="invoice number and seller",
    settle_time=timedelta(seconds=5),
    key_life=None,
    checks_natively=True,
    check_name=check.check_name(),
    already_exists=("DUPLICATE_DOCUMENT",),
    throttles=THROTTLES,
    lists_what_it_has=True,
    shows_content=ShowsContent.HASH,
)
_WORDS: Final = Words(
    target="the tax authority",
    code="Rule",
    said="As the validator said it",
    own_code="Rule",
    own_said="As the validator said it",
    reference="Clearance",
)


class En16931Connector:
    name = "en16931"
    title = "EN 16931 e-invoice"
    object_types: Mapping[str, str] = MappingProxyType({"invoice": "Invoice", "credit_note": "Credit note"})
    vocabulary: frozenset[FieldName] = frozenset(
        FieldName(term.group, term.label, term.number, term.kind is ValueKind.AMOUNT)
        for term in (*INVOICE_TERMS.values(), *CREDIT_NOTE_TERMS.values())
    )
    capabilities = _CAPABILITIES
    words = _WORDS

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        return parse.parse(message)

    def batch(self, message: IncomingMessage) -> Batch | None:
        return None  # one document to a message

    def read(self, payload: bytes) -> InvoiceRecord:
        return read.read(payload)

    def object_type(self, payload: bytes) -> str:
        return document.read_document(payload).object_type

    def business_key(self, payload: bytes) -> str:
        return identity.business_key(payload)

    def operations_for(self, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
        return correct.operations_for(UBL, payload, changes)

    def operations_between(self, before: bytes, after: bytes) -> list[Operation]:
        return differences.operations_between(UBL, before, after)

    def correct(self, payload: bytes, operations: Sequence[Operation]) -> bytes:
        return correct.correct(UBL, payload, operations)

    def check(self, payload: bytes) -> CheckReport:
        return check.check(payload)

    def check_finds(self, code: str) -> bool:
        return is_of_the_standard(code)

    def remedy(self, code: str) -> str:
        return ""

    def entries_in(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        return held.entries_in(answer)

    def held(self, entry: Mapping[str, Any], *, content: bytes) -> Held:
        return held.held(entry, content=content)

    def client(self, endpoint: Endpoint) -> TargetClient:
        return TaxAuthorityClient(endpoint, read_refusal=_read_refusal, document_key=identity.business_key)


def _read_refusal(content: bytes, report: bytes) -> Refusal:
    return parse.read_refusal(payload=content, body=report, status=422)
