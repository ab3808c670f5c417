import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection, connections, transaction

from audit.log import record
from audit.models import AuditEvent
from tests import sealing
from tests.connecting import connect

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SEED = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def signing_key(settings):
    """A fixed key, so that no test writes one into the installation."""
    settings.AUDIT_ORIGIN = "example.test/audit"
    settings.AUDIT_SIGNING_KEY = SEED
    settings.AUDIT_VERIFIER_KEYS = []
    settings.AUDIT_CHECKPOINT_SINK = ""


@pytest.fixture
def write() -> Callable[..., AuditEvent]:
    """Records one event in a transaction of its own; every field has a default."""

    def write(number: int = 1, **changes: object) -> AuditEvent:
        fields: dict[str, Any] = {
            "action": "case.approved",
            "subject": f"case:EX-{number:06}",
            "scope": "NL01/tax-compliance",
            "actor": "controller@example.test",
            "at": NOON + timedelta(seconds=number),
            "summary": f"Approved correction {number}",
        } | changes
        with transaction.atomic():
            return record(fields.pop("action"), **fields)

    return write


@pytest.fixture
def seal(transactional_db) -> Callable[..., int]:
    """Seals once nothing older runs."""
    return sealing.seal


@pytest.fixture
def application(transactional_db) -> Iterator[psycopg.Connection]:
    """A session of the role that serves, in the test database."""
    role = django_settings.APPLICATION_DATABASE
    if role.get("USER") == connection.settings_dict["USER"]:
        pytest.skip("the database has a single role; set DATABASE_OWNER_URL to test what the application role may do")
    with connect(role) as session:
        yield session


@pytest.fixture
def tamper(transactional_db) -> Callable[..., None]:
    """Runs SQL as an owner who has switched the triggers off: what the seal has to reveal."""

    def tamper(*statements: str) -> None:
        tables = ("audit_event", "audit_seal", "audit_checkpoint")
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            try:
                for statement in statements:
                    cursor.execute(statement)
            finally:
                for table in tables:
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return tamper


@pytest.fixture
def background() -> Iterator[Callable[..., Future]]:
    """Runs a function in a thread with a database connection of its own."""

    def run(function: Callable[..., object], *arguments: object) -> object:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=16) as pool:
        yield lambda function, *arguments: pool.submit(run, function, *arguments)


@pytest.fixture
def open_transaction(background) -> Callable[..., object]:
    """A context in which another session has recorded events and not committed yet."""

    @contextmanager
    def open_transaction(work: Callable[[], object]) -> Iterator[None]:
        written, finish = threading.Event(), threading.Event()

        def body() -> None:
            try:
                with transaction.atomic():
                    work()
                    written.set()
                    assert finish.wait(60)
            finally:
                written.set()

        future = background(body)
        assert written.wait(60)
        try:
            yield
        finally:
            finish.set()
            future.result(60)

    return open_transaction
