"""A rehearsal in words, for a terminal. The last line is for machines and never changes its form."""

from collections.abc import Iterator

from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.checks import CHECKS
from workbench.rehearsal.plan import PROOFS
from workbench.rehearsal.result import LaneResult, Result
from workbench.rehearsal.scenes import SCENES

_BLOWS = {
    "kill": "SIGKILL to a worker or one of its processes",
    "freeze": "SIGSTOP past the lease",
    "database_restart": "immediate restart of PostgreSQL",
    "flush": "FLUSHALL",
    "broker_restart": "restart of Valkey",
    "toxic": "fault of the network",
}
_HEAD = ("target that", "replays", "effects", "lost", "doubled", "false", "person")


def lines_of(result: Result) -> Iterator[str]:
    yield from _what_happened(result)
    yield ""
    width = max(len(lane.words) for lane in result.lanes)
    yield f"{_HEAD[0]:{width}}" + "".join(f"{word:>9}" for word in _HEAD[1:])
    for lane in result.lanes:
        yield f"{lane.words:{width}}" + "".join(f"{number:>9}" for number in _figures(lane))
    for lane in result.lanes:
        if lane.in_doubt_p95 is not None:
            yield f"{lane.kind}: {lane.in_doubt} without an answer, 95 % of them known after {lane.in_doubt_p95:.1f} s."
    for lane in result.lanes:
        if lane.later_than_promised:
            late = f"{lane.later_than_promised} booked by the target later than it promises"
            yield f"{lane.kind}: {late}: no fault of ours."
    yield ""
    if result.engine != "naive":
        failed = {check for _, check in result.failed_checks}
        yield f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks hold for every kind of target."
    for lane in result.lanes:
        for check, faults in lane.failed.items():
            yield f"FAILED on {lane.kind}: {check}"
            yield from (f"  {fault}" for fault in faults)
    if result.without:
        yield _what_it_showed(result)
    yield result.last_line


def _what_happened(result: Result) -> Iterator[str]:
    if result.scene:
        yield f"A scene of {result.workers} workers over the workbench, seed {result.seed}:"
        yield f"  {SCENES[Safeguard(result.scene)].words}"
        return
    engine = "the naive engine" if result.engine == "naive" else "the workbench"
    yield f"{result.storm_seconds:g} s of storm over {engine}, {result.workers} workers, seed {result.seed}:"
    yield "  " + ", ".join(f"{result.blows.get(what, 0)} times {words}" for what, words in _BLOWS.items()) + "."
    if result.engine != "naive":
        yield f"  Nothing was under way any more {result.calm_after_seconds:g} s after the last blow."


def _what_it_showed(result: Result) -> str:
    proof = PROOFS[Safeguard(result.without)]
    shown = (proof.kind, proof.check) in result.failed_checks
    words = "failed, as it must" if shown else "DID NOT FAIL, so nothing was said about it"
    return f"Without {result.without}, the check “{proof.check}” on {proof.kind} {words}."


def _figures(lane: LaneResult) -> tuple[int, ...]:
    return (lane.replays, lane.effects, lane.lost, lane.doubled, lane.false_resolved, lane.waiting_for_person)
