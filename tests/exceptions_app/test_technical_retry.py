"""What came in refused for a technical reason alone is sent again by a named policy, and nothing else ever is."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions import technical_retry, work
from exceptions_app.models import Decision, ExceptionCase, Proposal
from exceptions_app.states import State
from integrations.models import RetryPolicy
from tests.arrivals import configure, handed_in, mend, receive, take_in
from tests.cast import Cast
from tests.exceptions_app.delivering import actions_of, assert_resolved_once, submission, time_passes, work_until_done
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]

LONG_AGO = now() - timedelta(days=1)


def opt_in(cast: Cast, **terms: Any) -> RetryPolicy:
    given = {"tries": 2, "first_seconds": 60} | terms
    return configure(RetryPolicy(connection=cast.connection, about=RetryPolicy.About.REFUSED, **given))


def arrive(cast: Cast, number: str = "INV-1001", *, status: int = 503) -> ExceptionCase:
    """An invoice that its source could not bring to the authority."""
    message = handed_in(
        f"message-{number}", payload=valid_invoice(number, seed=1), refusal=b"", refusal_status=status,
    )  # fmt: skip
    receive(cast.connection, message, at=LONG_AGO)
    assert intake.read_messages(limit=1, at=LONG_AGO)
    return ExceptionCase.objects.open().get(document_number=number)


def test_technical_refusal_is_sent_again_by_the_policy_of_its_connection(cast: Cast, simulator: RunningSimulator):
    opt_in(cast)
    case = arrive(cast)
    assert (case.category, technical_retry.due()) == ("transport", [case.pk])
    assert technical_retry.retry(case.pk, at=now())
    case.refresh_from_db()
    decision = Decision.objects.get()
    proposal = decision.proposal
    accounts = (proposal.proposer.get_username(), decision.decider.get_username())
    assert (accounts, proposal.policy_version) == (("machine:retry", "machine:policy"), "retry/1")
    assert (case.state, submission(case).content_sha256) == (State.REPLAYING, case.versions.get().sha256)
    work_until_done()
    assert_resolved_once(case, simulator)
    assert actions_of(case).count("case.retried") == 1


def test_nothing_is_sent_again_where_nobody_opted_in(cast: Cast):
    case = arrive(cast)
    assert technical_retry.due() == []
    assert not technical_retry.retry(case.pk, at=now())


def test_business_refusal_is_never_sent_again(cast: Cast):
    opt_in(cast)
    case = take_in(cast, "INV-1001")
    assert technical_retry.due() == []
    assert not technical_retry.retry(case.pk, at=now())


def test_what_a_person_touched_is_left_to_them(cast: Cast):
    opt_in(cast)
    case = arrive(cast)
    work.claim(case.pk, by=cast.clerk, at=LONG_AGO)
    assert technical_retry.due() == []
    assert not technical_retry.retry(case.pk, at=now())
    mend(case, by=cast.clerk, date="2026-10-30")
    work.assign(case.pk, to=None, by=cast.clerk, at=LONG_AGO)
    assert not technical_retry.retry(case.pk, at=now())
    assert not Proposal.objects.exists()


def test_wrong_sign_in_is_not_mended_by_waiting(cast: Cast):
    opt_in(cast)
    case = arrive(cast, status=401)
    assert (case.sub, technical_retry.due()) == ("auth", [])
    assert not technical_retry.retry(case.pk, at=now())


def test_policy_waits_and_ends(cast: Cast, simulator: RunningSimulator):
    opt_in(cast, tries=1)
    configure(RetryPolicy(connection=cast.connection, about=RetryPolicy.About.SENDING, tries=1))
    case = arrive(cast)
    simulator.fault("down")
    assert technical_retry.retry(case.pk, at=LONG_AGO)
    replays.carry_out_due()
    case.refresh_from_db()
    assert (case.state, submission(case).state) == (State.IN_PROGRESS, "cancelled")
    time_passes()
    assert not technical_retry.retry(case.pk, at=now())
    policy = RetryPolicy.objects.get(about=RetryPolicy.About.REFUSED)
    configure(policy, tries=5)
    assert not technical_retry.retry(case.pk, at=now())  # it came back a moment ago
    configure(policy, tries=5, first_seconds=1, most_seconds=1, jitter_percent=0)
    time.sleep(1.1)
    assert technical_retry.retry(case.pk, at=now())


def test_deadline_ends_the_policy(cast: Cast):
    opt_in(cast, deadline_seconds=3600)
    case = arrive(cast)
    assert not technical_retry.retry(case.pk, at=now())
