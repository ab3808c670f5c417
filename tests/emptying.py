"""Emptying the database after a test: by deleting the few rows that it left, not by truncating every table.

TRUNCATE makes new files for every table and index, some four hundred of them, whatever a test has written.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

_truncating = DatabaseOperations.sql_flush


def sql_flush(operations: DatabaseOperations, style: Any, tables: Sequence[str], **how: bool) -> list[str]:
    """As Django's, for a superuser, who may pass over guards and foreign keys; sequences go on counting."""
    if how.get("reset_sequences") or not tables or not _is_superuser():
        return _truncating(operations, style, tables, **how)
    deletions = "; ".join(f"DELETE FROM {operations.quote_name(table)}" for table in tables)  # noqa: S608 - Django's own names
    return ["SET LOCAL session_replication_role = replica", deletions, "SET LOCAL session_replication_role = DEFAULT"]


def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])
