"""Calls made at the same time, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection as database

MOST_THREADS = 20  # PostgreSQL takes a hundred connections, and other tests want some too


def at_the_same_time(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each call returned or raised, in the order given. As many start at once as there are threads."""
    workers = min(len(calls), MOST_THREADS)
    start = threading.Barrier(workers)
    started = threading.local()

    def run(call: Callable[[], Any]) -> Any:
        if not getattr(started, "yes", False):
            started.yes = True
            start.wait(60)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at what was raised
            return error
        finally:
            database.close()

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(run, calls))
