"""The storm: blows at moments that the seed decides, dealt to the installation while it works.

All of it happens in the thread that calls `run`, which starts processes anew too: they end with the thread that did.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from math import ceil
from random import Random
from typing import Final

from workbench.embedded.process import Process
from workbench.rehearsal.network import Toxic
from workbench.rehearsal.pauses import LONGER_THAN_THE_LEASE
from workbench.rehearsal.plan import Mix
from workbench.rehearsal.plant import Plant, family

_WHOLE_WORKERS: Final = 0.15  # the share of kills that hit a worker with all its processes
_TOXIC_SECONDS: Final = 2.0
_BROKER_AWAY: Final = 3.0  # seconds
_AGAIN: Final = 0.3  # seconds until a blow is tried again that hit nothing
_TICK: Final = 0.02
_MOST_ROUNDS: Final = 10


@dataclass(order=True, slots=True)
class _Blow:
    at: float  # seconds from the beginning
    what: str


class Storm:
    """`dealt` counts what was done, `ended_at` is when the last of it was over, by `time.monotonic`."""

    def __init__(self, plant: Plant, mix: Mix, *, seconds: float, seed: int) -> None:
        self._plant = plant
        self._seconds = seconds
        self._random = Random(f"{seed}|storm")  # noqa: S311 - repeatable, not secret
        self._mix = mix
        self._blows = sorted(self._planned(begins_at=0.0, seconds=seconds))
        self._frozen: set[int] = set()
        self._to_end: list[tuple[float, Callable[[], None]]] = []  # by when, what gives back what was taken
        self._toxics = cycle(self._random.sample(list(Toxic), len(Toxic)))
        self.dealt: Counter[str] = Counter()
        self.ended_at = 0.0

    def _planned(self, *, begins_at: float, seconds: float) -> Iterator[_Blow]:
        mix = self._mix
        numbers = {
            "kill": mix.kills,
            "freeze": mix.freezes,
            "database_restart": mix.database_restarts,
            "flush": mix.flushes,
            "broker_restart": mix.broker_restarts,
            "toxic": mix.toxics,
        }
        for what, number in numbers.items():
            number = ceil(number * seconds / 60)  # noqa: PLW2901
            for place in range(number):
                # One in each equal part of the time, so that none of a kind falls on another.
                yield _Blow(begins_at + (place + self._random.random() * 0.9) * seconds / number, what)

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Until the time is over, every blow was dealt, and everything was given back.

        On a slow machine people may not be through by then: while it `goes_on`, half of it comes again and again.
        """
        begun, ends_at = time.monotonic(), self._seconds
        while self._blows or self._to_end or time.monotonic() - begun < ends_at:
            now = time.monotonic()
            if ends_at < now - begun < _MOST_ROUNDS * self._seconds and goes_on():
                more = self._seconds / 2
                self._blows = sorted([*self._blows, *self._planned(begins_at=ends_at, seconds=more)])
                ends_at += more
            if self._blows and self._blows[0].at <= now - begun:
                blow = self._blows.pop(0)
                if self._deal(blow.what):
                    self.dealt[blow.what] += 1
                else:
                    self._blows = sorted([*self._blows, _Blow(now - begun + _AGAIN, blow.what)])
            for due in [due for due in self._to_end if due[0] <= now]:
                self._to_end.remove(due)
                due[1]()
            self._plant.start_again_what_ended()
            time.sleep(_TICK)
        self.ended_at = time.monotonic()

    def _deal(self, what: str) -> bool:
        """Whether it hit anything."""
        blows: dict[str, Callable[[], bool]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "database_restart": self._restart_database,
            "flush": self._flush,
            "broker_restart": self._restart_broker,
            "toxic": self._poison,
        }
        return blows[what]()

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        self._to_end.append((time.monotonic() + seconds, do))

    def _kill(self) -> bool:
        hit = self._someone()
        if hit is None:
            return False
        worker, pid = hit
        if self._plant.processes and self._random.random() >= _WHOLE_WORKERS:
            return _signal(pid, signal.SIGKILL)
        return worker.pid is not None and _signal(worker.pid, signal.SIGKILL)

    def _freeze(self) -> bool:
        hit = self._someone()
        if hit is None:
            return False
        _, pid = hit
        self._frozen.add(pid)
        self._after(LONGER_THAN_THE_LEASE, partial(self._thaw, pid))
        return _signal(pid, signal.SIGSTOP)

    def _thaw(self, pid: int) -> None:
        self._frozen.discard(pid)
        _signal(pid, signal.SIGCONT)

    def _someone(self) -> tuple[Process, int] | None:
        """A worker that runs and one of its processes to hit, looked at once: they come and go meanwhile."""
        running = [worker for worker in self._plant.workers if worker.exit_status() is None and worker.pid]
        ready = [(worker, pids) for worker in running if (pids := self._within_reach(worker))]
        if not ready:
            return None
        worker, pids = self._random.choice(ready)
        return worker, self._random.choice(pids)

    def _within_reach(self, worker: Process) -> list[int]:
        """Its processes, or itself where it has none, without those that are frozen; nobody while it starts.

        A storm that hits what is not up yet only shows how slow the machine is.
        """
        members = family(worker.pid) if worker.pid else []
        processes = members[1:] if self._plant.processes else members
        return [pid for pid in processes if pid not in self._frozen]

    def _restart_database(self) -> bool:
        self._plant.break_postgres()
        self._after(0, self._plant.postgres.start)
        return True

    def _flush(self) -> bool:
        self._plant.flush_valkey()
        return True

    def _restart_broker(self) -> bool:
        self._plant.break_valkey()
        self._after(_BROKER_AWAY, self._plant.valkey.start)
        return True

    def _poison(self) -> bool:
        self._plant.network.turn(next(self._toxics))
        self._after(_TOXIC_SECONDS, partial(self._plant.network.turn, None))
        return True


def _signal(pid: int, number: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
