"""A target that books under one name what it had confirmed before: it holds both, and not other content."""

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reversals import reversible_references
from exceptions_app.states import State
from integrations import outbox
from integrations.connectors.erp import connector
from integrations.effects import booked_again, note_listed
from integrations.handed_in import HandedIn
from integrations.models import Connection, Delivery
from tests.arrivals import approve_open, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import actions_of, submission, work_until_done
from tests.exceptions_app.handover.handing_over import document, run
from tests.exceptions_app.test_conflicts import erp, post, text_of
from tests.exceptions_app.test_erp_replays import COST_CENTER, WITHOUT_COST_CENTER, take_in
from tests.integrations.connectors.erp.postings import journal
from tests.simulator_process import RunningSimulator
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db(transaction=True)


def send(case: ExceptionCase, cast: Cast, cost_center: str = "CC-1000") -> ExceptionCase:
    steps = connector.operations_for(WITHOUT_COST_CENTER, {COST_CENTER: cost_center})
    correct(case.pk, by=cast.clerk, at=MORNING, because="As on the contract.", base_version=1, operations=steps)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()
    return case


def confirmed_before(connection: Connection, content: bytes, *, reference: str) -> None:
    """Booked there once, as far as we know for another exception."""
    with transaction.atomic():
        delivery = outbox.enqueue(
            connection=connection, operation=Delivery.Operation.SUBMIT, object_type="journal",
            business_key=connector.business_key(content), content=content, media_type="application/json",
            subject="case:EX-1", probe_first=False, at=MORNING,
        )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state="confirmed", reference=reference, sends=1)
    delivery.refresh_from_db()
    note_listed(delivery, reference=reference, is_ours=True, told={}, at=MORNING)


def send_again(
    cast: Cast, erp: Connection, simulator: RunningSimulator, cost_center: str
) -> tuple[ExceptionCase, list[str]]:
    """Replayed and booked; it came in again, and the target, which forgot that it has it, confirmed it again."""
    first = send(take_in(cast, simulator, WITHOUT_COST_CENTER), cast)
    simulator.reset()
    simulator.change_erp(deduplicate_references=True)
    post(simulator, journal(reference="ANOTHER"))
    refusal = simulator.post("/erp/postings", WITHOUT_COST_CENTER, Content_Type="application/json", Idempotency_Key="k")
    receive(
        erp,
        HandedIn(
            "message-2",
            WITHOUT_COST_CENTER,
            payload_media_type="application/json",
            refusal=refusal.content,
            refusal_media_type="application/json",
            refusal_status=refusal.status_code,
        ),
    )
    intake.read_messages(limit=1, at=MORNING)
    second = send(ExceptionCase.objects.exclude(pk=first.pk).get(), cast, cost_center)
    return second, [first.reference, submission(second).reference]


def test_second_booking_names_both_documents_and_is_not_sent_again(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: Callable[[User], Client]
):
    case, booked = send_again(cast, erp, simulator, "CC-2000")
    assert len(set(booked)) == 2
    assert (case.state, submission(case).state) == (State.IN_PROGRESS, "conflict")
    assert (case.category, case.sub) == ("reconciliation_break", "twice_there")
    assert booked_again(submission(case)) == booked
    said = f"The target booked this document more than once: {booked[0]} and {booked[1]}."
    assert case.problem.startswith(said)
    assert Proposal.objects.get(case=case).closed_because.startswith(said)
    assert "case.conflict_found" in actions_of(case)

    text = text_of(signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])))
    assert "The target holds this document more than once" in text
    assert all(reference in text for reference in booked)
    assert "other content" not in text
    with pytest.raises(NotPermitted, match="The target has this document already"):
        propose(case, by=cast.clerk)
    assert reversible_references(case) == booked[::-1]


def test_same_bytes_confirmed_as_the_same_document_are_no_second_booking(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    case, booked = send_again(cast, erp, simulator, "CC-1000")
    assert booked[0] == booked[1]
    assert (case.state, case.outcome, submission(case).state) == (State.RESOLVED, "already_there", "already_there")


def test_conflict_of_contents_is_no_second_booking(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)
    post(simulator, journal(text="Of somebody else"))
    send(case, cast)
    assert (submission(case).state, booked_again(submission(case))) == ("conflict", [])
    assert case.sub != "twice_there"
    assert Proposal.objects.get(case=case).closed_because == "The target has this document with other content."


def test_second_booking_of_what_was_handed_over_is_held_as_such(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    confirmed_before(erp, journal(), reference="1000/2025")
    [handed_over] = run(erp, document("crm-1", journal(text="Again")))
    case = handed_over.case
    assert case is not None
    [sent] = Delivery.objects.filter(state="conflict")
    assert (case.category, case.sub) == ("reconciliation_break", "twice_there")
    assert f"1000/2025 and {sent.reference}" in case.problem
