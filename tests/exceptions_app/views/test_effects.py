"""The report on effects: what was decided in a period, by standing, with the proof of each."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.effects import Standing
from exceptions_app.states import Verb
from integrations import outbox
from integrations.effects import note_listed
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt, Effect
from tests.cast import MORNING, Cast, grant
from tests.factories import make_case

pytestmark = pytest.mark.django_db

PAGE, EXPORT = reverse("exceptions:effects"), reverse("exceptions:effects_export")
PERIOD = {"since": "2026-11-01", "until": "2026-11-30"}


def settle(case: ExceptionCase, state: str, reference: str = "", *, outcome: str = "", sends: int = 1) -> Delivery:
    """Its delivery as if a worker had brought it there."""
    delivery = Delivery.objects.get(subject=case.subject, operation="submit")
    if outcome:
        attempt = DeliveryAttempt.objects.create(
            delivery=delivery, phase="send", epoch=0, started_at=MORNING, content_sha256=delivery.content_sha256
        )
        answer = DeliveryAnswer.objects.create(attempt=attempt, outcome=outcome, finished_at=MORNING)
        Effect.objects.create(
            connection=delivery.connection, object_type=delivery.object_type, business_key=delivery.business_key,
            reference=reference, is_ours=outcome != "different", content_sha256=delivery.content_sha256,
            seen_by="confirmed", delivery=delivery, answer=answer, observed_at=MORNING,
        )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state=state, reference=reference, sends=sends)
    delivery.refresh_from_db()
    return delivery


def sent(cast: Cast, number: str) -> ExceptionCase:
    """An exception with a delivery of its document."""
    case = make_case(cast, number=number)
    with transaction.atomic():
        outbox.enqueue(
            connection=case.connection, operation=Delivery.Operation.SUBMIT, object_type=case.object_type,
            business_key=case.business_key, content=number.encode(), media_type="application/xml",
            subject=case.subject, probe_first=False, amount=case.amount, currency=case.currency, at=MORNING,
        )  # fmt: skip
    return case


@pytest.fixture
def decided(cast: Cast) -> dict[str, ExceptionCase]:
    names = ("proven", "twice", "conflict", "unknown", "queued", "refused")
    cases = {name: sent(cast, f"INV-{number}") for number, name in enumerate(names, start=2001)}
    settle(cases["proven"], "confirmed", "CLR-1", outcome="confirmed")
    twice = settle(cases["twice"], "confirmed", "CLR-2", outcome="confirmed")
    note_listed(twice, reference="CLR-3", is_ours=True, told={}, at=MORNING)
    settle(cases["conflict"], "conflict", "CLR-4", outcome="different")
    settle(cases["unknown"], "unknown")
    settle(cases["refused"], "refused")
    return cases


def text_of(response):
    return " ".join(response.content.decode().split())


def test_each_decision_stands_in_one_place_and_the_totals_are_all_of_them(cast, signed_in, decided):
    page = signed_in(cast.controller).get(PAGE, PERIOD)
    counts = {row.total.standing: row.total.count for row in page.context["totals"]}
    assert counts == dict.fromkeys(Standing, 0) | {
        Standing.PROVEN: 1, Standing.SECOND_EFFECT: 1, Standing.CONFLICT: 1, Standing.UNPROVEN: 1,
        Standing.NOT_SENT: 1, Standing.REFUSED: 1,
    }  # fmt: skip
    assert page.context["number"] == 6 == len(page.context["rows"])
    proven = next(row.total for row in page.context["totals"] if row.total.standing is Standing.PROVEN)
    case = decided["proven"]
    assert (proven.money, proven.unpriced) == ({case.currency: case.amount}, 0)
    assert isinstance(case.amount, Decimal)
    text = text_of(page)
    assert "CLR-2" in text
    assert "and CLR-3" in text
    assert f"{reverse('exceptions:case', args=[case.ref])}?tab=attempts#case-history" in text


def test_report_is_narrowed_by_standing_connection_and_period(cast, signed_in, decided):
    browser = signed_in(cast.controller)

    def shown(**query):
        return [row.ref for row, _ in browser.get(PAGE, PERIOD | query).context["rows"]]

    assert shown(standing="second_effect") == [decided["twice"].ref]
    assert shown(standing="unproven") == [decided["unknown"].ref]
    assert len(shown(connection="tax-authority")) == 6
    assert shown(until="2026-11-01") == []
    assert browser.get(PAGE, PERIOD | {"standing": "lost"}).status_code == 422
    assert "The period ends before it begins." in text_of(
        browser.get(PAGE, {"since": "2026-11-02", "until": "2026-11-01"})
    )
    assert "None stands so" in text_of(browser.get(PAGE, PERIOD | {"standing": "not_booked"}))
    fragment = browser.get(PAGE, PERIOD, headers={"HX-Request": "true"})
    assert "<html" not in fragment.content.decode()


def test_own_effect_with_the_same_reference_is_no_second_one(cast, signed_in, decided):
    proven = Delivery.objects.get(subject=decided["proven"].subject, operation="submit")
    note_listed(proven, reference="CLR-1", is_ours=True, told={}, at=MORNING)
    rows = signed_in(cast.controller).get(PAGE, PERIOD | {"standing": "proven"}).context["rows"]
    assert [row.ref for row, _ in rows] == [decided["proven"].ref]


def test_document_of_others_under_the_name_is_no_second_effect(cast, signed_in, decided):
    proven = Delivery.objects.get(subject=decided["proven"].subject, operation="submit")
    note_listed(proven, reference="CLR-9", is_ours=False, told={}, at=MORNING)
    rows = signed_in(cast.controller).get(PAGE, PERIOD | {"standing": "proven"}).context["rows"]
    assert [row.ref for row, _ in rows] == [decided["proven"].ref]


def test_nobody_sees_more_than_their_exceptions(cast, signed_in, decided):
    grant(cast.outsider, [Verb.SEE], cast.holds, cast.germany)
    assert signed_in(cast.outsider).get(PAGE, PERIOD).context["number"] == 0
    assert signed_in(cast.administrator).get(PAGE, PERIOD).status_code == 403
    assert signed_in(cast.administrator).get(EXPORT, PERIOD).status_code == 403


def test_export_has_a_row_for_each_and_leaves_its_event(cast, signed_in, decided):
    response = signed_in(cast.auditor).get(EXPORT, PERIOD)
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert response["Content-Disposition"] == 'attachment; filename="effects-2026-11-01-to-2026-11-30.csv"'
    assert [row["exception_or_transaction"] for row in rows] == [case.ref for case in decided.values()]
    twice = rows[1]
    assert (twice["standing"], twice["target_document"]) == ("second_effect", "CLR-2")
    assert twice["further_target_documents"] == "CLR-3"
    assert Decimal(rows[0]["amount"]) == decided["proven"].amount
    assert len(rows[0]["amount"].partition(".")[2]) == 2
    [event] = timeline("effects:report")
    assert event.data["totals"]["second_effect"] == 1


def test_without_a_period_it_is_the_last_thirty_days(cast, signed_in):
    page = signed_in(cast.controller).get(PAGE)
    form = page.context["form"]
    assert form.cleaned_data["until"] - form.cleaned_data["since"] == timedelta(days=30)
    assert form.period().until > now() > form.period().since
    assert "Nothing was decided in this period" in text_of(page)
