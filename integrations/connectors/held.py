"""What a target holds under the name of a document, as far as it tells: to be laid beside what we would send."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from integrations.records.record import RecordField
from integrations.safe_json import UnsafeJson, loads

LARGEST: Final = 512 * 1024  # bytes of an answer that is read for what it holds; a larger one is kept and not read


class ShowsContent(StrEnum):
    """How much a target tells of a document that it has already."""

    WHOLE = "whole"  # every field of it
    FIELDS = "fields"  # some of its fields
    HASH = "hash"  # only the SHA-256 of its bytes
    NOTHING = "nothing"  # no more than that it is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One document that a target holds, read against a payload of ours.

    `fields` stand at the paths of our payload. A path of ours that is neither among them nor in `untold` is a field
    that the target's document does not have; of those in `untold` the target says nothing either way.
    """

    reference: str
    shows: ShowsContent
    fields: tuple[RecordField, ...] = ()
    untold: frozenset[str] = frozenset()
    sha256: str = ""  # of the bytes that it took, where it tells that
    booked_at: datetime | None = None
    came_in: str = ""  # the file in which it came, where it came in one


def object_in(answer: bytes) -> Mapping[str, Any]:
    """The body of an answer as a JSON object with exact numbers; empty when it is anything else."""
    try:
        told = loads(answer)
    except UnsafeJson:
        return {}
    return told if isinstance(told, dict) else {}


def rows_in(answer: bytes, name: str) -> list[Mapping[str, Any]]:
    """The objects that a look-up lists under a name."""
    rows = object_in(answer).get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
