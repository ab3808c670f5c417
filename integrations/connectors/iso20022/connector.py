"""The bank connector: what a bank promises, and the way to each part of the work."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from integrations.connectors.base import (
    Bundle,
    BundlingClient,
    Capabilities,
    CheckReport,
    Endpoint,
    FieldName,
    IncomingMessage,
    Operation,
    TargetKind,
    Words,
)
from integrations.connectors.held import Held, ShowsContent
from integrations.connectors.iso20022 import check, correct, files, held, identity, initiation, parse, read
from integrations.connectors.iso20022.client import THROTTLES, BankClient
from integrations.connectors.iso20022.fields import SPECS
from integrations.connectors.iso20022.remedies import is_found_by_our_check, remedy_of
from integrations.connectors.iso20022.schema import PAIN
from integrations.connectors.xml_document import correct as xml_correct
from integrations.connectors.xml_document import differences
from integrations.records.payment import PaymentRecord
from integrations.records.record import ValueKind
from integrations.refusals import Batch, RefusedTransaction

_CAPABILITIES: Final = Capabilities(
    target_kind=TargetKind.DEDUPLICATES,
    looked_up_by="debtor account and end-to-end identifier",
    settle_time=timedelta(seconds=5),
    key_life=None,
    checks_natively=False,
    check_name=check.CHECK_NAME,
    already_exists=("DU01", "DU04", "AM05", "DUPL"),
    throttles=THROTTLES,
    correction_envelope="a new file name (message identifier); the end-to-end identifier of the payment stays",
    bundles=500,
    lists_what_it_has=True,
    shows_content=ShowsContent.FIELDS,
)
_WORDS: Final = Words(
    target="the bank",
    code="Reason",
    said="As the bank said it",
    own_code="Check",
    own_said="As the check said it",
    reference="Bank reference",
)


class Iso20022Connector:
    name = "iso20022"
    title = "ISO 20022 payments (pain.001, pain.002)"
    object_types: Mapping[str, str] = MappingProxyType({parse.OBJECT_TYPE: "Payment"})
    vocabulary: frozenset[FieldName] = frozenset(
        FieldName(spec.group, spec.label, path, spec.kind is ValueKind.AMOUNT) for spec in SPECS for path in spec.paths
    )
    capabilities = _CAPABILITIES
    words = _WORDS

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        return parse.parse(message)

    def batch(self, message: IncomingMessage) -> Batch | None:
        return parse.batch(message)

    def read(self, payload: bytes) -> PaymentRecord:
        return read.read(payload)

    def object_type(self, payload: bytes) -> str:
        initiation.read_file(payload)  # raises MessageNotUnderstood
        return parse.OBJECT_TYPE

    def business_key(self, payload: bytes) -> str:
        return identity.business_key(payload)

    def operations_for(self, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
        return correct.operations_for(payload, changes)

    def operations_between(self, before: bytes, after: bytes) -> list[Operation]:
        return differences.operations_between(PAIN, before, after)

    def correct(self, payload: bytes, operations: Sequence[Operation]) -> bytes:
        return xml_correct.correct(PAIN, payload, operations)

    def check(self, payload: bytes) -> CheckReport:
        return check.check(payload)

    def check_finds(self, code: str) -> bool:
        return is_found_by_our_check(code)

    def remedy(self, code: str) -> str:
        return remedy_of(code)

    def arrange(self, contents: Sequence[bytes]) -> list[list[int]]:
        return files.arrange(contents, most=_CAPABILITIES.bundles)

    def bundle(self, contents: Sequence[bytes], *, name: str) -> Bundle:
        return files.make(contents, name=name)

    def entries_in(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        return held.entries_in(answer)

    def held(self, entry: Mapping[str, Any], *, content: bytes) -> Held:
        return held.held(entry, content=content)

    def client(self, endpoint: Endpoint) -> BundlingClient:
        return BankClient(endpoint)
