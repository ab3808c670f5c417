"""What the application's database role may do with the log: read it and add to it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY_TABLES = ("audit_event", "audit_seal", "audit_checkpoint")
ERASED = "audit_erased"
_MORE_THAN_ADDING = "UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"


def restrict_role(connection: BaseDatabaseWrapper, *, role: str) -> bool:
    """Take from ``role`` every privilege on the log but SELECT and INSERT.

    Does nothing and returns False when the role does not exist or is the one connected (a database with a single
    role has no weaker one). Call it again, as the owner, after any ``GRANT … ON ALL TABLES``. The triggers refuse
    changes in any case.
    """
    return take(connection, _MORE_THAN_ADDING, APPEND_ONLY_TABLES, role=role) and take(
        connection, "UPDATE, TRUNCATE, REFERENCES, TRIGGER", ["audit_backlog"], role=role
    )


def restrict_erased(connection: BaseDatabaseWrapper, *, role: str) -> bool:
    """The same for the table of what was erased, which came later."""
    return take(connection, _MORE_THAN_ADDING, [ERASED], role=role)


def take(connection: BaseDatabaseWrapper, privileges: str, tables: Iterable[str], *, role: str) -> bool:
    """Take these privileges on these tables from ``role``; False when there is no such role but the one connected."""
    quote = connection.ops.quote_name
    return _carried_out(connection, f"REVOKE {privileges} ON {', '.join(map(quote, tables))} FROM {quote(role)}", role)


def allow_update(connection: BaseDatabaseWrapper, columns: Iterable[str], table: str, *, role: str) -> bool:
    """Let ``role`` change these columns of a table whose rows it may not change; their guard says how."""
    quote = connection.ops.quote_name
    listed = ", ".join(map(quote, columns))
    return _carried_out(connection, f"GRANT UPDATE ({listed}) ON {quote(table)} TO {quote(role)}", role)


def _carried_out(connection: BaseDatabaseWrapper, statement: str, role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", [role])
        if cursor.fetchone() is None:
            return False
        cursor.execute(statement)
    return True
