"""A round in which access is confirmed again: opened, decided item by item, and closed or cancelled.

See docs/access-review.md.

What is ended here is taken by the action that takes it everywhere else, with its own event, in the same transaction.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib.auth.models import AbstractUser, Group
from django.db import IntegrityError, transaction
from django.db.models import Count

from audit import log
from exceptions_app.actions import grants
from exceptions_app.actions.administrators import end_administration
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.fresh_proof import require_fresh_proof_of_whoever_asks
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.models import AccessReview, AccessReviewItem, LegalEntity, Queue
from exceptions_app.models.access_review import LONGEST_REASON, MOST_ITEMS
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_review import ALL, Holding, Key, is_gone, is_own, standing_now, with_trail, within
from exceptions_app.wording import say
from integrations.models import Connection

Outcome = AccessReview.Kept
HOURS: Final = 12
SHORTEST: Final = timedelta(hours=HOURS)
"""What nobody confirms ends, so nobody opens a round that is over before others can look at it."""
LONGEST: Final = timedelta(days=366)
OWN = say("Nobody decides on their own access; another administrator can.")
OF_MANY = say("This is about the rights of several people, of a role or of an administrator.")
CANCELS = say("A review that is cancelled leaves what nobody decided on as it is.")
EVENTS: Final[Mapping[str, str]] = {
    Outcome.KEPT: "access_review.confirmed",
    Outcome.ENDED: "access_review.ended",
    Outcome.GONE: "access_review.gone",
    Outcome.LEFT: "access_review.left",
}
_SAID: Final[Mapping[str, str]] = {
    Outcome.KEPT: "confirmed",
    Outcome.ENDED: "ended",
    Outcome.GONE: "found gone:",
    Outcome.LEFT: "left, though nobody confirmed it,",
}


@transaction.atomic
def open_review(name: str, *, scope: str, due_at: datetime, by: AbstractUser, at: datetime) -> AccessReview:
    """Freeze what is granted within `scope` as a list to be decided on. Raises NotPermitted, Invalid with the field.

    `scope` is "all", or a place or a role as the audit trail names it. Five queries beside the rows.
    """
    _require_reviewer(by)
    if not name.strip():
        raise Invalid("name", say("Give it a name by which others find it."))
    if not at + SHORTEST <= due_at <= at + LONGEST:
        raise Invalid(
            "due_at",
            say(
                "Choose a time that is to come, in {hours} hours at least and {days} days at most.",
                hours=HOURS,
                days=LONGEST.days,
            ),
        )
    if AccessReview.objects.filter(name=name.strip()[:100], closed_at=None).exists():
        raise Invalid("name", say("A review of this name is open already."))
    found = with_trail(within(scope, standing_now().values()), at=at)
    if not found:
        raise Invalid("scope", say("Nothing is granted there."))
    if len(found) > MOST_ITEMS:
        raise Invalid(
            "scope",
            say(
                "These are {number}; at most {most_items} are reviewed at once.",
                number=len(found),
                most_items=MOST_ITEMS,
            ),
        )
    try:
        with transaction.atomic():
            review = AccessReview.objects.create(
                name=name.strip()[:100], scope=scope, due_at=due_at, count=len(found), opened_at=at, opened_by_id=by.pk
            )
    except IntegrityError as error:  # somebody opened it in this moment
        raise Invalid("name", say("A review of this name is open already.")) from error
    AccessReviewItem.objects.bulk_create(
        [_item(review, number, one) for number, one in enumerate(found, start=1)], batch_size=500
    )
    until = f"{due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    words = f"{by} opened the review of access {review}: {len(found)} to confirm until {until}."
    data = {"name": review.name, "scope": scope, "due_at": due_at, "items": len(found)}
    log.record_many([_entry("access_review.opened", review.subject, words, data, by=by, at=at)])
    return review


def _item(review: AccessReview, number: int, one: Holding) -> AccessReviewItem:
    return AccessReviewItem(
        review=review, position=number, kind=one.kind, person_id=one.person or None, role=one.role, place=one.place,
        verbs=list(one.verbs), since=one.since, given_by=one.given_by, last_used=one.last_used,
    )  # fmt: skip


@transaction.atomic
def confirm(review_id: int, positions: Collection[int], *, by: AbstractUser, at: datetime) -> Counter[str]:
    """Keep these; returns how many were confirmed, and how many were gone by then. All of them or none.

    Raises NotPermitted for one's own, Invalid for one that is decided or when the time is over, and FreshProofNeeded
    when they are about many and a request asks with an old proof.
    """
    review = _lock(review_id, by=by, at=at)
    items = _open_items(review, positions)
    _require_not_own(items, by)
    _require_proof(items)
    now = standing_now()
    for item in items:
        item.outcome = Outcome.GONE if is_gone(item, now) else Outcome.KEPT
        item.decided_at, item.decided_by_id = at, by.pk
    write_outcomes(review, items, by=by, at=at)
    return Counter(item.outcome for item in items)


@transaction.atomic
def end_item(review_id: int, position: int, *, by: AbstractUser, at: datetime, because: str) -> AccessReviewItem:
    """Take away what of it is granted still; returns the item, which says when it was gone by then. As `confirm`."""
    review = _lock(review_id, by=by, at=at)
    [item] = items = _open_items(review, [position])
    _require_not_own(items, by)
    if not because.strip():
        raise Invalid("because", say("Say why it ends; the auditor reads it, and whoever loses it."))
    _require_proof(items)
    item.because = because.strip()[:LONGEST_REASON]
    end_now(item, standing_now(), by=by, at=at)
    write_outcomes(review, items, by=by, at=at)
    return item


@transaction.atomic
def close_review(review_id: int, *, by: AbstractUser, at: datetime) -> AccessReview:
    """End the round with its totals, when every item is decided. Closed twice is closed once."""
    _require_reviewer(by, or_machine=True)
    review = AccessReview.objects.select_for_update(no_key=True).get(pk=review_id)
    if review.cancelled_because:
        raise Invalid("items", say("This review is cancelled; there is nothing to close."))
    if review.closed_at is not None:
        return review
    totals = _totals(review)
    if totals[""]:
        raise Invalid("items", say("{totals} are not decided yet.", totals=totals[""]))
    words, data = _end_with(totals, review, by=by, at=at)
    words = f"{by} closed the review of access {review}: {words}."
    log.record_many([_entry("access_review.closed", review.subject, words, data, by=by, at=at)])
    return review


@transaction.atomic
def cancel_review(review_id: int, *, by: AbstractUser, at: datetime, because: str) -> AccessReview:
    """Give the round up: what was decided stays so, and what was not is left as it is, neither confirmed nor ended.

    Raises Invalid when it is over or all is decided, NotPermitted, and FreshProofNeeded for an old proof.
    """
    review = _lock(review_id, by=by, at=at)
    totals = _totals(review)
    if not totals[""]:
        raise Invalid("items", say("Every line is decided; close the review instead."))
    if not because.strip():
        raise Invalid("because", say("Say why it is cancelled; the auditor reads it."))
    require_fresh_proof_of_whoever_asks(CANCELS)
    review.cancelled_because = because.strip()[:LONGEST_REASON]
    words, data = _end_with(totals, review, by=by, at=at)
    words = f"{by} cancelled the review of access {review}: {words}, {totals['']} not decided."
    data["undecided"] = totals[""]
    log.record_many(
        [_entry("access_review.cancelled", review.subject, words, data, by=by, at=at, because=review.cancelled_because)]
    )
    return review


def _totals(review: AccessReview) -> Counter[str]:
    return Counter(dict(review.items.values_list("outcome").annotate(Count("pk")).order_by("outcome")))


def _end_with(
    totals: Counter[str], review: AccessReview, *, by: AbstractUser, at: datetime
) -> tuple[str, dict[str, object]]:
    """Write the round's end with what came of its lines; returns the same in words, and as data of the event."""
    people = review.items.exclude(outcome__in=["", Outcome.GONE]).values_list("decided_by__username")
    deciders = dict(people.annotate(Count("pk")).order_by("decided_by__username"))
    review.closed_at, review.closed_by_id = at, by.pk
    review.kept, review.ended = totals[Outcome.KEPT], totals[Outcome.ENDED]
    review.gone, review.left_there = totals[Outcome.GONE], totals[Outcome.LEFT]
    review.save(update_fields=["closed_at", "closed_by", "kept", "ended", "gone", "left_there", "cancelled_because"])
    words = f"{review.kept} confirmed, {review.ended} ended, {review.gone} gone, {review.left_there} left"
    return words, {"name": review.name, **{name: totals[name] for name in Outcome.values}, "deciders": deciders}


