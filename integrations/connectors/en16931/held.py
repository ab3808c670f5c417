"""The authority gives no document back: it tells the hash of the bytes that it took."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.answers import reference_of, text_of
from integrations.connectors.en16931.read import read
from integrations.connectors.held import Held, ShowsContent, object_in, rows_in
from integrations.target_lists import time_in


def entries_in(answer: bytes) -> Sequence[Mapping[str, Any]]:
    """Those of a look-up; a refusal that says “already there” names the one that it means itself."""
    told = object_in(answer)
    if "documents" not in told and text_of(told, "sha256"):
        return [told]
    return rows_in(answer, "documents")


def held(entry: Mapping[str, Any], *, content: bytes) -> Held:
    """Raises MessageNotUnderstood when our own content cannot be read."""
    sha256 = text_of(entry, "sha256")
    return Held(
        reference=reference_of(entry, "clearance"),
        shows=ShowsContent.HASH if sha256 else ShowsContent.NOTHING,
        untold=frozenset(field.path for field in read(content).fields),
        sha256=sha256,
        booked_at=time_in(entry, "accepted_at"),
    )
