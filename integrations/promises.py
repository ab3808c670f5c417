"""What a target promises on one connection: what its connector declares, made weaker where this target keeps less."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from integrations.connectors.base import Capabilities, Connector, Ordering, TargetKind
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import Connection

# How far a target may be trusted with a repeat. Two that are equally far are not weaker than one another.
_STRENGTH: Final[Mapping[TargetKind, int]] = MappingProxyType(
    {TargetKind.DEDUPLICATES: 2, TargetKind.UPSERTS: 2, TargetKind.ASKABLE: 1, TargetKind.NEITHER: 0}
)


class StrongerThanDeclared(ValueError):
    """A connection cannot promise more than its connector declares."""


def effective_capabilities(connection: Connection) -> Capabilities:
    """What holds on this connection; raises UnknownConnector.

    Only a weaker kind counts, whatever stands in the row, so that a connector which declares less one day is believed.
    """
    declared = get_connector(connection.connector).capabilities
    chosen = TargetKind(connection.target_kind) if connection.target_kind else declared.target_kind
    return replace(declared, target_kind=chosen) if _STRENGTH[chosen] < _STRENGTH[declared.target_kind] else declared


def refuse_stronger(*, connector: str, target_kind: str) -> None:
    """Raises StrongerThanDeclared, with what to choose; says nothing of a connector that is not installed."""
    installed: Connector | None = CONNECTORS.get(connector)
    if installed is None or not target_kind:
        return
    declared = installed.capabilities.target_kind
    if _STRENGTH[TargetKind(target_kind)] >= _STRENGTH[declared]:
        raise StrongerThanDeclared(
            f"{installed.title} is declared as “{declared.value}”; choose something weaker, or leave it as declared."
        )


def keeps_changes(connection: Connection) -> bool:
    """Whether its target keeps objects that are changed again and again, and wants the changes of each in order."""
    installed: Connector | None = CONNECTORS.get(connection.connector)
    return installed is not None and installed.capabilities.ordering is Ordering.SAME_OBJECT


def most_in_one_file(connection: Connection) -> int:
    """How many approved documents may travel together on this connection; 1 where it does not collect."""
    installed: Connector | None = CONNECTORS.get(connection.connector)
    return installed.capabilities.bundles if installed is not None and connection.collect_seconds else 1


def collecting_time(connection: Connection) -> timedelta:
    """How long an approved document waits for others to travel with; none where the target takes one at a time."""
    return timedelta(seconds=connection.collect_seconds if most_in_one_file(connection) > 1 else 0)
