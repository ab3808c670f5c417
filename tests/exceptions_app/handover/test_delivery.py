"""From the front door to the ERP: delivered once, or held with the reason, and the source is told."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from audit.queries import timeline
from exceptions_app import handed_over
from exceptions_app.actions import intake_failures, work
from exceptions_app.actions.correct import correct
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.api.transaction_document import tag_of
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion, Transaction
from exceptions_app.states import Outcome, State
from exceptions_app.translation import translate
from integrations.connectors.erp import connector
from integrations.models import Connection, InboxMessage
from tests.arrivals import approve_open, configure, propose
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import (
    document,
    hand_in,
    now_of,
    read_all,
    run,
    submissions,
    told,
)
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator
from workbench.models import User

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = json.loads(journal())["lines"]
WITHOUT_COST_CENTER = journal(lines=[{**ROWS[0], "cost_center": None}, ROWS[1]])
UNBALANCED = journal(lines=[{**ROWS[0], "debit": "1200.00"}, ROWS[1]])


def reference_of(simulator: RunningSimulator) -> str:
    [effect] = simulator.effects
    return f"{effect['document']}/{effect['fiscal_year']}"


def change(case: ExceptionCase, changes: dict[str, str], *, by: User) -> PayloadVersion:
    content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
    steps = connector.operations_for(content, changes)
    return correct(case.pk, by=by, at=MORNING, because="As on the contract.", base_version=1, operations=steps)


def actions_of(transaction: Transaction) -> list[str]:
    return [event.action for event in timeline(transaction.subject)]


def test_invoice_is_delivered_and_the_source_is_told_its_reference(erp: Connection, simulator: RunningSimulator):
    [transaction] = run(erp, document())

    reference = reference_of(simulator)
    assert (transaction.state, transaction.reference) == ("delivered", reference)
    assert (transaction.object_type, transaction.business_key) == ("customer_invoice", "NL01|4900001234")
    assert (transaction.document_number, transaction.amount, transaction.currency) == (
        "4900001234",
        Decimal(1210),
        "EUR",
    )
    [delivery] = submissions(transaction)
    assert (delivery.state, delivery.content_sha256) == ("confirmed", transaction.content_sha256)
    assert told(simulator) == [("transaction.delivered", transaction.ref, reference)]
    assert actions_of(transaction) == [
        "transaction.handed_over", "transaction.sent_on", "transaction.delivered", "transaction.source_told",
    ]  # fmt: skip
    assert ExceptionCase.objects.count() == 0


def test_policy_that_sends_it_is_named_with_what_it_saw(erp: Connection):
    [transaction] = hand_in(erp, document())
    read_all()

    [sent_on] = [event for event in timeline(transaction.subject) if event.action == "transaction.sent_on"]
    assert sent_on.data["policy"] == "handover/1"
    assert sent_on.data["handed_over_by"] == "crm"
    assert sent_on.data["content_sha256"] == now_of(transaction).content_sha256
    assert sent_on.data["check"].startswith("workbench's own check")


def test_document_that_fails_the_check_is_held_before_anything_is_sent(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    [transaction] = run(erp, document(payload=UNBALANCED))

    case = transaction.case
    assert case is not None
    assert (transaction.state, transaction.reference) == ("held", "")
    assert transaction.problem.startswith("The journal does not balance")
    assert (case.kind, case.category, case.sub) == ("failed", "schema", "before_posting")
    assert [error["code"] for error in Occurrence.objects.get(case=case).errors] == ["BALANCE"]
    assert (submissions(transaction), simulator.attempts) == ([], [])
    assert told(simulator) == [("transaction.held", transaction.ref, "")]

    change(case, {"/lines/0/debit": "1250.00"}, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    after = now_of(transaction)
    assert (after.state, after.reference, after.case_id) == ("delivered", reference_of(simulator), case.pk)
    assert told(simulator)[0] == ("transaction.delivered", transaction.ref, after.reference)


def test_refusal_by_the_erp_is_corrected_approved_and_booked_once(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    [transaction] = run(erp, document(payload=WITHOUT_COST_CENTER))
    case = transaction.case
    assert case is not None
    assert (transaction.state, case.state, simulator.effects) == ("held", State.NEW, [])
    version = PayloadVersion.objects.get(case=case)
    assert (bytes(version.content), version.number) == (WITHOUT_COST_CENTER, 1)
    assert "The account needs a cost centre" in case.problem

    change(case, {"/lines/0/cost_center": "CC-1000"}, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    after, case = now_of(transaction), ExceptionCase.objects.get(pk=case.pk)
    assert (case.state, case.outcome) == (State.RESOLVED, "replayed")
    assert (after.state, after.reference) == ("delivered", reference_of(simulator))
    assert [delivery.state for delivery in submissions(transaction)] == ["refused"]


def test_problem_is_what_the_target_says_after_a_refused_replay(cast: Cast, erp: Connection):
    rows = [{**ROWS[0], "debit": "1200.00", "cost_center": None}, ROWS[1]]
    [transaction] = run(erp, document(payload=journal(lines=rows)))
    case, tag = transaction.case, tag_of(transaction)
    assert case is not None
    assert transaction.present_problem == transaction.problem

    change(case, {"/lines/0/debit": "1250.00"}, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    after = now_of(transaction)
    assert after.state == "held"
    assert after.problem.startswith("The journal does not balance")
    assert after.present_problem.startswith("Refused by the target: The account needs a cost centre")
    assert (tag_of(now_of(transaction)), tag_of(after) == tag) == (tag_of(after), False)


def test_exception_that_is_dismissed_closes_the_transaction_with_its_outcome(cast: Cast, erp: Connection):
    [transaction] = run(erp, document(payload=UNBALANCED))
    case = transaction.case
    assert case is not None
    propose_dismissal(case.pk, outcome=Outcome.FIXED_AT_SOURCE, by=cast.clerk, at=MORNING, because="Sent anew.")
    approve_open(case, by=cast.controller)
    assert (now_of(transaction).state, now_of(transaction).outcome) == ("closed", "fixed_at_source")

    work.reopen(case.pk, by=cast.clerk, at=MORNING, because="It was not.")
    assert (now_of(transaction).state, now_of(transaction).outcome) == ("held", "")


def test_time_out_after_booking_is_asked_about_and_delivered_with_one_effect(
    erp: Connection, simulator: RunningSimulator
):
    simulator.change_erp(honour_keys=False)
    simulator.fault("timeout_after", path="/erp/postings", times=1, seconds=0)
    [transaction] = run(erp, document())

    assert (transaction.state, transaction.reference) == ("delivered", reference_of(simulator))
    assert "transaction.outcome_unknown" in actions_of(transaction)
    assert [attempt.phase for attempt in submissions(transaction)[0].attempts.order_by("pk")] == ["send", "probe"]


def test_same_document_under_another_identifier_returns_what_became_of_the_first(
    erp: Connection, simulator: RunningSimulator
):
    first, second = run(erp, document("crm-1"), document("crm-2"))

    assert (first.state, second.state, second.duplicate_of_id) == ("delivered", "duplicate", first.pk)
    assert len(simulator.effects) == 1
    assert submissions(second) == []
    [third] = run(erp, document("crm-3"))
    assert (third.state, third.duplicate_of_id) == ("duplicate", first.pk)
    assert ("transaction.duplicate", third.ref, first.reference) in told(simulator)


def test_same_number_with_other_content_is_an_exception_and_sends_nothing(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    first, second = run(
        erp, document("crm-1"), document("crm-2", customer_invoice(customer_name="Van Loon Logistics N.V."))
    )

    case = second.case
    assert case is not None
    assert (first.state, second.state, len(simulator.effects)) == ("delivered", "held", 1)
    assert (case.category, case.sub, case.kind) == ("duplicate", "other_content", "failed")
    assert case.problem.startswith(f"{first.ref} was handed over before under the same number with other content")
    outcome = Outcome.LINKED_DUPLICATE
    propose_dismissal(case.pk, outcome=outcome, by=cast.clerk, at=MORNING, because="One customer, one name.")
    approve_open(case, by=cast.controller)
    assert (now_of(second).state, now_of(second).outcome) == ("closed", "linked_duplicate")


def test_document_that_somebody_works_on_is_not_sent_behind_their_back(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    [first] = run(erp, document("crm-1", UNBALANCED))
    [second] = run(erp, document("crm-2", journal()))

    assert (second.state, second.case_id) == ("held", first.case_id)
    assert simulator.effects == []
    assert first.case is not None
    change(first.case, {"/lines/0/debit": "1250.00"}, by=cast.clerk)
    propose(first.case, by=cast.clerk)
    approve_open(first.case, by=cast.controller)
    work_until_done()
    [effect] = simulator.effects
    assert now_of(first).state == "delivered"
    assert effect["posting"] == json.loads(journal())


def test_two_contents_held_together_end_each_as_it_should(cast: Cast, erp: Connection, simulator: RunningSimulator):
    [first] = run(erp, document("crm-1", UNBALANCED))
    [second] = run(erp, document("crm-2", journal(text="Another text")))
    assert first.case is not None
    change(first.case, {"/lines/0/debit": "1250.00"}, by=cast.clerk)
    propose(first.case, by=cast.clerk)
    approve_open(first.case, by=cast.controller)
    work_until_done()

    reference = reference_of(simulator)
    assert (now_of(first).state, now_of(first).reference) == ("delivered", reference)
    after = now_of(second)
    assert (after.state, after.outcome, after.reference) == ("closed", "linked_duplicate", reference)


def test_payload_that_is_no_document_is_held_until_it_is_set_aside(cast: Cast, erp: Connection):
    [transaction] = run(erp, document(payload=b"<Invoice/>"))

    message = InboxMessage.objects.get()
    assert (message.status, transaction.state, transaction.case) == ("failed", "held", None)
    assert transaction.problem == message.problem != ""
    intake_failures.set_aside(message.pk, by=cast.clerk, at=MORNING, because="A test of the source.")
    assert (now_of(transaction).state, now_of(transaction).outcome) == ("closed", "set_aside")


def test_what_found_no_route_may_become_another_document_once_its_field_map_is_mended(
    cast: Cast, erp: Connection, monkeypatch: pytest.MonkeyPatch
):
    configure(cast.route, category="tax")
    [transaction] = run(erp, document(payload=UNBALANCED))
    message = InboxMessage.objects.get()
    assert (message.status, transaction.state, transaction.content_sha256) == ("failed", "held", "")

    monkeypatch.setattr(handed_over, "translate", lambda message: replace(translate(message), payload=journal()))
    intake_failures.read_again(message.pk, by=cast.clerk, at=MORNING)
    read_all()
    work_until_done()
    assert now_of(transaction).state == "delivered"


def test_identifier_that_came_with_other_content_is_set_aside_and_is_no_transaction(cast: Cast, erp: Connection):
    [first] = run(erp, document("crm-1"), document("crm-1", journal()))

    message = InboxMessage.objects.get(conflict=True)
    intake_failures.set_aside(message.pk, by=cast.clerk, at=MORNING, because="A slip of the source.")
    message.refresh_from_db()
    assert (message.status, Transaction.objects.get()) == ("set_aside", first)


def test_refusal_without_a_route_is_an_intake_failure_that_goes_on_when_read_again(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    configure(cast.route, category="tax")
    [transaction] = run(erp, document(payload=WITHOUT_COST_CENTER))
    assert (transaction.state, transaction.case) == ("held", None)
    assert transaction.problem.startswith("No route leads this")
    [message] = InboxMessage.objects.all()
    assert message.status == "failed"

    configure(cast.route, category="")
    intake_failures.read_again(message.pk, by=cast.clerk, at=MORNING)
    read_all()
    work_until_done()
    after = now_of(transaction)
    assert (after.state, after.case is not None, len(submissions(after))) == ("held", True, 2)
