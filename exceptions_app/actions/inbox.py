"""What a person does with what they are told: read it, or say about what they want to hear."""

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ExceptionCase, Expectation, Notification, Subscription
from exceptions_app.queries.deep_links import Arrived, arrived
from exceptions_app.queries.reach import reach_of
from exceptions_app.wording import say

LONGEST = 200  # characters of an identifier, as the inbox of messages keeps them
LONGEST_NAME = 50  # of a connection
MOST_EXPECTED = 50  # for which one person waits at a time
EXPECTED_FOR = timedelta(days=30)
LOOKED_FOR_EVERY = timedelta(minutes=1)
MOST_AT_A_TIME = 50  # that are looked for in one sweep


def mark_read(notification_id: int, *, by: AbstractUser, at: datetime) -> bool:
    """One of their own; False when it is none or was read before."""
    mine = Notification.objects.filter(pk=notification_id, person_id=by.pk, read_at__isnull=True)
    return mine.update(read_at=at) == 1


def mark_all_read(*, by: AbstractUser, at: datetime, until: int) -> int:
    """All up to the one that they saw last, so that what came meanwhile stays unread. How many."""
    seen = Notification.objects.filter(person_id=by.pk, pk__lte=until, read_at__isnull=True)
    return seen.update(read_at=at)


@transaction.atomic
def subscribe(case: ExceptionCase, wants: str, *, by: AbstractUser, at: datetime) -> Subscription:
    """Say what of an exception that they may see a person wants to be told."""
    if wants not in Subscription.Wants.values:
        raise Invalid("wants", say("Choose every change, what is yours, or nothing."))
    subscription, _ = Subscription.objects.update_or_create(
        case=case, person_id=by.pk, defaults={"wants": wants, "changed_at": at}
    )
    return subscription


@transaction.atomic
def expect(connection: str, external_id: str, *, by: AbstractUser, at: datetime) -> Expectation:
    """Have a person told when something of that identifier has come in, within EXPECTED_FOR. Twice is as once."""
    if len(external_id) > LONGEST or len(connection) > LONGEST_NAME or "\x00" in external_id:
        raise Invalid("", say("No source has an identifier like this one."))
    waiting = Expectation.objects.filter(person_id=by.pk, arrived_at__isnull=True, asked_at__gte=at - EXPECTED_FOR)
    if waiting.exclude(connection=connection, external_id=external_id).count() >= MOST_EXPECTED:
        raise Invalid(
            "",
            say(
                "You wait for {most_expected} identifiers already. Some of them have to come in first.",
                most_expected=MOST_EXPECTED,
            ),
        )
    found, _ = Expectation.objects.update_or_create(
        person_id=by.pk,
        connection=connection,
        external_id=external_id,
        defaults={"asked_at": at, "looked_at": at, "arrived_at": None},
    )
    return found


def expected(*, at: datetime) -> list[int]:
    """What is to be looked for now, the longest not looked for first."""
    waiting = Expectation.objects.filter(arrived_at__isnull=True, asked_at__gte=at - EXPECTED_FOR)
    due = waiting.filter(looked_at__lte=at - LOOKED_FOR_EVERY).order_by("looked_at")
    return list(due.values_list("pk", flat=True)[:MOST_AT_A_TIME])


@transaction.atomic
def look_for(expectation_id: int, *, at: datetime) -> bool:
    """Tell the person if it is there and they may see it. True when they were told."""
    rows = Expectation.objects.select_for_update(of=("self",), skip_locked=True).select_related("person")
    found = rows.filter(pk=expectation_id, arrived_at__isnull=True).first()
    if found is None:
        return False
    person = found.person
    there = arrived(person, reach_of(person), connection=found.connection, external_id=found.external_id)
    found.looked_at = at
    found.arrived_at = at if there.reference else None
    found.save(update_fields=["looked_at", "arrived_at"])
    if there.reference:
        Notification.objects.create(
            person=person,
            kind=Notification.Kind.ARRIVED,
            case=there.cases[0] if there.cases else None,
            reference=there.reference,
            words=_came_in(there, found.external_id)[:300],
            told_at=at,
        )
    return bool(there.reference)


def _came_in(there: Arrived, external_id: str) -> str:
    if there.failed is not None:
        return f"What you waited for came in and could not be read: {external_id}"
    return f"What you waited for came in: {external_id}"
