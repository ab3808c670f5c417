"""The inbox: a message is durable before it is answered, and the same message is kept once."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now

from audit import log
from integrations.connectors.base import IncomingMessage
from integrations.doorbell import ring_on_commit
from integrations.models import Connection, InboxContent, InboxMessage

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


class MessageRefused(Exception):
    """A message that cannot be taken in. `field` names the part at fault, `remedy` says what to do."""

    def __init__(self, problem: str, *, field: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A message as its sender handed it in."""

    external_id: str
    payload: bytes
    payload_media_type: str
    refusal: bytes = b""
    refusal_media_type: str = ""
    refusal_status: int | None = None
    refusal_headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Over payload and refusal: the same invoice refused for another reason is another message."""
        digest = hashlib.sha256()
        for part in (self.payload, self.refusal, str(self.refusal_status or "").encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()


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
    _refuse_unusable(connection, handed_in)
    # Nothing below is refused, so there is nothing to go back to: many at once need no savepoint each.
    with transaction.atomic(savepoint=False):
        _one_sender_at_a_time(connection, handed_in.external_id)
        earlier = _earlier(connection, handed_in)
        if earlier is not None and earlier.content_sha256 == handed_in.sha256:
            InboxMessage.objects.filter(pk=earlier.pk).update(repeats=F("repeats") + 1)
            return Receipt(earlier, is_repeat=True)
        message = InboxMessage.objects.create(
            connection=connection,
            external_id=handed_in.external_id,
            content_sha256=handed_in.sha256,
            via=via,
            received_at=at,
            received_by=by,
            correlation_id=correlation_id,
        )
        _keep(message, handed_in)
        if earlier is not None:
            fail(
                message,
                at=at,
                problem=f"The identifier “{handed_in.external_id}” came before with other content.",
                field="id",
                remedy="Give each message its own identifier; send a document corrected by the source under a new one.",
            )
            return Receipt(message, is_repeat=False, conflict=True)
        ring_on_commit()
        return Receipt(message, is_repeat=False)


def _earlier(connection: Connection, handed_in: HandedIn) -> InboxMessage | None:
    """A message that came under this identifier: the one with the same content when there is one."""
    under_it = InboxMessage.objects.filter(connection=connection, external_id=handed_in.external_id)
    return under_it.order_by(Case(When(content_sha256=handed_in.sha256, then=0), default=1)).first()


def _keep(message: InboxMessage, handed_in: HandedIn) -> None:
    """Its bytes and its audit event."""
    InboxContent.objects.create(
        message=message,
        payload=handed_in.payload,
        payload_media_type=handed_in.payload_media_type,
        refusal=handed_in.refusal,
        refusal_media_type=handed_in.refusal_media_type,
        refusal_status=handed_in.refusal_status,
        refusal_headers=dict(handed_in.refusal_headers),
        context=dict(handed_in.context),
    )
    _record(
        message,
        "message.received",
        at=message.received_at,
        actor=message.received_by,
        summary=f"{message.connection} handed in message {message.external_id}.",
    )


def _one_sender_at_a_time(connection: Connection, external_id: str) -> None:
    """Serialise the senders of one identifier until the transaction ends: two contents must see each other."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [connection.pk, external_id])


def _refuse_unusable(connection: Connection, handed_in: HandedIn) -> None:
    identifier = handed_in.external_id
    if not identifier.strip() or len(identifier) > 200 or not identifier.isprintable():
        raise MessageRefused(
            "The message has no usable identifier.",
            field="id",
            remedy="Send 1 to 200 printable characters, unique per message.",
        )
    for name, media_type in (
        ("payload.media_type", handed_in.payload_media_type),
        ("refusal.media_type", handed_in.refusal_media_type),
    ):
        if len(media_type) > 100 or not media_type.isprintable():
            raise MessageRefused(
                "The media type is none.", field=name, remedy="Send one such as application/xml, up to 100 characters."
            )
    if not handed_in.payload:
        raise MessageRefused("The payload is empty.", field="payload", remedy="Send the refused document itself.")
    for name, part in (("payload", handed_in.payload), ("refusal", handed_in.refusal)):
        if len(part) > connection.max_bytes:
            raise MessageRefused(
                f"The {name} has {len(part):,} bytes; {connection.name} takes at most {connection.max_bytes:,}.",
                field=name,
                remedy="Send a smaller document, or ask an administrator to raise the connection's limit.",
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
    log.record(
        name,
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
