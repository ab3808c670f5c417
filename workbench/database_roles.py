"""The owner migrates; the application role reads and writes rows and can do no more."""

from django.db.backends.base.base import BaseDatabaseWrapper


def grant_future_tables(connection: BaseDatabaseWrapper, *, to: str) -> None:
    """Let the role work with rows of every table that the connected owner makes from now on.

    Rights on tables that exist are left alone, because migrations take some of them back. Neither TRUNCATE nor
    anything that changes the schema is granted.
    """
    role = connection.ops.quote_name(to)
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        cursor.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
        )
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role}")
