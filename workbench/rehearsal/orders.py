"""A worker that does what it is told, step by step, and says what came of it: for scenes that leave nothing to chance.

Orders come as lines of JSON. A load that reaches the place at which it is to stop says `stopped` and stands there until
the order to go on; one that ends before says `ended`. When nothing is due any more, or the time for one sweep is over,
the worker says `done`.
"""

import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection as database

from exceptions_app.replays import carry_out_due
from integrations import crash_points
from integrations.crash_points import Point

READY, STOPPED, ENDED, DONE = "ready", "stopped", "ended", "done"


class Ordered:
    def __init__(self) -> None:
        self._stops_at = ""
        self._goes_on = threading.Event()
        self._speaking = threading.Lock()

    def obey(self, orders: Iterable[str]) -> None:
        crash_points.arm(self._pass)
        with ThreadPoolExecutor(max_workers=1) as pool:
            self._say(READY)
            for line in orders:
                order = json.loads(line)
                if order["do"] == "go on":
                    self._goes_on.set()
                    continue
                self._stops_at = order["stops_at"]
                self._goes_on.clear()
                pool.submit(self._work)

    def _work(self) -> None:
        try:
            carry_out_due()
        finally:
            database.close()
            self._say(DONE)

    def _pass(self, point: Point) -> None:
        if self._goes_on.is_set():
            return
        if point == self._stops_at:
            self._say(STOPPED)
            self._goes_on.wait()
        elif point is Point.ENDED:
            self._say(ENDED)

    def _say(self, word: str) -> None:
        with self._speaking:
            print(word, flush=True)
