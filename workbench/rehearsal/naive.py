"""The control: an engine as many are written. At least once, with a lease and retries, and a new key for each try.

It has what keeps messages from being lost, and nothing that keeps them from taking effect twice. A storm that does not
double here says nothing about anybody's engine.

`python -m workbench.rehearsal.naive DATABASE_URL TARGET_URL TOKEN` is one of its workers.
"""

import sys
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

import psycopg

THREADS: Final = 8
TIMEOUT: Final = 2.0  # seconds
_RETRY: Final = 1.0  # seconds
_TABLE: Final = """
    CREATE TABLE naive (
        id bigserial PRIMARY KEY, reference text NOT NULL, body bytea NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now(), done_at timestamptz)"""
_CLAIM: Final = """
    UPDATE naive SET due_at = now() + interval '8 seconds' WHERE id = (
        SELECT id FROM naive WHERE done_at IS NULL AND due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, body"""


def prepare(database: "psycopg.Connection[tuple[object, ...]]", bodies: Sequence[tuple[str, bytes, float]]) -> None:
    """Each with its reference and the seconds from now when it is due."""
    database.execute(_TABLE)
    with database.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO naive (reference, body, due_at) VALUES (%s, %s, now() + make_interval(secs => %s))",
            [(reference, body, seconds) for reference, body, seconds in bodies],
        )


def work(database_url: str, target_url: str, token: str) -> None:
    """For ever."""
    while True:
        with suppress(psycopg.Error), psycopg.connect(database_url, autocommit=True) as database:
            while True:
                _one(database, target_url, token)
        time.sleep(0.1)


def _one(database: "psycopg.Connection[tuple[object, ...]]", target_url: str, token: str) -> None:
    found: tuple[int, bytes] | None = database.execute(_CLAIM).fetchone()  # type: ignore[assignment]
    if found is None:
        time.sleep(0.1)
        return
    key, body = found
    if _post(target_url, token, body):
        database.execute("UPDATE naive SET done_at = now() WHERE id = %s", [key])
    else:
        database.execute(
            "UPDATE naive SET due_at = now() + make_interval(secs => %s) WHERE id = %s AND done_at IS NULL",
            [_RETRY, key],
        )


def _post(target_url: str, token: str, body: bytes) -> bool:
    """Whether the target said that it is booked."""
    parts = urlsplit(target_url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": uuid.uuid4().hex,
        "Connection": "close",
    }
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return 200 <= answer.status < 300


def main() -> None:
    threads = [threading.Thread(target=work, args=sys.argv[1:4], daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
