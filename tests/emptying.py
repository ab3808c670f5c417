"""Emptying the database after a test: by deleting the few rows that it left, not by truncating every table.

TRUNCATE makes new files for every table and index, some four hundred of them, whatever a test has written. And the
content types and permissions, which `migrate` leaves in every database, stay as they were, with their ids, instead of
being thrown away and made anew.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

from tests import guards

KEPT = ("django_content_type", "auth_permission")
_DIGESTS = " || ".join(
    f"coalesce((SELECT md5(string_agg({table}::text, ',' ORDER BY id)) FROM {table}), '')"  # noqa: S608 - names of ours
    for table in KEPT
)


class Emptying:
    """The way back to what the database held when this was made, just after `migrate`; sequences go on counting."""

    def __init__(self) -> None:
        self._digests = _value(f"SELECT {_DIGESTS}")
        self._restoring = [statement for table in KEPT for statement in _restoring(table)]

    def take_place_of_truncating(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(DatabaseOperations, "sql_flush", self.sql_flush)
        patch.setattr(flush, "emit_post_migrate_signal", _nothing)

    def sql_flush(self, style: Any, tables: Sequence[str], **how: bool) -> list[str]:
        """As Django's, for who may pass the guards and foreign keys."""
        if how.get("reset_sequences"):
            raise ValueError("Sequences go on counting in tests: flush with reset_sequences=False.")
        statements = [f"DELETE FROM {_quoted(table)}" for table in tables if table not in KEPT]  # noqa: S608 - Django's own names
        if _value(f"SELECT {_DIGESTS}") != self._digests:
            statements += self._restoring
            ContentType.objects.clear_cache()
        return [guards.PASS, "; ".join(statements), guards.GUARD]


def _nothing(*arguments: object) -> None:
    """No signal: what it would make is there."""


def _restoring(table: str) -> list[str]:
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
    literals = " || ', ' || ".join(f"quote_nullable({_quoted(column)}::text)" for column in columns)
    rows = _value(f"SELECT string_agg('(' || {literals} || ')', ', ') FROM {table}")  # noqa: S608 - names of ours
    names = ", ".join(map(_quoted, columns))
    return [f"DELETE FROM {table}", f"INSERT INTO {table} ({names}) VALUES {rows}"]  # noqa: S608 - its own values


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _value(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
