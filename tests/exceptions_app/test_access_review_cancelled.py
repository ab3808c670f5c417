"""A review of access that is given up, and the proof that is asked for where it is about the rights of many."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.access_review import cancel_review, close_review, confirm, end_item
from exceptions_app.actions.access_review_due import due, end_due_review
from exceptions_app.actions.fresh_proof import Caller, FreshProofNeeded, called_by
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import ACCESS_REVIEW, SETUP, machine
from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_review import standing_now
from tests.cast import MORNING, PASSWORD, Cast, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.test_access_reviews import DUE, LATER, by_sql, decided, events, line, opened, refused
from workbench.models import User

pytestmark = pytest.mark.django_db
WHY = "Opened for the wrong role."
LIST = "/access/reviews/"


def test_cancelled_review_leaves_what_nobody_decided_and_is_over(cast: Cast):
    admin, second = cast.administrator, person("abe", "Abe Administrator", is_staff=True)
    review, before = opened(admin), set(standing_now())
    clara, cem = line(review, "role", of="clara", role="clerk"), line(review, "role", of="cem", role="clerk")
    anna = line(review, "role", of="anna", role="auditor")
    confirm(review.pk, [clara.position], by=admin, at=LATER)
    end_item(review.pk, cem.position, by=admin, at=LATER, because="Works elsewhere now.")
    cancel = partial(cancel_review, review.pk, at=LATER, because=WHY)
    for stranger in (cast.clerk, cast.auditor, cast.outsider):
        refused(NotPermitted, "is no administrator", partial(cancel, by=stranger))
    refused(NotPermitted, "A machine", partial(cancel, by=machine(SETUP)))
    refused(Invalid, "Say why", partial(cancel, by=second, because=" "))
    refused(Invalid, "The time of this review is over", partial(cancel, by=second, at=DUE))
    done = cancel(by=second)
    assert (done.cancelled_because, done.closed_at, done.closed_by_id) == (WHY, LATER, second.pk)
    assert (done.kept, done.ended, done.gone, done.left_there, done.undecided) == (1, 1, 0, 0, review.count - 2)
    [event] = AuditEvent.objects.filter(action="access_review.cancelled")
    assert (event.subject, event.actor, event.because) == (review.subject, "abe", WHY)
    assert (event.data["undecided"], event.data["deciders"]) == (review.count - 2, {"ada": 2})
    assert set(standing_now()) == before - {("role", cast.second_clerk.pk, "clerk", "")}
    # It is over: nothing is decided, nothing ends when it would have been due, and it is neither closed nor cancelled.
    for again in (
        partial(cancel, by=admin),
        partial(close_review, review.pk, by=admin, at=LATER),
        partial(confirm, review.pk, [anna.position], by=admin, at=LATER),
        partial(end_item, review.pk, anna.position, by=admin, at=LATER, because=WHY),
    ):
        refused(Invalid, "This review is cancelled", again)
    assert (due(at=DUE), end_due_review(review.pk, at=DUE)) == ([], False)
    assert events() == {
        "access_review.opened": 1, "access_review.confirmed": 1, "access_review.ended": 1, "access_review.cancelled": 1,
    }  # fmt: skip
    refused(IntegrityError, "is closed", decided(anna, admin))
    # The name is free again, and what is decided as a whole is closed.
    other = opened(admin)
    confirm(other.pk, [one.position for one in other.items.exclude(person=admin)], by=admin, at=LATER)
    confirm(other.pk, [one.position for one in other.items.filter(person=admin)], by=second, at=LATER)
    refused(Invalid, "close the review instead", lambda: cancel_review(other.pk, by=admin, at=LATER, because=WHY))


def test_database_refuses_a_review_that_is_cancelled_otherwise(cast: Cast):
    admin = cast.administrator
    review, whole = opened(admin, "role:clerk"), opened(admin, "workbench:workbench", "Whole")
    confirm(whole.pk, [1], by=person("abe", "Abe Administrator", is_staff=True), at=LATER)

    def over(target: AccessReview = review, by: AbstractUser = admin, **more: Any) -> Callable[[], None]:
        def act() -> None:
            log.record(
                "test.said",
                subject=target.subject,
                scope="configuration",
                actor="x",
                at=LATER,
                summary="Said in a test.",
            )
            values = {"kept": 0, "ended": 0, "gone": 0, "left_there": 0, "closed_at": LATER, "cancelled_because": WHY}
            AccessReview.objects.filter(pk=target.pk).update(**{"closed_by": by, **values, **more})
            by_sql("SELECT 1")()

        return act

    with transaction.atomic():
        over()()
        transaction.set_rollback(True)
    by_whom = "is cancelled by an administrator, before it is due"
    for words, act in (
        (by_whom, over(by=cast.clerk)),
        (by_whom, over(by=machine(ACCESS_REVIEW))),
        (by_whom, over(closed_at=DUE)),
        ("is not decided as it says", over(cancelled_because="")),
        ("is not decided as it says", over(kept=1)),
        ("is not decided as it says", over(whole, kept=1)),
        (by_whom, over(
            closed_at=None, closed_by=None, kept=None, ended=None, gone=None, left_there=None)),
    ):  # fmt: skip
        refused(IntegrityError, words, act)


@pytest.mark.django_db(transaction=True)
def test_decision_at_the_same_time_counts_or_comes_too_late(new_cast: Callable[[], Cast]):
    cast = new_cast()
    review = opened(cast.administrator)
    clara = line(review, "role", of="clara", role="clerk").position

    def tried(act: Callable[[], object]) -> Callable[[], str]:
        def run() -> str:
            try:
                act()
            except Invalid as error:
                return str(error)
            return ""

        return run

    def cancel() -> object:
        return cancel_review(review.pk, by=cast.administrator, at=LATER, because=WHY)

    def keep() -> object:
        return confirm(review.pk, [clara], by=cast.administrator, at=LATER)

    answers = at_the_same_time([tried(cancel), tried(cancel), tried(keep)])
    assert sorted(map(bool, answers[:2])) == [False, True]
    review.refresh_from_db()
    assert (answers[2] == "") is (review.items.get(position=clara).outcome == "kept") is (review.kept == 1)
    assert events()["access_review.cancelled"] == 1


def test_rights_of_many_take_a_fresh_proof_and_those_of_one_do_not(cast: Cast):
    admin, second = cast.administrator, person("abe", "Abe Administrator", is_staff=True)
    review = opened(admin)
    clara, anna = line(review, "role", of="clara", role="clerk"), line(review, "role", of="anna", role="auditor")
    lars = [line(review, "queue", of="lars", place="e-invoicing"), line(review, "entity", of="lars", place="NL01")]
    support, abe = line(review, "queue", role="support", place="policy-holds"), line(review, "workbench", of="abe")
    of_many: list[Callable[[], object]] = [
        partial(confirm, review.pk, [clara.position, anna.position], by=admin, at=LATER),
        partial(confirm, review.pk, [support.position], by=admin, at=LATER),
        partial(end_item, review.pk, support.position, by=admin, at=LATER, because=WHY),
        partial(end_item, review.pk, abe.position, by=admin, at=LATER, because=WHY),
        partial(cancel_review, review.pk, by=admin, at=LATER, because=WHY),
    ]
    for has_token in (False, True):
        with called_by(partial(Caller, has_token=has_token, proved_lately=False)):
            for act in of_many:
                refused(FreshProofNeeded, "no token" if has_token else "no older than five minutes", act)
    assert not AccessReviewItem.objects.exclude(outcome="").exists()
    with called_by(lambda: Caller(has_token=True, proved_lately=False)):
        confirm(review.pk, [one.position for one in lars], by=admin, at=LATER)
        end_item(review.pk, clara.position, by=admin, at=LATER, because=WHY)
        refused(NotPermitted, "their own access", lambda: confirm(review.pk, [abe.position], by=second, at=LATER))
    with called_by(lambda: Caller(has_token=False, proved_lately=True)):
        for act in of_many[2:]:
            act()


def test_page_asks_for_the_proof_with_what_was_ticked_and_cancels(
    cast: Cast, signed_in: Callable[[User], Client], time_machine: Any
):
    time_machine.move_to(MORNING, tick=False)
    ada = signed_in(cast.administrator)
    review = opened(cast.administrator)
    page, two = (
        f"{LIST}{review.pk}/",
        [line(review, "role", of=name, role="clerk").position for name in ("clara", "cem")],
    )
    anna = line(review, "role", of="anna", role="auditor").position
    time_machine.shift(timedelta(minutes=6))
    asked = ada.post(f"{page}confirm/", {"item": two})
    kept: list[tuple[str, str]] = asked.context["kept"]
    assert (asked.status_code, kept) == (403, [("item", str(number)) for number in two])
    assert b"about the rights of several people" in asked.content
    proved = ada.post(f"{page}confirm/?proof=1", {"item": two, "proof-password": PASSWORD})
    assert (proved.status_code, proved["Location"]) == (302, page)
    assert review.items.filter(outcome="kept").count() == 2
    assert not AuditEvent.objects.filter(action="person.refused").exists()
    # What is refused keeps the ticks; the page says what ends, with whom, and that nobody else administers.
    again = ada.post(f"{page}confirm/", {"item": [two[0], anna]}).content.decode()
    assert "is decided already" in again
    assert re.search(rf'id="keep-{anna}"\s+checked', again)
    shown = ada.get(page).content.decode()
    for words in (
        "Nobody else administers", "loses the role auditor in all its places", "Setup", "Meridian Industries NV",
        "the one person who has the role support", "all access", "Looking leaves no event", "None in 400 days",
    ):  # fmt: skip
        assert words in shown, words
    assert "Confirm what is ticked" not in ada.get(page, {"show": "decided"}).content.decode()
    for because, words in ((" ", "Say why it is cancelled"), ("long " * 200, "long long")):
        answer = ada.post(f"{page}cancel/", {"because": because})
        assert (answer.status_code, words in answer.content.decode()) == (422, True)
    assert ada.post(f"{page}cancel/", {"because": WHY})["Location"] == page
    shown = ada.get(page).content.decode()
    assert f"0 left, {review.count - 2} not decided." in shown
    assert "End this access" not in shown
    assert "Cancel this review" not in shown
    assert WHY in ada.get(LIST).content.decode()
    assert b"is cancelled" in ada.post(f"{page}cancel/", {"because": "Twice."}).content
    assert now() - MORNING < timedelta(hours=1)
