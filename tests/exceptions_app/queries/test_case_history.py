"""The lists below the page of one exception: newest first, a page at a time, and counted."""

from datetime import timedelta

import pytest
from django.db import transaction

from exceptions_app.actions import work
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.case_history import (
    Part,
    arrivals_of,
    attempts_of,
    comments_of,
    counts_of,
    deliveries_of,
    timeline_of,
    versions_of,
)
from integrations import outbox
from integrations.models import Delivery, DeliveryAttempt
from tests import factories
from tests.cast import MORNING

LATER = MORNING + timedelta(hours=1)


@pytest.fixture
def case(cast) -> ExceptionCase:
    """With five versions, five comments and five deliveries."""
    made = factories.make_case(cast)
    for number in range(5):
        if number:
            factories.make_version(made, cast.clerk, at=LATER)
        work.comment(made.pk, by=cast.clerk, at=LATER + timedelta(minutes=number), text=f"Remark {number}")
        with transaction.atomic():
            outbox.enqueue(
                connection=cast.connection, operation=Delivery.Operation.SUBMIT, object_type="invoice",
                business_key=f"{made.business_key}/{number}", content=b"<Invoice/>", media_type="application/xml",
                subject=made.subject, probe_first=False, at=MORNING,
            )  # fmt: skip
    return made


def test_versions_are_paged_without_their_bytes(case):
    first = versions_of(case, limit=2)
    second = versions_of(case, after=first.older, limit=2)
    third = versions_of(case, after=second.older, limit=2)
    assert [[found.number for found in page.items] for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert third.older == ""
    assert "content" in first.items[0].get_deferred_fields()


def test_timeline_is_paged_newest_first(case):
    first = timeline_of(case, limit=3)
    second = timeline_of(case, after=first.older, limit=1000)
    assert [event.action for event in first.items] == ["case.commented", "case.commented", "case.commented"]
    assert second.items[-1].action == "case.opened"
    assert second.older == ""
    assert {event.id for event in first.items}.isdisjoint({event.id for event in second.items})


def test_deliveries_and_comments_are_the_newest(case):
    newest = list(Delivery.objects.filter(subject=case.subject).order_by("-id")[:2])
    assert deliveries_of(case, limit=2).items == newest
    assert [comment.text for comment in comments_of(case, limit=2).items] == ["Remark 4", "Remark 3"]


@pytest.mark.parametrize("place", ["x", "-1", "9" * 30, "٣", "2026-13-01_1", "2026-01-01T00:00:00Z_x"])
def test_place_that_is_none_begins_at_the_newest(case, place):
    assert timeline_of(case, after=place).items == timeline_of(case).items
    assert versions_of(case, after=place).items == versions_of(case).items
    assert arrivals_of(case, after=place).items == arrivals_of(case).items


def test_counts_are_those_of_all_pages(case):
    events = len(timeline_of(case, limit=500).items)
    assert counts_of(case) == {Part.TIMELINE: events, Part.VERSIONS: 5, Part.ATTEMPTS: 5, Part.ARRIVALS: 1}


def test_attempts_are_the_newest_with_their_numbers(case, django_assert_num_queries):
    one, two = Delivery.objects.filter(subject=case.subject).order_by("id")[:2]
    for delivery, made in ((one, 4), (two, 1)):
        for epoch in range(1, made + 1):
            DeliveryAttempt.objects.create(
                delivery=delivery, phase=DeliveryAttempt.Phase.PROBE, epoch=epoch,
                started_at=MORNING + timedelta(minutes=epoch), content_sha256=delivery.content_sha256,
            )  # fmt: skip
    with django_assert_num_queries(1):
        found = attempts_of([one, two], with_bodies=True, limit=2)
    assert [[item.number for item in found[delivery.pk]] for delivery in (one, two)] == [[3, 4], [1]]
