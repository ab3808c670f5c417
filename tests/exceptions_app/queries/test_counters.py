"""Counts: capped, permission-scoped, many in one query."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from exceptions_app.actions.delegations import delegate
from exceptions_app.models import ExceptionCase
from exceptions_app.queries import composed, counters
from exceptions_app.queries.composed import composed_once
from exceptions_app.queries.counters import (
    Count,
    count_each,
    navigation_counts,
    open_by_queue,
    totals_of,
    waiting_around,
    waiting_for_decision_of,
)
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from tests import factories
from tests.cast import grant, person
from workbench.models import User


@pytest.mark.parametrize(("value", "words"), [(0, "0"), (999, "999"), (1000, "1,000"), (1001, "1,000+")])
def test_count_says_no_more_than_it_knows(value, words):
    assert str(Count(value)) == words


def test_count_stops_at_the_cap(cast, monkeypatch):
    monkeypatch.setattr(counters, "CAP", 2)
    for _ in range(5):
        factories.make_case(cast)
    count = count_each(cast.clerk, {"all": ExceptionCase.objects.all()})["all"]
    assert (count.value, count.is_capped) == (3, True)


def test_several_counts_are_one_query(cast, django_assert_num_queries):
    factories.make_case(cast)
    with django_assert_num_queries(1):
        counts = count_each(
            cast.clerk, {"any": ExceptionCase.objects.all(), "closed": ExceptionCase.objects.filter(state="resolved")}
        )
    assert {name: count.value for name, count in counts.items()} == {"any": 1, "closed": 0}


def test_navigation_counts_are_one_query(cast, django_assert_num_queries):
    factories.claim(factories.make_case(cast), cast.clerk)
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(1):
        counts = navigation_counts(cast.clerk, reach)
    assert (counts.mine.value, counts.open.value, counts.to_decide.value) == (1, 1, 0)


def test_queues_are_those_granted(cast):
    factories.make_case(cast)
    factories.make_case(cast, queue=cast.holds)
    assert [(queue.slug, count.value) for queue, count in open_by_queue(cast.clerk, reach_of(cast.clerk))] == [
        ("e-invoicing", 1), ("policy-holds", 1)
    ]  # fmt: skip
    assert [
        (queue.slug, count.value) for queue, count in open_by_queue(cast.local_clerk, reach_of(cast.local_clerk))
    ] == [("e-invoicing", 1)]
    assert open_by_queue(cast.outsider, reach_of(cast.outsider)) == []


def test_totals_keep_every_digit_and_every_currency_apart(cast):
    for amount, currency in (("0.1", "EUR"), ("0.2", "EUR"), ("-0.000001", "EUR"), ("5", "JPY")):
        factories.make_case(cast, amount=amount, currency=currency)
    totals = totals_of(ExceptionCase.objects.all())
    assert totals.money == {"EUR": Decimal("0.299999"), "JPY": Decimal(5)}


def test_totals_take_credit_notes_off(cast):
    factories.make_case(cast, amount="1250.00")
    factories.make_case(cast, amount="-250.00", object_type="credit_note")
    assert totals_of(ExceptionCase.objects.all()).money == {"EUR": Decimal("1000.00")}


def test_totals_of_too_many_are_not_summed(cast, monkeypatch):
    monkeypatch.setattr(counters, "MOST_SUMMED", 2)
    for _ in range(3):
        factories.make_case(cast)
    assert totals_of(ExceptionCase.objects.all()).money is None


def test_own_and_foreign_proposals_do_not_wait_for_the_person(cast):
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    assert [
        waiting_for_decision_of(user, reach_of(user)).count()
        for user in (cast.controller, cast.clerk, cast.support, cast.outsider)
    ] == [1, 0, 0, 0]


def as_asked(asked: CaptureQueriesContext) -> str:
    """The one statement, with its values; in lists of numbers their order says nothing."""
    (statement,) = (query["sql"] for query in asked.captured_queries)
    return re.sub(r"IN \(([\d, ]+)\)", lambda found: f"IN ({sorted(found[1].split(', '))})", statement)


def test_counts_composed_once_ask_for_what_is_composed_for_each_person(cast):
    half = person("hal", "Hal Half")
    grant(half, Verb, cast.holds)
    givers = (cast.controller, person("cora", "Cora Controller", role="controller"))
    for taker, lent_by in (("tea", givers[:1]), ("tom", givers)):
        taking = person(taker, "A Taker", role="support")
        for giver in lent_by:
            today = now().date()
            delegate(taking, first_day=today, last_day=today, by=giver, at=now(), because="Holiday.")
    composed._composed.cache_clear()
    for user in [*User.objects.order_by("pk")] * 2:
        reach = reach_of(user)
        with CaptureQueriesContext(connection) as once:
            composed_once(user, reach, waiting_around, counters._capped)
        with CaptureQueriesContext(connection) as each:
            count_each(user, waiting_around(user, reach))
        assert as_asked(each) == f'{as_asked(once)} ORDER BY "workbench_user"."id" ASC LIMIT 1'
    kept = composed._composed.cache_info()
    assert kept.currsize < User.objects.count(), "Who is granted the same in as many places shares what was composed."
    assert kept.currsize >= 7, "Clerks, controllers, support, nobody, a queue alone, one giver and two."
