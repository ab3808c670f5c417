"""A process that forks a worker for each line of JSON on its standard input, and prints how that worker ended.

It touches no database itself, so that a worker begins with nothing but the program, and what it knew dies with it.
Started by `tests/mortal_workers.py`.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import django

django.setup()

import kombu.transport.redis  # noqa: E402, F401 - so that no fork has to
from celery import current_app  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection as database  # noqa: E402
from django.utils.timezone import now  # noqa: E402

from exceptions_app.actions.decide import approve  # noqa: E402
from exceptions_app.actions.retyping import waiting_to_be_retyped  # noqa: E402
from exceptions_app.models import Proposal  # noqa: E402
from exceptions_app.tasks import sweep  # noqa: E402
from integrations import crash_points  # noqa: E402
from integrations.crash_points import Point  # noqa: E402
from tests.mortal_workers import CUT_OFF, RAISED, WENT_ON  # noqa: E402


def main() -> None:
    current_app.finalize()
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_work(job))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _work(job: dict[str, Any]) -> int:
    end = _End(job["ends_at"], ENDS[job["how"]])
    crash_points.arm(end)
    try:
        JOBS[job["do"]](job)
    except Exception:  # noqa: BLE001 - told to the test by the exit code
        if not end.came:
            traceback.print_exc()
            return RAISED
    return CUT_OFF if end.came else WENT_ON


class _End:
    """Does something at one point, once."""

    def __init__(self, point: str, end: Callable[[], None]) -> None:
        self._point = point
        self._end = end
        self.came = False

    def __call__(self, point: Point) -> None:
        if point == self._point and not self.came:
            self.came = True
            self._end()


def _kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def _cut() -> None:
    """The connection to the database is gone, as when a cable is pulled: the next statement says so."""
    database.ensure_connection()
    with socket.socket(fileno=os.dup(database.connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def _sweep(job: dict[str, Any]) -> None:
    sweep()


def _approve(job: dict[str, Any]) -> None:
    proposal = Proposal.objects.get(case=job["case"], state=Proposal.State.OPEN)
    person = get_user_model().objects.get(username=job["by"])
    retyped = [detail.value for detail in waiting_to_be_retyped(job["case"])]
    approve(job["case"], by=person, at=now(), frozen_sha256=proposal.frozen_sha256, retyped=retyped)


ENDS: dict[str, Callable[[], None]] = {"kill": _kill, "cut": _cut}
JOBS: dict[str, Callable[[dict[str, Any]], None]] = {"sweep": _sweep, "approve": _approve}

if __name__ == "__main__":
    main()
