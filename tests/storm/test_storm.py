"""Storms over a private installation, judged by what the targets booked; and what each safeguard prevents."""

from collections.abc import Iterator

import pytest

from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.lanes import BY_DEFAULT, LANES
from workbench.rehearsal.plan import PROOFS, STORM, Plan, plan_without, scene_of
from workbench.rehearsal.plant import Plant
from workbench.rehearsal.rehearse import play
from workbench.rehearsal.report import lines_of
from workbench.rehearsal.result import Result
from workbench.rehearsal.scenes import SCENES

pytestmark = [pytest.mark.storm, pytest.mark.xdist_group("storm"), pytest.mark.timeout(1800)]

REPLAYS = 700
FEWER = 500  # for the control, which needs no more to show that the storm bites
LEAST_DOUBLED = 50  # by the naive engine, or the storm does not bite


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with Plant(list(LANES.values())) as started:
        yield started


def played(plan: Plan, plant: Plant) -> Result:
    result = play(plan, plant, say=print)
    print("\n".join(lines_of(result)))
    return result


def test_storm_over_every_kind_of_target(plant: Plant):
    result = played(Plan(replays=REPLAYS), plant)
    assert result.failed_checks == []
    figures = {name: result.total(name) for name in ("replays", "lost", "doubled", "false_resolved")}
    assert figures == {"replays": REPLAYS, "lost": 0, "doubled": 0, "false_resolved": 0}
    assert {lane.kind for lane in result.lanes} == {*BY_DEFAULT}
    assert {what for what, number in result.blows.items() if number < least(what)} == set()


def least(what: str) -> int:
    asked_for = {
        "kill": STORM.kills,
        "freeze": STORM.freezes,
        "database_restart": STORM.database_restarts,
        "flush": STORM.flushes,
        "broker_restart": STORM.broker_restarts,
        "toxic": STORM.toxics,
    }
    return asked_for[what]


@pytest.mark.nightly
def test_opt_in_to_resending_doubles_two_at_most_and_the_comparison_names_each(plant: Plant):
    result = played(Plan(replays=REPLAYS, kinds=("askable-resend",)), plant)
    assert result.failed_checks == []
    assert (result.total("lost"), result.total("false_resolved")) == (0, 0)
    assert result.total("doubled") <= LANES["askable-resend"].most_doubled


def test_storm_bites_the_naive_engine(plant: Plant):
    result = played(Plan(replays=FEWER, minutes=0.4, kinds=("deduplicates",), naive=True), plant)
    assert result.total("replays") == FEWER
    assert result.total("doubled") >= LEAST_DOUBLED


@pytest.mark.parametrize("safeguard", Safeguard)
def test_safeguard_left_out_fails_its_check(plant: Plant, safeguard: Safeguard):
    proof = PROOFS[safeguard]
    result = played(plan_without(safeguard), plant)
    assert (proof.kind, proof.check) in result.failed_checks
    assert (proof.kind, "second found") not in result.failed_checks  # what it let through was seen


@pytest.mark.nightly
@pytest.mark.parametrize("safeguard", SCENES)
def test_scene_harms_nothing_while_every_safeguard_stands(plant: Plant, safeguard: Safeguard):
    plan = scene_of(safeguard)
    result = played(plan, plant)
    assert result.failed_checks == []
    assert [result.total(name) for name in ("replays", "effects", "waiting_for_person")] == [plan.replays] * 2 + [0]
