"""An emergency that was taken, used, ended and reviewed before a newcomer opens the demonstration."""

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions import work
from exceptions_app.actions.emergencies import end_emergency, review_emergency, take_emergency
from exceptions_app.emergency_marks import marked_as_running
from exceptions_app.models import Emergency, ExceptionCase

_NUMBER = "JE-2026-0115"
_FOR = 45  # minutes


def tell_of_an_emergency(*, standby: AbstractUser, controller: AbstractUser, at: datetime) -> None:
    """Of this very hour: what an emergency gives counts by the database's clock, and nothing can be done after it."""
    case = ExceptionCase.objects.select_related("queue", "entity").get(document_number=_NUMBER)
    began = at - timedelta(minutes=40)
    taken = take_emergency(
        case.queue, case.entity, role=Emergency.Role.CLERK, minutes=_FOR, by=standby, at=began,
        because="The month is closed at noon, and nobody of the ledger's team can be reached.",
    )  # fmt: skip
    with marked_as_running():
        text = "Asked the owner of the cost centre by telephone; Arend takes it on from here."
        work.comment(case.pk, by=standby, at=began + timedelta(minutes=6), text=text)
        end_emergency(taken.pk, by=standby, at=began + timedelta(minutes=11), because="Arend is back.")
    review_emergency(
        taken.pk, verdict=Emergency.Verdict.JUSTIFIED, by=controller, at=at - timedelta(minutes=12),
        review="One comment, nothing was changed. The team was at the yearly meeting; the list of deputies is mended.",
    )  # fmt: skip
