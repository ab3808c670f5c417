"""The field maps of a connection, applied to what a source hands over; their faults as errors of the transaction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from exceptions_app.value_lookup import mapped_values_of
from integrations.fieldmaps import active
from integrations.fieldmaps.active import Translation, Versioned
from integrations.fieldmaps.trail import Fault, Stage
from integrations.mapped_values import Unmapped
from integrations.models import InboxMessage
from integrations.refusals import RefusalError, Severity
from integrations.value_kinds import ValueKind, kind_not_mapped

CODE: Final = "FIELD_MAP"


def translate(message: InboxMessage) -> Translation:
    """What the target is to get of this message; unchanged where the connection has no map."""
    return translate_by(active.maps_in_use(message.connection), message)


def translate_by(maps: Sequence[Versioned], message: InboxMessage) -> Translation:
    """The same by maps that are given. One query for each value that they ask a value mapping for."""
    content = message.content
    return active.translate_by(
        maps,
        payload=bytes(content.payload),
        media_type=content.payload_media_type,
        context=active.context_of(message),
        values=mapped_values_of(message.connection),
    )


def errors_of(translation: Translation) -> tuple[RefusalError, ...]:
    """Each fault in plain words; it points into the payload where its place is one of the document for the target."""
    return tuple(_error(fault, translation) for fault in translation.faults)


def is_of_field_map(error: RefusalError) -> bool:
    """Whether it is for those who care for the maps and their tables rather than for the document."""
    return error.code == CODE


def _error(fault: Fault, translation: Translation) -> RefusalError:
    plain = f"{fault.problem} {fault.remedy}".strip()
    path, was = _at_the_source(fault, translation)
    return RefusalError(
        CODE,
        Severity.ERROR,
        plain,
        plain=plain,
        path=path,
        field_path=fault.target,
        general=kind_not_mapped(ValueKind(fault.unmapped.kind)) if fault.unmapped else "A field map failed.",
        said_by=_who(fault, translation),
        was=was,
        allowed=fault.allowed,
        unmapped=_unmapped(fault, translation),
    )


def _unmapped(fault: Fault, translation: Translation) -> Unmapped | None:
    """Where the inbound map is the last one, what it would write is what the target gets."""
    if fault.unmapped is None or fault.unmapped.path or translation.outbound is not None:
        return fault.unmapped
    return replace(fault.unmapped, path=fault.canonical)


def _at_the_source(fault: Fault, translation: Translation) -> tuple[str, str]:
    """Place and value in what the source sent; in the canonical document where nothing leads further back."""
    steps = translation.inbound.steps if translation.inbound and fault.stage is not Stage.INBOUND else ()
    origin = next((step for step in steps if fault.canonical and step.to == fault.canonical), None)
    return (origin.source, origin.was) if origin else (fault.source, fault.was)


def _who(fault: Fault, translation: Translation) -> str:
    """The map that failed, by name and version; of a canonical document that is none, the map that made it."""
    direction = Stage.OUTBOUND if fault.stage is Stage.OUTBOUND else Stage.INBOUND
    used = next((used for used in translation.maps if used.direction == direction), None)
    return f"the field map {used.in_words}" if used else "the check of the canonical document"
