"""What a person has ticked in the lists: kept on the server, so that it outlasts paging, actions and visits."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.bulk_states import MOST_ITEMS
from exceptions_app.models import Pick
from exceptions_app.models.case import ExceptionCaseQuerySet


@transaction.atomic
def keep_picks(
    cases: ExceptionCaseQuerySet, *, shown: Iterable[int], ticked: Iterable[int], by: AbstractUser, at: datetime
) -> int:
    """Of the exceptions that a page showed, those that are ticked are picked and the others are not.

    `cases` are those that the person may see. Returns how many found no room any more.
    """
    on_page, wanted = set(shown), set(ticked)
    Pick.objects.filter(person_id=by.pk, case__in=on_page - wanted).delete()
    return pick(cases.filter(pk__in=wanted & on_page), by=by, at=at)


@transaction.atomic
def pick(cases: ExceptionCaseQuerySet, *, by: AbstractUser, at: datetime) -> int:
    """Tick these as well, in their order, up to MOST_ITEMS in all. Returns how many found no room any more."""
    mine = Pick.objects.filter(person_id=by.pk)
    room = MOST_ITEMS - mine.count()
    new = cases.exclude(pk__in=mine.values("case")).values_list("pk", flat=True)
    found = list(new[: room + 1]) if room >= 0 else []
    if len(found) > room:
        left_out = new.count() - room
        found = found[:room]
    else:
        left_out = 0
    rows = (Pick(person_id=by.pk, case_id=number, picked_at=at) for number in found)
    Pick.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2_000)
    return left_out


def unpick_all(*, by: AbstractUser) -> None:
    Pick.objects.filter(person_id=by.pk).delete()
