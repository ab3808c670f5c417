"""Snoozing and undoing from the pages: what is typed, what the lists show, and the button that takes a move back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from exceptions_app.actions import work
from exceptions_app.actions.snoozing import snooze
from exceptions_app.models import ExceptionCase, SavedView
from exceptions_app.queries.counters import navigation_counts, open_by_queue
from exceptions_app.queries.queue_page import next_to_claim
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.saved_views import counts_of
from exceptions_app.snooze_form import SnoozeForm, monday
from exceptions_app.states import State, WakesOn
from tests import factories
from tests.cast import MORNING
from tests.exceptions_app.views.repair import address, text_of

HTMX = {"HX-Request": "true"}
WEDNESDAY = datetime(2026, 11, 4, 22, 30, tzinfo=UTC)  # half past eleven in the evening in Amsterdam
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def again(case: ExceptionCase) -> ExceptionCase:
    return ExceptionCase.objects.get(pk=case.pk)


@pytest.mark.parametrize(
    ("sent", "until", "wakes_on"),
    [
        ({"event": "tomorrow"}, datetime(2026, 11, 5, 7, 0, tzinfo=UTC), None),
        ({"event": "monday"}, datetime(2026, 11, 9, 7, 0, tzinfo=UTC), None),
        ({"event": "at", "until": "2026-11-07T14:00"}, datetime(2026, 11, 7, 13, 0, tzinfo=UTC), None),
        ({"event": "arrival"}, None, WakesOn.ARRIVAL),
        ({"event": "comment", "until": "2026-11-07"}, datetime(2026, 11, 6, 23, 0, tzinfo=UTC), WakesOn.COMMENT),
    ],
)
def test_form_reads_times_where_the_reader_is(sent, until, wakes_on):
    with time_machine.travel(WEDNESDAY, tick=False), timezone.override(AMSTERDAM):
        form = SnoozeForm(sent)
        assert form.is_valid(), form.errors
        assert (form.cleaned_data["until"], form.cleaned_data["wakes_on"]) == (until, wakes_on)


def test_monday_of_a_monday_is_the_next_one():
    with timezone.override(AMSTERDAM):
        assert monday(MORNING) == datetime(2026, 11, 9, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "field"),
    [({}, "event"), ({"event": "never"}, "event"), ({"event": "at"}, "until"), ({"event": "at", "until": "x"}, "until"),
     ({"event": "tomorrow", "until": "2027-11-07"}, "until")],
)  # fmt: skip
def test_form_says_beside_the_field_what_is_wrong(cast, signed_in, sent, field):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "snooze"), sent)
    assert answer.status_code == 422
    assert list(answer.context["items"]["snooze"].form.errors) == [field]
    assert again(case).revision == 1


def test_snoozed_exception_leaves_the_lists_and_counts_and_has_one_of_its_own(cast, signed_in):
    kept, case = factories.make_case(cast), factories.make_case(cast)
    client, reach = signed_in(cast.clerk), reach_of(cast.clerk)
    view = SavedView(pk=1, owner=cast.clerk, name="All", query="")
    assert client.post(address(case, "snooze"), {"event": "arrival"}).status_code == 302
    listed = client.get("/queue/")
    assert [row.case for row in listed.context["rows"]] == [kept]
    tabs = {tab["label"]: str(tab["count"]) for tab in listed.context["tabs"]}
    assert (tabs["All open"], tabs["Snoozed"]) == ("1", "1")
    assert (navigation_counts(cast.clerk, reach).open.value, next_to_claim(reach)) == (1, [kept])
    assert {queue.slug: count.value for queue, count in open_by_queue(cast.clerk, reach)}[kept.queue.slug] == 1
    assert counts_of([view], cast.clerk, reach)[1].value == 1

    snoozed = client.get("/queue/?snoozed=only")
    assert [row.case for row in snoozed.context["rows"]] == [case]
    assert "Snoozed by Clara Clerk until something new arrives for it." in text_of(snoozed.content.decode())
    assert [tab["label"] for tab in snoozed.context["tabs"] if tab["current"]] == ["Snoozed"]
    assert len(client.get("/queue/?snoozed=any").context["rows"]) == 2


def test_search_finds_what_is_snoozed(cast, signed_in):
    case = factories.make_case(cast, number="INV-ASLEEP")
    snooze(case.pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.ARRIVAL)
    client = signed_in(cast.clerk)
    assert [row.case for row in client.get("/queue/?text=asleep").context["rows"]] == [case]
    assert client.get("/search/?q=INV-ASLEEP", follow=True).redirect_chain[-1][0] == address(case)
    found = client.get("/search/?q=is:snoozed", follow=True)
    assert case.ref in found.content.decode()


def test_page_says_who_snoozed_it_and_until_when_and_wakes_it(cast, signed_in):
    case = factories.make_case(cast)
    until = datetime.now(UTC) + timedelta(days=3)
    snooze(case.pk, by=cast.clerk, at=datetime.now(UTC), until=until, wakes_on=WakesOn.COMMENT)
    client = signed_in(cast.second_clerk)
    words = text_of(client.get(address(case)).content.decode())
    assert "Snoozed by Clara Clerk until" in words
    assert "or before that when somebody comments on it." in words
    assert "every deadline go on" in words
    client.post(address(case, "wake"))
    assert again(case).snoozed_by is None


def test_move_that_is_not_permitted_says_why(cast, signed_in):
    case = factories.make_case(cast)
    answer = signed_in(cast.support).post(address(case, "snooze"), {"event": "arrival"})
    assert answer.status_code == 403
    assert again(case).snoozed_by is None


def test_undo_is_offered_with_the_words_and_takes_it_back(cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    html = client.post(address(case, "claim"), follow=True).content.decode()
    assert f'action="{address(case, "undo")}"' in html
    assert 'name="revision" value="2"' in " ".join(html.split())
    undone = client.post(address(case, "undo"), {"revision": "2"}, follow=True)
    assert f"{case.ref} is as it was before." in text_of(undone.content.decode())
    assert address(case, "undo") not in undone.content.decode()  # an undo is not undone
    assert (again(case).assignee, again(case).state) == (None, State.NEW)


def test_undo_by_htmx_answers_with_the_fragment(cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    offered = client.post(address(case, "snooze"), {"event": "arrival"}, headers=HTMX).content.decode()
    assert f'hx-post="{address(case, "undo")}"' in offered
    answer = client.post(address(case, "undo"), {"revision": "2"}, headers=HTMX)
    assert answer.content.decode().split()[:2] == ["<div", 'id="case">']
    assert again(case).snoozed_by is None


@pytest.mark.parametrize("revision", ["", "0", "1", "x"])
def test_undo_of_another_revision_is_refused(cast, signed_in, revision):
    case = work.claim(factories.make_case(cast).pk, by=cast.clerk, at=MORNING)
    answer = signed_in(cast.clerk).post(address(case, "undo"), {"revision": revision})
    assert answer.status_code == 409
    assert "It was not undone" in text_of(answer.content.decode())
    assert again(case).assignee == cast.clerk


def test_undo_of_what_somebody_else_did_is_refused(cast, signed_in):
    case = work.claim(factories.make_case(cast).pk, by=cast.clerk, at=MORNING)
    answer = signed_in(cast.second_clerk).post(address(case, "undo"), {"revision": "2"})
    assert answer.status_code == 403
    assert "Only the person who did it can take it back." in text_of(answer.content.decode())
    assert again(case).assignee == cast.clerk


def test_undo_to_somebody_who_lost_the_grant_is_refused(cast, signed_in):
    case = work.claim(factories.make_case(cast).pk, by=cast.second_clerk, at=MORNING)
    work.assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    cast.second_clerk.groups.clear()
    answer = signed_in(cast.clerk).post(address(case, "undo"), {"revision": "3"})
    assert answer.status_code == 422
    assert "any more. It stays as it is" in text_of(answer.content.decode())
    assert again(case).assignee == cast.clerk
