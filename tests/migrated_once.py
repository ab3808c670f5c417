"""The migrations are run by one process of a test run; the others begin with copies of the database that they made.

Only in the tests' own cluster, which ends with the run: elsewhere nobody would take the first one away.
"""

import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.db import connection

THROWN_AWAY = "WB_TESTS_THROW_AWAY"
"""The directory of the tests' own cluster; set by `tests.embedded_plugin`."""
NAME = "migrated_workbench"


def copy_what_is_migrated() -> None:
    """Have this process's test database made of the one that is migrated; whoever comes first migrates it."""
    directory = os.environ.get(THROWN_AWAY)
    if directory is None:
        return
    done = Path(directory) / "migrated"
    with (Path(directory) / "migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _migrate()
            done.touch()
    connection.settings_dict["TEST"]["TEMPLATE"] = NAME


def _migrate() -> None:
    name, named = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    connection.settings_dict["TEST"]["NAME"] = NAME
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    finally:
        connection.close()  # a database is copied while nobody is connected to it
        connection.settings_dict["TEST"]["NAME"] = named
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = name