def end_now(item: AccessReviewItem, now: Mapping[Key, Holding], *, by: AbstractUser, at: datetime) -> None:
    """Take what of the item is granted still, and note what came of it in the item, which is not written here."""
    item.decided_at, item.decided_by_id = at, by.pk
    # Somebody may take it between the look at what is granted and this: then it was gone.
    took = not is_gone(item, now) and _take(item, by=by, at=at, because=item.because)
    item.outcome = Outcome.ENDED if took else Outcome.GONE


def _take(item: AccessReviewItem, *, by: AbstractUser, at: datetime, because: str) -> bool:
    if item.kind == AccessReviewItem.Kind.WORKBENCH and item.person is not None:
        return end_administration(item.person, by=by, at=at, because=because)
    if item.kind == AccessReviewItem.Kind.ROLE and item.person is not None:
        return grants.remove_from_role(item.role, item.person, by=by, at=at, because=because)
    holder = item.person if item.person is not None else Group.objects.get(name=item.role)
    if item.kind == AccessReviewItem.Kind.CONNECTION:
        place = Connection.objects.get(slug=item.place)
        took = [grants.revoke_connection(verb, holder, place, by=by, at=at, because=because) for verb in item.verbs]
        return any(took)
    of_exceptions: Queue | LegalEntity = (
        Queue.objects.get(slug=item.place)
        if item.kind == AccessReviewItem.Kind.QUEUE
        else LegalEntity.objects.get(code=item.place)
    )
    return bool(grants.revoke_verbs(item.verbs, holder, [of_exceptions], by=by, at=at, because=because))


