"""Who else is at an exception, and what they are doing there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.contrib.auth.models import AbstractUser
from django.db.models import OuterRef, Subquery

from exceptions_app.models import Draft, Presence

BEAT = timedelta(seconds=15)
HERE_FOR = 3 * BEAT
"""A page that misses three beats is hidden, closed or cut off."""
REMEMBERED_FOR = timedelta(minutes=10)
MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A colleague. `draft_at` is when what they typed and have not saved was last kept; None when there is none."""

    person: AbstractUser
    seen_at: datetime
    is_here: bool
    draft_at: datetime | None

    @property
    def is_editing(self) -> bool:
        return self.draft_at is not None


def others_at(case_id: int, *, person: AbstractUser, at: datetime) -> list[Other]:
    """Those who were there a short while ago, the last seen first. One query."""
    draft = Draft.objects.filter(case=OuterRef("case"), author=OuterRef("person")).values("saved_at")
    found = (
        Presence.objects.filter(case=case_id, seen_at__gt=at - REMEMBERED_FOR)
        .exclude(person_id=person.pk)
        .select_related("person")
        .annotate(draft_at=Subquery(draft))
        .order_by("-seen_at", "pk")[:MOST_SHOWN]
    )
    return [
        Other(
            person=cast("AbstractUser", one.person),
            seen_at=one.seen_at,
            is_here=one.seen_at > at - HERE_FOR,
            draft_at=one.draft_at,
        )
        for one in found
    ]
