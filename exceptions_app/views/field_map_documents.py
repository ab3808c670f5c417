"""The three documents of a preview as text, and every value on its way."""

from collections.abc import Sequence
from dataclasses import dataclass

from exceptions_app.field_map_preview import Preview
from exceptions_app.views.excerpts import Excerpt, excerpt
from integrations.fieldmaps.apply import Step

SHOWN_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of the documents, as text."""

    title: str
    media_type: str
    excerpt: Excerpt


def documents_of(preview: Preview) -> list[Document]:
    """The source, and what became of it where anything did."""
    found = preview.translation
    documents = [_document("Source", preview.payload, preview.media_type)]
    if found.canonical:
        documents.append(_document("Canonical", found.canonical, "application/json"))
        documents.append(_document("Target", found.payload, found.media_type))
    return documents


def ways_of(preview: Preview) -> list[tuple[str, Sequence[Step]]]:
    """For each map, every value that it wrote."""
    inbound, outbound = preview.translation.inbound, preview.translation.outbound
    ways = [("From source to canonical", inbound), ("From canonical to target", outbound)]
    return [(title, mapped.steps) for title, mapped in ways if mapped is not None]


def _document(title: str, content: bytes, media_type: str) -> Document:
    shown = excerpt(content[:SHOWN_BYTES], size=len(content))
    return Document(title=title, media_type=media_type, excerpt=shown)
