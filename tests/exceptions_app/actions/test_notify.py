"""Who is told what, in the transaction in which it happens."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app.actions import inbox
from exceptions_app.actions.decide import approve, reject
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.work import File, assign, claim, comment
from exceptions_app.models import Attachment, Comment, ExceptionCase, Notification, Subscription
from tests.arrivals import mend, propose, take_in
from tests.cast import MORNING, Cast
from tests.exceptions_app.value_mappings import mapping
from tests.factories import make_case
from workbench.models import User

pytestmark = pytest.mark.django_db

LATER = MORNING + timedelta(hours=2)
Wants = Subscription.Wants


def told(user: User) -> list[tuple[str, str, str]]:
    found = Notification.objects.filter(person=user).order_by("pk")
    return [(notice.kind, notice.reference, notice.words) for notice in found]


def test_who_subscribed_is_told_of_what_others_do(cast: Cast) -> None:
    case = make_case(cast)
    for user in (cast.support, cast.clerk):
        inbox.subscribe(case, Wants.CHANGES, by=user, at=MORNING)
    claim(case.pk, by=cast.clerk, at=LATER)
    comment(case.pk, by=cast.controller, at=LATER, text="The amount is 1,250.00 EUR.")
    assert told(cast.support) == [
        ("changed", case.ref, "Clara Clerk claimed it."),
        ("changed", case.ref, "Conrad Controller commented on it."),
    ]
    assert told(cast.clerk) == [("changed", case.ref, "Conrad Controller commented on it.")]
    inbox.subscribe(case, Wants.USUAL, by=cast.support, at=LATER)
    comment(case.pk, by=cast.controller, at=LATER, text="Again.")
    assert len(told(cast.support)) == 2


def test_nobody_is_told_of_what_is_undone(cast: Cast) -> None:
    case = make_case(cast)
    inbox.subscribe(case, Wants.CHANGES, by=cast.support, at=MORNING)
    with transaction.atomic():
        claim(case.pk, by=cast.clerk, at=LATER)
        transaction.set_rollback(True)
    assert told(cast.support) == []


def test_move_of_what_nobody_watches_costs_no_query_more(cast: Cast) -> None:
    case = make_case(cast)
    with CaptureQueriesContext(connection) as captured:
        claim(case.pk, by=cast.clerk, at=LATER)
    tables = ("exceptions_app_subscription", "exceptions_app_notification")
    # Once, as a part of the query that locks the exception.
    assert [
        query["sql"].count(tables[0]) > 0 for query in captured if any(table in query["sql"] for table in tables)
    ] == [True]


def test_assigning_tells_the_assignee_whatever_they_muted(cast: Cast) -> None:
    case = make_case(cast)
    inbox.subscribe(case, Wants.NOTHING, by=cast.second_clerk, at=MORNING)
    assign(case.pk, to=cast.second_clerk, by=cast.clerk, at=LATER)
    assert told(cast.second_clerk) == [("assigned", case.ref, "Clara Clerk assigned it to you.")]
    assign(case.pk, to=None, by=cast.clerk, at=LATER)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=LATER)
    assert (told(cast.clerk), len(told(cast.second_clerk))) == ([], 1)


def test_mention_tells_who_may_see_the_exception_and_nobody_else(cast: Cast) -> None:
    case = make_case(cast, entity=cast.germany)
    comment(case.pk, by=cast.clerk, at=LATER, text="@CEM @lars @otto @nobody @clara: the order, please.")
    assert told(cast.second_clerk) == [("mention", case.ref, "Clara Clerk mentioned you in a comment.")]
    assert Notification.objects.count() == 1
    assert list(timeline(case.subject))[-1].data["mentioned"] == ["cem", "clara"]


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_everyone_with_a_hand_in_it_is_told_the_decision(cast: Cast, decision: str) -> None:
    case = take_in(cast)
    mend(case, by=cast.second_clerk)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    proposal = propose(case, by=cast.clerk)
    inbox.subscribe(case, Wants.NOTHING, by=cast.second_clerk, at=MORNING)
    more: dict[str, Any] = {"by": cast.controller, "at": LATER, "frozen_sha256": proposal.frozen_sha256}
    if decision == "approved":
        approve(case.pk, **more)
    else:
        reject(case.pk, because="Another date.", **more)
    assert told(cast.clerk)[-1] == ("decided", case.ref, f"Conrad Controller {decision} what you prepared.")
    assert told(cast.second_clerk) == []  # who muted it


def test_proposer_of_a_mapping_is_told_the_decision(cast: Cast) -> None:
    proposal = mapping.propose(cast)
    mapping.approve(proposal, cast)
    assert told(cast.clerk) == [("decided", proposal.ref, "Conrad Controller approved the mapping that you prepared.")]


def test_reading_is_ones_own(cast: Cast) -> None:
    case = make_case(cast)
    for _ in range(2):
        comment(case.pk, by=cast.clerk, at=MORNING, text="@cem @sara look")
    first, second = Notification.objects.filter(person=cast.second_clerk).order_by("pk")
    assert not inbox.mark_read(first.pk, by=cast.clerk, at=LATER)
    assert inbox.mark_read(first.pk, by=cast.second_clerk, at=LATER)
    assert not inbox.mark_read(first.pk, by=cast.second_clerk, at=LATER)
    assert inbox.mark_all_read(by=cast.second_clerk, at=LATER, until=first.pk) == 0
    assert inbox.mark_all_read(by=cast.second_clerk, at=LATER, until=second.pk) == 1
    assert (
        Notification.objects.filter(read_at=None).values_list("person__username", flat=True).distinct().get() == "sara"
    )


def test_unknown_wish_is_refused(cast: Cast) -> None:
    with pytest.raises(Invalid, match="Choose every change"):
        inbox.subscribe(make_case(cast), "all", by=cast.clerk, at=MORNING)


@pytest.mark.parametrize("change", [{"words": "x"}, {"reference": "EX-1"}, {"kind": "batch"}])
def test_what_was_told_is_never_changed(cast: Cast, change: dict[str, str]) -> None:
    comment(make_case(cast).pk, by=cast.clerk, at=MORNING, text="@cem look")
    with pytest.raises(IntegrityError, match="is never changed"), transaction.atomic():
        Notification.objects.update(**change)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        Notification.objects.all().delete()


def test_file_is_kept_with_its_comment(cast: Cast) -> None:
    case = make_case(cast)
    comment(case.pk, by=cast.clerk, at=LATER, text="The order.", file=File("order.txt", b"4711"))
    kept = Attachment.objects.get(case=case)
    assert (kept.file_name, kept.media_type, kept.size, bytes(kept.content)) == ("order.txt", "text/plain", 4, b"4711")
    event = list(timeline(case.subject))[-1]
    assert (event.data["file"], event.data["file_sha256"]) == ("order.txt", hashlib.sha256(b"4711").hexdigest())
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Attachment.objects.update(content=b"4712")


@pytest.mark.parametrize(("text", "field"), [("", "text"), ("The order.", "file")])
def test_file_that_may_not_be_attached_leaves_nothing_behind(cast: Cast, text: str, field: str) -> None:
    case: ExceptionCase = make_case(cast)
    with pytest.raises(Invalid) as refused:
        comment(case.pk, by=cast.clerk, at=LATER, text=text, file=File("order.exe", b"MZ"))
    assert (refused.value.field, Comment.objects.count()) == (field, 0)
