"""What nobody confirmed in time ends: some items in each transaction, and then the round."""

from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions.access_review import Outcome, close_review, end_now, write_outcomes
from exceptions_app.actions.administrators import NOBODY_LEFT, lock_administrators
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import ACCESS_REVIEW, machine
from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_review import standing_now
from exceptions_app.wording import say

AT_ONCE: Final = 100
NOT_CONFIRMED = say("Nobody confirmed it in time.")


def due(*, at: datetime) -> list[int]:
    """The rounds whose time is over, the earliest first."""
    return list(
        AccessReview.objects.filter(closed_at=None, due_at__lte=at).order_by("due_at").values_list("pk", flat=True)
    )


def end_due_review(review_id: int, *, at: datetime) -> bool:
    """End what nobody confirmed and close the round; False when there was nothing to do."""
    begun = False
    while end_some(review_id, at=at):
        begun = True
    with transaction.atomic():
        review = AccessReview.objects.select_for_update(no_key=True).get(pk=review_id)
        if review.closed_at is not None or review.due_at > at:
            return begun
        close_review(review_id, by=machine(ACCESS_REVIEW), at=at)
    return True


@transaction.atomic
def end_some(review_id: int, *, at: datetime, limit: int = AT_ONCE) -> int:
    """The next items of a round that is due, those about administrators first and together; returns how many."""
    review = AccessReview.objects.select_for_update(no_key=True).get(pk=review_id)
    if review.closed_at is not None or review.due_at > at:
        return 0
    waiting = review.items.select_related("person").filter(outcome="").order_by("position")
    administrators = list(waiting.filter(kind=AccessReviewItem.Kind.WORKBENCH))
    items = administrators or list(waiting[:limit])
    if not items:
        return 0
    by = machine(ACCESS_REVIEW)
    spared = _spared(administrators) if administrators else frozenset()
    now = standing_now()
    for item in items:
        item.because = NOT_CONFIRMED
        if item.person_id in spared and item.kind == AccessReviewItem.Kind.WORKBENCH:
            _leave(item, NOBODY_LEFT, by=by, at=at)
            continue
        try:
            with transaction.atomic():
                end_now(item, now, by=by, at=at)
        except (Invalid, NotPermitted) as refusal:
            _leave(item, str(refusal), by=by, at=at)
    write_outcomes(review, items, by=by, at=at)
    return len(items)


def _spared(unconfirmed: list[AccessReviewItem]) -> frozenset[int | None]:
    """All of the active ones, when without them nobody would be left: a machine does not choose whom to keep."""
    people = {item.person_id for item in unconfirmed}
    active = {one.pk for one in lock_administrators() if one.is_active}
    return frozenset() if active - people else frozenset(active & people)


def _leave(item: AccessReviewItem, reason: str, *, by: AbstractUser, at: datetime) -> None:
    item.outcome, item.decided_at, item.decided_by_id = Outcome.LEFT, at, by.pk
    item.because = f"{NOT_CONFIRMED} {reason}"
