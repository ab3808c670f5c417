"""The floor of everything that stores: psycopg alone, a table without index but its key, the same commits."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

INSERT_MESSAGE = "INSERT INTO bench_message (external_id, payload, refusal) VALUES (%s, %s, %s)"
INSERT_BYTES = "INSERT INTO bench_bytes (content) VALUES (%s)"
_TABLES = """
    CREATE TABLE IF NOT EXISTS bench_message (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, external_id text, payload bytea, refusal bytea
    );
    CREATE TABLE IF NOT EXISTS bench_bytes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content bytea);
"""


@contextmanager
def bare_connection() -> Iterator[psycopg.Connection]:
    """One connection, kept open, as the owner of the run's own cluster."""
    with psycopg.connect(
        os.environ["DATABASE_OWNER_URL"], autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as opened:
        opened.execute(_TABLES)
        yield opened


def insert_each(opened: psycopg.Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """One INSERT and one commit for each row."""
    for row in rows:
        opened.execute(statement, row)


def insert_together(opened: psycopg.Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """All rows with one commit."""
    with opened.transaction(), opened.cursor() as cursor:
        cursor.executemany(statement, rows)
