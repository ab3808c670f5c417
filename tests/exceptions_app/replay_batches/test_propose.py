"""Proposing a batch: judged item by item, frozen as a list, all or nothing."""

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from audit.queries import timeline
from exceptions_app.actions.batch_propose import ItemsRefused, ListChanged, judge, propose_batch
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.work import assign, hold
from exceptions_app.batch_states import at_once, plan_of, step_of
from exceptions_app.models import BatchItem, ExceptionCase, Proposal, ReplayBatch
from exceptions_app.states import Kind
from tests.arrivals import configure, propose
from tests.cast import MORNING, Cast
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, states_of
from tests.factories import make_case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("target")]


def test_steps_grow_by_five_and_no_item_is_left_out_of_them():
    assert plan_of(1_000) == [(1, 1), (2, 6), (7, 31), (32, 156), (157, 781), (782, 1_000)]
    assert [step_of(position) for position in (1, 2, 6, 7, 31, 32, 1_000)] == [1, 2, 2, 3, 3, 4, 6]
    assert [at_once(step) for step in range(1, 7)] == [1, 1, 5, 25, 25, 25]
    assert plan_of(3) == [(1, 1), (2, 3)]


def test_batch_proposes_each_exception_and_freezes_the_list_in_the_order_of_arrival(cast: Cast):
    cases = refused_cases(cast, 3)
    batch = propose_all(cast, cases[::-1])

    items = list(BatchItem.objects.filter(batch=batch).select_related("proposal", "case").order_by("position"))
    assert [item.case for item in items] == cases
    assert {(item.proposal.state, item.case.state) for item in items} == {("open", "awaiting_approval")}
    assert [item.frozen_sha256 for item in items] == [item.proposal.frozen_sha256 for item in items]
    assert (batch.ref, batch.count, batch.money) == (f"B-{batch.pk}", 3, {"EUR": "31.5"})
    assert states_of(batch) == ["waiting"] * 3
    [event] = timeline(batch.subject)
    assert (event.action, event.actor, event.scope) == ("batch.proposed", "clara", "connection/tax-authority")
    assert event.data["frozen_sha256"] == batch.frozen_sha256


def test_each_item_that_cannot_be_in_it_says_why_and_nothing_is_proposed(cast: Cast):
    [good], held = refused_cases(cast, 1), make_case(cast, kind=Kind.HELD)
    wrong, taken, waiting = _others(cast)
    by_another = refused_cases(cast, 1, first=50)[0]
    propose(by_another, by=cast.second_clerk)

    found = {
        found.case: found.refusal for found in judge([good, held, wrong, taken, waiting, by_another], by=cast.clerk)
    }
    assert found[good] == ""
    assert found[held].startswith("It is held. What is held is released one by one")
    assert found[wrong] == "This version does not pass the scripted check. Correct what is listed first."
    assert found[taken] == "Cem Clerk is working on this. Assign it to yourself first."
    assert found[waiting] == "“Propose replay” is not possible while the exception is on hold."
    assert found[by_another] == "Cem Clerk proposed it already; that is decided by itself."
    with pytest.raises(ItemsRefused, match=r"^Nothing was proposed: 1 exception cannot be in this batch") as refused:
        propose_all(cast, [good, held])
    assert [item.case for item in refused.value.refused] == [held]
    good.refresh_from_db()
    assert (good.state, ReplayBatch.objects.exists()) == ("new", False)


def _others(cast: Cast) -> list[ExceptionCase]:
    wrong, taken, waiting = (
        *refused_cases(cast, 1, first=10, wrong="It is."),
        *refused_cases(cast, 1, first=20),
        *refused_cases(cast, 1, first=30),
    )
    assign(taken.pk, to=cast.second_clerk, by=cast.second_clerk, at=MORNING)
    hold(waiting.pk, by=cast.clerk, at=MORNING, waiting_for="The authority.")
    for case in (taken, waiting):
        case.refresh_from_db()
    return [wrong, taken, waiting]


def test_what_one_proposed_alone_may_join_ones_own_batch_as_it_is_and_only_once(cast: Cast):
    case, other = refused_cases(cast, 2)
    proposal = propose(case, by=cast.clerk)
    batch = propose_all(cast, [case, other])
    assert BatchItem.objects.get(batch=batch, case=case).proposal == proposal
    assert Proposal.objects.filter(case=case).count() == 1
    [found] = judge([ExceptionCase.objects.get(pk=case.pk)], by=cast.clerk)
    assert found.refusal == f"It is in batch {batch.ref} already."


def test_only_one_target_in_a_batch(cast: Cast):
    here = refused_cases(cast, 2)
    elsewhere = configure(type(cast.connection)(slug="bank", name="Bank", connector="scripted", owner="Treasury"))
    there = make_case(cast, connection=elsewhere)
    refusals = [found.refusal for found in judge([there, *here], by=cast.clerk)]
    assert sorted(refusals) == ["", "", "It goes to Bank; a batch goes to one target."]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"because": " "}, "because"), ({"failure_limit": 101}, "failure_limit"), ({"case_ids": []}, "exceptions")],
)
def test_what_is_missing_is_named(cast: Cast, changes: dict[str, object], field: str):
    [case] = refused_cases(cast, 1)
    given: dict[str, object] = {"case_ids": [case.pk], "because": "Mended.", "by": cast.clerk, "at": MORNING} | changes
    with pytest.raises(Invalid) as refused:
        propose_batch(**given)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_list_that_changed_after_it_was_shown_is_not_proposed(cast: Cast):
    cases = refused_cases(cast, 2)
    seen = {case.pk: case.revision for case in cases}
    assign(cases[0].pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    with pytest.raises(ListChanged):
        propose_all(cast, cases, revisions=seen)
    assert propose_all(cast, cases, revisions=seen | {cases[0].pk: 2}).count == 2


@pytest.mark.parametrize("position", [2, 3])
def test_database_lets_nothing_join_a_list(cast: Cast, position: int):
    batch = propose_all(cast, refused_cases(cast, 2))
    [late] = refused_cases(cast, 1, first=3)
    proposal = propose(late, by=cast.clerk)
    with pytest.raises(IntegrityError), transaction.atomic():
        BatchItem.objects.create(
            batch=batch, position=position, case=late, proposal=proposal, content_sha256=proposal.content_sha256,
            frozen_sha256=proposal.frozen_sha256,
        )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE exceptions_app_batchitem SET content_sha256 = 'x'",
        "DELETE FROM exceptions_app_batchitem",
        "UPDATE exceptions_app_replaybatch SET count = 1",
        "UPDATE exceptions_app_replaybatch SET frozen_sha256 = 'x'",
        "UPDATE exceptions_app_batchprogress SET state = 'proven'",
        "UPDATE exceptions_app_batchprogress SET state = 'under_way'",
        "DELETE FROM exceptions_app_batchprogress",
    ],
)
def test_database_refuses_what_must_never_happen(cast: Cast, statement: str, target: Target):
    propose_all(cast, refused_cases(cast, 2))
    with pytest.raises(IntegrityError), transaction.atomic():
        _execute(statement)


@pytest.mark.parametrize("state", ["running", "complete", "ended"])
def test_database_runs_no_batch_that_nobody_decided_on(cast: Cast, state: str):
    propose_all(cast, refused_cases(cast, 2))
    with pytest.raises(IntegrityError, match="without an approved decision"), transaction.atomic():
        _execute(
            f"UPDATE exceptions_app_replaybatch SET state = '{state}'; SET CONSTRAINTS ALL IMMEDIATE"  # noqa: S608
        )


def _execute(statement: str) -> None:
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(statement)
