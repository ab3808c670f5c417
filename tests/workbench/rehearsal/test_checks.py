"""Each check of a rehearsal finds what it is for, and nothing in what is right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workbench.rehearsal.checks import CHECKS, later_than_promised, replays, still_under_way, waiting_for_person
from workbench.rehearsal.doubts import doubts, within
from workbench.rehearsal.evidence import Attempt, Case, Evidence, Sent
from workbench.rehearsal.lanes import LANES

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SHA = "a" * 64


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def case(**changes: Any) -> Case:
    told: dict[str, Any] = {
        "id": 1,
        "state": "resolved",
        "outcome": "replayed",
        "reference": "100/2026",
        "connection": "askable-0",
        "approved": True,
        "approved_sha256": [SHA],
    }
    return Case(**(told | changes))


def delivery(**changes: Any) -> Sent:
    told: dict[str, Any] = {
        "id": 7,
        "state": "confirmed",
        "subject": "case:EX-1",
        "business_key": "NL01|J-1",
        "key": "k",
        "content_sha256": SHA,
        "reference": "100/2026",
        "detail": "",
        "created_at": START,
        "finished_at": after(1),
        "due_at": after(1),
        "parked": False,
        "connection": "askable-0",
    }
    return Sent(**(told | changes))


def attempt(number: int, phase: str, seconds: float, *, epoch: int = 1, outcome: str | None = "confirmed") -> Attempt:
    ended = after(seconds + 0.1) if outcome else None
    return Attempt(number, 7, phase, epoch, after(seconds), outcome, ended)


def effect(document: str = "100", sha: str = SHA) -> dict[str, Any]:
    return {"business_key": "NL01|J-1", "document": document, "fiscal_year": 2026, "sha256": sha}


def evidence(
    *,
    cases: tuple[Case, ...] = (case(),),
    deliveries: tuple[Sent, ...] = (delivery(),),
    attempts: tuple[Attempt, ...] = (attempt(1, "send", 0),),
    effects: tuple[dict[str, Any], ...] = (effect(),),
    requests: int = 1,
    keys: tuple[str, ...] = ("k",),
    kind: str = "askable",
    acknowledged: frozenset[int] = frozenset({1}),
) -> Evidence:
    by_delivery: dict[int, list[Attempt]] = {}
    for made in attempts:
        by_delivery.setdefault(made.delivery_id, []).append(made)
    return Evidence(
        lane=LANES[kind],
        cases={found.id: found for found in cases},
        deliveries=deliveries,
        attempts=by_delivery,
        effects={"NL01|J-1": list(effects)} if effects else {},
        requests={SHA: [{"key": keys[number % len(keys)]} for number in range(requests)]},
        acknowledged=acknowledged,
        settle_seconds=5.0,
        lease_seconds=8.0,
        by_case={1: deliveries},
    )


def failing(found: Evidence) -> set[str]:
    return {name for name, check in CHECKS.items() if check(found)}


ASKED = attempt(2, "probe", 6, epoch=2, outcome="absent")
LOST = attempt(1, "send", 0, outcome="unknown")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (evidence(), set()),
        (evidence(attempts=(LOST, ASKED, attempt(3, "send", 6.1, epoch=2)), requests=2), set()),
        (evidence(attempts=(attempt(1, "send", 0, outcome="not_sent"), attempt(2, "send", 2, epoch=2))), set()),
        (evidence(effects=()), {"nothing lost", "resolved is booked"}),
        (evidence(cases=(case(state="replaying"),), effects=()), {"nothing lost"}),
        (evidence(cases=(case(approved=False, approved_sha256=[SHA]),)), {"nothing lost"}),
        (evidence(effects=(effect(), effect("101"))), {"one effect"}),
        (evidence(cases=(case(reference="999/2026"),)), {"resolved is booked"}),
        (evidence(effects=(effect(sha="b" * 64),)), {"resolved is booked", "approved only"}),
        (evidence(cases=(case(state="in_progress", approved_sha256=["b" * 64]),)), {"approved only"}),
        (evidence(requests=2), {"intent first"}),
        (evidence(attempts=(LOST, attempt(2, "send", 6, epoch=2)), requests=2), {"asked first"}),
        (
            evidence(attempts=(LOST, attempt(2, "probe", 2, epoch=2), attempt(3, "send", 2.1, epoch=2)), requests=2),
            {"settled first"},
        ),
        (evidence(cases=(case(state="in_progress"),), deliveries=(delivery(state="cancelled"),)), {"settled first"}),
        (
            evidence(attempts=(LOST, ASKED, attempt(3, "send", 6.1, epoch=2)), requests=2, keys=("k", "other")),
            {"one key"},
        ),
        (
            evidence(attempts=(attempt(1, "probe", 0, epoch=2), attempt(2, "send", 9, epoch=1))),
            {"epoch kept"},
        ),
        (
            evidence(attempts=(attempt(1, "probe", 0, outcome=None), attempt(2, "send", 1, epoch=2))),
            {"lease kept"},
        ),
        (
            evidence(
                deliveries=(delivery(id=6, finished_at=None), delivery()), attempts=(attempt(1, "send", 0),), requests=1
            ),
            {"one at a time"},
        ),
        (
            evidence(cases=(case(state="outcome_unknown"),), deliveries=(delivery(state="unknown"),)),
            {"ended in time"},
        ),
    ],
)
def test_check_finds_what_it_is_for_and_nothing_else(found: Evidence, expected: set[str]):
    assert failing(found) == expected


def test_second_effect_counts_as_found_when_the_comparison_named_it():
    doubled = evidence(effects=(effect(), effect("101")))
    assert failing(replace(doubled, compared=True)) == {"one effect", "second found"}
    assert failing(replace(doubled, compared=True, flagged=frozenset({"NL01|J-1"}))) == {"one effect"}
    assert failing(replace(evidence(), compared=True)) == set()


def told_absent(*attempts: Attempt, booked: float | None) -> Evidence:
    at = {"at": after(booked).isoformat()} if booked is not None else {}
    cancelled = delivery(state="cancelled")
    return evidence(
        cases=(case(state="in_progress"),), deliveries=(cancelled,), attempts=attempts, effects=(effect() | at,)
    )


def test_target_that_books_later_than_it_promises_is_no_fault_of_the_workbench():
    """Asked 6 s after the send, with a settle time of 5 s: it was not there, and came at 9 s."""
    found = told_absent(LOST, ASKED, booked=9)
    assert failing(found) == set()
    assert [line.partition(":")[0] for line in later_than_promised(found)] == ["delivery 7"]


@pytest.mark.parametrize(
    ("attempts", "booked"),
    [
        pytest.param((LOST, ASKED), 5.9, id="was there when it was asked"),
        pytest.param((LOST, ASKED), None, id="nobody knows when"),
        pytest.param((LOST, attempt(2, "probe", 4, epoch=2, outcome="absent")), 9, id="asked too early"),
        pytest.param((LOST, attempt(2, "probe", 6, epoch=2, outcome=None)), 9, id="no answer"),
        pytest.param((LOST,), 9, id="not asked"),
        pytest.param(
            (attempt(1, "send", 0, outcome=None), attempt(2, "probe", 12, epoch=2, outcome="absent")),
            14,
            id="asked before a send without an end had to be over and settled",
        ),
    ],
)
def test_word_to_a_person_is_a_fault_unless_the_target_alone_was_late(
    attempts: tuple[Attempt, ...], booked: float | None
):
    found = told_absent(*attempts, booked=booked)
    assert failing(found) == {"settled first"}
    assert later_than_promised(found) == []


def test_target_that_cannot_be_asked_leaves_its_unknowns_to_a_person():
    found = evidence(
        kind="neither", cases=(case(state="outcome_unknown"),), deliveries=(delivery(state="unknown"),), effects=()
    )
    assert still_under_way(found) == []
    assert waiting_for_person(found) == ["case 1: outcome_unknown"]
    assert failing(found) == set()


def test_twins_are_one_replay_and_what_has_no_delivery_is_one():
    twins = evidence(cases=(case(), case(id=2)), deliveries=(delivery(), delivery(id=8)))
    assert replays(replace(twins, by_case={1: [delivery()], 2: [delivery(id=8)]})) == 1
    assert replays(replace(twins, by_case={1: [delivery()]})) == 2


def test_parked_delivery_is_before_a_person():
    found = evidence(cases=(case(state="outcome_unknown"),), deliveries=(delivery(state="unknown", parked=True),))
    assert still_under_way(found) == []
    never_sent = evidence(
        cases=(case(state="replaying"),), deliveries=(delivery(state="queued", parked=True),), effects=()
    )
    assert waiting_for_person(never_sent) == ["case 1: replaying"]
    assert failing(never_sent) == set()


def test_time_in_doubt_is_from_the_first_answer_that_told_nothing_to_the_end():
    asked = evidence(
        attempts=(LOST, ASKED, attempt(3, "send", 6.1, epoch=2)), deliveries=(delivery(finished_at=after(7)),)
    )
    assert doubts(asked) == [pytest.approx(6.9)]
    died = evidence(attempts=(attempt(1, "send", 2, outcome=None),), deliveries=(delivery(finished_at=after(9)),))
    assert doubts(died) == [7.0]
    assert doubts(evidence()) == []
    left_to_a_person = delivery(state="unknown", finished_at=None)
    assert doubts(evidence(attempts=(LOST,), deliveries=(left_to_a_person,))) == []


@pytest.mark.parametrize(("seconds", "expected"), [([], None), ([4.0], 4.0), (range(1, 21), 19), (range(1, 101), 95)])
def test_time_within_which_most_of_them_ended(seconds, expected):
    assert within(list(seconds), 0.95) == expected
