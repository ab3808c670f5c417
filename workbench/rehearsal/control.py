"""The same storm over the naive engine, which shows whether the storm bites at all."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from workbench.rehearsal import naive
from workbench.rehearsal.documents import documents_of
from workbench.rehearsal.plan import Plan
from workbench.rehearsal.plant import Plant
from workbench.rehearsal.result import LaneResult
from workbench.rehearsal.storm import Storm
from workbench.rehearsal.target import Target

WORKERS: Final = 4
_LONGEST: Final = 120.0  # seconds after the last blow
_POLL: Final = 0.5
_DECIDING: Final = 0.9  # of the storm's time


def play(plan: Plan, plant: Plant, *, say: Callable[[str], None]) -> tuple[Storm, tuple[LaneResult, ...]]:
    """On the first kind of target of the plan."""
    target = plant.targets[plan.kinds[0]]
    documents = documents_of(target.lane.kind, plan.replays, run=plant.run, seed=plan.seed)
    due = plan.seconds * _DECIDING / len(documents)
    with plant.database() as database:
        naive.prepare(
            database, [(document.reference, document.right, due * place) for place, document in enumerate(documents)]
        )
    say(f"{len(documents)} items are in the queue of the naive engine.")
    target.take_faults(plan.mix, seed=plan.seed)
    arguments = ("-m", naive.__name__, plant.superuser_url(), f"{target.url}/postings")
    workers = [plant.process(f"naive-{number}", *arguments, target.token) for number in range(1, WORKERS + 1)]
    plant.start_workers(workers, [])
    storm = Storm(plant, plan.mix, seconds=plan.seconds, seed=plan.seed)
    storm.run(goes_on=lambda: any(done is None for _, done in _rows(plant)))
    target.no_faults()
    say("The storm is over.")
    _wait_until_done(plant, since=storm.ended_at)
    time.sleep(max(0.0, storm.ended_at + target.lane.late + 1 - time.monotonic()))
    plant.stop_workers()
    return storm, (_judged(plant, target),)


def _wait_until_done(plant: Plant, *, since: float) -> None:
    while time.monotonic() - since < _LONGEST and any(done is None for _, done in _rows(plant)):
        plant.start_again_what_ended()
        time.sleep(_POLL)


def _judged(plant: Plant, target: Target) -> LaneResult:
    effects = Counter(effect["number"] for effect in target.records("effect"))
    rows = _rows(plant)
    lost = [reference for reference, _ in rows if reference not in effects]
    doubled = [number for number, times in effects.items() for _ in range(times - 1)]
    false = [reference for reference, done in rows if done is not None and reference not in effects]
    failed = {"nothing lost": lost, "one effect": doubled, "resolved is booked": false}
    return LaneResult(
        kind=target.lane.kind,
        words="the naive engine",
        replays=len(rows),
        effects=effects.total(),
        lost=len(lost),
        doubled=len(doubled),
        false_resolved=len(false),
        waiting_for_person=0,
        failed={name: found[:5] for name, found in failed.items() if found},
    )


def _rows(plant: Plant) -> list[tuple[str, Any]]:
    with plant.database() as database:
        return database.execute("SELECT reference, done_at FROM naive").fetchall()
