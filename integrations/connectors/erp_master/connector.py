"""The connector of the ERP's master data: what the ERP promises, and the way to each part of the work."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from integrations.connectors import json_document
from integrations.connectors.base import (
    Capabilities,
    CheckReport,
    Endpoint,
    FieldName,
    IncomingMessage,
    Operation,
    Ordering,
    TargetClient,
    TargetKind,
    Words,
)
from integrations.connectors.erp.client import THROTTLES
from integrations.connectors.erp_master import check, document, held, parse, read
from integrations.connectors.erp_master.client import MasterDataClient
from integrations.connectors.erp_master.codes import is_found_by_our_check, remedy_of
from integrations.connectors.erp_master.terms import KINDS, TERMS
from integrations.connectors.held import Held, ShowsContent
from integrations.records.partner import PartnerRecord
from integrations.refusals import Batch, RefusedTransaction

_CAPABILITIES: Final = Capabilities(
    target_kind=TargetKind.UPSERTS,
    looked_up_by="kind and number of the partner, in its list of changes",
    settle_time=timedelta(seconds=5),
    key_life=None,
    checks_natively=False,
    check_name=check.CHECK_NAME,
    already_exists=("ZMD/070",),
    throttles=THROTTLES,
    ordering=Ordering.SAME_OBJECT,
    shows_content=ShowsContent.WHOLE,
)
_WORDS: Final = Words(
    target="the ERP",
    code="Message",
    said="As the ERP said it",
    own_code="Check",
    own_said="As the check said it",
    reference="Number and version",
    said_of_a_hold="As the ERP said it",
)


class ErpMasterConnector:
    name = "erp_master"
    title = "ERP master data (suppliers, customers)"
    object_types: Mapping[str, str] = KINDS
    vocabulary: frozenset[FieldName] = frozenset(FieldName(term.group, term.label) for term in TERMS.values())
    capabilities = _CAPABILITIES
    words = _WORDS

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        return parse.parse(message)

    def batch(self, message: IncomingMessage) -> Batch | None:
        return None  # one partner to a message

    def read(self, payload: bytes) -> PartnerRecord:
        return read.read(payload)

    def object_type(self, payload: bytes) -> str:
        return document.read_partner(payload).kind

    def business_key(self, payload: bytes) -> str:
        return document.read_partner(payload).number

    def operations_for(self, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
        # No field of a partner is a number: a version is a text as well.
        return json_document.operations_for(payload, changes, is_number=lambda _: False)

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

    def entries_in(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        return held.entries_in(answer)

    def held(self, entry: Mapping[str, Any], *, content: bytes) -> Held:
        return held.held(entry, content=content)

    def client(self, endpoint: Endpoint) -> TargetClient:
        return MasterDataClient(endpoint)
