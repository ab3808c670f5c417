"""The partner as the ERP has it now: what its newest change says."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.answers import reference_of
from integrations.connectors.erp_master.document import VERSION, Partner, read_partner
from integrations.connectors.erp_master.read import record_of
from integrations.connectors.erp_master.terms import KINDS, TERMS
from integrations.connectors.held import Held, ShowsContent, rows_in
from integrations.connectors.json_document.pointers import pointer_to
from integrations.target_lists import time_in

_KNOWN = frozenset(pointer_to(name) for name in TERMS if name != VERSION)


def entries_in(answer: bytes) -> Sequence[Mapping[str, Any]]:
    """The newest change alone: what came before it is not there any more."""
    return rows_in(answer, "changes")[-1:]


def held(entry: Mapping[str, Any], *, content: bytes) -> Held:
    """Raises MessageNotUnderstood when our own content cannot be read."""
    ours = {field.path for field in record_of(read_partner(content)).fields}
    said = entry.get("content")
    kind = said.get("type") if isinstance(said, dict) else None
    partner = Partner(kind, said) if isinstance(said, dict) and isinstance(kind, str) and kind in KINDS else None
    counts = _KNOWN | ours - {pointer_to(VERSION)}  # what only the ERP adds is not ours to compare
    found = tuple(field for field in record_of(partner).fields if field.path in counts) if partner is not None else ()
    told = {field.path for field in found}
    version = entry.get("version")
    number = reference_of(entry, "partner")
    return Held(
        reference=f"{number}/{version}" if number and type(version) is int else number,
        shows=ShowsContent.WHOLE if partner is not None else ShowsContent.NOTHING,
        fields=found,
        untold=frozenset(path for path in ours - told if partner is None or path not in _KNOWN),
        booked_at=time_in(entry, "changed_at"),
    )
