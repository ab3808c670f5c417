"""Who has which verb where, as a file. That it was taken is an event."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from audit.spreadsheets import BOM, Cell, csv_row
from exceptions_app.actions.connections import SCOPE
from exceptions_app.queries.access import AccessFilter, AccessRow, all_access

COLUMNS: Final = (
    "username", "name", "account_is_active", "kind_of_place", "place", "place_name", "verb", "by_role", "since",
    "given_by", "last_used", "last_use_tells_place",
)  # fmt: skip


def export_access(wanted: AccessFilter, *, by: AbstractUser, at: datetime) -> Iterator[bytes]:
    """What is granted to people as CSV, as it stands at this moment: what the event counts is what the file holds."""
    with transaction.atomic():
        rows = all_access(wanted, at=at)
        asked = {name: getattr(wanted, name) for name in ("person", "role", "place")}
        log.record(
            "access.exported",
            subject="access:list",
            scope=SCOPE,
            actor=by.get_username(),
            at=at,
            summary=f"{by} exported who has which access, {len(rows)} lines.",
            data={"filter": {name: text for name, text in asked.items() if text}, "rows": len(rows)},
        )
    return _chunks(rows)


def _chunks(rows: list[AccessRow]) -> Iterator[bytes]:
    yield BOM + csv_row(COLUMNS)
    for row in rows:
        yield csv_row(_cells(row))


def _cells(row: AccessRow) -> tuple[Cell, ...]:
    return (
        row.username, row.name, row.is_active, row.kind_words, row.place, row.place_name, row.verb, row.role, row.since,
        row.given_by, row.used.at if row.used else None, row.used.tells_place if row.used else None,
    )  # fmt: skip
