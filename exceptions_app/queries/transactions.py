"""Transactions handed over for delivery, as far as a person may see them."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q

from exceptions_app.handover_states import TransactionState
from exceptions_app.models import ExceptionCase, Transaction
from exceptions_app.models.handover import TX_PREFIX, TransactionQuerySet
from exceptions_app.queries.connection_reach import granted_on_connections, worked_within
from exceptions_app.queries.keyset import Direction, Key, Page, Sort, page
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb
from integrations.models import Connection, InboxMessage

NEWEST_FIRST = Sort("newest", (Key("id", "integer", descending=True),))
PAGE_SIZE = 50
MOST_RECENT = 5  # on the page of a connection
MOST_FOUND = 20
WITH_ITS_NAMES = ("connection", "case", "duplicate_of", "queue", "entity")

_PREFIX = TX_PREFIX.rstrip("-")
# Held because nobody could read it, or set aside then: it has no exception, and no queue to which it belongs.
_UNREAD_STATES = (TransactionState.HELD, TransactionState.CLOSED)
_UNREAD = Q(case__isnull=True, queue__isnull=True, state__in=_UNREAD_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a person sees, by primary key: connections that they hand in for or configure, queues, legal entities.

    `worked` are connections whose intake failures are theirs to mend.
    """

    ingesting: frozenset[int]
    configured: frozenset[int]
    queues: tuple[int, ...]
    entities: tuple[int, ...]
    worked: frozenset[int] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not (self.ingesting or self.configured or self.worked or (self.queues and self.entities))

    def transactions(self) -> TransactionQuerySet:
        """Those of their connections; those whose exception, or whose queue without one, is granted to them; and
        those that nobody could read, as the intake failures that they are.
        """
        places = {"queue__in": self.queues, "entity__in": self.entities}
        of_case = Q(**{f"case__{name}": keys for name, keys in places.items()})
        found: TransactionQuerySet = Transaction.objects.filter(
            Q(connection__in=self.ingesting | self.configured)
            | of_case
            | Q(case__isnull=True, **places)
            | _UNREAD & Q(connection__in=self.worked)
        )
        return found

    def knows_the_document(self, transaction: Transaction) -> bool:
        """Whether number and amount may be shown: whoever merely configures a connection does not see them."""
        if transaction.connection_id in self.ingesting:
            return True
        place = transaction.case or transaction
        if place.queue_id is None:
            return transaction.connection_id in self.worked and transaction.state in _UNREAD_STATES
        return place.queue_id in self.queues and place.entity_id in self.entities


def sight_of(user: AbstractUser) -> Sight:
    """Four queries, whatever the number of connections, queues and entities; five where a route leads from all."""
    return sight_within(reach_of(user), user)


def sight_within(reach: Reach, user: AbstractUser) -> Sight:
    """The same for a person whose reach is known. Two queries, or three."""
    granted = granted_on_connections(user) if user.is_active else {}
    return Sight(
        ingesting=frozenset(granted.get("ingest_messages", ())),
        configured=frozenset(granted.get("configure_connection", ())),
        queues=tuple(reach.queues(Verb.SEE)),
        entities=tuple(reach.entities(Verb.SEE)),
        worked=worked_within(reach),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Which of them; what is empty does not narrow."""

    states: tuple[str, ...] = ()
    connection: str = ""
    since: datetime | None = None
    contains: str = ""


def filtered(found: TransactionQuerySet, wanted: TransactionFilter) -> TransactionQuerySet:
    if wanted.states:
        found = found.filter(state__in=wanted.states)
    if wanted.connection:
        found = found.filter(connection__slug=wanted.connection)
    if wanted.since is not None:
        found = found.filter(changed_at__gte=wanted.since)
    if wanted.contains:
        text = wanted.contains
        found = found.filter(
            Q(pk__in=Transaction.objects.with_ref(text))
            | Q(external_id__icontains=text)
            | Q(document_number__icontains=text)
            | Q(reference__icontains=text)
        )
    return found.select_related(*WITH_ITS_NAMES)


def transaction_page(
    sight: Sight, wanted: TransactionFilter, *, cursor: str = "", direction: Direction = "after"
) -> Page[Transaction]:
    """Newest first. One query; raises keyset.InvalidCursor."""
    found = filtered(sight.transactions(), wanted)
    return page(found, NEWEST_FIRST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def find_one(sight: Sight, ref: str) -> Transaction | None:
    """By our reference; None when it is not there or not theirs to see. One query."""
    found = sight.transactions().with_ref(ref)
    return found.select_related(*WITH_ITS_NAMES, "inbox_message", "case__queue", "case__entity").first()


def recent_of(sight: Sight, connection: Connection) -> list[Transaction]:
    """The newest of one connection. One query."""
    found = sight.transactions().filter(connection=connection).select_related(*WITH_ITS_NAMES)
    return list(found.order_by("-id")[:MOST_RECENT])


def taken_up_by(case: ExceptionCase) -> list[Transaction]:
    """The transactions that are held by this exception, or ended with it. One query."""
    return list(case.transactions.select_related("connection").order_by("id")[:MOST_FOUND])


def transaction_of(message: InboxMessage) -> Transaction | None:
    """As which a message handed something over; None when it did not, or was not read yet. One query, or none."""
    if message.purpose != InboxMessage.Purpose.DELIVER:
        return None
    return Transaction.objects.filter(inbox_message=message).first()


def find(sight: Sight, text: str) -> list[Transaction]:
    """By our reference, or by the beginning of the sender's identifier. One query."""
    wanted = Q(external_id__startswith=text.replace("\x00", ""))
    compact = "".join(text.split()).upper()
    if compact.startswith(_PREFIX):
        wanted |= Q(pk__in=Transaction.objects.with_ref(compact.removeprefix(_PREFIX).lstrip("-")))
    found = sight.transactions().filter(wanted).select_related(*WITH_ITS_NAMES)
    return list(found.order_by("-id")[:MOST_FOUND])


def connections_of(sight: Sight) -> list[Connection]:
    """Those that a person may choose from: where there is anything to see. One query."""
    seen = Exists(sight.transactions().filter(connection=OuterRef("pk")))
    return list(Connection.objects.filter(seen).only("slug", "name").order_by("name", "pk"))
