"""The only writer of audit events. An event is written in the transaction of what it tells about, or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from django.db import connections, router

from audit.account_numbers import masked_for_the_trail, masked_in, without_account_numbers
from audit.canonical import JsonValue, NotCanonical, canonical_bytes, canonical_value, timestamp
from audit.merkle import leaf_hash
from audit.models import AuditEvent

ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
SUBJECT = re.compile(r"[a-z][a-z0-9_]*:\S.*", re.DOTALL)
BODY_VERSION = 1
MAX_BODY_BYTES = 256 * 1024
BATCH_SIZE = 1000


class NotInTransaction(RuntimeError):
    """An audit event was about to be written outside a transaction, where it could outlive or miss its cause."""


class InvalidEvent(ValueError):
    """An audit event is incomplete or not exact. The message names the field and what to pass instead."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What ``record`` takes, as a value; for ``record_many``."""

    action: str
    subject: str
    scope: str
    actor: str
    at: datetime
    summary: str
    actor_kind: str = "person"
    because: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    correlation_id: str = ""


Marks = Callable[[Entry], Mapping[str, object]]
"""What the data of an event gets in addition, by who acts and when."""

_marks: ContextVar[Marks | None] = ContextVar("marks", default=None)


@contextmanager
def marked_by(marks: Marks) -> Iterator[None]:
    """While this lasts, every event has these marks in its data, whichever action writes it."""
    before = _marks.set(marks)
    try:
        yield
    finally:
        _marks.reset(before)


def record(
    action: str,
    *,
    subject: str,
    scope: str,
    actor: str,
    at: datetime,
    summary: str,
    actor_kind: str = "person",
    because: str = "",
    data: Mapping[str, object] | None = None,
    correlation_id: str = "",
) -> AuditEvent:
    """Append one event to the log, in the caller's transaction.

    ``action`` is dotted and past tense ("case.approved"), ``subject`` names a thing ("case:EX-000104"), ``scope``
    says who may read it ("NL01/tax-compliance", or empty), ``actor`` is the identity as text, ``at`` is aware,
    ``summary`` a sentence for a person. ``data`` may hold text, integers, booleans, Decimals, dates and aware
    datetimes, nested. Account numbers in it are masked, in ``data`` with a keyed fingerprint beside the mask: an event
    is never changed, so what it held in clear it would hold for ever. Raises ``NotInTransaction`` or ``InvalidEvent``.
    """
    entry = Entry(
        action=action,
        subject=subject,
        scope=scope,
        actor=actor,
        actor_kind=actor_kind,
        at=at,
        summary=summary,
        because=because,
        data=data or {},
        correlation_id=correlation_id,
    )
    return record_many([entry])[0]


def record_many(entries: Iterable[Entry]) -> list[AuditEvent]:
    """Append many events with few statements, in the order given. The rules are those of ``record``."""
    connection = connections[router.db_for_write(AuditEvent)]
    if not connection.in_atomic_block:
        raise NotInTransaction(
            "An audit event must be written in the transaction of the change that it records; "
            "open transaction.atomic() around both."
        )
    return AuditEvent.objects.bulk_create([_event(entry) for entry in entries], batch_size=BATCH_SIZE)


def body_fields(event: AuditEvent) -> dict[str, object]:
    """What the body of ``event`` says, from the columns that repeat it."""
    return _body_fields(
        event_id=event.event_id,
        at=event.at,
        action=event.action,
        actor=event.actor,
        actor_kind=event.actor_kind,
        subject=event.subject,
        scope=event.scope,
        summary=event.summary,
        because=event.because,
        correlation_id=event.correlation_id,
        data=event.data,
    )


def _body_fields(*, event_id: UUID, at: datetime, **fields: Any) -> dict[str, object]:
    return {"v": BODY_VERSION, "event_id": str(event_id), "at": timestamp(at), **fields}


def _event(entry: Entry) -> AuditEvent:
    _check_words(entry)
    event_id = uuid4()
    try:
        data = _data(_with_marks(entry))
        fields = {
            "action": entry.action,
            "actor": entry.actor,
            "actor_kind": entry.actor_kind,
            "subject": entry.subject,
            "scope": entry.scope,
            "summary": without_account_numbers(entry.summary),
            "because": without_account_numbers(entry.because),
            "correlation_id": entry.correlation_id,
            "data": data,
        }
        body = canonical_bytes(_body_fields(event_id=event_id, at=entry.at, **fields))
    except NotCanonical as error:
        raise InvalidEvent(f"Audit event {entry.action}: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise InvalidEvent(
            f"Audit event {entry.action}: {len(body)} bytes are more than the {MAX_BODY_BYTES} allowed; "
            "store large content elsewhere and record its hash in data."
        )
    return AuditEvent(
        event_id=event_id,
        at=entry.at.astimezone(UTC),
        body=body,
        leaf=leaf_hash(body),
        **fields,
    )


def _with_marks(entry: Entry) -> Mapping[str, object]:
    marks = _marks.get()
    found = marks(entry) if marks is not None else {}
    return {**entry.data, **found} if found else entry.data


def _data(data: Mapping[str, object]) -> JsonValue:
    if not isinstance(data, Mapping):
        raise NotCanonical(f"data: {type(data).__name__} is not a mapping of names to values.")
    return cast("JsonValue", masked_in(canonical_value(data), instead=masked_for_the_trail))


def _check_words(entry: Entry) -> None:
    """Refuse what would read as nonsense in the log, with the name of the field."""
    if not ACTION.fullmatch(entry.action):
        raise InvalidEvent(f'action: "{entry.action}" is not dotted lower case such as "case.approved".')
    if not SUBJECT.fullmatch(entry.subject):
        raise InvalidEvent(f'subject: "{entry.subject}" is not a kind and a reference such as "case:EX-000104".')
    if entry.actor_kind not in AuditEvent.ActorKind.values:
        raise InvalidEvent(f'actor_kind: "{entry.actor_kind}" is none of {", ".join(AuditEvent.ActorKind.values)}.')
    for name in ("actor", "summary"):
        if not getattr(entry, name).strip():
            raise InvalidEvent(f"{name}: must not be empty in audit event {entry.action}.")
    for name in ("action", "actor", "subject", "scope", "correlation_id"):
        limit = getattr(AuditEvent._meta.get_field(name), "max_length", None)
        if limit is not None and len(getattr(entry, name)) > limit:
            raise InvalidEvent(f"{name}: longer than {limit} characters in audit event {entry.action}.")
