"""The inbox: what waits to be read, in whose turn it is, and what became of it. `receiving` puts it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from audit import log
from integrations.connectors.base import IncomingMessage
from integrations.doorbell import ring_on_commit
from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import InboxMessage
from integrations.quotas import QuotaReached
from integrations.receiving import Arrival, Receipt, entry_of, failed_entry, receive, receive_many

__all__ = [
    "MAX_CLAIMS",
    "READER_LEASE",
    "Arrival",
    "Claim",
    "HandedIn",
    "MessageRefused",
    "QuotaReached",
    "Receipt",
    "as_incoming",
    "claim",
    "claimed",
    "fail",
    "failed_unexpectedly",
    "processed",
    "read_again",
    "receive",
    "receive_many",
    "set_aside",
]

MAX_CLAIMS = 3  # a message that stops its reader three times is set before a person
MOST_IN_LINE = 1000  # messages that are told to wait at once
READER_LEASE = timedelta(seconds=10)  # until a reader has locked it, and until it is tried again after a crash


@dataclass(frozen=True, slots=True)
class Claim:
    """A message chosen by a reader. `number` says which claim of the message it is; a later one outdates it."""

    message_id: int
    number: int


@transaction.atomic
def claim() -> Claim | None:
    """Choose the oldest pending message that nobody reads and whose turn it is, and count the try.

    Of one connection and ordering key the earlier ones go first: while one of them is pending, which it is while it is
    read too, those after it are passed over. To be committed before it is read, so that a try which ends with the whole
    process counts too.
    """
    nobody_reads = Q(claimed_until__isnull=True) | Q(claimed_until__lte=Now())
    ready = InboxMessage.objects.filter(nobody_reads, status=InboxMessage.Status.PENDING, waits_its_turn=False)
    choice = ready.select_for_update(of=("self",), skip_locked=True, no_key=True).order_by("id")
    while True:
        found = choice.only("claims", "connection_id", "ordering_key").first()
        if found is None:
            return None
        if _is_its_turn(found):
            break
        _wait_in_line(found)
    InboxMessage.objects.filter(pk=found.pk).update(claims=found.claims + 1, claimed_until=Now() + READER_LEASE)
    return Claim(found.pk, found.claims + 1)


def _same_line(message: InboxMessage) -> QuerySet[InboxMessage]:
    """The pending messages of its connection and ordering key."""
    return InboxMessage.objects.filter(
        connection=message.connection_id, status=InboxMessage.Status.PENDING, ordering_key=message.ordering_key
    ).exclude(ordering_key="")


def _is_its_turn(message: InboxMessage) -> bool:
    """Asked when the message is locked. What an earlier one does when it is done waits for that lock, or is seen."""
    return not message.ordering_key or not _same_line(message).filter(pk__lt=message.pk).exists()


def _wait_in_line(message: InboxMessage) -> None:
    """Nobody looks at them again until it is their turn, or choosing would cost more the more of them wait."""
    behind = _same_line(message).filter(pk__gte=message.pk, waits_its_turn=False)
    locked = behind.select_for_update(skip_locked=True, no_key=True).order_by("id")[:MOST_IN_LINE]
    InboxMessage.objects.filter(pk__in=[*locked.values_list("pk", flat=True)]).update(waits_its_turn=True)


def _let_the_next_go(message: InboxMessage) -> None:
    """Whether it was told to wait or not: who tells it just now has its row, and is waited for."""
    following = (
        _same_line(message).order_by("id").values_list("pk", flat=True).first() if message.ordering_key else None
    )
    if following is not None:
        InboxMessage.objects.filter(pk=following).update(waits_its_turn=False)
        ring_on_commit()


@contextmanager
def claimed(claim: Claim) -> Iterator[InboxMessage | None]:
    """The message, locked for this transaction; None when it was claimed again since, or read."""
    # It waits for the row and does not skip it. PostgreSQL locks a row before it looks whether it still matches, so
    # that a choice which another reader began before our claim was committed keeps our row locked until its transaction
    # ends; and so does the counting of a repeat. Both are short. A reader at work is not waited for: it has kept later
    # claims from its row, and a reader with an older claim finds nothing here.
    with transaction.atomic():
        yield (
            InboxMessage.objects.select_for_update(of=("self",), no_key=True)
            .select_related("connection", "content")
            .filter(pk=claim.message_id, claims=claim.number, status=InboxMessage.Status.PENDING)
            .first()
        )


def as_incoming(message: InboxMessage) -> IncomingMessage:
    content = message.content
    return IncomingMessage(
        payload=bytes(content.payload),
        payload_media_type=content.payload_media_type,
        refusal=bytes(content.refusal),
        refusal_media_type=content.refusal_media_type,
        refusal_status=content.refusal_status,
        refusal_headers=content.refusal_headers,
        context=content.context,
    )


def processed(message: InboxMessage, *, at: datetime) -> None:
    message.status = InboxMessage.Status.PROCESSED
    message.processed_at = at
    message.problem = message.problem_field = message.remedy = ""
    message.save(update_fields=["status", "processed_at", "problem", "problem_field", "remedy"])
    _let_the_next_go(message)


@transaction.atomic
def fail(message: InboxMessage, *, at: datetime, problem: str, field: str, remedy: str) -> None:
    """Make it a visible intake failure; its original stays, and it does not keep the others of its key waiting."""
    message.status = InboxMessage.Status.FAILED
    message.processed_at = at
    message.problem = problem
    message.problem_field = field
    message.remedy = remedy
    message.save(update_fields=["status", "processed_at", "problem", "problem_field", "remedy"])
    _let_the_next_go(message)
    log.record_many([failed_entry(message, at=at)])


def uncount_claim(message: InboxMessage) -> None:
    """As if it had not been tried, which says nothing about it; another reader takes it up when the claim ends."""
    InboxMessage.objects.filter(pk=message.pk).update(claims=F("claims") - 1)


def failed_unexpectedly(message: InboxMessage, *, at: datetime) -> None:
    """Set a message before a person once its readers broke off some times; before that it is tried again."""
    if message.claims >= MAX_CLAIMS:
        fail(
            message,
            at=at,
            problem=f"The reader broke off on this message {MAX_CLAIMS} times.",
            field="payload",
            remedy="Show it to support; its original is kept. Read it again after an upgrade.",
        )


@transaction.atomic
def read_again(message_id: int, *, by: str, at: datetime) -> InboxMessage:
    """Back to the reader, after the cause of the failure was mended."""
    message = _failed(message_id)
    message.status = InboxMessage.Status.PENDING
    message.claims = 0
    message.claimed_until = None
    message.waits_its_turn = False
    message.save(update_fields=["status", "claims", "claimed_until", "waits_its_turn"])
    ring_on_commit()
    _record(
        message, "message.read_again", at=at, actor=by, summary=f"{by} had message {message.external_id} read again."
    )
    return message


@transaction.atomic
def set_aside(message_id: int, *, by: str, at: datetime, because: str) -> InboxMessage:
    """A person has seen it and nothing is to be done; it stays, with its original. Raises MessageRefused."""
    if not because.strip():
        raise MessageRefused(
            gettext_noop("A reason is missing."),
            field="because",
            remedy=gettext_noop("Say why nothing is to be done."),
        )
    message = _failed(message_id)
    message.status = InboxMessage.Status.SET_ASIDE
    message.processed_at = at
    message.save(update_fields=["status", "processed_at"])
    _record(
        message,
        "message.set_aside",
        at=at,
        actor=by,
        because=because,
        summary=f"{by} set message {message.external_id} aside.",
    )
    return message


def _failed(message_id: int) -> InboxMessage:
    message = InboxMessage.objects.select_for_update(of=("self",), no_key=True).get(pk=message_id)
    if message.status != InboxMessage.Status.FAILED:
        raise MessageRefused(
            gettext_noop("This message is no longer a failure."),
            field="message",
            remedy=gettext_noop("Reload the page to see what became of it."),
        )
    return message


def _record(message: InboxMessage, name: str, *, at: datetime, actor: str, summary: str, because: str = "") -> None:
    log.record_many([entry_of(message, name, at=at, actor=actor, summary=summary, because=because)])
