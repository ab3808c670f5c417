"""Translating a payload by the maps that a connection has in use: source → canonical → target.

Each step is a map of its own. The inbound map makes a canonical document of what the source sent, the outbound map
makes of that what the target takes. A step without a map leaves things as they are: without an inbound map the source
is expected to send canonical documents, without an outbound map the target gets the canonical document, and with
neither the payload goes on unchanged, byte for byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.timezone import get_default_timezone, localdate

from integrations.fieldmaps.apply import FROM_CANONICAL, Mapped, map_source
from integrations.fieldmaps.declaration import Declaration, Known, MapNotUnderstood, read_text
from integrations.fieldmaps.source import BadPath, JsonSource, Source, read_source
from integrations.fieldmaps.trail import Fault, Stage, followed, of_findings, of_map
from integrations.fieldmaps.words import title_of
from integrations.mapped_values import MappedValue, MappedValues, NoMappings
from integrations.models import ActiveFieldMap, Connection, Direction, InboxMessage
from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.judge import findings
from integrations.refusals import MessageNotUnderstood

JSON: Final = "application/json"
Context = Mapping[Known, str]


@dataclass(frozen=True, slots=True)
class MapVersion:
    """A version of a map, as it is named in facts and in the audit trail. 0 stands for a draft that is not saved."""

    direction: str
    object_type: str
    number: int

    def __str__(self) -> str:
        return f"{self.direction} {self.object_type} {self.number or '(draft)'}"

    @property
    def in_words(self) -> str:
        """As people call it: “Invoice from the source” (version 3)."""
        which = f"version {self.number}" if self.number else "as it is written here"
        return f"“{title_of(self.direction, self.object_type)}” ({which})"


@dataclass(frozen=True, slots=True)
class Versioned:
    """A map that is about to be carried out, and which version it is."""

    version: MapVersion
    declared: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What became of a payload. With faults it must not be sent.

    `payload` then holds what could be mapped, so that a person can complete it; `maps` are the versions that were
    used, in their order, none when the connection has none; `canonical` is empty when nothing was translated.
    """

    payload: bytes
    media_type: str
    maps: tuple[MapVersion, ...] = ()
    object_type: str = ""
    canonical: bytes = b""
    faults: tuple[Fault, ...] = ()
    inbound: Mapped | None = None
    outbound: Mapped | None = None

    @property
    def mapped_values(self) -> tuple[MappedValue, ...]:
        """What value mappings gave, each version of a value once."""
        found = [*(self.inbound.mapped_values if self.inbound else ())]
        found += self.outbound.mapped_values if self.outbound else ()
        return tuple(dict.fromkeys(found))

    @property
    def is_whole(self) -> bool:
        return not self.faults

    @property
    def versions(self) -> list[dict[str, str | int]]:
        """The versions used, as data to keep beside the transaction."""
        return [
            {"direction": used.direction, "object_type": used.object_type, "number": used.number} for used in self.maps
        ]


def context_of(message: InboxMessage) -> dict[Known, str]:
    """What the workbench knows of a message beside its payload."""
    return {
        Known.CONNECTION: message.connection.slug,
        Known.MESSAGE: message.external_id,
        Known.RECEIVED_DATE: day_of(message.received_at),
        Known.SENDER: message.received_by,
    }


def day_of(at: datetime) -> str:
    """The day in the time zone of the workbench, whoever asks: a person's own would give other bytes."""
    return localdate(at, timezone=get_default_timezone()).isoformat()


def translate(
    connection: Connection, *, payload: bytes, media_type: str, context: Context | None = None
) -> Translation:
    """The payload for the target, by the maps in use. One query; raises nothing for what the payload says.

    The same payload, context and versions give the same bytes. `context` comes from `context_of`.
    """
    return translate_by(maps_in_use(connection), payload=payload, media_type=media_type, context=context)


def maps_in_use(connection: Connection) -> list[Versioned]:
    return [
        Versioned(MapVersion(row.direction, row.object_type, row.version.number), row.version.declared)
        for row in in_use(connection)
        if row.version is not None
    ]


def in_use(connection: Connection) -> list[ActiveFieldMap]:
    """Which version of each map translates now, with who wrote it and who put it to use. One query."""
    rows = ActiveFieldMap.objects.filter(connection=connection, version__isnull=False)
    return list(rows.select_related("version__author", "changed_by").order_by("direction", "object_type"))


