"""What follows when an exception is resolved, whoever found out that its document is booked."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions import handover_follow
from exceptions_app.actions.telling import tell_source
from exceptions_app.facts import fold
from exceptions_app.models import ExceptionCase, Identifier
from integrations.crash_points import Point, passing


def follow_up(case: ExceptionCase, *, by: AbstractUser, at: datetime) -> None:
    """Found by its reference from now on, told to the source, and to the transaction that it came from."""
    if case.reference:
        Identifier.objects.get_or_create(
            case=case,
            label="Acceptance reference",
            folded=fold(case.reference),
            defaults={"value": case.reference},
        )
    tell_source(case, "resolved", by=by, at=at)
    passing(Point.SOURCE_TO_BE_TOLD)
    handover_follow.case_ended(case, by=by.get_username(), at=at)
