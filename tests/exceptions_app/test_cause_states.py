"""How a cause stands, by hand: every rule at its edge."""

from datetime import date, timedelta

import pytest

from exceptions_app.cause_states import PERIOD, RULES, CauseState, Course, state_of
from exceptions_app.views.sparklines import arrivals_chart

TODAY = date(2026, 11, 22)
LONG_AGO = TODAY - timedelta(days=300)


def course(arrived: dict[int, int] | None = None, closed: dict[int, int] | None = None) -> Course:
    """Numbers by how many days ago."""
    back = list(reversed(range(PERIOD)))
    return Course(
        last_day=TODAY,
        arrived=[(arrived or {}).get(days, 0) for days in back],
        closed=[(closed or {}).get(days, 0) for days in back],
    )


def test_open_is_reckoned_back_from_now():
    # Two were open; one came three days ago and another was closed yesterday.
    ends = course({3: 1}, {1: 1}).open_after(2)
    assert ends[-6:] == [2, 2, 3, 3, 2, 2]
    assert len(ends) == PERIOD


@pytest.mark.parametrize(
    ("found", "open_now", "first_seen", "state"),
    [
        (course({1: 9}), 0, LONG_AGO, CauseState.RESOLVED),
        (course({6: 1}), 1, TODAY - timedelta(days=6), CauseState.NEW),
        (course({7: 1}), 1, TODAY - timedelta(days=7), CauseState.ONGOING),
        # at rest from 11 to 5 days ago: seven days, of which six are too few
        (course({4: 1}, {11: 1}), 1, LONG_AGO, CauseState.REGRESSED),
        (course({4: 1}, {10: 1}), 1, LONG_AGO, CauseState.ONGOING),
        # one arrived and was closed on a day in between
        (course({3: 1, 7: 1}, {11: 1, 7: 1}), 1, LONG_AGO, CauseState.ONGOING),
        # at rest for all of the period but today
        (course({0: 1}), 1, LONG_AGO, CauseState.REGRESSED),
        (course({0: 5}), 6, LONG_AGO, CauseState.ESCALATING),
        (course({0: 4}), 5, LONG_AGO, CauseState.ONGOING),
        (course({0: 6, 7: 3}), 10, LONG_AGO, CauseState.ESCALATING),
        (course({0: 6, 7: 4}), 11, LONG_AGO, CauseState.ONGOING),
        (course(), 1, LONG_AGO, CauseState.ONGOING),
    ],
)
def test_state_is_that_of_the_first_rule_that_holds(found: Course, open_now: int, first_seen: date, state: CauseState):
    assert state_of(found, open_now=open_now, first_seen=first_seen) is state


def test_every_state_has_a_rule_in_words():
    assert set(RULES) == set(CauseState)


def test_chart_says_in_words_what_its_bars_show():
    chart = arrivals_chart([0, 4, 2], last_day=TODAY)
    assert [(bar.x, bar.y, bar.height, bar.is_some) for bar in chart.bars] == [
        (0, 23, 1, False), (5, 0, 24, True), (10, 12, 12, True)
    ]  # fmt: skip
    assert chart.words == "6 arrived in the last 3 days, 2 today; most on 21 Nov: 4."
    assert arrivals_chart([0, 0], last_day=TODAY).words == "None arrived in the last 2 days."