def translate_by(
    maps: Sequence[Versioned],
    *,
    payload: bytes,
    media_type: str,
    context: Context | None = None,
    values: MappedValues | None = None,
) -> Translation:
    """The same by maps that are given, in use or not: a preview, or a draft. `values` are the value mappings."""
    unchanged = Translation(payload, media_type)
    if not maps:
        return unchanged
    inbound = [found for found in maps if found.version.direction == Direction.INBOUND]
    outbound = {found.version.object_type: found for found in maps if found.version.direction == Direction.OUTBOUND}
    try:
        source = read_source(payload, media_type)
        first = _first_for(inbound, source) if inbound else None
        object_type = first.version.object_type if first else _kind_of(source)
    except MessageNotUnderstood as error:
        fault = Fault(Stage.INBOUND, problem=str(error), remedy=error.remedy)
        return Translation(payload, media_type, faults=(fault,))
    second = outbound.get(object_type)
    return _carry_out(first, second, object_type, source, unchanged, context or {}, values or NoMappings())


def _first_for(maps: Sequence[Versioned], source: Source) -> Versioned:
    """The inbound map that is for this payload. Raises MessageNotUnderstood when that is none, or not one alone."""
    fitting = [found for found in maps if _is_for(found, source)]
    if len(fitting) == 1:
        return fitting[0]
    names = "; ".join(found.version.in_words for found in (fitting or maps))
    if fitting:
        raise MessageNotUnderstood(
            f"More than one field map is for this payload: {names}.",
            remedy="Have their conditions under “when” exclude each other.",
        )
    raise MessageNotUnderstood(
        f"No field map in use is for this payload; in use are: {names}.",
        remedy="Look at what their conditions under “when” ask for, or add a map for this kind of payload.",
    )


def _is_for(found: Versioned, source: Source) -> bool:
    """A map that cannot be read is for every payload, so that the fault is said and nothing passes by it."""
    try:
        when = read_text(found.declared).when
        return when is None or any(text in when.texts for text in source.texts(when.source))
    except (MapNotUnderstood, BadPath):
        return True


def _kind_of(source: Source) -> str:
    """The kind of a document that came in canonical form already. Raises MessageNotUnderstood."""
    stands = source.texts("/version") if isinstance(source, JsonSource) else []
    kind = stands[0].partition("/")[0] if stands else ""
    if kind not in DESCRIPTIONS:
        known = ", ".join(part.version for part in DESCRIPTIONS.values())
        raise MessageNotUnderstood(
            "The connection has no inbound field map, and the payload is no canonical document.",
            remedy=f"Send a canonical document with one of these under “version”: {known}; or add an inbound map.",
        )
    return kind


def _carry_out(
    inbound: Versioned | None,
    outbound: Versioned | None,
    object_type: str,
    source: Source,
    unchanged: Translation,
    context: Context,
    values: MappedValues,
) -> Translation:
    used = tuple(found.version for found in (inbound, outbound) if found)
    try:
        first = map_source(_read(inbound), source, context=context, values=values) if inbound else None
        canonical = _canonical(object_type, first, source)
        second = _outbound(outbound, canonical, context, values)
    except _Unreadable as error:
        return Translation(unchanged.payload, unchanged.media_type, used, object_type, faults=(error.fault,))
    faults = of_map(Stage.INBOUND, first)
    faults += of_findings(findings(object_type, canonical), first, known=faults)
    faults = followed(faults, second) + of_map(Stage.OUTBOUND, second, known=faults)
    body = Mapped(document=canonical).payload
    return Translation(
        payload=second.payload if second else body,
        media_type=JSON,
        maps=used,
        object_type=object_type,
        canonical=body,
        faults=tuple(faults),
        inbound=first,
        outbound=second,
    )


def _outbound(
    found: Versioned | None, canonical: dict[str, Any], context: Context, values: MappedValues
) -> Mapped | None:
    if found is None:
        return None
    return map_source(_read(found), JsonSource(canonical), context=context, reads=FROM_CANONICAL, values=values)


def _canonical(object_type: str, mapped: Mapped | None, source: Source) -> dict[str, Any]:
    """The document between the two steps. Its kind and version are the workbench's own to write."""
    if mapped is not None:
        return {"version": DESCRIPTIONS[object_type].version, **mapped.document}
    value = source.value if isinstance(source, JsonSource) else None
    return value if isinstance(value, dict) else {}


class _Unreadable(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


def _read(found: Versioned) -> Declaration:
    try:
        return read_text(found.declared)
    except MapNotUnderstood as error:
        stage = Stage(found.version.direction)
        problem = f"The field map {found.version.in_words} can no longer be read: {error.problem}"
        raise _Unreadable(
            Fault(stage, error.place, problem=problem, remedy="Save and use a version that can.")
        ) from None
