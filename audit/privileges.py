"""What the application's database role may do with the log: read it and add to it."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY_TABLES = ("audit_event", "audit_seal", "audit_checkpoint")


def restrict_role(connection: BaseDatabaseWrapper, *, role: str) -> bool:
    """Take from ``role`` every privilege on the log but SELECT and INSERT.

    Does nothing and returns False when the role does not exist or is the one connected (a database with a single
    role has no weaker one). Call it again, as the owner, after any ``GRANT … ON ALL TABLES``. The triggers refuse
    changes in any case.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", [role])
        if cursor.fetchone() is None:
            return False
        quote = connection.ops.quote_name
        tables = ", ".join(quote(table) for table in APPEND_ONLY_TABLES)
        cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {tables} FROM {quote(role)}")
        cursor.execute(f"REVOKE UPDATE, TRUNCATE, REFERENCES, TRIGGER ON audit_backlog FROM {quote(role)}")
    return True
