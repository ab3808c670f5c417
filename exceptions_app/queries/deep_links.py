"""What a source's own identifier leads to, for one person: exceptions, a transaction, or a message that failed.

What is beyond their reach is not there, and a connection that they do not know is like one that nobody made.
"""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import F, QuerySet

from exceptions_app.facts import fold
from exceptions_app.models import ExceptionCase, Occurrence, Transaction
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.transactions import sight_within
from integrations.models import InboxMessage

MOST_SHOWN = 20
FAILURE_PREFIX = "IF-"
"""Of a message that could not be read, by its number in the inbox."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Several exceptions when one message held several documents; at most one of the three is filled."""

    cases: tuple[ExceptionCase, ...] = ()
    transaction: Transaction | None = None
    failed: InboxMessage | None = None

    def __bool__(self) -> bool:
        return bool(self.cases or self.transaction or self.failed)

    @property
    def reference(self) -> str:
        """What it is called here, if it has a name."""
        if self.cases:
            return self.cases[0].ref
        if self.transaction is not None:
            return self.transaction.ref
        return f"{FAILURE_PREFIX}{self.failed.pk}" if self.failed is not None else ""


def arrived(user: AbstractUser, reach: Reach, *, connection: str, external_id: str) -> Arrived:
    """By the identifier of the message first, then of the transaction, then by a number that stands in the document."""
    if "\x00" in external_id:
        return Arrived()
    here = cases_within(reach).filter(connection__slug=connection)
    cases = _newest(here.filter(occurrences__in=_occurrences(connection, external_id)))
    if cases:
        return Arrived(cases=cases)
    transactions = sight_within(reach, user).transactions()
    transaction = transactions.filter(connection__slug=connection, external_id=external_id).order_by("-pk").first()
    if transaction is not None:
        return Arrived(transaction=transaction)
    folded = fold(external_id)
    cases = _newest(here.filter(identifiers__folded=folded)) if folded else ()
    if cases:
        return Arrived(cases=cases)
    return Arrived(failed=_failed(user, connection, external_id))


def _occurrences(connection: str, external_id: str) -> QuerySet[Occurrence]:
    messages = InboxMessage.objects.filter(connection__slug=connection, external_id=external_id)
    return Occurrence.objects.filter(inbox_message__in=messages)


def _newest(found: ExceptionCaseQuerySet) -> tuple[ExceptionCase, ...]:
    """Open ones before closed ones; each once."""
    once = ExceptionCase.objects.filter(pk__in=found.order_by().values("pk")).select_related("entity", "cause")
    return tuple(once.order_by(F("closed_at").desc(nulls_first=True), "-pk")[:MOST_SHOWN])


def _failed(user: AbstractUser, connection: str, external_id: str) -> InboxMessage | None:
    cared_for = connection_reach_of(user).cared_for
    found = InboxMessage.objects.filter(
        connection__in=cared_for, connection__slug=connection, external_id=external_id,
        status=InboxMessage.Status.FAILED,
    )  # fmt: skip
    return found.order_by("-pk").first()
