"""Value mappings for tests: proposed by the clerk, approved by the controller."""

from datetime import date
from typing import Any

from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.models import MappingEntry, MappingProposal, ValueMapping
from exceptions_app.value_rows import WrittenRow
from tests.cast import MORNING, Cast

WHY = "Agreed with sales."


def scope(cast: Cast, **changes: Any) -> Scope:
    """Product families to the cast's connection, for the first legal entity, owned by the first queue."""
    usual: dict[str, Any] = {
        "kind": "product_family", "connection": cast.connection, "entity": cast.netherlands, "queue": cast.einvoicing,
    }  # fmt: skip
    return Scope(**usual | changes)


def row(source: str = "ROBOTICS", target: str = "800400", begins: str = "", ends: str = "") -> WrittenRow:
    return WrittenRow(
        source_value=source,
        target_value=target,
        valid_from=date.fromisoformat(begins) if begins else None,
        valid_to=date.fromisoformat(ends) if ends else None,
    )


def propose(cast: Cast, *rows: WrittenRow, **changes: Any) -> MappingProposal:
    return propose_mapping(scope(cast, **changes), rows or [row()], by=cast.clerk, at=MORNING, because=WHY)


def approve(proposal: MappingProposal, cast: Cast) -> ValueMapping:
    return approve_mapping(proposal.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256).mapping


def mapped(cast: Cast, *rows: WrittenRow, **changes: Any) -> ValueMapping:
    return approve(propose(cast, *rows, **changes), cast)


def holding(mapping: ValueMapping) -> list[tuple[str, str, str, str]]:
    """Source, target, first and last day of what holds, in order."""
    entries = MappingEntry.objects.filter(mapping=mapping, retired_in=None)
    return sorted(
        (entry.source_value, entry.target_value, str(entry.valid_from or ""), str(entry.valid_to or ""))
        for entry in entries
    )
