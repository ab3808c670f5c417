"""What one person was told, as far as they may still see what it is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet
from django.urls import reverse

from exceptions_app.models import ExceptionCase, Notification, Subscription
from exceptions_app.models.archive import DELIVERY_PREFIX
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.emergency import EMERGENCY_PREFIX
from exceptions_app.models.handover import TX_PREFIX
from exceptions_app.models.mapping_proposal import PROPOSAL_PREFIX
from exceptions_app.models.replay_batch import BATCH_PREFIX
from exceptions_app.queries.deep_links import FAILURE_PREFIX
from exceptions_app.queries.keyset import Direction, Key, Page, Sort, page
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb

PAGE_SIZE = 50
NEWEST_FIRST = Sort("newest", (Key("id", "integer", descending=True),))
_PAGES = {
    REF_PREFIX: "exceptions:case",
    BATCH_PREFIX: "exceptions:batch",
    PROPOSAL_PREFIX: "exceptions:mapping_proposal",
    TX_PREFIX: "exceptions:transaction",
    FAILURE_PREFIX: "exceptions:intake_failure",
    EMERGENCY_PREFIX: "exceptions:emergency",
    DELIVERY_PREFIX: "exceptions:archive_delivery",
}


def notifications_of(user: AbstractUser, reach: Reach) -> QuerySet[Notification]:
    """Theirs, without those about an exception that they lost sight of; a part of another query."""
    seen = Q(case__queue__in=reach.queues(Verb.SEE), case__entity__in=reach.entities(Verb.SEE))
    return Notification.objects.filter(person=user.pk).filter(Q(case__isnull=True) | seen)


def unread_of(user: AbstractUser, reach: Reach) -> QuerySet[Notification]:
    return notifications_of(user, reach).filter(read_at__isnull=True)


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as a list shows it."""

    notification: Notification
    is_muted: bool

    @property
    def is_unread(self) -> bool:
        return self.notification.read_at is None


def notification_page(
    found: QuerySet[Notification], *, cursor: str = "", direction: Direction = "after"
) -> Page[Notification]:
    """Newest first. One query; raises keyset.InvalidCursor."""
    return page(found.select_related("case"), NEWEST_FIRST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def told(rows: Sequence[Notification], user: AbstractUser) -> list[Told]:
    """With whether the exception of each is muted by now. One query."""
    about = {row.case_id for row in rows if row.case_id is not None}
    muted = set(
        Subscription.objects.filter(
            person=user.pk, case__in=sorted(about), wants=Subscription.Wants.NOTHING
        ).values_list("case_id", flat=True)
    )
    return [Told(row, row.case_id in muted) for row in rows]


def page_about(notification: Notification) -> str:
    """The address of what a notification is about."""
    name, _, number = notification.reference.partition("-")
    prefix = f"{name}-"
    ref = number if prefix == FAILURE_PREFIX else notification.reference
    return reverse(_PAGES[prefix], kwargs={"ref": ref})


def wish_of(user: AbstractUser, case: ExceptionCase) -> str:
    """What of an exception the person wants to be told; the usual when they never said. One query."""
    found = Subscription.objects.filter(case=case, person=user.pk).values_list("wants", flat=True).first()
    return found or Subscription.Wants.USUAL
