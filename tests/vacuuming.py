"""The work of autovacuum, done between tests: it is off in the tests' server, see `tests.embedded_plugin`."""

import pytest

from tests.connecting import connect

EVERY = 25
"""Tests that reach the database, after which what they left is swept: a table of dead rows is read row by row."""


class Vacuum:
    """Sweeps the database of this process once enough tests have left dead rows in it, and none has live ones."""

    def __init__(self) -> None:
        self._tests = 0

    def after(self, item: pytest.Item) -> None:
        """To be called when the fixtures of a test have been taken down."""
        if not {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())):
            return
        self._tests += 1
        if self._tests % EVERY == 0:
            sweep()


def sweep() -> None:
    """What belongs to the server itself is left out, with a warning that nobody reads."""
    with connect() as session:
        session.execute("VACUUM")
