"""A wrong booking is answered by a reversing entry, linked to it, with the same two people."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app import replays
from exceptions_app.actions import unknown
from exceptions_app.actions.compare import compare
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import propose_release
from exceptions_app.actions.reverse import propose_reversal, report_wrong_booking
from exceptions_app.actions.unknown import Proof
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.reversals import reversible_references
from exceptions_app.queries.unknown import unknown_outcomes
from exceptions_app.states import State
from integrations.models import Connection, Delivery, Effect
from tests.arrivals import approve_open, configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import document, erp, run
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator

__all__ = ["erp"]
pytestmark = pytest.mark.django_db(transaction=True)


def find_second_effect(erp: Connection, simulator: RunningSimulator, payload: bytes = b"") -> ExceptionCase:
    simulator.fault("book_twice", path="/erp/postings", times=1)
    run(erp, document("crm-1", payload))
    compare(erp.pk, at=now(), since=now() - timedelta(hours=1), until=now() + timedelta(minutes=1))
    return ExceptionCase.objects.get()


def propose(case: ExceptionCase, cast: Cast, *, reference: str) -> Proposal:
    return propose_reversal(case.pk, reference=reference, by=cast.clerk, at=MORNING, because="Booked twice.")


@pytest.mark.parametrize("payload", [journal(), customer_invoice()], ids=["journal", "customer invoice"])
def test_second_effect_is_reversed_by_a_linked_entry(
    cast: Cast, erp: Connection, simulator: RunningSimulator, payload: bytes
):
    case = find_second_effect(erp, simulator, payload)
    delivery = Delivery.objects.get(operation="submit")
    second, first = reversible_references(case)
    assert (first, second != first) == (delivery.reference, True)
    proposal = propose(case, cast, reference=second)
    assert proposal.version.author == cast.clerk
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    reversal = Delivery.objects.get(operation="reverse")
    entry = simulator.effects[-1]
    assert (case.state, case.outcome) == (State.RESOLVED, "reversed")
    assert (reversal.state, reversal.reference) == ("confirmed", f"{entry['document']}/{entry['fiscal_year']}")
    assert entry["posting"]["reverses"] == second
    assert delivery.amount is not None
    assert reversal.amount == -delivery.amount
    assert reversal.business_key == f"NL01|REV-{second.replace('/', '-')}"
    assert len(simulator.effects) == 3
    again = compare(erp.pk, at=now(), since=now() - timedelta(hours=1), until=now() + timedelta(minutes=1))
    assert (again.listed, again.findings.count()) == (3, 0)


def of_unknown_outcome(cast: Cast, erp: Connection, simulator: RunningSimulator) -> ExceptionCase:
    """Its reversing entry was sent to a target that never answered and cannot be asked."""
    case = find_second_effect(erp, simulator)
    configure(erp, target_kind="neither")
    propose(case, cast, reference=reversible_references(case)[0])
    approve_open(case, by=cast.controller)
    simulator.fault("timeout_before", path="/erp/postings", times=1, seconds=0)
    replays.carry_out_due()
    case.refresh_from_db()
    assert (case.state, Delivery.objects.get(operation="reverse").state) == (State.OUTCOME_UNKNOWN, "unknown")
    return case


def test_reversal_of_unknown_outcome_is_listed_and_ends_by_what_two_people_found(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in
):
    case = of_unknown_outcome(cast, erp, simulator)
    [listed] = unknown_outcomes(cast.clerk, reach_of(cast.clerk))
    assert (listed.case, listed.delivery.operation) == (case, "reverse")
    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])).content.decode()
    assert reverse("exceptions:confirm_booked", args=[case.ref]) in page
    unknown.state_booked(case.pk, proof=Proof("5100/2026"), by=cast.clerk, at=MORNING, because="Seen in the ledger.")
    approve_open(case, by=cast.controller)
    case.refresh_from_db()
    assert (case.state, case.outcome, case.reference) == (State.RESOLVED, "reversed", "5100/2026")
    assert Delivery.objects.get(operation="reverse").state == "confirmed"


def test_reversal_that_two_people_did_not_find_is_proposed_anew_and_booked_once(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    case = of_unknown_outcome(cast, erp, simulator)
    unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because="Not in the ledger.")
    approve_open(case, by=cast.controller)
    case.refresh_from_db()
    assert (case.state, Delivery.objects.get(operation="reverse").state) == (State.IN_PROGRESS, "cancelled")
    wrong = reversible_references(case)[0]
    propose(case, cast, reference=wrong)
    approve_open(case, by=cast.controller)
    replays.carry_out_due()
    case.refresh_from_db()
    assert (case.state, case.outcome) == (State.RESOLVED, "reversed")
    assert [effect["posting"].get("reverses") for effect in simulator.effects].count(wrong) == 1


def test_reversing_entry_is_the_same_with_the_other_sign(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = find_second_effect(erp, simulator, journal())
    proposal = propose(case, cast, reference=reversible_references(case)[0])
    entry = json.loads(bytes(proposal.version.content))
    was = json.loads(journal())
    assert [(line.get("debit"), line.get("credit")) for line in entry["lines"]] == [
        (line.get("credit"), line.get("debit")) for line in was["lines"]
    ]
    assert entry["posting_date"] == MORNING.date().isoformat()
    assert [line["account"] for line in entry["lines"]] == [line["account"] for line in was["lines"]]


def test_who_proposed_the_reversal_does_not_decide_on_it(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = find_second_effect(erp, simulator)
    propose(case, cast, reference=reversible_references(case)[0])
    with pytest.raises(NotPermitted):
        approve_open(case, by=cast.clerk)
    assert not Delivery.objects.filter(operation="reverse").exists()


def test_only_a_document_that_was_seen_is_reversed(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = find_second_effect(erp, simulator)
    with pytest.raises(Invalid, match="is none of"):
        propose(case, cast, reference="9999999999/2026")
    assert not Proposal.objects.exists()


def test_same_document_is_not_reversed_twice(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = find_second_effect(erp, simulator)
    second = reversible_references(case)[0]
    propose(case, cast, reference=second)
    approve_open(case, by=cast.controller)
    work_until_done()
    follower = report_wrong_booking(case.pk, by=cast.clerk, at=MORNING, because="Wrong customer.")
    propose(follower, cast, reference=second)
    approve_open(follower, by=cast.controller)
    work_until_done()
    follower.refresh_from_db()
    states = Delivery.objects.filter(operation="reverse").order_by("pk").values_list("state", flat=True)
    assert (follower.outcome, list(states)) == ("reversed", ["confirmed", "already_there"])
    assert len([effect for effect in simulator.effects if effect["posting"].get("reverses") == second]) == 1


def test_wrong_booking_of_a_resolved_exception_is_reported_and_reversed_on_its_follower(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in
):
    rows = json.loads(journal())["lines"]
    run(erp, document("crm-1", journal(lines=[{**rows[0], "cost_center": "CC-8000"}, rows[1]])))
    case = ExceptionCase.objects.get()  # held for its warning
    propose_release(case.pk, by=cast.clerk, at=MORNING, because="Right as it is.")
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()
    assert case.state == State.RESOLVED

    browser = signed_in(cast.clerk)
    page = browser.get(reverse("exceptions:case", args=[case.ref])).content.decode()
    address = reverse("exceptions:report_wrong_booking", args=[case.ref])
    assert address in page
    answer = browser.post(address, {"because": "Wrong cost centre.", "revision": case.revision})
    assert answer.status_code == 302
    follower = ExceptionCase.objects.open().get()
    assert (follower.follows, follower.sub, follower.state) == (case, "wrong_booking", State.NEW)
    case.refresh_from_db()
    assert case.state == State.RESOLVED

    page = browser.get(reverse("exceptions:case", args=[follower.ref])).content.decode()
    assert reverse("exceptions:reverse", args=[follower.ref]) in page
    assert case.reference in page
    sent = {"reference": case.reference, "because": "Wrong cost centre.", "revision": follower.revision}
    assert browser.post(reverse("exceptions:reverse", args=[follower.ref]), sent).status_code == 302
    approve_open(follower, by=cast.controller)
    work_until_done()
    follower.refresh_from_db()
    assert (follower.state, follower.outcome) == (State.RESOLVED, "reversed")
    assert Effect.objects.filter(delivery__operation="reverse").count() == 1


def test_target_without_reversing_entries_says_so(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = find_second_effect(erp, simulator)
    configure(cast.connection, connector="en16931")
    with pytest.raises(NotPermitted, match="takes no reversing entry"):
        propose(case, cast, reference="x")
