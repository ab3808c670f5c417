"""Taking messages in: durable before they are answered, the same message kept once, never more than there is room for.

What decides who was first is a unique index, so that senders wait for each other only where they bring the same
identifier, however many messages a request has.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection as database
from django.db import transaction
from django.db.models import Case, F, Value, When
from psycopg.types.json import Jsonb

from audit import log
from integrations.doorbell import ring_on_commit
from integrations.handed_in import HandedIn, MessageRefused, refusal_of
from integrations.models import Connection, InboxMessage
from integrations.quotas import QuotaReached, count_taken, room_of

_MACHINES: Final = ("machine:", "folder:", "webhook:", "pull:")
_COPY: Final = (
    "COPY integrations_inboxcontent (message_id, payload, payload_media_type, refusal, refusal_media_type,"
    " refusal_status, refusal_headers, context) FROM STDIN (FORMAT BINARY)"
)
_TYPES: Final = ("int8", "bytea", "varchar", "bytea", "varchar", "int2", "jsonb", "jsonb")
# Connection, identifier, content: two messages that have all three in common are one.
Name = tuple[int, str, str]


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
    newcomer becomes a visible intake failure. Raises MessageRefused, and QuotaReached, which is one, when there is no
    room for a new one; what is here already is recognised all the same.
    """
    [outcome] = receive_many([Arrival(connection, handed_in)], via=via, by=by, at=at, correlation_id=correlation_id)
    if isinstance(outcome, MessageRefused):
        raise outcome
    return outcome


def receive_many(
    arrivals: Sequence[Arrival], *, via: InboxMessage.Via, by: str, at: datetime, correlation_id: str = ""
) -> list[Receipt | MessageRefused]:
    """As `receive`, each for itself and in the order given; new ones take hardly more statements than a single one."""
    refusals = [refusal_of(arrival.handed_in, connection=arrival.connection) for arrival in arrivals]
    usable = [arrival for arrival, refusal in zip(arrivals, refusals, strict=True) if refusal is None]
    # Nothing below is refused, so there is nothing to go back to and no need of a savepoint.
    with transaction.atomic(savepoint=False):
        outcomes = _taken_in(usable, via=via, received_by=by, received_at=at, correlation_id=correlation_id)
    kept = iter(outcomes)
    return [refusal or next(kept) for refusal in refusals]


def _taken_in(arrivals: Sequence[Arrival], **how: Any) -> list[Receipt | QuotaReached]:
    if not arrivals:
        return []
    names = [(*arrival.identifier, arrival.handed_in.sha256) for arrival in arrivals]
    there = _there_already(names)
    new = _new_among(arrivals, names, there, how)
    connections = {arrival.connection.pk: arrival.connection for arrival in arrivals}
    beyond = _beyond_the_quotas(new, connections, how)
    contents = dict(zip(reversed(names), (arrival.handed_in for arrival in reversed(arrivals)), strict=True))
    there |= _store(new, contents)
    for message in there.values():
        message.connection = connections[message.connection_id]
    return _told(names, new, there, beyond)


def _there_already(names: Collection[Name]) -> dict[Name, InboxMessage]:
    """Of each identifier the messages with the same contents, and one of those with any other."""
    connections, identifiers, contents = (set(part) for part in zip(*names, strict=True))
    same = Case(When(content_sha256__in=contents, then=F("content_sha256")), default=Value(""))
    place = ("connection_id", "external_id", "same")
    found = InboxMessage.objects.filter(connection__in=connections, external_id__in=identifiers)
    found = found.annotate(same=same).order_by(*place).distinct(*place)
    return {(message.connection_id, message.external_id, message.content_sha256): message for message in found}


def _new_among(
    arrivals: Sequence[Arrival], names: Sequence[Name], there: Mapping[Name, InboxMessage], how: Mapping[str, Any]
) -> dict[Name, InboxMessage]:
    """A message, not stored yet, for each that was not here before; in the order in which they came."""
    taken = {(connection, identifier) for connection, identifier, _ in there}
    new: dict[Name, InboxMessage] = {}
    for arrival, name in zip(arrivals, names, strict=True):
        if name in there or name in new:
            continue
        new[name] = message = InboxMessage(
            connection=arrival.connection,
            external_id=arrival.handed_in.external_id,
            content_sha256=name[2],
            purpose=arrival.handed_in.purpose,
            ordering_key=arrival.handed_in.ordering_key,
            **how,
        )
        if arrival.identifier in taken:
            _mark_conflict(message)
        taken.add(arrival.identifier)
    return new


def _mark_conflict(message: InboxMessage) -> None:
    """Nobody reads it: which of the two contents is meant, a person has to say."""
    message.conflict = True
    message.status = InboxMessage.Status.FAILED
    message.processed_at = message.received_at
    message.problem = f"The identifier “{message.external_id}” came before with other content."
    message.problem_field = "id"
    message.remedy = "Give each message its own identifier; send a document corrected by the source under a new one."


def _beyond_the_quotas(
    new: dict[Name, InboxMessage], connections: Mapping[int, Connection], how: Mapping[str, Any]
) -> dict[Name, QuotaReached]:
    """Take out of `new` what there is no room for."""
    by_connection: defaultdict[int, list[Name]] = defaultdict(list)
    for name in new:
        by_connection[name[0]].append(name)
    beyond: dict[Name, QuotaReached] = {}
    for key in sorted(by_connection):  # in one order for all senders
        names = by_connection[key]
        waiting = sum(not new[name].conflict for name in names)
        room = room_of(connections[key], wanted=waiting, at=how["received_at"])
        missed: set[str] = set()  # with the first of an identifier gone, there is nothing to be in conflict with
        for name in names:
            refused = room.take(waits=not new[name].conflict or name[1] in missed)
            if refused is not None:
                beyond[name] = refused
                missed.add(name[1])
        count_taken(connections[key], room)
    for name in beyond:
        del new[name]
    return beyond


