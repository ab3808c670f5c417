"""The doors of the targets, shared by all workers: so many documents a minute, and a breaker with one canary.

The rows are locked only where a limit is set or something failed; a target that works costs one look.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from audit import log
from integrations.models import Connection, Delivery, Gate

WORKER = "machine:worker"
MINUTE = timedelta(minutes=1)
SAVED_UP = 10  # the bucket holds this part of what may go in a minute, and at least two
REST_FIRST = timedelta(seconds=15)  # from opening to the first canary; then twice as long each time
REST_MOST = timedelta(minutes=2)
LONGEST_QUIET = timedelta(minutes=15)  # for all of a connection, however long the target asked one document to wait


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket that never lets through more than `per_minute` in any sixty seconds, however they are cut out."""

    capacity: int
    every: timedelta

    @classmethod
    def of(cls, per_minute: int) -> "Pace":
        capacity = min(per_minute, max(2, -(-per_minute // SAVED_UP)))
        return cls(capacity, MINUTE / (per_minute - capacity + 1))


def admitted(due: Sequence[Delivery]) -> list[Delivery]:
    """Those that the gates let through now, in their order. In the transaction that claims them."""
    to_targets = [delivery for delivery in due if delivery.operation != Delivery.Operation.WRITE_BACK]
    wanted = Counter(delivery.connection_id for delivery in to_targets)
    limits = {
        delivery.connection_id: delivery.connection.sends_per_minute
        for delivery in to_targets
        if delivery.connection.sends_per_minute
    }
    room = {key: _let_through(gate, wanted[key], limits.get(key)) for key, gate in _locked(wanted, limits).items()}
    found = []
    for delivery in due:
        if delivery.operation != Delivery.Operation.WRITE_BACK and delivery.connection_id in room:
            if not room[delivery.connection_id]:
                continue
            room[delivery.connection_id] -= 1
        found.append(delivery)
    return found


def _locked(connections: Collection[int], limited: Collection[int]) -> dict[int, Gate]:
    """The gates that may keep something back, locked in one order; the others are only looked past."""
    if not connections:
        return {}
    watched = Q(opened_at__isnull=False) | Q(quiet_until__gt=Now()) | Q(pk__in=limited)
    rows = Gate.objects.select_for_update(no_key=True).filter(watched, pk__in=connections).annotate(at=Now())
    gates: dict[int, Gate] = {gate.pk: gate for gate in rows.order_by("pk")}
    if missing := [key for key in limited if key not in gates]:
        Gate.objects.bulk_create([Gate(connection_id=key) for key in missing], ignore_conflicts=True)
        gates = {gate.pk: gate for gate in rows.order_by("pk")}
    return gates


def _let_through(gate: Gate, wanted: int, per_minute: int | None) -> int:
    """How many of what is wanted may go; what it takes is written to the gate."""
    at: datetime = gate.at  # type: ignore[attr-defined]  # annotated
    if gate.quiet_until is not None and gate.quiet_until > at:
        return 0
    if gate.opened_at is not None:
        if gate.canary_at is not None and gate.canary_at > at:
            return 0
        wanted = 1
    granted = _take(gate, wanted, Pace.of(per_minute), at=at) if per_minute else wanted
    if gate.opened_at is not None and granted:
        gate.canaries += 1
        gate.canary_at = at + _rest(gate.canaries) + 4 * timedelta(seconds=gate.connection.timeout_seconds)
    gate.save(update_fields=["token_at", "full_at", "canary_at", "canaries"])
    return granted


def _take(gate: Gate, wanted: int, pace: Pace, *, at: datetime) -> int:
    full_at = max(gate.full_at or at, at)
    there = max(0, (at + pace.every * pace.capacity - full_at) // pace.every)
    granted = min(wanted, there)
    gate.full_at = full_at + pace.every * granted
    gate.token_at = gate.full_at - pace.every * (pace.capacity - 1)
    return granted


def _rest(canaries: int) -> timedelta:
    return min(REST_FIRST * (1 << min(canaries, 8)), REST_MOST)


def went_through(connection: Connection) -> None:
    """The target did its work for a document: whatever failed before does not count any more."""
    troubled = Gate.objects.filter(pk=connection.pk).exclude(failed=[], opened_at__isnull=True)
    if not troubled.exists():
        return
    gate = troubled.select_for_update(no_key=True).annotate(at=Now()).first()
    if gate is None:
        return
    if gate.opened_at is not None:
        _tell(gate, "closed", f"A document went through: sending to {connection} goes on.", since=gate.opened_at)
    gate.failed, gate.opened_at, gate.opened_because, gate.canary_at, gate.canaries = [], None, "", None, 0
    gate.save(update_fields=["failed", "opened_at", "opened_because", "canary_at", "canaries"])


def failed(connection: Connection, name: str, *, because: str) -> None:
    """A technical failure of one document or file, by its name: so many in a row, and the breaker opens."""
    after = connection.breaker_after
    if not after:
        return
    gate = _gate_of(connection)
    at: datetime = gate.at  # type: ignore[attr-defined]  # annotated
    if gate.opened_at is not None:
        gate.canary_at = max(gate.canary_at or at, at + _rest(gate.canaries))
    elif name not in gate.failed:
        gate.failed = [*gate.failed, name]
        if len(gate.failed) >= after:
            gate.opened_at, gate.canary_at, gate.canaries = at, at + REST_FIRST, 0
            gate.opened_because = f"The last {after} documents failed technically. The last answer: {because}"[:300]
            _tell(gate, "opened", f"Sending to {connection} rests: the last {after} documents failed technically.")
    gate.save(update_fields=["failed", "opened_at", "opened_because", "canary_at", "canaries"])


def asked_to_wait(connection: Connection, wait: timedelta) -> None:
    """The target asked one of us to wait; that holds for all."""
    gate = _gate_of(connection)
    until = gate.at + min(wait, LONGEST_QUIET)  # type: ignore[attr-defined]  # annotated
    gate.quiet_until = max(gate.quiet_until or until, until)
    gate.save(update_fields=["quiet_until"])


def _gate_of(connection: Connection) -> Gate:
    rows = Gate.objects.select_for_update(no_key=True).filter(pk=connection.pk).annotate(at=Now())
    gate = rows.first()
    if gate is None:
        Gate.objects.bulk_create([Gate(connection=connection)], ignore_conflicts=True)
        gate = rows.get()
    return gate


def _tell(gate: Gate, verb: str, summary: str, *, since: datetime | None = None) -> None:
    connection = gate.connection
    log.record(
        f"connection.breaker_{verb}",
        subject=f"connection:{connection.slug}",
        scope=f"connection/{connection.slug}",
        actor=WORKER,
        actor_kind="machine",
        at=gate.at,  # type: ignore[attr-defined]  # annotated
        summary=summary,
        because=gate.opened_because,
        data={"failed": gate.failed, "open_since": since},
    )


def reset(connection_id: int) -> bool:
    """Forget what failed and how long to wait: a person says that the target works. False when there was nothing."""
    troubled = Gate.objects.filter(pk=connection_id).exclude(
        failed=[], opened_at__isnull=True, quiet_until__isnull=True
    )
    return bool(
        troubled.update(failed=[], opened_at=None, opened_because="", canary_at=None, canaries=0, quiet_until=None)
    )
