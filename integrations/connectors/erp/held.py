"""The posting that the ERP gives back when it is asked, whole and as it was taken."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.connectors.erp.document import Posting, read_posting
from integrations.connectors.erp.listed import LIST, reference_in
from integrations.connectors.erp.read import record_of
from integrations.connectors.erp.terms import LAYOUTS, LINES, Layout
from integrations.connectors.held import Held, ShowsContent, rows_in
from integrations.records.record import RecordField
from integrations.target_lists import time_in


def entries_in(answer: bytes) -> Sequence[Mapping[str, Any]]:
    return rows_in(answer, LIST)


def held(entry: Mapping[str, Any], *, content: bytes) -> Held:
    """Raises MessageNotUnderstood when our own content cannot be read."""
    ours = read_posting(content)
    sent = record_of(ours).fields
    theirs = _posting_of(entry)
    found = _that_count(sent, theirs) if theirs is not None else ()
    told = {field.path for field in found}
    return Held(
        reference=reference_in(entry),
        shows=ShowsContent.WHOLE if theirs is not None else ShowsContent.NOTHING,
        fields=found,
        untold=frozenset(
            field.path
            for field in sent
            if field.path not in told and (theirs is None or not _is_known(ours.layout, field))
        ),
        booked_at=time_in(entry, "posted_at"),
    )


def _posting_of(entry: Mapping[str, Any]) -> Posting | None:
    content = entry.get("posting")
    kind = content.get("type") if isinstance(content, dict) else None
    layout = LAYOUTS.get(kind) if isinstance(kind, str) else None
    return Posting(layout, content) if layout is not None and isinstance(content, dict) else None


def _that_count(sent: Sequence[RecordField], theirs: Posting) -> tuple[RecordField, ...]:
    """By the rule of `posts_the_same`: a field that we do not know counts only where both have it."""
    also_ours = {field.path for field in sent}
    return tuple(
        field for field in record_of(theirs).fields if field.path in also_ours or _is_known(theirs.layout, field)
    )


def _is_known(layout: Layout, field: RecordField) -> bool:
    match field.path.split("/")[1:]:
        case [name]:
            return name in layout.head
        case [first, _, name]:
            return first == LINES and name in layout.line
    return False
