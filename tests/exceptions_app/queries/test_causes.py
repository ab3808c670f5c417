"""Causes as lists and pages count them: within the reader's reach, at a cost that does not grow."""

from datetime import timedelta
from decimal import Decimal

import pytest

from exceptions_app.cause_states import CauseState
from exceptions_app.queries.cause_page import (
    find_cause,
    nearest_rank,
    people_who_may_own,
    resolution_of,
    values_lacking,
    values_used,
)
from exceptions_app.queries.causes import cause_page
from exceptions_app.queries.keyset import InvalidCursor
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Outcome
from tests import factories
from tests.cast import MORNING, Cast

NOW = MORNING + timedelta(days=3)
DAY = timedelta(days=1)


def lines(cast: Cast, who: str = "clerk", **asked):
    return cause_page(reach_of(getattr(cast, who)), at=NOW, **asked).rows


def told(line):
    return (line.cause.code, line.open, dict(line.money), line.arrived, line.closed, line.state)


def test_exceptions_of_one_cause_are_one_line(cast):
    for amount, currency, days in (("10", "EUR", 0), ("5.5", "EUR", 1), ("7", "PLN", 2)):
        factories.make_case(cast, amount=amount, currency=currency, opened_at=MORNING + days * DAY)
    factories.make_case(cast, amount=None, cause=factories.make_cause("BR-05", "The currency is missing."))
    factories.dismiss(factories.make_case(cast, amount="99"), cast.clerk, approver=cast.controller)
    first, second = lines(cast)
    assert told(first) == (
        "BR-03", 3, {"EUR": Decimal("15.5"), "PLN": Decimal(7)}, 4, 1, CauseState.NEW
    )  # fmt: skip
    assert (first.first_seen_at, first.last_seen_at) == (MORNING, MORNING + 2 * DAY)
    assert first.course.arrived[-4:] == [2, 1, 1, 0]
    assert told(second) == ("BR-05", 1, {}, 1, 0, CauseState.NEW)


def test_numbers_are_of_what_the_reader_sees(cast):
    factories.make_case(cast, opened_at=MORNING + DAY)
    factories.make_case(cast, entity=cast.germany, amount="99")
    factories.make_case(cast, queue=cast.holds, cause=factories.make_cause("HOLD", "Held."))
    (only,) = lines(cast, "local_clerk")
    assert told(only) == ("BR-03", 1, {"EUR": Decimal("1250")}, 1, 0, CauseState.NEW)
    assert (only.first_seen_at, only.last_seen_at) == (MORNING + DAY, MORNING + DAY)
    assert lines(cast, "outsider") == []
    held = factories.make_cause("HOLD", "Held.")
    assert find_cause(reach_of(cast.local_clerk), held.ref, at=NOW) is None
    assert find_cause(reach_of(cast.clerk), held.ref, at=NOW).open == 1


def test_what_is_long_closed_is_not_listed_and_is_still_found(cast):
    case = factories.make_case(cast)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    reach = reach_of(cast.clerk)
    assert [line.state for line in cause_page(reach, at=MORNING).rows] == [CauseState.RESOLVED]
    later = MORNING + timedelta(days=60)
    assert cause_page(reach, at=later).rows == []
    assert told(find_cause(reach, case.cause.ref, at=later)) == ("BR-03", 0, {}, 0, 0, CauseState.RESOLVED)


@pytest.mark.parametrize("number", [1, 3, 50])
def test_list_takes_four_queries_whatever_its_length(cast, django_assert_num_queries, number):
    for count in range(number):
        factories.make_case(cast, cause=factories.make_cause(f"BR-{count}", f"Rule {count}."))
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(4):
        assert len(cause_page(reach, at=NOW).rows) == number


def test_list_is_searched_filtered_ordered_and_paged(cast):
    for code, number in (("BR-1", 1), ("BR-2", 3), ("BR-3", 2), ("PEPPOL-1", 1)):
        for _ in range(number):
            factories.make_case(cast, cause=factories.make_cause(code, f"Rule {code}."))
    reach = reach_of(cast.clerk)

    def codes(**asked):
        page = cause_page(reach, at=NOW, size=2, **asked)
        return [line.cause.code for line in page.rows], page.previous_cursor, page.next_cursor

    first, before, after = codes()
    assert (first, before) == (["BR-2", "BR-3"], "")
    second, back, end = codes(cursor=after)
    assert (second, end) == (["BR-1", "PEPPOL-1"], "")
    assert codes(cursor=back, direction="before")[0] == first
    assert codes(search="peppol rule")[0] == ["PEPPOL-1"]
    assert codes(state="resolved")[0] == []
    with pytest.raises(InvalidCursor):
        codes(cursor="0")


def test_resolution_tells_times_that_occurred(cast):
    reach = reach_of(cast.clerk)
    cause = factories.make_cause()
    assert resolution_of(cause, reach) is None
    for hours in range(1, 11):
        case = factories.make_case(cast)
        factories.dismiss(case, cast.clerk, approver=cast.controller, at=MORNING + timedelta(hours=hours))
    found = resolution_of(cause, reach)
    assert (found.number, found.median, found.ninetieth) == (10, timedelta(hours=5), timedelta(hours=9))
    assert (found.outcomes, found.is_all) == ([(Outcome.FIXED_AT_SOURCE, 10)], True)
    assert nearest_rank([timedelta(1)], 90) == timedelta(1)


def test_values_used_count_each_exception_once_by_what_was_sent(cast):
    change = {"term": "BT-2", "label": "Issue date", "group": "", "path": "/Invoice/IssueDate"}
    cases = [factories.make_case(cast) for _ in range(3)]
    factories.make_version(cases[0], cast.clerk, changes=[{**change, "was": "", "will_be": "2026-11-30"}])
    for case, was in zip(cases[:2], ("2026-11-30", ""), strict=True):
        changes = [{**change, "was": was, "will_be": "2026-11-02"}]
        factories.resolve(case, cast.clerk, approver=cast.controller, changes=changes)
    factories.make_version(cases[2], cast.clerk, changes=[{**change, "was": "", "will_be": "2026-12-24"}])
    (used,) = values_used(factories.make_cause(), reach_of(cast.clerk))
    assert (used.label, used.was, used.will_be, used.number, used.example) == (
        "Issue date", "", "2026-11-02", 2, cases[1].ref
    )  # fmt: skip


def test_nobody_is_offered_a_mapping_who_may_not_propose_one(cast):
    factories.make_case(cast)
    assert values_lacking(factories.make_cause(), reach_of(cast.support)) == []


def test_owner_is_chosen_among_people_of_the_same_queues(cast):
    names = {person.get_username() for person in people_who_may_own(reach_of(cast.local_clerk))}
    assert names == {"clara", "cem", "lars", "conrad", "sara", "anna"}
    assert list(people_who_may_own(reach_of(cast.outsider))) == []
