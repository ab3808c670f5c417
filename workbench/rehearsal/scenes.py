"""Scenes: two real workers and a real target, and each step when the one before it has come about.

A storm shows what withstands chance; whether a safeguard is missed must not depend on it. So what has to coincide is
brought about here by orders to the workers, and waited for however slow the machine is.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from integrations.crash_points import Point
from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.orders import DONE, ENDED, READY, STOPPED
from workbench.rehearsal.plan import Fault
from workbench.rehearsal.plant import Plant
from workbench.rehearsal.spoken import Spoken, spoken_to
from workbench.rehearsal.target import Target

WORKERS: Final = 2
_POLL: Final = 0.1
_MAX_LATE: Final = 600.0  # seconds that the target keeps what it is to book late, unless it is told to
# Of claims between whose intent and answer nothing is: of those the row alone says how long they last.
_END_LEASES: Final = """
    UPDATE integrations_delivery d SET due_at = now(), lease_until = now()
    WHERE d.state IN ('probing', 'sending') AND d.due_at > now() AND NOT EXISTS (
        SELECT 1 FROM integrations_deliveryattempt a LEFT JOIN integrations_deliveryanswer n ON n.attempt_id = a.id
        WHERE a.delivery_id = d.id AND n.attempt_id IS NULL)"""
_LEASE_OF_SOME: Final = "SELECT 1 FROM integrations_delivery WHERE state IN ('probing', 'sending') AND due_at > now()"


class Worker:
    """One who is told what to do."""

    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken

    def wait_until_ready(self) -> None:
        self._spoken.expect(READY)

    def work(self, *, stops_at: Point | None = None) -> None:
        """Begin with what is due, and do not wait for it."""
        self._tell({"do": "work", "stops_at": stops_at or ""})

    def work_until(self, place: Point, *, loads: int) -> None:
        """Return when so many loads stand there, or came to an end before."""
        self.work(stops_at=place)
        for _ in range(loads):
            self._spoken.expect(STOPPED, ENDED)

    def go_on(self) -> None:
        """Return when all that was due is done."""
        self._tell({"do": "go on"})
        self._spoken.expect(DONE)

    def work_to_the_end(self) -> None:
        self.work()
        self._spoken.expect(DONE)

    def die(self) -> None:
        """By SIGKILL, wherever it stands. Returns when it is dead."""
        self._spoken.kill()

    def _tell(self, order: dict[str, str]) -> None:
        self._spoken.tell(json.dumps(order))


@dataclass(frozen=True, slots=True)
class Stage:
    """`loads` is how many deliveries wait to be carried out when the scene begins; none has been touched."""

    plant: Plant
    target: Target
    first: Worker
    second: Worker
    loads: int
    is_under_way: Callable[[], bool]

    def wait_until_leases_are_over(self) -> None:
        """By the database's clock where a request may be on its way, and at once where none is."""
        self.end_leases()
        with self.plant.database() as database:
            while database.execute(_LEASE_OF_SOME).fetchone():
                time.sleep(_POLL)

    def end_leases(self) -> None:
        """As if they were over, where no request may be on its way."""
        with self.plant.database() as database:
            database.execute(_END_LEASES)

    def work_until_nothing_is_under_way(self) -> None:
        """By the second, while the first does nothing: leases of its claims that broke off are over."""
        while self.is_under_way():
            self.end_leases()
            self.second.work_to_the_end()
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
    """One dies with the answers in its hands."""
    _die(stage, Point.SEND_ANSWERED)


def _die(stage: Stage, place: Point) -> None:
    """Not before all that it has in hand stands there: else chance decides how far the rest of it has come."""
    stage.first.work_until(place, loads=stage.loads)
    stage.first.die()
    stage.wait_until_leases_are_over()


def sent_too_late(stage: Stage) -> None:
    """One stands still before its first byte, and the database crashes, so that nobody knows of it; another asks, sends
    and ends it; then the first goes on.
    """
    stage.first.work_until(Point.SEND_INTENDED, loads=stage.loads)
    stage.plant.break_postgres()
    stage.plant.postgres.start()
    stage.wait_until_leases_are_over()
    stage.work_until_nothing_is_under_way()
    stage.first.go_on()


