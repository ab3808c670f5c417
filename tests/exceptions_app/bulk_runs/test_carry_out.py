"""One action on many: each as by its own button, with an outcome of its own, whatever happens in between."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from audit.queries import timeline
from exceptions_app.actions import bulk_carry, work
from exceptions_app.actions.bulk_each import judge
from exceptions_app.actions.bulk_start import (
    BulkListChanged,
    cancel_bulk,
    frozen_bulk_hash,
    pause_bulk,
    resume_bulk,
    start_bulk,
)
from exceptions_app.actions.grants import revoke_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.bulk_states import BulkKind, Instruction, RunMoveNotAllowed, RunState
from exceptions_app.models import BulkItem, BulkOutcome, BulkRun, Comment, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Kind, State
from exceptions_app.tasks import sweep
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.bulk_runs.runs import NEVER, carry_on, field_of, outcomes, start
from tests.exceptions_app.replay_batches.target import refused_cases, target
from tests.factories import assign, claim, make_case, make_version
from tests.invoices import valid_invoice

__all__ = ["target"]
pytestmark = pytest.mark.django_db

TO_CEM: dict[str, Any] = {"kind": BulkKind.ASSIGN, "to": "cem"}


def test_each_exception_is_assigned_with_its_own_event_and_the_run_says_what_it_was(cast: Cast):
    cases = [make_case(cast), make_case(cast, amount="2.50", currency="PLN"), make_case(cast, amount=None)]
    run = start(cases, by=cast.clerk, because="Your customers.", **TO_CEM)
    assert (run.state, run.count, run.money) == ("running", 3, {"EUR": "1250", "PLN": "2.5"})
    assert carry_on(run).state == RunState.FINISHED
    assert outcomes(run) == [("done", "")] * 3
    for case in cases:
        case.refresh_from_db()
        event = list(timeline(case.subject))[-1]
        assert (case.assignee, event.action, event.actor) == (cast.second_clerk, "case.assigned", "clara")
        assert event.because == f"Your customers. ({run.ref})"
    events = list(timeline(run.subject))
    assert [event.action for event in events] == ["bulk.started", "bulk.finished"]
    assert events[1].data["done"] == 3
    assert all("Your customers" not in str(event.data) + event.because for event in events)


def test_preview_says_of_each_why_it_stays_out_by_the_rules_of_its_button(cast: Cast):
    free, elsewhere = make_case(cast), make_case(cast, queue=cast.holds)
    has_it, held = assign(make_case(cast), cast.second_clerk, by=cast.clerk), make_case(cast, kind=Kind.HELD)
    cases = [free, elsewhere, has_it, held]

    def told(**asked: object) -> list[str]:
        by = cast.local_clerk if asked.pop("local", False) else cast.clerk
        return [verdict.refusal for verdict in judge(cases, Instruction(**asked), by=by)]  # type: ignore[arg-type]

    assert told(**TO_CEM) == ["", "", "Cem Clerk has it already.", ""]
    assert told(local=True, **TO_CEM)[1].startswith("You may not work on exceptions in Policy holds")
    assert told(kind=BulkKind.ASSIGN, to="lars")[1].startswith("Lars Local may not work on exceptions in Policy holds")
    assert told(kind=BulkKind.GIVE_BACK) == ["Nobody has it.", "Nobody has it.", "", "Nobody has it."]
    written_off = told(kind=BulkKind.WRITE_OFF, because="Insolvent.")
    assert written_off == ["", "", "Cem Clerk is working on this. Assign it to yourself first.", ""]
    assert told(kind=BulkKind.COMMENT, text="Seen.") == [""] * 4


@pytest.mark.usefixtures("target")
def test_only_what_is_fit_to_be_replayed_is_proposed_each_by_itself(cast: Cast):
    good, [wrong] = refused_cases(cast, 2), refused_cases(cast, 1, first=9, wrong="It is.")
    corrected = make_version(refused_cases(cast, 1, first=20)[0], cast.clerk, passed=False).case
    asked = Instruction(kind=BulkKind.PROPOSE, because="It is back.")
    found = [verdict.refusal for verdict in judge([*good, wrong, corrected], asked, by=cast.clerk)]
    assert found[:2] == ["", ""]
    assert found[2] == "This version does not pass the scripted check. Correct what is listed first."
    assert found[3].startswith("This version does not pass the official EN 16931 validator.")

    run = carry_on(start([*good, wrong], by=cast.clerk, kind=BulkKind.PROPOSE, because="It is back."))
    assert outcomes(run) == [("done", ""), ("done", ""), ("failed", found[2])]
    proposed = Proposal.objects.filter(state="open").order_by("case")
    assert [(one.case_id, one.kind, one.proposer) for one in proposed] == [
        (case.pk, "replay", cast.clerk) for case in good
    ]


def test_write_off_is_proposed_and_closes_nothing_by_itself(cast: Cast):
    case = make_case(cast)
    run = carry_on(start([case], by=cast.clerk, kind=BulkKind.WRITE_OFF, because="Insolvent."))
    case.refresh_from_db()
    proposal = Proposal.objects.get(case=case)
    assert (outcomes(run), case.state) == ([("done", "")], State.AWAITING_APPROVAL)
    assert (proposal.kind, proposal.outcome, proposal.state) == ("dismiss", "written_off", "open")


def test_value_is_set_where_it_stands_and_nowhere_else(cast: Cast):
    same = make_case(cast, number="INV-1", payload=valid_invoice("INV-1"))
    other = make_case(cast, number="INV-2", payload=valid_invoice("INV-2", seed=2))
    unreadable = make_case(cast)
    before = field_of(same, "BT-10")
    assert field_of(other, "BT-10").value != before.value
    asked: dict[str, Any] = {
        "term": "BT-10",
        "label": before.label,
        "was": before.value or "",
        "will_be": "NL-7",
        "because": "Moved.",
    }
    verdicts = judge([same, other], Instruction(kind=BulkKind.SET_VALUE, **asked), by=cast.clerk)
    assert [verdict.refusal for verdict in verdicts] == [
        "", f"Its field “{before.label}” is “{field_of(other, 'BT-10').value}”."
    ]  # fmt: skip

    run = carry_on(start([same, other, unreadable], by=cast.clerk, kind=BulkKind.SET_VALUE, **asked))
    assert [state for state, _ in outcomes(run)][:2] == ["done", "skipped"]
    assert outcomes(run)[2][0] != "done"
    latest = PayloadVersion.objects.filter(case=same).latest("number")
    assert (latest.number, latest.author, latest.reason) == (2, cast.clerk, f"Moved. ({run.ref})")
    assert field_of(same, "BT-10").value == "NL-7"
    assert not PayloadVersion.objects.filter(case__in=[other, unreadable], number__gt=1).exists()


def test_value_that_the_field_cannot_have_is_refused_in_the_preview(cast: Cast):
    case = make_case(cast, payload=valid_invoice("INV-1"))
    field = field_of(case, "BT-2")
    asked = Instruction(
        kind=BulkKind.SET_VALUE, term="BT-2", label=field.label, was=field.value or "", will_be="soon", because="x"
    )
    [verdict] = judge([case], asked, by=cast.clerk)
    assert verdict.refusal == "“soon” is not a date. Write year-month-day, such as 2026-03-31."


def test_what_changed_since_it_was_seen_is_skipped_and_what_may_not_be_done_any_more_fails(cast: Cast):
    changed, lost = make_case(cast), make_case(cast, queue=cast.holds)
    run = start([changed, lost], by=cast.clerk, **TO_CEM)
    claim(changed, cast.second_clerk)
    revoke_role("clerk", [cast.holds], by=cast.administrator, at=MORNING)
    carry_on(run)
    found = outcomes(run)
    assert found[0] == ("skipped", "It changed after you saw it.")
    assert found[1][0] == "failed"
    assert found[1][1].startswith("You may not work on exceptions in Policy holds")
    assert run.state == RunState.FINISHED


def test_list_is_the_one_that_was_shown_and_of_what_the_person_sees(cast: Cast):
    here, hidden = make_case(cast), make_case(cast, queue=cast.holds)
    with pytest.raises(BulkListChanged):
        start([here, hidden], by=cast.local_clerk)
    asked = Instruction(kind=BulkKind.COMMENT, text="Seen.")
    with pytest.raises(BulkListChanged):
        start_bulk(asked, {here.pk: 1}, by=cast.clerk, at=MORNING, frozen_sha256="x", key=uuid4())
    with pytest.raises(Invalid, match="Choose at least one exception"):
        start_bulk(asked, {}, by=cast.clerk, at=MORNING, frozen_sha256="x", key=uuid4())
    assert not BulkRun.objects.exists()


def test_list_of_which_nothing_is_seen_any_more_starts_nothing(cast: Cast):
    asked, gone = Instruction(kind=BulkKind.COMMENT, text="Seen."), make_case(cast, queue=cast.holds)
    shown = frozen_bulk_hash(asked, [], {})
    with pytest.raises(BulkListChanged):
        start_bulk(asked, {gone.pk: 1}, by=cast.local_clerk, at=MORNING, frozen_sha256=shown, key=uuid4())
    assert not BulkRun.objects.exists()


def test_key_of_somebody_elses_run_starts_nothing_and_shows_nothing(cast: Cast):
    case, key = make_case(cast), uuid4()
    start([case], by=cast.clerk, key=key)
    with pytest.raises(BulkListChanged):
        start([case], by=cast.second_clerk, key=key)
    assert BulkRun.objects.get().starter == cast.clerk


def test_one_exception_is_one_in_the_trail(cast: Cast):
    run = start([make_case(cast)], by=cast.clerk)
    [event] = timeline(run.subject)
    assert event.summary.endswith("comment, 1 exception.")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": BulkKind.WRITE_OFF, "because": " "}, "because"),
        ({"kind": BulkKind.PROPOSE, "because": "x" * 451}, "because"),
        ({"kind": BulkKind.COMMENT, "text": " "}, "text"),
        ({"kind": BulkKind.ASSIGN, "to": "nobody"}, "to"),
        ({"kind": BulkKind.SET_VALUE, "because": "x", "was": "a", "will_be": "b"}, "label"),
        ({"kind": BulkKind.SET_VALUE, "because": "x", "label": "f", "was": "a", "will_be": "a"}, "will_be"),
    ],
)
def test_instruction_that_cannot_be_meant_names_its_field(cast: Cast, asked: dict[str, object], field: str):
    with pytest.raises(Invalid) as refused:
        judge([make_case(cast)], Instruction(**asked), by=cast.clerk)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_form_that_is_sent_twice_starts_once(cast: Cast):
    case, key = make_case(cast), uuid4()
    assert start([case], by=cast.clerk, key=key) == start([case], by=cast.clerk, key=key)
    assert BulkRun.objects.count() == 1


def test_pause_holds_resume_goes_on_and_cancel_leaves_the_rest_alone(cast: Cast):
    run = start([make_case(cast) for _ in range(3)], by=cast.clerk)
    [first, second, _] = run.items.order_by("position").values_list("pk", flat=True)
    assert bulk_carry.carry_out_item(run.pk, first)
    pause_bulk(run.pk, by=cast.clerk, at=MORNING)
    assert not bulk_carry.carry_out_item(run.pk, second)
    assert bulk_carry.carry_on_due() == 0
    with pytest.raises(NotPermitted):
        resume_bulk(run.pk, by=cast.controller, at=MORNING)
    resume_bulk(run.pk, by=cast.clerk, at=MORNING)
    assert bulk_carry.carry_out_item(run.pk, second)
    cancel_bulk(run.pk, by=cast.clerk, at=MORNING)
    assert bulk_carry.carry_on_due() == 0
    assert [state for state, _ in outcomes(run)] == ["done", "done", "left"]
    assert Comment.objects.count() == 2
    with pytest.raises(RunMoveNotAllowed, match="the run is cancelled"):
        resume_bulk(run.pk, by=cast.clerk, at=MORNING)


def test_fault_in_one_exception_keeps_no_other_from_its_turn(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    cases = [make_case(cast) for _ in range(2)]
    run = start(cases, by=cast.clerk)
    really = work.comment

    def comment(case_id: int, **how: object) -> object:
        if case_id == cases[0].pk:
            raise RuntimeError("a fault of ours")
        return really(case_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "comment", comment)
    carry_on(run)
    assert [state for state, _ in outcomes(run)] == ["failed", "done"]
    assert outcomes(run)[0][1].startswith("The workbench failed at it")


@pytest.mark.django_db(transaction=True)
def test_what_the_database_refuses_at_the_end_is_a_failure_of_its_exception_alone(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    cases = [make_case(cast) for _ in range(2)]
    run = start(cases, by=cast.clerk)
    really = work.comment

    def comment(case_id: int, **how: object) -> object:
        if case_id == cases[0].pk:
            return ExceptionCase.objects.filter(pk=case_id).update(priority=1)  # without its audit event
        return really(case_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "comment", comment)
    carry_on(run)
    assert (run.state, [state for state, _ in outcomes(run)]) == (RunState.FINISHED, ["failed", "done"])
    cases[0].refresh_from_db()
    assert cases[0].priority == 3


def test_each_run_has_its_turn_in_a_sweep_however_slow_another_is(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    slow = start([make_case(cast) for _ in range(5)], by=cast.clerk)
    quick = start([make_case(cast)], by=cast.second_clerk, text="Quick.")
    really, seconds = work.comment, [0.0]

    def comment(case_id: int, **how: object) -> object:
        if how["text"] != "Quick.":
            seconds[0] += 0.2
        return really(case_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "comment", comment)
    # A clock of its own: on a busy machine the other may be over before anybody had a turn.
    monkeypatch.setattr(bulk_carry, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(bulk_carry, "BUDGET", 0.5)
    bulk_carry.carry_on_due()
    assert [state for state, _ in outcomes(quick)] == ["done"]
    assert 0 < sum(state == "done" for state, _ in outcomes(slow)) < 5


class Killed(BaseException):
    """What a worker does not survive."""


@transaction.atomic
def die_after(run: BulkRun, item_id: int) -> None:
    """The item is done, and the worker is gone before its transaction ends."""
    assert bulk_carry.carry_out_item(run.pk, item_id)
    raise Killed


@pytest.mark.django_db(transaction=True)
def test_worker_that_dies_leaves_an_item_whole_and_the_next_one_does_each_once(cast: Cast):
    run = start([make_case(cast) for _ in range(4)], by=cast.clerk)
    items = list(run.items.order_by("position").values_list("pk", flat=True))
    bulk_carry.carry_out_item(run.pk, items[0])
    with pytest.raises(Killed):
        die_after(run, items[1])
    assert (Comment.objects.count(), BulkOutcome.objects.count()) == (1, 1)
    sweep()
    run.refresh_from_db()
    assert (run.state, outcomes(run)) == (RunState.FINISHED, [("done", "")] * 4)
    assert sorted(Comment.objects.values_list("case", flat=True)) == sorted(run.items.values_list("case", flat=True))


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_do_each_exception_once(cast: Cast):
    run = start([make_case(cast) for _ in range(6)], by=cast.clerk)
    while BulkRun.objects.filter(state=RunState.RUNNING).exists():
        found = at_the_same_time([lambda: bulk_carry.carry_on(run.pk, ends_at=NEVER)] * 3)
        assert [error for error in found if isinstance(error, BaseException)] == []
    assert outcomes(run) == [("done", "")] * 6
    assert Comment.objects.count() == 6
    assert ExceptionCase.objects.filter(comments__isnull=True).count() == 0


def test_an_item_that_has_its_outcome_is_not_done_again(cast: Cast):
    run = start([make_case(cast), make_case(cast)], by=cast.clerk)
    item = BulkItem.objects.filter(run=run).earliest("position")
    assert bulk_carry.carry_out_item(run.pk, item.pk)
    assert not bulk_carry.carry_out_item(run.pk, item.pk)
    assert Comment.objects.count() == 1
