"""What the ERP's own list says of its postings, and whether an entry is what was sent."""

from collections.abc import Mapping
from typing import Any, Final

from integrations.answers import reference_of
from integrations.connectors.base import CannotList, Listed
from integrations.connectors.erp.document import Posting, posts_the_same, read_posting
from integrations.connectors.erp.terms import LAYOUTS
from integrations.refusals import MessageNotUnderstood
from integrations.target_lists import time_in

LIST: Final = "postings"


def listed(entry: Mapping[str, Any]) -> Listed:
    """Raises CannotList. A posting of a kind that we know nothing of has no name of ours."""
    reference = reference_in(entry)
    if not reference:
        raise CannotList("An entry of the ERP's list has no document number.")
    return Listed(_business_key(entry.get("posting")), reference, time_in(entry, "posted_at"), entry)


def reference_in(told: Mapping[str, Any]) -> str:
    """`5100000123/2026`: an ERP begins its numbers anew each fiscal year."""
    document, year = reference_of(told, "document"), told.get("fiscal_year")
    return f"{document}/{year}" if document and type(year) is int and 1 <= year <= 9999 else ""


def _business_key(content: object) -> str:
    """As `document.business_key` of the same posting; empty where that would go by the content."""
    kind = content.get("type") if isinstance(content, dict) else None
    layout = LAYOUTS.get(kind) if isinstance(kind, str) else None
    if layout is None or not isinstance(content, dict):
        return ""
    posting = Posting(layout, content)
    return f"{posting.text('company')}|{posting.number}" if posting.number else ""


def is_same(entry: Listed, content: bytes) -> bool:
    try:
        posting = read_posting(content)
    except MessageNotUnderstood:
        return False
    found = entry.told.get("posting")
    return isinstance(found, dict) and posts_the_same(posting, found)
