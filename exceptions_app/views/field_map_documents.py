"""The three documents of a preview as text, and every value on its way."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from exceptions_app.field_map_preview import Preview
from exceptions_app.queries.field_maps import MapKey, version_in_words
from exceptions_app.views.excerpts import Excerpt, excerpt
from exceptions_app.wording import shown
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
    documents = [_document(gettext("Source"), preview.payload, preview.media_type)]
    if found.canonical:
        documents.append(_document(gettext("Canonical"), found.canonical, "application/json"))
        documents.append(_document(gettext("Target"), found.payload, found.media_type))
    return documents


def ways_of(preview: Preview) -> list[tuple[str, Sequence[Step]]]:
    """For each map, every value that it wrote."""
    inbound, outbound = preview.translation.inbound, preview.translation.outbound
    ways = [(gettext("From source to canonical"), inbound), (gettext("From canonical to target"), outbound)]
    return [(title, mapped.steps) for title, mapped in ways if mapped is not None]


def with_maps(preview: Preview) -> str:
    """By which versions the preview was made; empty where there was none."""
    used = [
        shown(version_in_words(MapKey(found.direction, found.object_type), found.number))
        for found in preview.translation.maps
    ]
    if len(used) > 1:
        return gettext("With {first} and {second}.").format(first=used[0], second=used[1])
    return gettext("With {map}.").format(map=used[0]) if used else ""


def _document(title: str, content: bytes, media_type: str) -> Document:
    head = excerpt(content[:SHOWN_BYTES], size=len(content))
    return Document(title=title, media_type=media_type, excerpt=head)
