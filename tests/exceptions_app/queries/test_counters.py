"""Counts: capped, permission-scoped, many in one query."""

from decimal import Decimal

import pytest

from exceptions_app.models import ExceptionCase
from exceptions_app.queries import counters
from exceptions_app.queries.counters import (
    Count,
    count_each,
    navigation_counts,
    open_by_queue,
    totals_of,
    waiting_for_decision_of,
)
from exceptions_app.queries.reach import reach_of
from tests import factories


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
