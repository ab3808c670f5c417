"""The comparisons with the targets' own lists by HTTP, and what they found."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from audit import log
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.comparisons import open_alarms
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Outcome
from integrations import outbox
from integrations.models import Comparison, ComparisonFinding, Connection, Delivery
from tests.arrivals import approve_open
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.factories import make_case
from workbench.models import User

pytestmark = pytest.mark.django_db

As = Callable[[User], Api]


def compared(connection: Connection, **changes: Any) -> Comparison:
    """As a run that has ended left it."""
    given = {
        "state": "complete", "since": MORNING - timedelta(days=1), "until": MORNING, "listed": 7, "matched": 5,
        "not_ours": 1, "left_out": 1, "compare_from": MORNING, "began_at": MORNING, "finished_at": MORNING,
    } | changes  # fmt: skip
    with transaction.atomic():
        log.record(
            "comparison.made", subject=f"connection:{connection.slug}", scope=f"connection/{connection.slug}",
            actor="machine:worker", actor_kind="machine", at=MORNING, summary="Compared.", data={},
        )  # fmt: skip
        return Comparison.objects.create(connection=connection, **given)


def found(case: ExceptionCase, run: Comparison, kind: str = "twice_there") -> ComparisonFinding:
    with transaction.atomic():
        delivery = outbox.enqueue(
            connection=case.connection, operation=Delivery.Operation.SUBMIT, object_type=case.object_type,
            business_key=case.business_key, content=b"x", media_type="application/xml", subject=case.subject,
            probe_first=False, at=MORNING,
        )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state="confirmed", reference="CLR-1", sends=1)
    return ComparisonFinding.objects.create(
        comparison=run, kind=kind, delivery=delivery, references=["CLR-1", "CLR-2"], told=[],
        fingerprint=f"{case.pk}", subject=case.subject,
    )  # fmt: skip


def test_comparisons_newest_first_with_what_each_found(
    cast: Cast, api: As, conforms: Callable[[Any, str], None], django_assert_num_queries: Any
):
    first = compared(cast.connection)
    for number in ("INV-1", "INV-2"):
        found(make_case(cast, number=number), first)
    failed = compared(cast.connection, state="failed", listed=0, detail="The list ended in the middle.")
    reader = api(cast.controller)
    document = reader.get("effects/comparisons").json()
    conforms(document, "ComparisonPage")
    newest, oldest = document["results"]
    assert (newest["number"], newest["complete"], newest["detail"]) == (failed.pk, False, failed.detail)
    assert (oldest["connection"], oldest["listed"], oldest["matched"], oldest["new_findings"]) == (
        cast.connection.slug, 7, 5, 2,
    )  # fmt: skip
    assert reader.get("effects/comparisons", {"connection": "elsewhere"}).json()["results"] == []
    page = reader.get("effects/comparisons", {"page_size": "1"}).json()
    assert [run["number"] for run in page["results"]] == [failed.pk]
    rest = reader.get(page["next"].split("/api/v1/")[1]).json()
    assert ([run["number"] for run in rest["results"]], rest["next"]) == ([first.pk], None)


def test_findings_newest_first_with_their_exceptions(cast: Cast, api: As, conforms: Callable[[Any, str], None]):
    run = compared(cast.connection)
    alarming = make_case(cast, number="INV-1", sub="twice_there")
    closed = make_case(cast, number="INV-2")
    propose_dismissal(closed.pk, outcome=Outcome.WRITTEN_OFF, by=cast.clerk, at=MORNING, because="Not worth it.")
    approve_open(closed, by=cast.controller)
    older, newer = found(alarming, run), found(closed, run, "missing_there")
    reader = api(cast.controller)
    document = reader.get("effects/findings").json()
    conforms(document, "FindingPage")
    assert [finding["number"] for finding in document["results"]] == [newer.pk, older.pk]
    told = document["results"][1]
    assert (told["kind"], told["comparison"], told["is_open"], told["ref"]) == (
        "twice_there", run.pk, True, alarming.ref,
    )  # fmt: skip
    assert (told["references"], told["reference"]) == (["CLR-1", "CLR-2"], "CLR-1")
    assert (told["document_number"], told["url"].split("/api/v1/")[1]) == ("INV-1", f"exceptions/{alarming.ref}")

    def shown(**query: str) -> list[int]:
        return [finding["number"] for finding in reader.get("effects/findings", query).json()["results"]]

    assert (shown(open="true"), shown(open="false")) == ([older.pk], [newer.pk])
    assert (shown(connection=cast.connection.slug), shown(connection="elsewhere")) == ([newer.pk, older.pk], [])


@pytest.mark.parametrize("number", [1, 6])
def test_lists_cost_the_same_for_any_number(cast: Cast, api: As, django_assert_num_queries: Any, number: int):
    for index in range(number):
        found(make_case(cast, number=f"INV-{index}"), compared(cast.connection))
    reader = api(cast.controller)
    for address, queries in (("effects/comparisons", 7), ("effects/findings", 5)):
        reader.get(address)
        with django_assert_num_queries(queries):
            assert len(reader.get(address).json()["results"]) == number


@pytest.mark.parametrize("query", [{"open": "maybe"}, {"whose": "mine"}, {"cursor": "x"}])
def test_what_cannot_be_understood_is_named(cast: Cast, api: As, query: dict[str, str]):
    response = api(cast.controller).get("effects/findings", query)
    assert kind_of(response)[0] == 400
    assert response.json()["errors"][0]["parameter"] == next(iter(query))


def test_who_may_not_see_the_exception_sees_no_finding(cast: Cast, api: As):
    found(make_case(cast, number="INV-1"), compared(cast.connection))
    assert api(cast.outsider).get("effects/findings").json()["results"] == []
    assert api(cast.outsider).get("effects/comparisons").json()["results"] == []


def test_disagreement_about_other_content_is_an_alarm_on_the_page(cast: Cast, signed_in: Callable[[User], Any]):
    case = make_case(cast, number="INV-1", sub="other_content_there")
    finding = found(case, compared(cast.connection), "other_content")
    assert [(alarm.finding, alarm.case) for alarm in open_alarms(reach_of(cast.controller))] == [(finding, case)]
    page = signed_in(cast.controller).get(reverse("exceptions:effects")).content.decode()
    assert "do not agree with what is known here" in page
