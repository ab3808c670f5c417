"""What a field map would make of a payload, to be looked at. Nothing is saved, nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exceptions_app.queries.field_maps import MapKey, with_draft
from exceptions_app.value_lookup import mapped_values_of
from integrations.connectors.base import CheckReport
from integrations.connectors.registry import CONNECTORS
from integrations.fieldmaps.active import Translation, day_of, maps_in_use, translate_by
from integrations.fieldmaps.declaration import Known
from integrations.models import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The translation and the check of the target on its result.

    `report` is None when the result is not whole, or the connector is not installed.
    """

    payload: bytes
    media_type: str
    translation: Translation
    report: CheckReport | None

    @property
    def passed(self) -> bool:
        return self.translation.is_whole and self.report is not None and self.report.passed


def preview_of(
    connection: Connection,
    key: MapKey,
    declared: str,
    payload: bytes,
    media_type: str,
    *,
    context: Mapping[Known, str] | None,
    at: datetime,
    number: int = 0,
) -> Preview:
    """`context` is what is known of a stored message; a payload of one's own counts as received now."""
    known = context or {Known.CONNECTION: connection.slug, Known.RECEIVED_DATE: day_of(at)}
    maps = with_draft(maps_in_use(connection), key, declared.replace("\r\n", "\n"), number=number)
    found = translate_by(
        maps, payload=payload, media_type=media_type, context=known, values=mapped_values_of(connection)
    )
    connector = CONNECTORS.get(connection.connector)
    report = connector.check(found.payload) if connector and found.is_whole else None
    return Preview(payload=payload, media_type=media_type, translation=found, report=report)
