"""One transaction that was handed over, as its page shows it: how it came, what it waits for, what is sent for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Length, Substr

from audit.queries import LogEntry, timeline
from exceptions_app.models import PayloadVersion, Predecessor, Transaction, TransactionContent
from exceptions_app.queries.intake_failures import SHOWN_BYTES, Original, Part, read_original
from exceptions_app.queries.transactions import Sight
from integrations.models import Delivery, DeliveryContent

MOST_EVENTS = 100
MOST_OTHERS = 20
MOST_DELIVERIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the target gets or got. `version` is that of the exception that took it up, 0 without one."""

    part: Part
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A transaction that comes before or after; `transaction` is None while none of that name may be seen."""

    name: str
    connection: str
    transaction: Transaction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """`known`: its document may be shown. Otherwise there is nothing of it here."""

    transaction: Transaction
    known: bool
    sees_case: bool
    before: Sequence[Other]
    after: Sequence[Other]
    repeats: Sequence[Transaction]
    first: Transaction | None
    original: Original | None
    sent: Sent | None
    deliveries: Sequence[Delivery]
    events: Sequence[LogEntry]


def read_page(transaction: Transaction, sight: Sight) -> TransactionPage:
    """At most ten queries, whatever there is of it."""
    known = sight.knows_the_document(transaction)
    case = transaction.case
    sees_case = case is not None and case.queue_id in sight.queues and case.entity_id in sight.entities
    first = transaction.duplicate_of
    return TransactionPage(
        transaction=transaction,
        known=known,
        sees_case=sees_case,
        before=_before(transaction, sight),
        after=_after(transaction, sight),
        repeats=_visible(sight, Q(duplicate_of=transaction)),
        first=next(iter(_visible(sight, Q(pk=first.pk))), None) if first is not None else None,
        original=read_original(transaction.inbox_message) if known else None,
        sent=_sent(transaction, sees_case=sees_case) if known else None,
        deliveries=_deliveries(transaction) if known else [],
        events=timeline(transaction.subject, limit=MOST_EVENTS) if known else [],
    )


def _before(transaction: Transaction, sight: Sight) -> list[Other]:
    """What it named as its predecessors. Two queries, or one when it named none."""
    named = list(transaction.predecessors.select_related("connection").order_by("pk")[:MOST_OTHERS])
    if not named:
        return []
    wanted = reduce(or_, (Q(connection=one.connection_id, external_id=one.external_id) for one in named))
    # A repeat of one that is delivered comes after it, so the first of a name is the one to look at.
    found = {(one.connection_id, one.external_id): one for one in reversed(_visible(sight, wanted))}
    return [
        Other(
            name=one.external_id,
            connection=one.connection.name,
            transaction=found.get((one.connection_id, one.external_id)),
        )
        for one in named
    ]


def _after(transaction: Transaction, sight: Sight) -> list[Other]:
    """Those that named it as their predecessor, as far as they may be seen. One query."""
    naming = Predecessor.objects.filter(connection=transaction.connection_id, external_id=transaction.external_id)
    found = _visible(sight, Q(pk__in=naming.values("transaction")))
    return [Other(name=one.external_id, connection=one.connection.name, transaction=one) for one in found]


def _visible(sight: Sight, wanted: Q) -> list[Transaction]:
    found = sight.transactions().filter(wanted).select_related("connection")
    return list(found.order_by("pk")[:MOST_OTHERS])


def _sent(transaction: Transaction, *, sees_case: bool) -> Sent | None:
    """Of the exception the latest version, for those who may see it; else what was sent; else what is kept for it."""
    if transaction.case_id is not None and sees_case:
        versions = PayloadVersion.objects.filter(case=transaction.case_id).order_by("-number")
        return _head(versions, "content", "number")
    submitted = Delivery.objects.filter(subject=transaction.subject, operation=Delivery.Operation.SUBMIT)
    contents = DeliveryContent.objects.filter(delivery__in=submitted.values("pk")).order_by("-delivery")
    if (found := _head(contents, "body")) is not None:
        return found
    return _head(TransactionContent.objects.filter(transaction=transaction), "payload")


def _head(rows: QuerySet[Any], column: str, number: str = "") -> Sent | None:
    """The beginning of the first row's bytes; the rest stays in the database. One query."""
    shown = rows.annotate(head=Substr(column, 1, SHOWN_BYTES, output_field=BinaryField()), size=Length(column))
    row = shown.values("head", "size", "media_type", *([number] if number else [])).first()
    if row is None:
        return None
    part = Part(name="sent", media_type=row["media_type"], head=bytes(row["head"]), size=row["size"])
    return Sent(part=part, version=row[number] if number else 0)


def sent_bytes(transaction: Transaction) -> tuple[bytes, str] | None:
    """All bytes of what was sent for it or is kept for it, without an exception, and their media type."""
    submitted = Delivery.objects.filter(subject=transaction.subject, operation=Delivery.Operation.SUBMIT)
    content = DeliveryContent.objects.filter(delivery__in=submitted.values("pk")).order_by("-delivery").first()
    if content is not None:
        return bytes(content.body), content.media_type
    kept = TransactionContent.objects.filter(transaction=transaction).first()
    return (bytes(kept.payload), kept.media_type) if kept is not None else None


def _deliveries(transaction: Transaction) -> list[Delivery]:
    found = Delivery.objects.filter(subject=transaction.subject).select_related("connection")
    return list(found.order_by("-pk")[:MOST_DELIVERIES])
