"""Workers that are processes of their own and end where a test says: nothing of what they knew is left.

A test folder that needs them imports the fixtures `mortal_program` and `workers` in its conftest.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from integrations.crash_points import Point

_ROOT = Path(__file__).resolve().parent.parent
NOWHERE = ""
WENT_ON, RAISED, CUT_OFF = 0, 3, 4  # how a forked worker ends, unless it is killed


class Workers:
    """One program, forked anew for each piece of work."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self._program = program

    def sweep(self, *, ends_at: Point | str = NOWHERE, how: str = "kill") -> bool:
        """Do all that is due in a new process; whether it came to the point and ended there."""
        return self._fork(do="sweep", ends_at=ends_at, how=how)

    def approve(self, case: int, *, by: str, ends_at: Point | str = NOWHERE, how: str = "kill") -> bool:
        """Agree to what is proposed on an exception, in a new process."""
        return self._fork(do="approve", case=case, by=by, ends_at=ends_at, how=how)

    def _fork(self, *, ends_at: Point | str, how: str, **job: Any) -> bool:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps({**job, "ends_at": ends_at, "how": how}) + "\n")
        self._program.stdin.flush()
        status = int(self._program.stdout.readline())
        assert status in (WENT_ON, CUT_OFF, -signal.SIGKILL), f"The worker raised; it ended with {status}."
        return status != WENT_ON


@pytest.fixture(scope="session")
def mortal_program(django_db_setup: None) -> "Iterator[subprocess.Popen[str]]":
    owner = urlsplit(os.environ["DATABASE_OWNER_URL"])
    url = urlunsplit(owner._replace(path=f"/{connection.settings_dict['NAME']}"))
    environment = os.environ | {
        "DATABASE_URL": url,
        "DATABASE_OWNER_URL": url,
        "DJANGO_SETTINGS_MODULE": "workbench.settings",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "SECRET_KEY": settings.SECRET_KEY,
        "INTEGRATIONS_ALLOW_LOOPBACK": "true",
        "LOG_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-m", "tests.mortal_worker"]
    with subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        yield program
        assert program.stdin is not None
        program.stdin.close()


@pytest.fixture
def workers(mortal_program: "subprocess.Popen[str]", transactional_db: None) -> Workers:
    return Workers(mortal_program)
