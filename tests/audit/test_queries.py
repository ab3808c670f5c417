from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from audit.queries import Cursor, EventFilter, LogEntry, events, matching, timeline

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERYTHING = EventFilter(scopes=None)


def numbers(entries):
    return [int(entry.subject[-6:]) for entry in entries]


@pytest.mark.django_db
def test_timeline_is_of_one_subject_oldest_first(write, django_assert_num_queries):
    subject = "case:EX-000104"
    write(3, subject=subject, action="case.approved", at=NOON)
    write(1, subject=subject, action="case.claimed", at=NOON - timedelta(hours=2))
    write(2, subject="case:EX-000105")
    write(4, subject=subject, action="case.resolved", at=NOON)
    with django_assert_num_queries(1):
        entries = timeline(subject)
    assert [entry.action for entry in entries] == ["case.claimed", "case.approved", "case.resolved"]
    assert [entry.action for entry in timeline(subject, limit=2)] == ["case.approved", "case.resolved"]
    assert timeline("case:EX-999999") == []


@pytest.mark.django_db(transaction=True)
def test_entry_holds_what_was_recorded_and_its_sealed_number(write, seal):
    event = write(1, because="Checked", data={"total": Decimal("1.50")}, correlation_id="req-1")
    expected = LogEntry(
        id=event.pk,
        event_id=event.event_id,
        at=event.at,
        action="case.approved",
        actor="controller@example.test",
        actor_kind="person",
        subject="case:EX-000001",
        scope="NL01/tax-compliance",
        summary="Approved correction 1",
        because="Checked",
        correlation_id="req-1",
        data={"total": "1.50"},
        sequence=None,
    )
    assert timeline(event.subject) == [expected]
    seal(limit=10, at=NOON)
    assert timeline(event.subject)[0].sequence == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"since": NOON + timedelta(seconds=2)}, [4, 3, 2]),
        ({"until": NOON + timedelta(seconds=2)}, [1]),
        ({"since": NOON + timedelta(seconds=2), "until": NOON + timedelta(seconds=3)}, [2]),
        ({"actor": "clerk@example.test"}, [3]),
        ({"action": "case.resolved"}, [4]),
        ({"action": "delivery."}, [2]),
        ({"action": "case"}, []),
        ({"subject": "case:EX-000001"}, [1]),
        ({"subjects": ["case:EX-000003", "case:EX-000001", "case:EX-9"]}, [3, 1]),
        ({"subjects": ["case:EX-9"]}, []),
        ({"scopes": ["NL01/tax-compliance"]}, [4, 3, 2]),
        ({"scopes": ["NL01/tax-compliance", "DE01/treasury"]}, [4, 3, 2, 1]),
        ({"scopes": ["NL01"]}, []),
        ({"scopes": []}, []),
        ({"scopes": ["NL01/tax-compliance"], "actor": "controller@example.test", "action": "case."}, [4]),
    ],
)
def test_filter_lets_through_what_it_says(write, filters, expected):
    write(1, scope="DE01/treasury")
    write(2, action="delivery.confirmed")
    write(3, actor="clerk@example.test")
    write(4, action="case.resolved")
    assert numbers(events(EventFilter(**({"scopes": None} | filters))).entries) == expected


@pytest.mark.django_db
def test_pages_show_every_event_once_also_at_equal_times(write, django_assert_num_queries):
    for number in range(1, 8):
        write(number, at=NOON + timedelta(seconds=number // 4))
    seen, cursor, pages = [], None, 0
    while True:
        with django_assert_num_queries(1):
            page = events(EVERYTHING, after=cursor, limit=3)
        seen += numbers(page.entries)
        pages += 1
        if page.next is None:
            break
        cursor = Cursor.parse(str(page.next))
    assert (seen, pages) == ([7, 6, 5, 4, 3, 2, 1], 3)


@pytest.mark.django_db
def test_event_written_meanwhile_does_not_shift_the_next_page(write):
    for number in range(1, 5):
        write(number)
    first = events(EVERYTHING, limit=2)
    write(9)
    assert numbers(first.entries) + numbers(events(EVERYTHING, after=first.next, limit=2).entries) == [4, 3, 2, 1]


@pytest.mark.django_db
def test_last_page_that_is_exactly_full_has_no_next(write):
    write(1)
    write(2)
    assert events(EVERYTHING, limit=2).next is None


@pytest.mark.django_db
@pytest.mark.parametrize(("limit", "shown"), [(0, 1), (-5, 1), (10_000, 3)])
def test_limit_is_kept_within_bounds(write, limit, shown):
    for number in range(1, 4):
        write(number)
    assert len(events(EVERYTHING, limit=limit).entries) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "2026-03-02T12:00:00.000000Z",
        "2026-03-02_1",
        "2026-13-02T12:00:00.000000Z_1",
        "x_1Z",
        "2026-03-02T12:00:00Z_-1",
        "2026-03-02T12:00:00Z_٣",
        "2026-03-02T12:00:00Z_" + "9" * 30,
    ],
)
def test_cursor_that_is_none_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library words some of these itself
        Cursor.parse(text)


@pytest.mark.django_db
def test_matching_counts_what_the_pages_show(write):
    write(1)
    write(2, scope="DE01/treasury")
    assert matching(EventFilter(scopes=["DE01/treasury"])).count() == 1