def _store(new: dict[Name, InboxMessage], contents: Mapping[Name, HandedIn]) -> dict[Name, InboxMessage]:
    """Store what is new, with its bytes and audit events.

    Takes out of `new`, and returns as they are kept, the messages with which another sender was faster.
    """
    if not new:
        return {}
    _number(list(new.values()))
    faster: dict[Name, InboxMessage] = {}
    waiting = dict(new)
    while waiting:
        inserted = _insert(list(waiting.values()))
        waiting = {name: message for name, message in waiting.items() if message.pk not in inserted}
        if waiting:
            there = _there_already(waiting)
            faster |= {name: there[name] for name in waiting if name in there}
            waiting = {name: message for name, message in waiting.items() if name not in there}
            for message in waiting.values():
                _mark_conflict(message)
    for name in faster:
        del new[name]
    _insert_contents([(message, contents[name]) for name, message in new.items()])
    log.record_many(entry for message in new.values() for entry in _entries(message))
    if any(not message.conflict for message in new.values()):
        ring_on_commit()
    return faster


def _number(messages: Sequence[InboxMessage]) -> None:
    """Their order is that in which they came, whatever the order in which they are inserted."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('integrations_inboxmessage', 'id')) FROM generate_series(1, %s)",
            [len(messages)],
        )
        numbers = sorted(number for (number,) in cursor.fetchall())
    for message, number in zip(messages, numbers, strict=True):
        message.pk = number


def _insert(messages: Sequence[InboxMessage]) -> set[int]:
    """The numbers of those that were not there. In one order for all senders, who wait for each other here."""
    fields = InboxMessage._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    arrays = ", ".join(f"%s::{field.db_type(database)}[]" for field in fields)
    ordered = sorted(messages, key=lambda message: (message.connection_id, message.external_id, message.content_sha256))
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO integrations_inboxmessage ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608
            " ON CONFLICT DO NOTHING RETURNING id",
            [
                [field.get_db_prep_save(getattr(message, field.attname), database) for message in ordered]
                for field in fields
            ],
        )
        return {number for (number,) in cursor.fetchall()}


def _insert_contents(contents: Sequence[tuple[InboxMessage, HandedIn]]) -> None:
    """By COPY, which sends the bytes as they are and one by one: as text they would be twice as many, all at once."""
    if not contents:
        return
    with database.cursor() as cursor, database.wrap_database_errors, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for message, handed_in in contents:
            copy.write_row(
                (
                    message.pk,
                    handed_in.payload,
                    handed_in.payload_media_type,
                    handed_in.refusal,
                    handed_in.refusal_media_type,
                    handed_in.refusal_status,
                    Jsonb(dict(handed_in.refusal_headers)),
                    Jsonb(dict(handed_in.context)),
                )
            )


def _told(
    names: Sequence[Name],
    new: Mapping[Name, InboxMessage],
    there: Mapping[Name, InboxMessage],
    beyond: Mapping[Name, QuotaReached],
) -> list[Receipt | QuotaReached]:
    """What to answer for each, and the repeats counted."""
    outcomes: list[Receipt | QuotaReached] = []
    first: set[Name] = set()
    for name in names:
        if name in beyond:
            outcomes.append(beyond[name])
        elif name in new and name not in first:
            first.add(name)
            outcomes.append(Receipt(new[name], is_repeat=False, conflict=new[name].conflict))
        else:
            outcomes.append(Receipt(new.get(name) or there[name], is_repeat=True))
    _count_repeats([outcome.message.pk for outcome in outcomes if isinstance(outcome, Receipt) and outcome.is_repeat])
    return outcomes


def _count_repeats(numbers: Sequence[int]) -> None:
    """In the order of the rows, as everybody who needs several of them takes them."""
    if not numbers:
        return
    repeated = Counter(numbers)
    if len(repeated) > 1:
        rows = InboxMessage.objects.select_for_update(no_key=True).filter(pk__in=repeated)
        list(rows.order_by("pk").values_list("pk"))
    for times in set(repeated.values()):
        again = [number for number, often in repeated.items() if often == times]
        InboxMessage.objects.filter(pk__in=again).update(repeats=F("repeats") + times)


def _entries(message: InboxMessage) -> list[log.Entry]:
    received = entry_of(
        message,
        "message.received",
        at=message.received_at,
        actor=message.received_by,
        summary=f"{message.connection} handed in message {message.external_id}.",
    )
    if not message.conflict:
        return [received]
    return [received, failed_entry(message, at=message.received_at)]


def failed_entry(message: InboxMessage, *, at: datetime) -> log.Entry:
    return entry_of(
        message,
        "message.failed",
        at=at,
        actor="machine:intake",
        summary=f"Message {message.external_id} of {message.connection} could not be read: {message.problem}",
    )


def entry_of(
    message: InboxMessage, name: str, *, at: datetime, actor: str, summary: str, because: str = ""
) -> log.Entry:
    return log.Entry(
        action=name,
        subject=f"message:{message.pk}",
        scope=f"connection/{message.connection.slug}",
        actor=actor,
        actor_kind="machine" if actor.startswith(_MACHINES) else "person",
        at=at,
        summary=summary,
        because=because,
        data={"external_id": message.external_id, "sha256": message.content_sha256, "via": str(message.via)},
        correlation_id=message.correlation_id,
    )
