"""Scores where they are kept: at arrival, with each version, when a day begins, and what the lists and the API show."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app.actions import scoring
from exceptions_app.actions.exchange_rates import Imported, import_rates
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ExceptionCase, ExchangeRate
from exceptions_app.models.case import NEVER_SCORED
from exceptions_app.rate_csv import RatesNotUnderstood, read_rates
from exceptions_app.tasks import sweep
from integrations.models import Connection
from tests import factories
from tests.arrivals import configure, mend, take_in
from tests.cast import MORNING, PASSWORD, Cast
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all
from tests.integrations.connectors.erp.postings import journal

pytestmark = pytest.mark.django_db

HISTORY = b"Date,USD,JPY,ISK,\n2026-11-02,1.25,160.5,N/A,\n2026-10-30,1.20,159,N/A,\n\n"
DAILY = b"Date, USD, JPY, \n2 November 2026, 1.25, 160.5, \n"
TODAY = MORNING.date()


def of(case: ExceptionCase) -> tuple[int, dict[str, int], date]:
    case.refresh_from_db()
    return case.score, {found["about"]: found["points"] for found in case.score_reasons}, case.scored_on


def import_file(cast: Cast, content: bytes = HISTORY) -> Imported:
    return import_rates(content, by=cast.administrator, at=MORNING, because="Monthly.")


def test_arrival_is_scored_with_what_its_document_says(cast: Cast):
    case = take_in(cast)
    score, reasons, day = of(case)
    assert (score, day) == (sum(reasons.values()), TODAY)
    assert case.amount is not None
    assert case.payable_on is not None
    assert ("money" in reasons) == (case.amount >= 1000)
    assert ("due" in reasons) == (case.payable_on <= TODAY + timedelta(days=7))


def test_statutory_clock_comes_with_the_route(cast: Cast):
    configure(cast.route, statutory_clock="ksef")
    case = take_in(cast)
    assert case.statutory_clock == "ksef"
    assert of(case)[1]["statutory"] == 40


def test_new_version_is_scored_anew(cast: Cast):
    case = take_in(cast)
    ExceptionCase.objects.filter(pk=case.pk).update(score=0, score_reasons=[], scored_on=NEVER_SCORED)
    mend(case, by=cast.clerk)
    assert of(case)[2] == TODAY
    assert of(case)[0] == sum(of(case)[1].values())


def test_day_that_begins_scores_once_and_leaves_no_event_and_no_revision(cast: Cast):
    case = factories.make_case(cast, amount="20000", payable_on=TODAY + timedelta(days=1))
    events = len(timeline(case.subject))
    assert scoring.score_due(at=MORNING) == 1
    assert of(case) == (28, {"due": 16, "money": 12}, TODAY)
    assert scoring.score_due(at=MORNING + timedelta(hours=5)) == 0
    assert scoring.score_due(at=MORNING + timedelta(days=1)) == 1
    assert of(case)[:2] == (33, {"due": 20, "money": 12, "age": 1})
    assert (case.revision, len(timeline(case.subject))) == (1, events)


def test_day_begins_where_the_legal_entity_is(cast: Cast):
    configure(cast.germany, time_zone="Pacific/Auckland")
    configure(cast.netherlands, time_zone="Europe/Amsterdam")
    here, there = (factories.make_case(cast, entity=entity) for entity in (cast.netherlands, cast.germany))
    noon = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)  # already the 4th in Auckland
    assert scoring.score_due(at=noon) == 2
    assert (of(here)[2], of(there)[2]) == (date(2026, 11, 3), date(2026, 11, 4))


def test_closed_exception_keeps_its_score(cast: Cast):
    case = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    assert scoring.score_due(at=MORNING) == 0
    assert of(case)[2] == NEVER_SCORED


def test_sweep_scores(cast: Cast):
    case = factories.make_case(cast)
    sweep()
    assert of(case)[2] >= TODAY


def test_scoring_of_many_takes_the_same_queries_as_of_one(cast: Cast):
    import_file(cast)
    counts = []
    for number in (1, 20):
        for _ in range(number):
            factories.make_case(cast, currency="USD")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert scoring.score_due(at=MORNING) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_database_lets_the_score_alone_change_without_an_event(cast: Cast):
    case = factories.make_case(cast)
    ExceptionCase.objects.filter(pk=case.pk).update(score=7)
    for change in ({"priority": 1}, {"score": 8, "priority": 1}, {"payable_on": TODAY}):
        with pytest.raises(IntegrityError, match="no audit event"), transaction.atomic():
            ExceptionCase.objects.filter(pk=case.pk).update(**change)
    assert of(case)[0] == 7


def test_rates_are_imported_once_with_an_event_and_score_anew(cast: Cast):
    dollars, euros = factories.make_case(cast, currency="USD", amount="12500"), factories.make_case(cast)
    scoring.score_due(at=MORNING)
    assert of(dollars)[1] == {"money": 0}
    assert import_file(cast) == Imported(new=4, known=0)
    assert ExchangeRate.objects.get(currency="USD", day=TODAY).rate == Decimal("1.25")
    [event] = timeline("exchange_rates:imported")
    assert (event.action, event.actor, event.data["rates"]) == ("exchange_rates.imported", "ada", 4)
    assert (of(dollars)[2], of(euros)[2]) == (NEVER_SCORED, TODAY)
    scoring.score_due(at=MORNING)
    assert of(dollars)[1] == {"money": 12}

    assert import_file(cast, DAILY) == Imported(new=0, known=2)
    assert len(timeline("exchange_rates:imported")) == 1


def test_old_rate_is_no_rate(cast: Cast):
    import_file(cast)
    case = factories.make_case(cast, currency="USD", amount="12500")
    scoring.score_due(at=MORNING + timedelta(days=6))
    assert of(case)[1]["money"] == 12
    scoring.score_due(at=MORNING + timedelta(days=7))
    assert of(case)[1]["money"] == 0


def test_file_with_another_rate_than_is_known_is_refused_whole(cast: Cast):
    import_file(cast)
    with pytest.raises(Invalid, match=r"USD on 2026-11-02 is 1.26 in the file and 1.25\d* here"):
        import_file(cast, b"Date,USD,CHF\n2026-11-02,1.26,0.93\n")
    assert ExchangeRate.objects.count() == 4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Line 1"),
        (b"Day,USD\n2026-11-02,1.25\n", "Line 1: the first column"),
        (b"Date,dollar\n2026-11-02,1.25\n", "Line 1, column 2: “dollar” is no currency"),
        (b"Date,USD,USD\n2026-11-02,1.25,1.25\n", "twice"),
        (b"Date,USD\n02/11/2026,1.25\n", "Line 2, column Date: “02/11/2026” is no day"),
        (b"Date,USD\n2026-02-30,1.25\n", "Line 2, column Date: “2026-02-30” is no day"),
        (b'Date,USD\n2026-11-02,"1,25"\n', "Line 2, column USD: “1,25” is no rate"),
        (b"Date,USD\n2026-11-02,0\n", "Line 2, column USD: “0” is no rate"),
        (b"Date,USD\n2026-11-02\n", "Line 2: it has 1 columns and line 1 has 2"),
        (b"Date,USD\n2026-11-02,N/A\n", "no rate in the file"),
        (b"\xff\xfe", "not text"),
        (b"Date,USD\n2026-11-02,1\r25\n", "Line 3, column Date: “25” is no day"),
        (b'Date,USD\n2026-11-02,"' + b"1" * 140_000, "Line 2 is no CSV: field larger than field limit"),
    ],
)
def test_file_that_is_no_file_of_rates_says_where(content: bytes, problem: str):
    with pytest.raises(RatesNotUnderstood, match=problem):
        read_rates(content)


def test_command_imports_for_a_named_administrator(cast: Cast, tmp_path: Any, capsys: Any):
    file = tmp_path / "eurofxref.csv"
    file.write_bytes(DAILY)
    call_command("import_exchange_rates", str(file), by="ada", because="Daily.")
    assert "2 rates imported; 0 were known already." in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("import_exchange_rates", str(file), by="clara", because="Daily.")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_exchange_rates", str(tmp_path / "none.csv"), by="ada", because="Daily.")


def test_list_is_ordered_by_score_and_says_the_heaviest_reason(cast: Cast, client: Client):
    small = factories.make_case(cast, amount="10")
    large = factories.make_case(cast, amount="2000000")
    scoring.score_due(at=MORNING)
    client.login(username=cast.clerk.username, password=PASSWORD)
    answer = client.get("/queue/?sort=score")
    assert [row.case for row in answer.context["rows"]] == [large, small]
    assert '<span class="cell-note">amount</span>' in answer.content.decode()


def test_page_says_each_reason_with_its_points(cast: Cast, client: Client):
    case = factories.make_case(cast, amount="20000", payable_on=TODAY)
    scoring.score_due(at=MORNING)
    client.login(username=cast.clerk.username, password=PASSWORD)
    words = " ".join(client.get(f"/exceptions/{case.ref}/").content.decode().split())
    assert "20 points" in words
    assert "It is due on 2 November 2026: the last day." in words
    assert "20,000.00 EUR are at stake." in words


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_it_counts(erp: Connection):
    [waits] = hand_in(erp, document("payment-1", after=["supplier-1"]))
    read_all()
    [held] = hand_in(erp, document("supplier-1", journal(posting_date="soon")))
    read_all()
    case = ExceptionCase.objects.get()
    assert (now_of(waits).state, now_of(held).case) == ("waiting", case)
    assert of(case)[1]["waiting"] == 4  # it waited already when this one came
    ExceptionCase.objects.filter(pk=case.pk).update(scored_on=NEVER_SCORED, score_reasons=[])
    scoring.score_due(at=MORNING)
    assert of(case)[1]["waiting"] == 4