def _lock(review_id: int, *, by: AbstractUser, at: datetime) -> AccessReview:
    """The round, locked until the transaction ends: a decision and its end come one after the other."""
    _require_reviewer(by)
    review = AccessReview.objects.select_for_update(no_key=True).get(pk=review_id)
    if review.closed_at is not None:
        over = "cancelled" if review.cancelled_because else "closed"
        raise Invalid("items", say("This review is {over}; nothing more is decided in it.", over=over))
    if review.due_at <= at:
        raise Invalid("items", say("The time of this review is over; what was not confirmed is being ended."))
    return review


def _require_reviewer(by: AbstractUser, *, or_machine: bool = False) -> None:
    if is_machine(by) and not or_machine:
        raise NotPermitted(say("A machine confirms nothing."))
    grants.require_administrator(by)


def _open_items(review: AccessReview, positions: Collection[int]) -> list[AccessReviewItem]:
    wanted = sorted(set(positions))
    if not wanted:
        raise Invalid("items", say("Choose at least one line."))
    items = list(review.items.select_related("person").filter(position__in=wanted).order_by("position"))
    if len(items) != len(wanted):
        raise Invalid("items", say("There is no such line in this review."))
    decided = [item for item in items if item.outcome]
    if decided:
        said = AccessReview.Kept(decided[0].outcome).label
        raise Invalid(
            "items",
            say(
                "Line {position} is decided already: {said}. Nothing was changed.",
                position=decided[0].position,
                said=said,
            ),
        )
    return items


def _require_not_own(items: Collection[AccessReviewItem], by: AbstractUser) -> None:
    roles = set(by.groups.values_list("name", flat=True))
    if any(is_own(item, by, roles) for item in items):
        raise NotPermitted(OWN)


def _require_proof(items: Collection[AccessReviewItem]) -> None:
    """The rights of one person are decided on as they come; those of many as much money is, with a fresh proof."""
    of_many = any(item.person is None or item.kind == AccessReviewItem.Kind.WORKBENCH for item in items)
    if of_many or len({item.person_id for item in items}) > 1:
        require_fresh_proof_of_whoever_asks(OF_MANY)


def write_outcomes(review: AccessReview, items: list[AccessReviewItem], *, by: AbstractUser, at: datetime) -> None:
    """Write what was decided about these, and an event of each: few statements, however many they are."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in items:
        alike[item.outcome, item.because].append(item.pk)
    with refused_in_words():
        for (outcome, because), numbers in alike.items():
            items_alike = review.items.filter(pk__in=numbers)
            items_alike.update(outcome=outcome, because=because, decided_at=at, decided_by=by.pk)
    log.record_many(
        [
            _entry(
                EVENTS[item.outcome], item.subject, _sentence(item, review, by), _data(item, review), by=by, at=at,
                because=item.because,
            )
            for item in items
        ]
    )  # fmt: skip


def _sentence(item: AccessReviewItem, review: AccessReview, by: AbstractUser) -> str:
    whose = item.person if item.person is not None else f"the role {item.role}"
    held = f"the role {item.role} of {whose}" if item.kind == "role" else f"access of {whose} to {_place(item)}"
    return f"{by} {_SAID[item.outcome]} {held}, in the review {review}."


def _place(item: AccessReviewItem) -> str:
    return f"the {AccessReviewItem.Kind(item.kind).label} {item.place}" if item.place else "the administration"


def _data(item: AccessReviewItem, review: AccessReview) -> dict[str, object]:
    return {
        "review": review.pk, "name": review.name, "item": item.position, "holder": item.holder, "kind": item.kind,
        "place": item.place, "role": item.role, "verbs": list(item.verbs),
    }  # fmt: skip


def _entry(
    action: str,
    subject: str,
    summary: str,
    data: Mapping[str, object],
    *,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> log.Entry:
    return log.Entry(
        action=action, subject=subject, scope=SCOPE, actor=by.get_username(), at=at, summary=summary, because=because,
        actor_kind="machine" if is_machine(by) else "person", data=data,
    )  # fmt: skip


__all__ = ["ALL", "cancel_review", "close_review", "confirm", "end_item", "open_review"]
