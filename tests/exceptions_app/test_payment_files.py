"""Corrected payments that travel in one file: what the bank gets, and how each of them ends by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.states import State
from integrations import outbox
from integrations.models import Delivery
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, time_passes, told, work_until_done
from tests.exceptions_app.paying import (
    OPEN_IBANS,
    REJECTED,
    all_are_due,
    approve_each,
    change_bank,
    correct_and_approve,
    files,
    give_account,
    hand_in,
    held_in,
    lead_to_the_bank,
    phases_of,
    rejected_payments,
    replayed,
    schema_faults,
)
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file, value_of, wires
from tests.simulator_process import RunningSimulator
from workbench.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bank")]

AMOUNTS = ("100.00", "300.00", "700.00")
BOOKED = [(name, amount, iban) for name, amount, iban in zip(REJECTED, AMOUNTS, OPEN_IBANS, strict=False)]


@pytest.fixture
def bank(cast: Cast, connected: None, simulator: RunningSimulator) -> None:
    lead_to_the_bank(cast, simulator)


def states_of(cases: list[ExceptionCase]) -> list[str]:
    for case in cases:
        case.refresh_from_db()
    return [case.state for case in cases]


def test_rejected_payments_are_corrected_and_replayed_in_one_valid_file_that_holds_only_them(
    cast: Cast, simulator: RunningSimulator
):
    cases = rejected_payments(cast, simulator)
    assert tuple(case.document_number for case in cases) == REJECTED
    assert len(simulator.effects) == 5

    correct_and_approve(cases, cast=cast)
    work_until_done()

    [file] = files()
    body = bytes(file.body)
    assert schema_faults(body) == []
    assert held_in(body) == {
        "payments": sorted(REJECTED), "amounts": sorted(AMOUNTS), "NbOfTxs": "3", "CtrlSum": "1100.00",
        "MsgId": file.reference,
    }  # fmt: skip
    assert (file.number, file.sums) == (3, {"EUR": "1100.00"})
    assert replayed(simulator) == BOOKED
    assert states_of(cases) == [State.RESOLVED] * 3
    references = {effect["end_to_end_id"]: effect["reference"] for effect in simulator.effects}
    assert [case.reference for case in cases] == [references[name] for name in REJECTED]
    assert len({attempt["sha256"] for attempt in simulator.attempts}) == 2  # the source's file and ours
    assert told(simulator) == [("exception.resolved", "resolved", "replayed")] * 3
    assert timeline(cases[0].subject)[-3].data["sent_in"] == file.reference


def test_each_payment_keeps_its_own_key_and_its_own_part_of_the_answer(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    work_until_done()

    [file] = files()
    attempts = list(file.attempts.select_related("delivery", "answer").order_by("position"))
    assert [attempt.position for attempt in attempts] == [1, 2, 3]
    assert len({attempt.delivery.key for attempt in attempts}) == 3
    for attempt in attempts:
        own = attempt.delivery.business_key.rpartition("|")[2].encode()
        assert own in bytes(attempt.answer.body)
        assert not any(other.encode() in bytes(attempt.answer.body) for other in REJECTED if other.encode() != own)
    assert file.answer.outcome == "confirmed"


def test_answer_in_parts_settles_each_payment_by_itself(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    change_bank(simulator, accounts={OPEN_IBANS[1]: "closed"})
    correct_and_approve(cases, cast=cast)
    work_until_done()

    second = cases[1]
    assert states_of(cases) == [State.RESOLVED, State.IN_PROGRESS, State.RESOLVED]
    assert second.category == "master_data"
    assert second.problem.startswith("Refused by the target: The account is closed.")
    assert replayed(simulator) == [BOOKED[0], BOOKED[2]]
    assert files()[0].answer.outcome == "mixed"

    give_account(second, OPEN_IBANS[3], cast=cast)
    approve_each([second], cast=cast)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert replayed(simulator) == [BOOKED[0], ("INV-3", "300.00", OPEN_IBANS[3]), BOOKED[2]]
    assert phases_of(second) == ["probe", "send"]


def test_lost_answer_is_asked_about_payment_by_payment_and_the_file_never_sent_again(
    cast: Cast, simulator: RunningSimulator
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault("timeout_after", path="/bank/payments", times=1, seconds=0)
    all_are_due()
    replays.carry_out_due()
    assert states_of(cases) == [State.OUTCOME_UNKNOWN] * 3
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [phases_of(case) for case in cases] == [["send", "probe"]] * 3
    assert (len(files()), replayed(simulator)) == (1, BOOKED)


def test_file_that_never_arrived_is_sent_in_a_new_file_under_a_new_name(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault("timeout_before", path="/bank/payments", times=1, seconds=0)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [phases_of(case) for case in cases] == [["send", "probe", "send"]] * 3
    first, second = files()
    assert held_in(bytes(first.body))["payments"] == held_in(bytes(second.body))["payments"] == sorted(REJECTED)
    assert first.reference != second.reference
    assert replayed(simulator) == BOOKED


@pytest.mark.parametrize("fault", ["too_many_requests", "throttled_403", "throttled_400"])
def test_throttled_file_goes_again_under_a_new_name_and_nothing_is_asked(
    cast: Cast, simulator: RunningSimulator, fault: str
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault(fault, path="/bank/payments", times=1)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [phases_of(case) for case in cases] == [["send", "send"]] * 3
    assert len({file.reference for file in files()}) == 2
    assert replayed(simulator) == BOOKED


def test_half_of_a_file_is_booked_and_the_rest_goes_back_to_work(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault("half_accept", path="/bank/payments", times=1)
    work_until_done()

    assert sorted(states_of(cases)) == [State.IN_PROGRESS, State.RESOLVED, State.RESOLVED]
    assert len(replayed(simulator)) == 2

    approve_each([case for case in cases if case.state == State.IN_PROGRESS], cast=cast)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert sorted(replayed(simulator)) == sorted(BOOKED)


def test_file_that_was_booked_already_is_compared_payment_by_payment(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault("already_done_4xx", path="/bank/payments", times=1)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [phases_of(case) for case in cases] == [["send", "compare"]] * 3
    assert (len(files()), replayed(simulator)) == (1, BOOKED)


def test_refusal_of_the_whole_file_refuses_each_and_the_same_version_goes_under_a_new_name(
    cast: Cast, simulator: RunningSimulator
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    simulator.fault("refuse", path="/bank/payments", times=1)
    work_until_done()
    assert states_of(cases) == [State.IN_PROGRESS] * 3
    assert replayed(simulator) == []

    approve_each(cases, cast=cast)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert len({file.reference for file in files()}) == 2
    assert replayed(simulator) == BOOKED


def test_payment_alone_goes_as_it_was_approved_and_refused_under_a_new_name(cast: Cast, simulator: RunningSimulator):
    lead_to_the_bank(cast, simulator, collect_seconds=0)
    case, *_ = rejected_payments(cast, simulator)
    version = give_account(case, OPEN_IBANS[0], cast=cast)
    approve_each([case], cast=cast)
    simulator.fault("refuse", path="/bank/payments", times=1)
    work_until_done()
    assert (states_of([case]), files()) == ([State.IN_PROGRESS], [])
    assert simulator.attempts[-1]["sha256"] == version.sha256

    approve_each([case], cast=cast)
    work_until_done()

    [file] = files()
    assert states_of([case]) == [State.RESOLVED]
    assert file.reference != value_of(bytes(version.content), "MsgId")
    assert schema_faults(bytes(file.body)) == []
    assert replayed(simulator) == BOOKED[:1]


def test_payment_alone_whose_answer_was_lost_is_asked_about_and_goes_again_under_its_own_name(
    cast: Cast, simulator: RunningSimulator
):
    lead_to_the_bank(cast, simulator, collect_seconds=0)
    case, *_ = rejected_payments(cast, simulator)
    correct_and_approve([case], cast=cast)
    simulator.fault("timeout_before", path="/bank/payments", times=1, seconds=0)
    work_until_done()

    assert (states_of([case]), phases_of(case)) == ([State.RESOLVED], ["send", "probe", "send"])
    assert (files(), replayed(simulator)) == ([], BOOKED[:1])
    assert len({attempt["sha256"] for attempt in simulator.attempts[1:]}) == 1


def test_one_row_without_an_approval_drops_only_itself(cast: Cast, simulator: RunningSimulator):
    *cases, unapproved = rejected_payments(cast, simulator, Wire("INV-9", iban=IBANS[1]))
    correct_and_approve(cases, cast=cast)
    version = PayloadVersion.objects.get(case=unapproved, number=1)
    with transaction.atomic():
        forged = outbox.enqueue(
            connection=cast.connection,
            operation=Delivery.Operation.SUBMIT,
            object_type="payment",
            business_key=unapproved.business_key,
            content=bytes(version.content),
            media_type="application/xml",
            subject=unapproved.subject,
            probe_first=False,
            at=MORNING,
        )
    work_until_done()

    forged.refresh_from_db()
    assert (forged.state, forged.sends) == ("cancelled", 0)
    assert states_of([*cases, unapproved]) == [State.RESOLVED] * 3 + [State.NEW]
    assert held_in(bytes(files()[0].body))["payments"] == sorted(REJECTED)
    assert replayed(simulator) == BOOKED


def test_first_waits_for_others_and_those_that_come_later_join_it(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    assert replays.carry_out_due() == 0  # half a minute is not over

    Delivery.objects.filter(pk=submission(cases[0]).pk).update(due_at=Now() - timedelta(seconds=1))
    replays.carry_out_due()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [file.number for file in files()] == [3]


def test_payments_of_different_days_travel_in_different_files(cast: Cast, simulator: RunningSimulator):
    change_bank(simulator, accounts={IBANS[1]: "closed"})
    later = Wire("INV-9", cents=900_00, iban=IBANS[1], on=wires(1)[0].on + timedelta(days=1))
    another = Wire("INV-10", cents=500_00, iban=IBANS[1])
    cases = hand_in(cast, simulator, payment_file(*wires(1), another, later))
    correct_and_approve(cases, cast=cast)
    work_until_done()

    assert states_of(cases) == [State.RESOLVED] * 3
    assert [held_in(bytes(file.body))["payments"] for file in files()] == [["INV-1", "INV-10"]]
    assert [payment for payment, _, _ in replayed(simulator)] == ["INV-1", "INV-10", "INV-9"]


def test_what_the_bank_has_and_does_not_decide_on_is_never_sent_again_by_a_machine(
    cast: Cast, simulator: RunningSimulator
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    change_bank(simulator, pending=True)
    for _ in range(4):
        time_passes()
        replays.carry_out_due()
    assert states_of(cases) == [State.OUTCOME_UNKNOWN] * 3
    assert [phases_of(case) for case in cases] == [["send", "probe", "probe", "probe"]] * 3

    Delivery.objects.filter(state__in=Delivery.LIVE).update(due_at=Now(), last_sent_at=Now() - timedelta(days=1))
    replays.carry_out_due()

    assert states_of(cases) == [State.IN_PROGRESS] * 3
    assert "did not decide within a day" in submission(cases[0]).detail
    assert (len(files()), replayed(simulator)) == (1, [])


def test_page_and_history_say_in_which_file_it_was_sent(
    cast: Cast, simulator: RunningSimulator, signed_in: Callable[[User], Client]
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    work_until_done()

    [file] = files()
    address = reverse("exceptions:case", args=[cases[0].ref])
    page = signed_in(cast.clerk).get(address, {"tab": "attempts"}).content.decode()
    assert f"in file {file.reference} with 2 others" in " ".join(page.split())
