"""Transactions handed over for delivery, as far as a person may see them."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db.models import Q

from exceptions_app.models import Transaction
from exceptions_app.models.handover import TransactionQuerySet
from exceptions_app.queries.connection_reach import granted_on_connections
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb

WITH_ITS_NAMES = ("connection", "case", "duplicate_of", "queue", "entity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a person sees, by primary key: connections that they hand in for or configure, queues, legal entities."""

    ingesting: frozenset[int]
    configured: frozenset[int]
    queues: tuple[int, ...]
    entities: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.ingesting or self.configured or (self.queues and self.entities))

    def transactions(self) -> TransactionQuerySet:
        """Those of their connections; and those whose exception, or whose queue without one, is granted to them."""
        places = {"queue__in": self.queues, "entity__in": self.entities}
        of_case = Q(**{f"case__{name}": keys for name, keys in places.items()})
        found: TransactionQuerySet = Transaction.objects.filter(
            Q(connection__in=self.ingesting | self.configured) | of_case | Q(case__isnull=True, **places)
        )
        return found

    def knows_the_document(self, transaction: Transaction) -> bool:
        """Whether number and amount may be shown: whoever merely configures a connection does not see them."""
        if transaction.connection_id in self.ingesting:
            return True
        place = transaction.case or transaction
        return place.queue_id in self.queues and place.entity_id in self.entities


def sight_of(user: AbstractUser) -> Sight:
    """Three queries, whatever the number of connections, queues and entities."""
    return sight_within(reach_of(user), user)


def sight_within(reach: Reach, user: AbstractUser) -> Sight:
    """The same for a person whose reach is known. One query."""
    granted = granted_on_connections(user) if user.is_active else {}
    return Sight(
        ingesting=frozenset(granted.get("ingest_messages", ())),
        configured=frozenset(granted.get("configure_connection", ())),
        queues=tuple(reach.queues(Verb.SEE)),
        entities=tuple(reach.entities(Verb.SEE)),
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
