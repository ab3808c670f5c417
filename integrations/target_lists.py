"""Reading a target's own list page by page: complete, or not at all."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from integrations.answers import json_object, text_of
from integrations.connectors.base import CannotList
from integrations.http import Exchange, Outcome, exchange

PAGE: Final = 500  # entries that are asked for at once
MOST_PAGES: Final = 20_000


Read = Callable[[Exchange], dict[str, Any]]


def entries(
    url: str,
    name: str,
    *,
    since: datetime,
    until: datetime,
    headers: Mapping[str, str],
    timeout: float,
    read: Read = json_object,
) -> Iterator[dict[str, Any]]:
    """What was booked in [since, until), in the order of the list. Raises CannotList, also between two entries.

    The target answers an object with the entries under `name` and the cursor of the next page in `next`.
    """
    cursor = ""
    for _ in range(MOST_PAGES):
        asked = {"since": since.isoformat(), "until": until.isoformat(), "limit": str(PAGE)}
        query = urlencode(asked | ({"cursor": cursor} if cursor else {}))
        answered = exchange("GET", f"{url}?{query}", headers=headers, timeout=timeout)
        yield from entries_of(answered, name, read=read)
        following = read(answered).get("next")
        if not isinstance(following, str):
            raise CannotList("The target's list does not say whether it goes on.")
        if not following:
            return
        if following == cursor:
            raise CannotList("The target's list does not go on: its next page is the same again.")
        cursor = following
    raise CannotList(f"The target's list has more than {MOST_PAGES} pages. Compare a shorter period.")


def entries_of(answered: Exchange, name: str, *, read: Read = json_object) -> list[dict[str, Any]]:
    """The entries of one answer; raises CannotList for what is no such answer."""
    told = read(answered)
    rows = told.get(name)
    if answered.outcome is not Outcome.ANSWERED or answered.status != 200:
        why = answered.detail or text_of(told, "detail") or f"HTTP {answered.status}."
        raise CannotList(f"The target's list could not be read: {why}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CannotList("The target's list is not what was agreed: it has no entries.")
    return rows


def time_in(entry: Mapping[str, Any], name: str) -> datetime | None:
    """When an entry was booked; None where it does not say so with an offset from UTC."""
    try:
        time = datetime.fromisoformat(str(entry.get(name, "")))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
