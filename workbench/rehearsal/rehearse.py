"""One rehearsal, from its private installation to its figures."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from integrations.connectors.registry import get_connector
from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal import control, scenes
from workbench.rehearsal.checks import CHECKS, later_than_promised, replays, still_under_way, waiting_for_person
from workbench.rehearsal.documents import Document, documents_of
from workbench.rehearsal.doubts import doubts, within
from workbench.rehearsal.evidence import SOURCE, Evidence, gather, gather_live, is_of
from workbench.rehearsal.lanes import LANES
from workbench.rehearsal.people import notes_of, people
from workbench.rehearsal.plan import Plan
from workbench.rehearsal.plant import Plant
from workbench.rehearsal.result import LaneResult, Result, machine
from workbench.rehearsal.storm import Storm

WORKERS: Final = 2
PROCESSES: Final = 2  # of each worker
_LEASE: Final = 4.0  # times the time-out
_LONGEST_CALM: Final = 600.0  # seconds after the last blow, on a machine however slow
_POLL: Final = 0.5
_DECIDING: Final = 0.9  # of the storm's time
_SHOWN: Final = 5  # of what is wrong
_ONE_LIVE_INDEXES: Final = ("delivery_one_live", "delivery_key_live_once")

Say = Callable[[str], None]


def rehearse(plan: Plan, *, say: Say) -> Result:
    """In a private installation that is made for it and thrown away. Raises CannotRehearse."""
    with Plant([LANES[kind] for kind in plan.kinds]) as plant:
        say("The private installation is up.")
        return play(plan, plant, say=say)


def play(plan: Plan, plant: Plant, *, say: Say) -> Result:
    """In a private installation that is there already; each rehearsal has a database of its own there."""
    began_at = datetime.now(UTC)
    plant.begin_afresh()
    if plan.naive:
        storm, lanes = control.play(plan, plant, say=say)
        dealt, calm_after = dict(storm.dealt), 0.0
    else:
        dealt, calm_after = _over_the_workbench(plan, plant, say=say)
        lanes = tuple(_judged(evidence) for evidence in _evidence(plan, plant))
    return Result(
        began_at=began_at.isoformat(timespec="seconds"),
        engine="naive" if plan.naive else "workbench",
        seed=plan.seed,
        without=plan.without or "",
        workers=scenes.WORKERS if plan.scene else WORKERS * PROCESSES,
        storm_seconds=plan.seconds,
        calm_after_seconds=round(calm_after, 1),
        blows=dealt,
        machine=machine(),
        lanes=lanes,
        scene=plan.scene or "",
    )


def _over_the_workbench(plan: Plan, plant: Plant, *, say: Say) -> tuple[dict[str, int], float]:
    """What was done to it, and the seconds from the last blow until nothing was under way."""
    dealt: dict[str, int] = {}
    calm_after = 0.0
    if plan.scene is not None:
        _play_scene(plan.scene, plan, plant, say=say)
    else:
        storm, calm_after = _storm_over_the_workbench(plan, plant, say=say)
        dealt = dict(storm.dealt)
    _compare_with_their_lists(plan, plant)
    return dealt, calm_after


def _play_scene(scene: Safeguard, plan: Plan, plant: Plant, *, say: Say) -> None:
    # None of them is there already, or it would not be sent.
    documents = {
        kind: [replace(document, booked_before=False) for document in found]
        for kind, found in _documents(plan, plant).items()
    }
    # What keeps twins apart is missing in the database, not in the workers.
    missing = None if plan.without is Safeguard.ONE_LIVE else plan.without
    with scenes.workers(plant, without=missing) as workers:
        with people(plant, documents, seed=plan.seed, timeout=plan.mix.timeout) as deciding:
            if plan.without is Safeguard.ONE_LIVE:
                _drop_indexes(plant)
            deciding.begin_to_decide(seconds=0.0)
            deciding.wait_until_decided()
        say(scenes.SCENES[scene].words)
        scenes.play(
            scene,
            plant,
            plant.targets[plan.kinds[0]],
            workers,
            is_under_way=lambda: _is_under_way(plan, plant),
        )
    say("Nothing is under way any more.")


def _documents(plan: Plan, plant: Plant) -> dict[str, list[Document]]:
    return {
        kind: documents_of(
            kind,
            number,
            run=plant.run,
            seed=plan.seed,
            suppliers=LANES[kind].connector == "erp_master",
            twins=plan.mix.twins,
            unapproved=plan.mix.unapproved,
            doubtful=plan.mix.doubtful,
        )
        for kind, number in plan.shares().items()
    }


def _storm_over_the_workbench(plan: Plan, plant: Plant, *, say: Say) -> tuple[Storm, float]:
    """The storm, and the seconds that it took afterwards until nothing was under way."""
    documents = _documents(plan, plant)
    _book_what_sources_lost_sight_of(plant, documents)
    with people(plant, documents, seed=plan.seed, timeout=plan.mix.timeout) as deciding:
        say(f"{sum(map(len, documents.values()))} exceptions were brought in, corrected and proposed.")
        for kind in plan.kinds:
            plant.targets[kind].take_faults(plan.mix, seed=plan.seed)
        _start_workers(plan, plant)
        deciding.begin_to_decide(seconds=plan.seconds * _DECIDING)
        storm = Storm(plant, plan.mix, seconds=plan.seconds, seed=plan.seed)
        storm.run(goes_on=lambda: deciding.is_under_way)
        for kind in plan.kinds:
            plant.targets[kind].no_faults()
        say("The storm is over.")
        deciding.wait_until_decided()
    calm_after = _wait_for_calm(plan, plant, since=storm.ended_at)
    say(f"Nothing is under way any more, {calm_after:.1f} s after the last blow.")
    plant.stop_workers()
    return storm, calm_after


def _compare_with_their_lists(plan: Plan, plant: Plant) -> None:
    """As the schedule does every day, up to this moment. Raises CannotRehearse where a list cannot be read."""
    with plant.database() as database:
        slugs = [slug for (slug,) in database.execute("SELECT slug FROM integrations_connection ORDER BY id")]
    compared = [slug for slug in slugs if any(is_of(LANES[kind], slug) and LANES[kind].has_list for kind in plan.kinds)]
    if compared:
        plant.manage("compare", *compared, "--until", datetime.now(UTC).isoformat())


def _book_what_sources_lost_sight_of(plant: Plant, documents: Mapping[str, list[Document]]) -> None:
    """The time-out that was a success: the target has it, and the source handed it in as failed."""
    for kind, of_lane in documents.items():
        target = plant.targets[kind]
        for document in of_lane:
            if document.booked_before:
                target.book(document, key=f"{SOURCE}-{document.reference}")


def _start_workers(plan: Plan, plant: Plant) -> None:
    arguments = [
        *("--processes", str(PROCESSES)),
        *("--pause-before-sending", str(plan.mix.pause_before_sending)),
    ]
    workers = [
        plant.process(name, "manage.py", "rehearsal_worker", "--name", name, *arguments)
        for name in (f"worker-{number}" for number in range(1, WORKERS + 1))
    ]
    # One of them only: somebody must be free to take over what it holds.
    workers[0].command += ["--pause-after-asking", str(plan.mix.pause_after_asking)]
    beats = [
        plant.process(
            name,
            *("-m", "celery", "-A", "workbench", "beat", "--loglevel", "WARNING", "--pidfile="),
            *("--schedule", str(plant.home.path / name)),
        )
        for name in ("beat-1", "beat-2")
    ]
    plant.start_workers(workers, beats, processes=PROCESSES)


def _drop_indexes(plant: Plant) -> None:
    with plant.database() as database:
        for name in _ONE_LIVE_INDEXES:
            database.execute(f"DROP INDEX {name}")


def _evidence(plan: Plan, plant: Plant) -> list[Evidence]:
    with plant.database() as database:
        return [
            gather(
                LANES[kind],
                plant.targets[kind],
                database,
                notes_of(plant),
                settle_seconds=get_connector(LANES[kind].connector).capabilities.settle_time.total_seconds(),
                lease_seconds=_LEASE * plan.mix.timeout,
            )
            for kind in plan.kinds
        ]


def _is_under_way(plan: Plan, plant: Plant) -> bool:
    with plant.database() as database:
        return any(still_under_way(gather_live(LANES[kind], database)) for kind in plan.kinds)


def _wait_for_calm(plan: Plan, plant: Plant, *, since: float) -> float:
    """Seconds from the last blow until nothing is under way any more; late effects are waited for besides."""
    calm_at = 0.0
    while not calm_at and time.monotonic() - since < _LONGEST_CALM:
        if _is_under_way(plan, plant):
            plant.start_again_what_ended()
            time.sleep(_POLL)
        else:
            calm_at = time.monotonic()
    latest = since + max(LANES[kind].late for kind in plan.kinds) + 1
    time.sleep(max(0.0, latest - time.monotonic()))
    return (calm_at or time.monotonic()) - since


def _judged(evidence: Evidence) -> LaneResult:
    found = {name: check(evidence) for name, check in CHECKS.items()}
    counts = {name: len(faults) for name, faults in found.items()}
    if counts["one effect"] <= evidence.lane.most_doubled:
        found["one effect"] = []
    doubtful = doubts(evidence)
    return LaneResult(
        kind=evidence.lane.kind,
        words=evidence.lane.words,
        replays=replays(evidence),
        effects=sum(map(len, evidence.effects.values())),
        lost=counts["nothing lost"],
        doubled=counts["one effect"],
        false_resolved=counts["resolved is booked"],
        waiting_for_person=len(waiting_for_person(evidence)),
        later_than_promised=len(later_than_promised(evidence)),
        failed={name: faults[:_SHOWN] for name, faults in found.items() if faults},
        in_doubt=len(doubtful),
        in_doubt_p95=within(doubtful, 0.95),
    )
