"""The batch in which an exception came in, and the other exceptions of it that a person may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.models import ExceptionCase, Occurrence
from integrations import batches
from integrations.models import Connection, InboxMessage, MessageBatch
from integrations.refusals import BatchTotals

MOST_OTHERS = 50
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInWords:
    """What became of a batch, in words and in numbers.

    `others` are further exceptions of it that the reader may see, oldest first; `more` when not all are listed.
    """

    message_number: int
    reference: str
    unit: str
    totals: BatchTotals
    words: str
    recorded_at: datetime
    others: Sequence[ExceptionCase] = ()
    more: bool = False

    @property
    def agree(self) -> bool:
        return self.totals.agree


def batch_of_case(arrival: Occurrence | None, user: AbstractUser) -> BatchInWords | None:
    """The batch of one arrival; None when it came alone. One query, none when the arrival came with its batch."""
    row: MessageBatch | None = getattr(arrival.inbox_message, "batch", None) if arrival is not None else None
    if arrival is None or row is None:
        return None
    there = Occurrence.objects.filter(inbox_message=arrival.inbox_message_id).exclude(case=arrival.case_id)
    visible = ExceptionCase.objects.visible_to(user).filter(pk__in=there.values("case")).order_by("pk")
    found = list(visible.only("id", "state", "document_number")[: MOST_OTHERS + 1])
    return told(row, others=found[:MOST_OTHERS], more=len(found) > MOST_OTHERS)


def batch_of_message(message: InboxMessage) -> BatchInWords | None:
    row = MessageBatch.objects.filter(message=message).first()
    return told(row) if row is not None else None


def became_no_exception(message: InboxMessage) -> bool:
    """Whether it was read and nothing in it was refused."""
    is_read = message.status == InboxMessage.Status.PROCESSED
    return is_read and not Occurrence.objects.filter(inbox_message=message).exists()


def recent_batches(connection: Connection) -> list[BatchInWords]:
    """What became of the newest batches that came in on a connection, newest first. For who cares for it."""
    rows = MessageBatch.objects.filter(message__connection=connection).order_by("-message_id")
    return [told(row) for row in rows[:MOST_SHOWN]]


def told(row: MessageBatch, *, others: Sequence[ExceptionCase] = (), more: bool = False) -> BatchInWords:
    """A stored batch as people read it."""
    totals = batches.totals_of(row)
    words = totals.in_words(unit=row.unit)
    return BatchInWords(
        message_number=row.message_id,
        reference=row.reference,
        unit=row.unit,
        totals=totals,
        words=f"{words[:1].upper()}{words[1:]}",
        recorded_at=row.recorded_at,
        others=others,
        more=more,
    )
