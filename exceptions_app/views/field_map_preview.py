"""What a field map would make of a payload, to be looked at. Nothing is saved, nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import localdate

from exceptions_app.queries.field_maps import MapKey, with_draft
from exceptions_app.views.excerpts import Excerpt, excerpt
from integrations.connectors.base import CheckReport
from integrations.connectors.registry import CONNECTORS
from integrations.fieldmaps.active import Translation, maps_in_use, translate_by
from integrations.fieldmaps.apply import Step
from integrations.fieldmaps.declaration import Known
from integrations.models import Connection

SHOWN_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of the three documents, as text."""

    title: str
    media_type: str
    excerpt: Excerpt


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The three documents side by side, every value on its way, and the check of the target on the result.

    `report` is None when the result is not whole, or the connector is not installed.
    """

    translation: Translation
    documents: Sequence[Document]
    steps: Sequence[tuple[str, Sequence[Step]]]
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
    known = context or {Known.CONNECTION: connection.slug, Known.RECEIVED_DATE: localdate(at).isoformat()}
    maps = with_draft(maps_in_use(connection), key, declared.replace("\r\n", "\n"), number=number)
    found = translate_by(maps, payload=payload, media_type=media_type, context=known)
    documents = [_document("Source", payload, media_type)]
    if found.canonical:
        documents.append(_document("Canonical", found.canonical, "application/json"))
        documents.append(_document("Target", found.payload, found.media_type))
    ways = [("From source to canonical", found.inbound), ("From canonical to target", found.outbound)]
    connector = CONNECTORS.get(connection.connector)
    return Preview(
        translation=found,
        documents=documents,
        steps=[(title, mapped.steps) for title, mapped in ways if mapped is not None],
        report=connector.check(found.payload) if connector and found.is_whole else None,
    )


def _document(title: str, content: bytes, media_type: str) -> Document:
    shown = excerpt(content[:SHOWN_BYTES], size=len(content))
    return Document(title=title, media_type=media_type, excerpt=shown)
