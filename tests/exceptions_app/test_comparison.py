"""What is proven here against the target's own list, in both directions, with the real simulator."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app.actions import compare as comparisons
from exceptions_app.actions.compare import UnderWay, compare
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State
from integrations.comparing import CannotCompare
from integrations.models import Comparison, ComparisonFinding, Connection, Delivery, Effect
from tests.arrivals import configure, propose
from tests.cast import Cast
from tests.exceptions_app.handover.handing_over import document, erp, hand_in, read_all, run
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db(transaction=True)


def compared(connection: Connection, *, since: datetime | None = None) -> Comparison:
    """All that was booked until now; the clocks of test and simulator are the same."""
    at = now()
    return compare(connection.pk, at=at, since=since or at - timedelta(hours=1), until=at + timedelta(minutes=1))


def figures(comparison: Comparison) -> tuple[int, int, int, int]:
    return comparison.listed, comparison.matched, comparison.not_ours, comparison.left_out


def book_twice(connection: Connection, simulator: RunningSimulator) -> Delivery:
    simulator.fault("book_twice", path="/erp/postings", times=1)
    [transaction] = run(connection, document())
    return Delivery.objects.get(subject=transaction.subject, operation="submit")


def test_what_stands_there_once_as_it_was_sent_agrees(erp: Connection, simulator: RunningSimulator):
    run(erp, document("crm-1"), document("crm-2", journal()))
    simulator.post(
        "/erp/postings", customer_invoice(number="OTHERS-1"), Content_Type="application/json", Idempotency_Key="others"
    )
    comparison = compared(erp)
    assert (comparison.state, figures(comparison)) == ("complete", (3, 2, 1, 0))
    assert not comparison.findings.exists()
    assert not ExceptionCase.objects.exists()


def test_second_effect_is_an_alarm_an_exception_and_a_row_of_the_ledger(
    erp: Connection, simulator: RunningSimulator, cast: Cast
):
    delivery = book_twice(erp, simulator)
    comparison = compared(erp)
    [finding] = comparison.findings.all()
    booked = sorted(f"{effect['document']}/{effect['fiscal_year']}" for effect in simulator.effects)
    assert (finding.kind, finding.references, finding.delivery) == ("twice_there", booked, delivery)
    [case] = ExceptionCase.objects.all()
    assert (case.state, case.category, case.sub) == (State.NEW, "reconciliation_break", "twice_there")
    assert finding.subject == case.subject
    assert bytes(PayloadVersion.objects.get(case=case).content) == bytes(delivery.content.body)
    assert all(reference in case.problem for reference in booked)
    seen = Effect.objects.order_by("pk").values_list("reference", "seen_by", "is_ours")
    [second] = set(booked) - {delivery.reference}
    assert list(seen) == [(delivery.reference, "confirmed", True), (second, "comparison", True)]
    assert [event.action for event in timeline(f"connection:{erp.slug}")][-2:] == [
        "comparison.finished", "comparison.disagreement_found",
    ]  # fmt: skip
    with pytest.raises(NotPermitted, match="to send it again could only make it worse"):
        propose(case, by=cast.clerk)


def test_report_on_effects_shows_the_alarm_and_the_last_run(
    erp: Connection, simulator: RunningSimulator, cast: Cast, signed_in: Callable[[User], Client]
):
    book_twice(erp, simulator)
    comparison = compared(erp)
    page = signed_in(cast.controller).get(reverse("exceptions:effects"))
    case = ExceptionCase.objects.get()
    assert [alarm.case for alarm in page.context["alarms"]] == [case]
    assert page.context["runs"] == [comparison]
    assert case.ref in page.content.decode()


def test_same_disagreement_is_raised_once(erp: Connection, simulator: RunningSimulator):
    book_twice(erp, simulator)
    compared(erp)
    again = compared(erp)
    assert not again.findings.exists()
    assert (ExceptionCase.objects.count(), Effect.objects.count()) == (1, 2)


def test_second_effect_that_shows_after_the_first_was_compared_is_found(erp: Connection, simulator: RunningSimulator):
    [_transaction] = run(erp, document())
    compared(erp)
    between = now()
    simulator.change_erp(honour_keys=False)
    simulator.post("/erp/postings", customer_invoice(), Content_Type="application/json", Idempotency_Key="late")
    comparison = compared(erp, since=between)
    assert comparison.listed == 1
    [finding] = comparison.findings.all()
    assert (finding.kind, len(finding.references)) == ("twice_there", 2)


def test_what_is_proven_and_not_there_any_more_is_found(erp: Connection, simulator: RunningSimulator):
    [transaction] = run(erp, document())
    simulator.reset()
    [finding] = compared(erp).findings.all()
    case = ExceptionCase.objects.get()
    assert (finding.kind, finding.references) == ("missing_there", [])
    assert transaction.reference in case.problem


def test_what_was_proven_and_booked_outside_the_period_is_asked_for_by_name(
    erp: Connection, simulator: RunningSimulator
):
    simulator.post("/erp/postings", customer_invoice(), Content_Type="application/json", Idempotency_Key="before")
    between = now()
    simulator.change_erp(deduplicate_references=True)
    run(erp, document())
    comparison = compared(erp, since=between)
    assert (figures(comparison), comparison.findings.count()) == ((0, 1, 0, 0), 0)


def test_other_content_under_our_name_is_found(erp: Connection, simulator: RunningSimulator):
    run(erp, document())
    simulator.reset()
    simulator.post(
        "/erp/postings", customer_invoice(customer="C-1002"), Content_Type="application/json", Idempotency_Key="x"
    )
    [finding] = compared(erp).findings.all()
    assert finding.kind == "other_content"
    assert list(Effect.objects.filter(is_ours=False).values_list("seen_by", flat=True)) == ["comparison"]


def test_what_was_given_up_and_is_there_is_found(erp: Connection, simulator: RunningSimulator):
    simulator.fault("refuse", path="/erp/postings", times=1)
    run(erp, document())
    case = ExceptionCase.objects.get()
    simulator.post("/erp/postings", customer_invoice(), Content_Type="application/json", Idempotency_Key="late")
    [finding] = compared(erp).findings.all()
    case.refresh_from_db()
    assert (finding.kind, finding.subject) == ("not_confirmed_here", case.subject)
    assert (case.sub, case.state) == ("not_confirmed_here", State.NEW)


def test_what_is_under_way_is_left_to_the_next_run(erp: Connection, simulator: RunningSimulator):
    hand_in(erp, document())
    read_all()
    Delivery.objects.update(state="unknown", sends=1)
    simulator.post("/erp/postings", customer_invoice(), Content_Type="application/json", Idempotency_Key="it")
    comparison = compared(erp)
    assert figures(comparison) == (1, 0, 0, 1)
    assert comparison.compare_from < Delivery.objects.get().created_at
    assert not comparison.findings.exists()


def test_list_that_cannot_be_read_finds_nothing_and_says_why(erp: Connection, simulator: RunningSimulator):
    run(erp, document())
    simulator.fault("down", path="/erp/postings/booked", method="GET")
    comparison = compared(erp)
    assert (comparison.state, comparison.findings.count()) == ("failed", 0)
    assert "could not be read" in comparison.detail
    assert comparison.compare_from == comparison.since
    assert timeline(f"connection:{erp.slug}")[-1].action == "comparison.failed"


def test_target_without_a_connector_cannot_be_compared(cast: Cast):
    configure(cast.connection, connector="gone")
    with pytest.raises(CannotCompare):
        compare(cast.connection.pk, at=now())


def test_two_schedulers_compare_once(erp: Connection, simulator: RunningSimulator):
    other = database.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [comparisons._LOCKS, erp.pk])
        with pytest.raises(UnderWay):
            compared(erp)
    finally:
        other.close()
    assert compared(erp).state == "complete"


def test_connections_are_due_daily_and_sooner_after_a_failure(erp: Connection, simulator: RunningSimulator):
    assert comparisons.due(at=now()) == []  # nothing was ever sent
    run(erp, document())
    assert comparisons.due(at=now()) == [erp.pk]
    compared(erp)
    assert comparisons.due(at=now()) == []
    assert comparisons.due(at=now() + timedelta(days=1, minutes=1)) == [erp.pk]
    simulator.fault("down", path="/erp/postings/booked", method="GET")
    compared(erp)
    assert comparisons.due(at=now() + timedelta(hours=1, minutes=1)) == [erp.pk]


def test_next_run_begins_where_the_last_ended(erp: Connection, simulator: RunningSimulator):
    run(erp, document())
    first = compared(erp)
    second = compare(erp.pk, at=now() + timedelta(days=1))
    assert second.since == first.until - comparisons.OVERLAP
    assert first.since < second.since < first.until < second.until


def test_command_says_what_it_found(erp: Connection, simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]):
    book_twice(erp, simulator)
    since = (now() - timedelta(hours=1)).isoformat()
    call_command(
        "compare", "tax-authority", f"--since={since}", f"--until={(now() + timedelta(minutes=1)).isoformat()}"
    )
    told = capsys.readouterr().out
    [finding] = ComparisonFinding.objects.all()
    assert "tax-authority: listed=2 matched=0 not_ours=0 left_out=0 new_findings=1" in told
    assert f"{finding.subject.removeprefix('case:')}: The target booked this document more than once." in told