def shown_too_late(stage: Stage) -> None:
    """What one sent is booked later than the target promised; another asks before that, and sends it again."""
    stage.target.fault(Fault("book_late", 1.0, seconds=_MAX_LATE), seed=1)
    stage.first.work_to_the_end()
    stage.target.no_faults()
    stage.work_until_nothing_is_under_way()
    stage.target.book_what_is_late()


def asked_at_once(stage: Stage) -> None:
    """What one sent is booked late, its connection cut; before that another asks for it."""
    stage.target.fault(Fault("book_late", 1.0, seconds=_MAX_LATE), seed=1)
    stage.first.work_to_the_end()
    stage.target.no_faults()
    stage.make_due()
    stage.second.work_to_the_end()
    stage.target.book_what_is_late()


def all_at_once(stage: Stage) -> None:
    """All that may be sent at the same time is about to be sent, and none of it is there when the target is asked."""
    stage.first.work_until(Point.SEND_INTENDED, loads=stage.loads)
    stage.first.go_on()


def not_approved(stage: Stage) -> None:
    """Beside what was approved stands what nobody approved, and one looks for work."""
    stage.first.work_to_the_end()


@dataclass(frozen=True, slots=True)
class Scene:
    words: str
    play: Callable[[Stage], None]


SCENES: Final[Mapping[Safeguard, Scene]] = MappingProxyType(
    {
        Safeguard.STABLE_KEY: Scene(
            "What was sent is booked later than promised; before that the target is asked, and it is sent again.",
            shown_too_late,
        ),
        Safeguard.SETTLE_TIME: Scene("What was sent is booked late; before that the target is asked.", asked_at_once),
        Safeguard.ASK_FIRST: Scene("A worker dies with the answers in its hands; another takes over.", died_hearing),
        Safeguard.ONE_LIVE: Scene("Twins are approved, and all is about to be sent at the same time.", all_at_once),
        Safeguard.EPOCH: Scene(
            "A worker stands still until its leases are over; another begins; then the first goes on.", taken_over
        ),
        Safeguard.LEASE: Scene("While a worker is slow, another looks for work.", not_taken_over),
        Safeguard.INTENT_FIRST: Scene(
            "A worker dies while it writes down that it is about to send; another takes over.", died_writing
        ),
        Safeguard.IN_TIME: Scene(
            "A worker stands still before its first byte and the database crashes; another takes over and sends; "
            "then the first goes on.",
            sent_too_late,
        ),
        Safeguard.APPROVAL: Scene(
            "Beside what was approved stands what nobody approved; a worker looks for work.", not_approved
        ),
    }
)


def play(
    scene: Safeguard,
    plant: Plant,
    target: Target,
    pair: tuple[Worker, Worker],
    *,
    is_under_way: Callable[[], bool],
) -> None:
    """The scene, and then all that is left to do."""
    first, second = pair
    for worker in pair:
        worker.wait_until_ready()
    stage = Stage(plant, target, first, second, _waiting(plant), is_under_way)
    SCENES[scene].play(stage)
    stage.work_until_nothing_is_under_way()


def _waiting(plant: Plant) -> int:
    with plant.database() as database:
        found = database.execute("SELECT count(*) FROM integrations_delivery WHERE operation = 'submit'").fetchone()
    return int(found[0]) if found else 0


@contextmanager
def workers(plant: Plant, *, without: Safeguard | None) -> Iterator[tuple[Worker, Worker]]:
    """The two of a scene. They start while the caller prepares it; `play` waits for them."""
    with _worker(plant, "first", without) as first, _worker(plant, "second", without) as second:
        yield first, second


@contextmanager
def _worker(plant: Plant, name: str, without: Safeguard | None) -> Iterator[Worker]:
    missing = ("--without", without) if without else ()
    orders = ("rehearsal_worker", "--by-orders", *missing)
    with spoken_to(plant, *orders, name=f"{name} worker", log=f"{name}.log") as spoken:
        yield Worker(spoken)
