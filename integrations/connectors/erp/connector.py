"""The ERP connector: what the ERP promises, and the way to each part of the work."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from integrations.connectors import json_document
from integrations.connectors.base import (
    Capabilities,
    CheckReport,
    CorrectionError,
    Endpoint,
    FieldName,
    IncomingMessage,
    Operation,
    TargetClient,
    TargetKind,
    Words,
)
from integrations.connectors.erp import check, document, held, parse, read
from integrations.connectors.erp.client import THROTTLES, ErpClient
from integrations.connectors.erp.codes import is_found_by_our_check, remedy_of
from integrations.connectors.erp.reversal import reversal
from integrations.connectors.erp.terms import LAYOUTS
from integrations.connectors.held import Held, ShowsContent
from integrations.records.record import Record, ValueKind
from integrations.refusals import Batch, MessageNotUnderstood, RefusedTransaction

_CAPABILITIES: Final = Capabilities(
    target_kind=TargetKind.DEDUPLICATES,
    looked_up_by="company code, kind of posting and reference",
    settle_time=timedelta(seconds=5),
    key_life=None,
    checks_natively=False,
    check_name=check.CHECK_NAME,
    already_exists=("ZFI/070", "F5/286"),
    throttles=THROTTLES,
    lists_what_it_has=True,
    shows_content=ShowsContent.WHOLE,
)
_WORDS: Final = Words(
    target="the ERP",
    code="Message",
    said="As the ERP said it",
    own_code="Check",
    own_said="As the check said it",
    reference="Document",
    said_of_a_hold="As the ERP said it",
)


class ErpConnector:
    name = "erp"
    title = "ERP posting"
    object_types: Mapping[str, str] = MappingProxyType({name: layout.title for name, layout in LAYOUTS.items()})
    vocabulary: frozenset[FieldName] = frozenset(
        FieldName(group or term.group, term.label, is_amount=term.kind is ValueKind.AMOUNT)
        for layout in LAYOUTS.values()
        for terms, group in ((layout.head, ""), (layout.line, "Line"))
        for term in terms.values()
    )
    capabilities = _CAPABILITIES
    words = _WORDS

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        return parse.parse(message)

    def batch(self, message: IncomingMessage) -> Batch | None:
        return None  # one document to a message

    def read(self, payload: bytes) -> Record:
        return read.read(payload)

    def object_type(self, payload: bytes) -> str:
        return document.read_posting(payload).layout.object_type

    def business_key(self, payload: bytes) -> str:
        return document.business_key(payload)

    def operations_for(self, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
        try:
            is_number = partial(document.is_number, document.read_posting(payload))
        except MessageNotUnderstood as error:
            raise CorrectionError(error.problem, remedy=error.remedy) from None
        return json_document.operations_for(payload, changes, is_number=is_number)

    def operations_between(self, before: bytes, after: bytes) -> list[Operation]:
        return json_document.operations_between(before, after)

    def correct(self, payload: bytes, operations: Sequence[Operation]) -> bytes:
        return json_document.correct(payload, operations)

    def check(self, payload: bytes) -> CheckReport:
        return check.check(payload)

    def check_finds(self, code: str) -> bool:
        return is_found_by_our_check(code)

    def remedy(self, code: str) -> str:
        return remedy_of(code)

    def reversal(self, payload: bytes, *, reference: str, on: date) -> bytes:
        return reversal(payload, reference=reference, on=on)

    def entries_in(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        return held.entries_in(answer)

    def held(self, entry: Mapping[str, Any], *, content: bytes) -> Held:
        return held.held(entry, content=content)

    def client(self, endpoint: Endpoint) -> TargetClient:
        return ErpClient(endpoint)
