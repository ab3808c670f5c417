"""Showing the masked values of one exception to one person for some minutes: asked for with a purpose, and recorded."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models.functions import Now

from exceptions_app import policies
from exceptions_app.actions.mover import Invalid, lock, record
from exceptions_app.models import ExceptionCase, Reveal
from exceptions_app.wording import say

REVEALED = "case.values_revealed"
LONGEST_REASON = 300


@transaction.atomic
def reveal(case_id: int, *, purpose: str, because: str, by: AbstractUser, at: datetime) -> Reveal:
    """Let the person read the masked values of this exception for `REVEAL_MINUTES`, and nobody else.

    Asked for once more while it lasts, it begins anew, with an event of its own. The exception does not move, so no
    form of a colleague becomes stale and nobody who follows it is told. Raises policies.NotPermitted, Invalid.
    """
    case = lock(case_id)
    policies.require_reveal(case, by)
    if purpose not in Reveal.Purpose.values:
        raise Invalid("purpose", say("Choose what you need the values for."))
    why = because.strip()
    if not why:
        raise Invalid("because", say("Say in a sentence what you need the values for; the auditor reads it."))
    minutes = settings.REVEAL_MINUTES
    revealed = Reveal.objects.create(
        case=case, person_id=by.pk, purpose=purpose, because=why[:LONGEST_REASON],
        revealed_at=Now(), until=Now() + timedelta(minutes=minutes),
    )  # fmt: skip
    revealed.refresh_from_db(fields=["revealed_at", "until"])
    _record(case, revealed, minutes=minutes, by=by, at=at)
    return revealed


def _record(case: ExceptionCase, revealed: Reveal, *, minutes: int, by: AbstractUser, at: datetime) -> None:
    purpose = Reveal.Purpose(revealed.purpose)
    words = f"{purpose.label[0].lower()}{purpose.label[1:]}"
    record(
        case, REVEALED, by=by, at=at, because=revealed.because,
        summary=f"{by} had the masked values of {case.ref} shown for {minutes} minutes, {words}.",
        data={"purpose": purpose.value, "minutes": minutes, "until": revealed.until},
    )  # fmt: skip
