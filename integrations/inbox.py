"""The inbox: a message is durable before it is answered, and the same message is kept once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from audit import log
from integrations.connectors.base import IncomingMessage
from integrations.doorbell import ring_on_commit
from integrations.handed_in import HandedIn, MessageRefused, refusal_of
from integrations.models import Connection, InboxContent, InboxMessage

__all__ = [
    "MAX_CLAIMS",
    "READER_LEASE",
    "Arrival",
    "Claim",
    "HandedIn",
    "MessageRefused",
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
READER_LEASE = timedelta(seconds=10)  # until a reader has locked it, and until it is tried again after a crash


@dataclass(frozen=True, slots=True)
class Claim:
    """A message chosen by a reader. `number` says which claim of the message it is; a later one outdates it."""

    message_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message handed in. `conflict` is set when its identifier came before with other content."""

    message: InboxMessage
    is_repeat: bool
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message, and the connection for which it was handed in."""

    connection: Connection
    handed_in: HandedIn

    @property
    def identifier(self) -> tuple[int, str]:
        return self.connection.pk, self.handed_in.external_id


def receive(
    connection: Connection,
    handed_in: HandedIn,
    *,
    via: InboxMessage.Via,
    by: str,
    at: datetime,
    correlation_id: str = "",
) -> Receipt:
    """Keep a message, or recognise it. Durable when the transaction commits; answer only then.

    The same identifier with the same content is a repeat and only counted. With other content both are kept: the
    newcomer becomes a visible intake failure. Raises MessageRefused.
    """
    [outcome] = receive_many([Arrival(connection, handed_in)], via=via, by=by, at=at, correlation_id=correlation_id)
    if isinstance(outcome, MessageRefused):
        raise outcome
    return outcome


def receive_many(
    arrivals: Sequence[Arrival], *, via: InboxMessage.Via, by: str, at: datetime, correlation_id: str = ""
) -> list[Receipt | MessageRefused]:
    """As `receive`, each for itself and in the order given; new ones take no more statements than a single one."""
    refusals = [refusal_of(arrival.handed_in, connection=arrival.connection) for arrival in arrivals]
    usable = [arrival for arrival, refusal in zip(arrivals, refusals, strict=True) if refusal is None]
    # Nothing below is refused, so there is nothing to go back to and no need of a savepoint.
    with transaction.atomic(savepoint=False):
        receipts = _receipts_for(usable, via=via, received_by=by, received_at=at, correlation_id=correlation_id)
        _keep(usable, receipts, at=at)
    kept = iter(receipts)
    return [refusal or next(kept) for refusal in refusals]


def _receipts_for(arrivals: Sequence[Arrival], **how: Any) -> list[Receipt]:
    """Which are new, repeats or in conflict. What is new is not stored yet."""
    _one_sender_at_a_time(arrivals)
    there = _there_already(arrivals)
    known = {(message.connection_id, message.external_id, message.content_sha256): message for message in there}
    taken = {(message.connection_id, message.external_id) for message in there}
    receipts = []
    for arrival in arrivals:
        sha256 = arrival.handed_in.sha256
        name = (*arrival.identifier, sha256)
        is_repeat = name in known
        if not is_repeat:
            known[name] = InboxMessage(
                connection=arrival.connection,
                external_id=arrival.handed_in.external_id,
                content_sha256=sha256,
                purpose=arrival.handed_in.purpose,
                **how,
            )
        conflict = not is_repeat and arrival.identifier in taken
        receipts.append(Receipt(known[name], is_repeat=is_repeat, conflict=conflict))
        taken.add(arrival.identifier)
    return receipts


def _one_sender_at_a_time(arrivals: Sequence[Arrival]) -> None:
    """Serialise the senders of one identifier until the transaction ends: two contents must see each other.

    In one order for all, so that two requests do not wait for each other for ever.
    """
    connections = [arrival.connection.pk for arrival in arrivals]
    external_ids = [arrival.handed_in.external_id for arrival in arrivals]
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(connection, identifier) FROM ("
            " SELECT DISTINCT connection, hashtext(external_id) AS identifier"
            " FROM unnest(%s::int[], %s::text[]) AS arrivals (connection, external_id) ORDER BY 1, 2) AS locks",
            [connections, external_ids],
        )


def _there_already(arrivals: Sequence[Arrival]) -> list[InboxMessage]:
    """Of each identifier the messages with the same contents, and one of those with any other."""
    contents = {arrival.handed_in.sha256 for arrival in arrivals}
    same = Case(When(content_sha256__in=contents, then=F("content_sha256")), default=Value(""))
    place = ("connection_id", "external_id", "same")
    return list(
        InboxMessage.objects.filter(
            connection__in={arrival.connection.pk for arrival in arrivals},
            external_id__in={arrival.handed_in.external_id for arrival in arrivals},
        )
        .annotate(same=same)
        .order_by(*place)
        .distinct(*place)
    )


def _keep(arrivals: Sequence[Arrival], receipts: Sequence[Receipt], *, at: datetime) -> None:
    """Store what is new, with its bytes and audit events; count the repeats; make conflicts visible."""
    new = [
        (receipt.message, arrival.handed_in)
        for arrival, receipt in zip(arrivals, receipts, strict=True)
        if not receipt.is_repeat
    ]
    InboxMessage.objects.bulk_create(message for message, _ in new)
    InboxContent.objects.bulk_create(_content_of(message, handed_in) for message, handed_in in new)
    log.record_many(
        _entry(
            message,
            "message.received",
            at=at,
            actor=message.received_by,
            summary=f"{message.connection} handed in message {message.external_id}.",
        )
        for message, _ in new
    )
    repeated = Counter(receipt.message.pk for receipt in receipts if receipt.is_repeat)
    for times in set(repeated.values()):
        again = [pk for pk, number in repeated.items() if number == times]
        InboxMessage.objects.filter(pk__in=again).update(repeats=F("repeats") + times)
    for receipt in receipts:
        if receipt.conflict:
            _fail_for_its_identifier(receipt.message, at=at)
    if any(not receipt.is_repeat and not receipt.conflict for receipt in receipts):
        ring_on_commit()


def _content_of(message: InboxMessage, handed_in: HandedIn) -> InboxContent:
    return InboxContent(
        message=message,
        payload=handed_in.payload,
        payload_media_type=handed_in.payload_media_type,
        refusal=handed_in.refusal,
        refusal_media_type=handed_in.refusal_media_type,
        refusal_status=handed_in.refusal_status,
        refusal_headers=dict(handed_in.refusal_headers),
        context=dict(handed_in.context),
    )


def _fail_for_its_identifier(message: InboxMessage, *, at: datetime) -> None:
    fail(
        message,
        at=at,
        problem=f"The identifier “{message.external_id}” came before with other content.",
        field="id",
        remedy="Give each message its own identifier; send a document corrected by the source under a new one.",
    )


@transaction.atomic
def claim() -> Claim | None:
    """Choose the oldest pending message that nobody reads, and count the try.

    To be committed before it is read, so that a try which ends with the whole process counts too.
    """
    nobody_reads = Q(claimed_until__isnull=True) | Q(claimed_until__lte=Now())
    found = (
        InboxMessage.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .filter(nobody_reads, status=InboxMessage.Status.PENDING)
        .order_by("id")
        .values_list("pk", "claims")
        .first()
    )
    if found is None:
        return None
    message_id, claims = found
    InboxMessage.objects.filter(pk=message_id).update(claims=claims + 1, claimed_until=Now() + READER_LEASE)
    return Claim(message_id, claims + 1)


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


@transaction.atomic
def fail(message: InboxMessage, *, at: datetime, problem: str, field: str, remedy: str) -> None:
    """Make it a visible intake failure; its original stays."""
    message.status = InboxMessage.Status.FAILED
    message.processed_at = at
    message.problem = problem
    message.problem_field = field
    message.remedy = remedy
    message.save(update_fields=["status", "processed_at", "problem", "problem_field", "remedy"])
    _record(
        message,
        "message.failed",
        at=at,
        actor="machine:intake",
        summary=f"Message {message.external_id} of {message.connection} could not be read: {problem}",
    )


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
    message.save(update_fields=["status", "claims", "claimed_until"])
    ring_on_commit()
    _record(
        message, "message.read_again", at=at, actor=by, summary=f"{by} had message {message.external_id} read again."
    )
    return message


@transaction.atomic
def set_aside(message_id: int, *, by: str, at: datetime, because: str) -> InboxMessage:
    """A person has seen it and nothing is to be done; it stays, with its original. Raises MessageRefused."""
    if not because.strip():
        raise MessageRefused("A reason is missing.", field="because", remedy="Say why nothing is to be done.")
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
            "This message is no longer a failure.", field="message", remedy="Reload the page to see what became of it."
        )
    return message


def _record(message: InboxMessage, name: str, *, at: datetime, actor: str, summary: str, because: str = "") -> None:
    log.record_many([_entry(message, name, at=at, actor=actor, summary=summary, because=because)])


def _entry(message: InboxMessage, name: str, *, at: datetime, actor: str, summary: str, because: str = "") -> log.Entry:
    return log.Entry(
        action=name,
        subject=f"message:{message.pk}",
        scope=f"connection/{message.connection.slug}",
        actor=actor,
        actor_kind="machine" if actor.startswith(("machine:", "folder:")) else "person",
        at=at,
        summary=summary,
        because=because,
        data={"external_id": message.external_id, "sha256": message.content_sha256, "via": str(message.via)},
        correlation_id=message.correlation_id,
    )
