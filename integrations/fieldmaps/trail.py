"""Faults of a translation in one list: each said once, with the places that it concerns on the whole way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from integrations.connectors.json_document.pointers import pointer_to
from integrations.fieldmaps.apply import Mapped
from integrations.mapped_values import Unmapped
from integrations.records.schemas.judge import Finding
from integrations.refusals import MOST_ALLOWED


class Stage(StrEnum):
    """Where on the way."""

    INBOUND = "inbound"
    CANONICAL = "canonical"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that is not as it must be.

    `rule` is the rule's place in its map, `source` where the value was read (in the source's payload, or in the
    canonical document for the outbound map), `was` what stood there. `canonical` and `target` are the places where it
    should have gone, empty where nothing leads there. `allowed` are values that the tables on its way would let pass,
    as the target would get them.
    """

    stage: Stage
    rule: str = ""
    source: str = ""
    was: str = ""
    canonical: str = ""
    target: str = ""
    problem: str = ""
    remedy: str = ""
    allowed: tuple[str, ...] = ()
    unmapped: Unmapped | None = None


def of_map(stage: Stage, mapped: Mapped | None, *, known: Sequence[Fault] = ()) -> list[Fault]:
    """What a map could not do. What is missing in the canonical document for a reason in `known` is not said again."""
    found: list[Fault] = []
    said = {fault.canonical for fault in known}
    for fault in mapped.faults if mapped else ():
        inbound = stage is Stage.INBOUND
        if not inbound and not fault.was and _within(fault.source, said):
            continue
        found.append(
            Fault(
                stage,
                rule=fault.rule,
                source=fault.source,
                was=fault.was,
                canonical=fault.to if inbound else fault.source,
                target="" if inbound else fault.to,
                problem=fault.problem,
                remedy=fault.remedy,
                allowed=fault.allowed,
                unmapped=fault.unmapped
                if inbound or fault.unmapped is None
                else replace(fault.unmapped, path=fault.to),
            )
        )
    return found


def of_findings(found: Sequence[Finding], mapped: Mapped | None, *, known: Sequence[Fault]) -> list[Fault]:
    """What keeps the canonical document from being one, unless the map has said so at the same place."""
    said = {fault.canonical for fault in known}
    way_back = {to: place for place, to in mapped.ways.items()} if mapped else {}
    remedy = "Write it by a rule of the inbound map." if mapped else "Have the source send it."
    return [
        Fault(
            Stage.CANONICAL,
            source=way_back.get(place, ""),
            was=finding.was,
            canonical=place,
            problem=finding.problem,
            remedy=remedy if not way_back.get(place) else "Have the source send it, or correct the rule.",
        )
        for finding in found
        if not _within(place := pointer_to(*finding.steps), said)
    ]


def followed(faults: Sequence[Fault], outbound: Mapped | None) -> list[Fault]:
    """The faults with the place in the target's document to which the outbound map would have taken the value."""
    if outbound is None:
        return list(faults)
    return [
        replace(
            fault,
            target=fault.target or outbound.ways.get(fault.canonical, ""),
            allowed=_taken_on(fault.allowed, outbound.tables.get(fault.canonical)),
        )
        for fault in faults
    ]


def _taken_on(allowed: tuple[str, ...], table: Mapping[str, str] | None) -> tuple[str, ...]:
    """What the outbound map makes of the values that the inbound one could write; any of its own where that is open."""
    if table is None:
        return allowed
    taken = [table[value] for value in allowed if value in table] if allowed else list(table.values())
    return tuple(dict.fromkeys(taken))[:MOST_ALLOWED]


def _within(place: str, said: set[str]) -> bool:
    """Whether a place, or anything around it, is among those."""
    return any(place == known or (known and place.startswith(f"{known}/")) for known in said)
