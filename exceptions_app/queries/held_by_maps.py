"""Open exceptions that the field maps of a connection could not translate."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q

from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.models.case import HELD_BY_FIELD_MAP, ExceptionCaseQuerySet
from exceptions_app.states import State, Verb
from integrations.models import Connection

MOST_SHOWN = 10
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByMaps:
    """How many there are, whoever may see them; the oldest of those that the reader may see; how many are theirs to
    translate again in one go.
    """

    count: int
    shown: list[ExceptionCase]
    translatable: int

    @property
    def at_once(self) -> int:
        return min(self.translatable, MOST_AT_ONCE)


def held_by_maps(connection: Connection, user: AbstractUser) -> HeldByMaps:
    """Three queries."""
    held = _held(connection)
    shown = held.visible_to(user).select_related("assignee").order_by("opened_at", "pk")[:MOST_SHOWN]
    return HeldByMaps(count=held.count(), shown=list(shown), translatable=untouched_by_hand(connection, user).count())


def untouched_by_hand(connection: Connection, user: AbstractUser) -> ExceptionCaseQuerySet:
    """Those that the person may translate without undoing a colleague's work: nobody else has them, no version was
    corrected, nothing is proposed. Oldest first.
    """
    corrected = PayloadVersion.objects.filter(case=OuterRef("pk"), number__gt=1)
    free = Q(assignee=None) | Q(assignee=user.pk)
    found = _held(connection).granting(user, Verb.CORRECT).filter(free, state__in=[State.NEW, State.IN_PROGRESS])
    return found.filter(~Exists(corrected)).order_by("opened_at", "pk")


def _held(connection: Connection) -> ExceptionCaseQuerySet:
    return ExceptionCase.objects.open().filter(connection=connection, sub=HELD_BY_FIELD_MAP)
