"""The field maps of a connection, applied to what a source hands over; their faults as errors of the transaction."""

from typing import Final

from integrations.fieldmaps import active
from integrations.fieldmaps.active import Translation
from integrations.fieldmaps.trail import Fault
from integrations.models import InboxMessage
from integrations.refusals import RefusalError, Severity

CODE: Final = "FIELD_MAP"


def translate(message: InboxMessage) -> Translation:
    """What the target is to get of this message; unchanged where the connection has no map."""
    content = message.content
    return active.translate(
        message.connection,
        payload=bytes(content.payload),
        media_type=content.payload_media_type,
        context=active.context_of(message),
    )


def errors_of(translation: Translation) -> tuple[RefusalError, ...]:
    """Each fault in plain words; it points into the payload where its place is one of the document for the target."""
    return tuple(_error(fault) for fault in translation.faults)


def is_of_field_map(error: RefusalError) -> bool:
    """Whether it is for those who care for the maps and their tables rather than for the document."""
    return error.code == CODE


def _error(fault: Fault) -> RefusalError:
    plain = f"{fault.problem} {fault.remedy}".strip()
    return RefusalError(
        CODE,
        Severity.ERROR,
        plain,
        plain=plain,
        path=fault.source,
        field_path=fault.target,
        general="A field map failed.",
    )
