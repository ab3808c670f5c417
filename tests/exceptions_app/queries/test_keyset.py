"""Cursors: every row once, whatever the order and whatever changes meanwhile; a forged one is refused."""

import base64
import json
from datetime import timedelta

import pytest

from exceptions_app.models import ExceptionCase
from exceptions_app.queries.keyset import InvalidCursor, page
from exceptions_app.queries.queue_page import SORTS, sortable
from tests import factories
from tests.cast import MORNING


@pytest.fixture
def cases(cast):
    """Seven exceptions with many equal values, some without amount."""
    for number in range(7):
        factories.make_case(
            cast, number=str(number), priority=1 + number % 2, amount=(None, "10.10", "-5")[number % 3],
            opened_at=MORNING + timedelta(hours=number // 3),
        )  # fmt: skip
    return sortable(ExceptionCase.objects.all())


@pytest.mark.parametrize("name", SORTS)
def test_walk_meets_every_row_once_and_back(cases, name):
    sort = SORTS[name]
    whole = [case.pk for case in cases.order_by(*sort.order())]
    forth: list[int] = []
    back: list[int] = []
    cursor = ""
    while True:
        found = page(cases, sort, size=2, cursor=cursor)
        forth += [case.pk for case in found.rows]
        if not found.next_cursor:
            break
        cursor = found.next_cursor
    cursor = found.previous_cursor
    while cursor:
        found = page(cases, sort, size=2, cursor=cursor, direction="before")
        back = [case.pk for case in found.rows] + back
        cursor = found.previous_cursor
    assert forth == whole
    assert back == whole[: len(back)] == forth[: len(back)]
    assert len(back) == 6


def test_cursor_of_a_row_that_left_the_list_still_leads_on(cases):
    sort = SORTS["newest"]
    first = page(cases, sort, size=2)
    shorter = cases.exclude(pk=first.rows[-1].pk)
    assert [case.pk for case in page(shorter, sort, size=2, cursor=first.next_cursor).rows] == [
        case.pk for case in cases.order_by(*sort.order())[2:4]
    ]


def test_empty_list_has_no_neighbours(cases):
    found = page(cases.none(), SORTS["urgency"], size=2)
    assert (list(found.rows), found.next_cursor, found.previous_cursor) == ([], "", "")


def encoded(place):
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


@pytest.mark.parametrize(
    "place",
    [
        ["newest", MORNING.isoformat(), 1],
        ["urgency", 1, MORNING.isoformat()],
        ["urgency", 1, "2026-11-02T09:00:00", 1],
        ["urgency", 1, "yesterday", 1],
        ["urgency", "1", MORNING.isoformat(), 1],
        ["urgency", True, MORNING.isoformat(), 1],
        ["urgency", 2**70, MORNING.isoformat(), 1],
        ["urgency", 1, None, 1],
        ["urgency", 1, {}, []],
        {"urgency": 1},
        "urgency",
        None,
        [],
    ],
)
def test_place_that_does_not_fit_is_refused(cases, place):
    with pytest.raises(InvalidCursor):
        page(cases, SORTS["urgency"], size=2, cursor=encoded(place))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e999", "ten", 10, ""])
def test_amount_that_is_none_is_refused(cases, amount):
    with pytest.raises(InvalidCursor):
        page(cases, SORTS["largest"], size=2, cursor=encoded(["largest", amount, 1]))


@pytest.mark.parametrize("cursor", ["!", "ä", "AAAA", "=" * 8, "A" * 501, "W1tbW1tb"])
def test_cursor_that_cannot_be_read_is_refused(cases, cursor):
    with pytest.raises(InvalidCursor):
        page(cases, SORTS["urgency"], size=2, cursor=cursor)
