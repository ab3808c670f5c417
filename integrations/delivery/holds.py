"""Why nothing is taken up for a connection now: one expression, for the claim and for every page that tells it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Now

from integrations.models import Connection, Delivery, MaintenanceWindow, SendingStop

_SOURCE = Delivery.Operation.WRITE_BACK


class HeldBy(StrEnum):
    """What keeps back everything that goes to one place. The first that holds is named."""

    STOPPED = "stopped"
    PAUSED = "paused"
    MAINTENANCE = "maintenance"
    BREAKER = "breaker"
    ASKED = "asked_to_wait"
    PACED = "paced"


TITLES: Final[Mapping[HeldBy, str]] = MappingProxyType(
    {
        HeldBy.STOPPED: "All sending is stopped",
        HeldBy.PAUSED: "The connection is paused",
        HeldBy.MAINTENANCE: "The target is in maintenance",
        HeldBy.BREAKER: "The target does not work at the moment",
        HeldBy.ASKED: "The target asked to wait",
        HeldBy.PACED: "It waits for its turn",
    }
)
NO_REASON: Final = "No reason was given."
REASONS: Final[Mapping[HeldBy, str]] = MappingProxyType(
    {
        HeldBy.BREAKER: "{told} One document is tried now and then; when it goes through, all go on.",
        HeldBy.ASKED: "It said that too much came at once, or that it is busy.",
        HeldBy.PACED: "At most {told} documents a minute are sent there.",
    }
)
"""What is said around what was told. Where a person holds it, their reason alone is said."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing goes to one place now, in words. `until` is None where only a person ends it.

    `told` is what a person gave as the reason, how the target failed, or how many are sent in a minute.
    """

    held_by: HeldBy
    told: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def title(self) -> str:
        return TITLES[self.held_by]

    @property
    def reason(self) -> str:
        """A sentence of ours that has `told` in it; empty where what was told is all."""
        no_reason = NO_REASON if self.held_by is HeldBy.PAUSED and not self.told else ""
        return REASONS.get(self.held_by, no_reason)

    @property
    def because(self) -> str:
        return self.reason.format(told=self.told) or self.told

    @property
    def is_pace(self) -> bool:
        """Whether it is the ordinary pace of the connection, and nothing that a person needs to look at."""
        return self.held_by is HeldBy.PACED


def stop_in_force() -> SendingStop | None:
    """The stop of all sending that was not lifted yet."""
    return SendingStop.objects.filter(lifted_at__isnull=True).first()


def closed_to(operation: str) -> QuerySet[Connection, int]:
    """The keys of the connections for which nothing of that operation is taken up now. By the database's clock."""
    held = Connection.objects.annotate(held_by=_held_by(operation)).filter(held_by__isnull=False)
    return held.values_list("pk", flat=True)


def _held_by(operation: str) -> Case:
    whens = [
        When(Exists(SendingStop.objects.filter(lifted_at__isnull=True)), then=Value(HeldBy.STOPPED.value)),
        When(paused_at__isnull=False, then=Value(HeldBy.PAUSED.value)),
    ]
    if operation != _SOURCE:
        whens += _at_the_target()
    return Case(*whens, default=None, output_field=CharField())


def _at_the_target() -> list[When]:
    """A target that is away keeps no word from a source."""
    resting = Q(gate__opened_at__isnull=False, gate__canary_at__gt=Now())
    paced = Q(sends_per_minute__isnull=False, gate__token_at__gt=Now())
    return [
        When(Exists(_windows_now()), then=Value(HeldBy.MAINTENANCE.value)),
        When(resting, then=Value(HeldBy.BREAKER.value)),
        When(gate__quiet_until__gt=Now(), then=Value(HeldBy.ASKED.value)),
        When(paced, then=Value(HeldBy.PACED.value)),
    ]


def _windows_now() -> QuerySet[MaintenanceWindow]:
    return MaintenanceWindow.objects.filter(
        connection=OuterRef("pk"), cancelled_at__isnull=True, starts_at__lte=Now(), ends_at__gt=Now()
    )


def holds_on(keys: Collection[int], operation: str = Delivery.Operation.SUBMIT) -> Mapping[int, Hold]:
    """Connection → why nothing of that operation is taken up for it now, of those where it is so. One query."""
    window = _windows_now().order_by("-ends_at")
    stop = SendingStop.objects.filter(lifted_at__isnull=True)
    rows = (
        Connection.objects.annotate(held_by=_held_by(operation))
        .filter(pk__in=keys, held_by__isnull=False)
        .values(
            "pk",
            "held_by",
            "paused_at",
            "paused_because",
            "sends_per_minute",
            opened_at=F("gate__opened_at"),
            opened_because=F("gate__opened_because"),
            canary_at=F("gate__canary_at"),
            quiet_until=F("gate__quiet_until"),
            token_at=F("gate__token_at"),
            stopped_at=Subquery(stop.values("stopped_at")[:1]),
            stopped_because=Subquery(stop.values("because")[:1]),
            window_starts=Subquery(window.values("starts_at")[:1]),
            window_ends=Subquery(window.values("ends_at")[:1]),
            window_because=Subquery(window.values("because")[:1]),
        )
    )
    return {row["pk"]: _in_words(row) for row in rows}


def hold_on(connection_id: int, operation: str = Delivery.Operation.SUBMIT) -> Hold | None:
    return holds_on([connection_id], operation).get(connection_id)


def _in_words(row: Mapping[str, Any]) -> Hold:
    held_by = HeldBy(row["held_by"])
    match held_by:
        case HeldBy.STOPPED:
            return Hold(held_by, row["stopped_because"] or "", since=row["stopped_at"])
        case HeldBy.PAUSED:
            return Hold(held_by, row["paused_because"] or "", since=row["paused_at"])
        case HeldBy.MAINTENANCE:
            times = {"since": row["window_starts"], "until": row["window_ends"]}
            return Hold(held_by, row["window_because"] or "", **times)
        case HeldBy.BREAKER:
            return Hold(held_by, row["opened_because"] or "", since=row["opened_at"], until=row["canary_at"])
        case HeldBy.ASKED:
            return Hold(held_by, until=row["quiet_until"])
        case HeldBy.PACED:
            return Hold(held_by, str(row["sends_per_minute"]), until=row["token_at"])
