"""The outbox: what shall happen at another system, written in the transaction that decided it."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from integrations.doorbell import ring_on_commit
from integrations.models import Connection, Delivery, DeliveryContent
from integrations.promises import collecting_time, keeps_changes


class AlreadyUnderWay(Exception):
    """The same document is being delivered already."""


def idempotency_key(
    *, connection: str, operation: str, object_type: str, business_key: str, content_sha256: str
) -> str:
    """The key under which the target may recognise a repeat: the same for every attempt of one version."""
    parts = (connection, operation, object_type, business_key, content_sha256)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def enqueue(
    *,
    connection: Connection,
    operation: Delivery.Operation,
    object_type: str,
    business_key: str,
    content: bytes,
    media_type: str,
    subject: str,
    probe_first: bool,
    at: datetime,
    correlation_id: str = "",
    despite_warnings: bool = False,
    waiting_for: str = "",
    waits_at_most: timedelta | None = None,
    amount: Decimal | None = None,
    currency: str = "",
) -> Delivery:
    """Write one delivery. Sent by a worker after the commit; a second live one for the same key is refused.

    `waiting_for`: no worker takes it up before that is over, at most so long by the database's clock.
    `despite_warnings`: people decided it who saw what the target may warn of. `amount` in `currency` (ISO 4217) is how
    much it moves, for the totals of a report; nothing is decided by it.

    Raises RuntimeError outside a transaction, AlreadyUnderWay for a second live delivery of the same document.
    """
    if not database.in_atomic_block:
        raise RuntimeError("A delivery is written in the transaction that decides it; open one first.")
    sha256 = hashlib.sha256(content).hexdigest()
    key = idempotency_key(
        connection=connection.slug,
        operation=operation,
        object_type=object_type,
        business_key=business_key,
        content_sha256=sha256,
    )
    delivery = _insert(
        connection=connection,
        operation=operation,
        object_type=object_type,
        business_key=business_key,
        key=key,
        content_sha256=sha256,
        subject=subject,
        correlation_id=correlation_id,
        probe_first=probe_first,
        is_change=operation == Delivery.Operation.SUBMIT and keeps_changes(connection),
        despite_warnings=despite_warnings,
        amount=amount,
        currency=currency,
        waiting_for=waiting_for[:500],
        waits_until=Now() + waits_at_most if waits_at_most is not None else None,
        due_at=_due_at(connection, operation),
        created_at=at,
    )
    DeliveryContent.objects.create(delivery=delivery, body=content, media_type=media_type)
    ring_on_commit()
    return delivery


def _insert(**columns: Any) -> Delivery:
    """The indexes say whether one is live already; what else the transaction did stands."""
    try:
        with transaction.atomic():
            return Delivery.objects.create(**columns)
    except IntegrityError as error:
        name, connection = columns["business_key"], columns["connection"]
        raise AlreadyUnderWay(f"“{name}” is being delivered to {connection} already.") from error


def _due_at(connection: Connection, operation: Delivery.Operation) -> Now | CombinedExpression:
    """By the database's clock, as everything that decides when something is sent."""
    waits = collecting_time(connection) if operation == Delivery.Operation.SUBMIT else None
    return Now() + waits if waits else Now()
