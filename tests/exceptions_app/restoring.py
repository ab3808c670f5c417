"""A backup of the test database, and its restore: a copy, and the connection that leads to it from then on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from exceptions_app.actions.restoration import Restored, note_restoration
from exceptions_app.actions.sending import resume_all
from tests.cast import Cast

DAY = timedelta(days=1)
BackUp = Callable[[], Callable[[], None]]


def _at_the_cluster(statement: str, *names: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement.format(*map(connection.ops.quote_name, names)))


@pytest.fixture
def back_up(transactional_db: None) -> Iterator[BackUp]:
    """Makes a backup when it is called, and returns what restores it."""
    original = connection.settings_dict["NAME"]
    copy = f"{original}_backup"

    def restore() -> None:
        connection.close()
        connection.settings_dict["NAME"] = copy  # of every thread: they share the settings

    def make() -> Callable[[], None]:
        connection.close()
        _at_the_cluster("CREATE DATABASE {} TEMPLATE {}", copy, original)
        return restore

    yield make
    connection.close()
    connection.settings_dict["NAME"] = original
    _at_the_cluster("DROP DATABASE IF EXISTS {}", copy)


@contextmanager
def noted(cast: Cast, *, ago: timedelta = timedelta(minutes=1), repeat: timedelta = DAY) -> Iterator[Restored]:
    """The restore is noted; whatever was sent before has had time to show. At the end, sending goes on."""
    done = note_restoration(
        by=cast.administrator, at=now() - ago, because="The disk was lost.", sources_repeat_for=repeat
    )
    yield done
    resume_all(by=cast.administrator, at=now())
