"""Scenes: two real workers and a real target, and each step when the one before it has come about.

A storm shows what withstands chance; whether a safeguard is missed must not depend on it. So what has to coincide is
brought about here by orders to the workers, and waited for however slow the machine is.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import MappingProxyType
from typing import IO, Final

from integrations.crash_points import Point
from integrations.delivery.safeguards import Safeguard
from workbench.embedded.servers import python
from workbench.embedded.stack import ROOT
from workbench.rehearsal.orders import DONE, ENDED, READY, STOPPED
from workbench.rehearsal.plan import Fault
from workbench.rehearsal.plant import CannotRehearse, Plant
from workbench.rehearsal.target import Target

WORKERS: Final = 2
_POLL: Final = 0.1
_GONE: Final = "\0"  # no word that it says


class Worker:
    """The process of one, told what to do on its standard input."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", told: IO[str], said: IO[str]) -> None:
        self._name, self._process, self._told = name, process, told
        self._heard: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._listen, args=[said], name=name, daemon=True).start()

    def _listen(self, said: IO[str]) -> None:
        with suppress(ValueError):  # closed while it was read
            for line in said:
                self._heard.put(line.strip())
        self._heard.put(_GONE)

    def expect(self, *words: str) -> None:
        while (heard := self._heard.get()) not in words:
            if heard == _GONE:
                raise CannotRehearse(f"The {self._name} worker ended where “{words[0]}” was expected of it.")

    def work(self, *, stops_at: Point | None = None, dies_at: Point | None = None) -> None:
        """Begin with what is due, and do not wait for it."""
        self._tell({"do": "work", "stops_at": stops_at or "", "dies_at": dies_at or ""})

    def work_until(self, place: Point, *, loads: int) -> None:
        """Return when so many loads stand there, or came to an end before."""
        self.work(stops_at=place)
        for _ in range(loads):
            self.expect(STOPPED, ENDED)

    def go_on(self) -> None:
        """Return when all that was due is done."""
        self._tell({"do": "go on"})
        self.expect(DONE)

    def work_to_the_end(self) -> None:
        self.work()
        self.expect(DONE)

    def wait_until_dead(self) -> None:
        self._process.wait()

    def _tell(self, order: dict[str, str]) -> None:
        self._told.write(json.dumps(order) + "\n")
        self._told.flush()


@dataclass(frozen=True, slots=True)
class Stage:
    """`loads` is how many deliveries wait to be carried out when the scene begins; none has been touched."""

    plant: Plant
    target: Target
    first: Worker
    second: Worker
    loads: int

    def wait_until_leases_are_over(self) -> None:
        with self.plant.database() as database:
            while database.execute(
                "SELECT 1 FROM integrations_delivery WHERE state IN ('probing', 'sending') AND due_at > now()"
            ).fetchone():
                time.sleep(_POLL)

    def make_due(self) -> None:
        """As if the wait for the next try were over."""
        with self.plant.database() as database:
            database.execute("UPDATE integrations_delivery SET due_at = now() WHERE state = 'unknown'")


def taken_over(stage: Stage) -> None:
    """One stands still before it begins; its leases end, another begins; then the first goes on where it stood."""
    stage.first.work_until(Point.APPROVAL_SEEN, loads=stage.loads)
    stage.wait_until_leases_are_over()
    stage.second.work_until(Point.PROBE_INTENDED, loads=stage.loads)
    stage.first.go_on()
    stage.second.go_on()


def not_taken_over(stage: Stage) -> None:
    """One is at work and slow; another looks for work at once."""
    stage.first.work_until(Point.PROBE_INTENDED, loads=stage.loads)
    stage.second.work_to_the_end()
    stage.first.go_on()


def died_writing(stage: Stage) -> None:
    """One dies while it writes down that it is about to send."""
    _die(stage, Point.SEND_WRITTEN)


def died_hearing(stage: Stage) -> None:
    """One dies with the answer in its hands."""
    _die(stage, Point.SEND_ANSWERED)


def _die(stage: Stage, place: Point) -> None:
    stage.first.work(dies_at=place)
    stage.first.wait_until_dead()
    stage.wait_until_leases_are_over()


def sent_twice(stage: Stage) -> None:
    """One stands still before its first byte; another asks, sends and ends it; then the first sends too."""
    stage.first.work_until(Point.SEND_INTENDED, loads=stage.loads)
    stage.wait_until_leases_are_over()
    stage.second.work_to_the_end()
    stage.first.go_on()


def asked_at_once(stage: Stage) -> None:
    """What one sent is booked late, its connection cut; before that another asks for it."""
    stage.target.fault(Fault("book_late", 1.0, seconds=stage.target.lane.late), seed=1)
    stage.first.work_to_the_end()
    stage.target.no_faults()
    stage.make_due()
    stage.second.work_to_the_end()
    time.sleep(stage.target.lane.late)


def all_at_once(stage: Stage) -> None:
    """All that may be sent at the same time is about to be sent, and none of it is there when the target is asked."""
    stage.first.work_until(Point.SEND_INTENDED, loads=stage.loads)
    stage.first.go_on()


@dataclass(frozen=True, slots=True)
class Scene:
    words: str
    play: Callable[[Stage], None]


SCENES: Final[Mapping[Safeguard, Scene]] = MappingProxyType(
    {
        Safeguard.STABLE_KEY: Scene(
            "A worker stands still before its first byte; another takes over and sends; then the first sends too.",
            sent_twice,
        ),
        Safeguard.SETTLE_TIME: Scene("What was sent is booked late; before that the target is asked.", asked_at_once),
        Safeguard.ASK_FIRST: Scene("A worker dies with the answer in its hands; another takes over.", died_hearing),
        Safeguard.ONE_LIVE: Scene("Twins are approved, and all is about to be sent at the same time.", all_at_once),
        Safeguard.EPOCH: Scene(
            "A worker stands still until its leases are over; another begins; then the first goes on.", taken_over
        ),
        Safeguard.LEASE: Scene("While a worker is slow, another looks for work.", not_taken_over),
        Safeguard.INTENT_FIRST: Scene(
            "A worker dies while it writes down that it is about to send; another takes over.", died_writing
        ),
    }
)


def play(
    scene: Safeguard, plant: Plant, target: Target, *, without: Safeguard | None, is_under_way: Callable[[], bool]
) -> None:
    """The scene, and then all that is left to do."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(_worker(plant, name, without)) for name in ("first", "second"))
        SCENES[scene].play(Stage(plant, target, first, second, _waiting(plant)))
        while is_under_way():
            second.work_to_the_end()
            time.sleep(_POLL)


def _waiting(plant: Plant) -> int:
    with plant.database() as database:
        found = database.execute("SELECT count(*) FROM integrations_delivery WHERE operation = 'submit'").fetchone()
    return int(found[0]) if found else 0


@contextmanager
def _worker(plant: Plant, name: str, without: Safeguard | None) -> Iterator[Worker]:
    missing = ("--without", without) if without else ()
    with (
        (plant.home.logs / f"{name}.log").open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - a command of our own
            python("manage.py", "rehearsal_worker", "--by-orders", *missing),
            cwd=ROOT,
            env=plant.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise CannotRehearse("The workers of the scene cannot be spoken to.")
        try:
            worker = Worker(name, process, process.stdin, process.stdout)
            worker.expect(READY)
            yield worker
        finally:
            process.kill()
