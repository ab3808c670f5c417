"""What an auditor reads: the events within their scopes, where each is sealed, and how the log as a whole stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q, Subquery

from audit import queries as log
from audit.evidence import Listed
from audit.models import AuditCheckpoint, AuditSeal
from exceptions_app.amounts import in_its_decimals
from exceptions_app.facts import fold
from exceptions_app.found_by import NAMES
from exceptions_app.models import ExceptionCase, Identifier, LegalEntity, Queue, Route, granted_objects
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.connections import case_number
from exceptions_app.states import Verb
from integrations.models import Connection

# Events about the log itself, such as an export of it.
LOG_SCOPE = "audit"
CONFIGURATION_SCOPE = "configuration"
PAGE_SIZE = 50
MOST_COUNTED = 10_000
MOST_SUBJECTS = 50


def readable_scopes(user: AbstractUser) -> frozenset[str]:
    """The scopes whose events the person may read; empty without `export` on a queue and a legal entity. Three queries.

    Events of exceptions need the verb on their queue and on their legal entity. Messages and files belong to neither
    yet: they are for whoever holds the verb on both where one of the connection's routes leads to. Configuration and
    the log itself are of the whole workbench: they are for whoever holds the verb on any queue and legal entity.
    """
    queues = dict(granted_objects(user, Verb.EXPORT, Queue).values_list("pk", "slug"))
    entities = dict(granted_objects(user, Verb.EXPORT, LegalEntity).values_list("pk", "code"))
    if not (queues and entities):
        return frozenset()
    of_cases = {f"{entity}/{queue}" for queue in queues.values() for entity in entities.values()}
    leading_there = Route.objects.filter(
        Q(connection=OuterRef("pk")) | Q(connection__isnull=True), queue__in=queues, entity__in=entities
    )
    within_reach = Connection.objects.filter(Exists(leading_there)).values_list("slug", flat=True)
    return frozenset(of_cases | {f"connection/{slug}" for slug in within_reach} | {CONFIGURATION_SCOPE, LOG_SCOPE})


def subjects_with_number(user: AbstractUser, text: str) -> list[str]:
    """The exceptions that the number names, in any spelling, where the person may read the log. One query.

    At most MOST_SUBJECTS + 1 of them, newest first. Names are left out: they are shared by too many documents.
    """
    named = Identifier.objects.filter(folded=fold(text)).exclude(label__in=NAMES)
    cases = ExceptionCase.objects.granting(user, Verb.EXPORT).filter(pk__in=named.values("case"))
    return [case.subject for case in cases.only("pk").order_by("-pk")[: MOST_SUBJECTS + 1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How many events a filter lets through; of more than MOST_COUNTED only that there are more."""

    value: int

    def __str__(self) -> str:
        return f"more than {MOST_COUNTED:,}" if self.value > MOST_COUNTED else f"{self.value:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """One page of the log, newest first. `checkpoints` says at which checkpoint a sealed number was signed."""

    entries: list[log.LogEntry]
    next: log.Cursor | None
    count: EventCount
    names: Mapping[str, str]
    checkpoints: Mapping[int, int]


def read_audit_page(filters: log.EventFilter, *, after: log.Cursor | None = None, size: int = PAGE_SIZE) -> AuditPage:
    """Four queries, whatever the number of events."""
    page = log.events(filters, after=after, limit=size)
    count = log.matching(filters).order_by()[: MOST_COUNTED + 1].count()
    return AuditPage(
        entries=page.entries,
        next=page.next,
        count=EventCount(value=count),
        names=full_names({entry.actor for entry in page.entries}),
        checkpoints=_checkpoints_of(entry.sequence for entry in page.entries if entry.sequence is not None),
    )


def _checkpoints_of(sequences: Iterable[int]) -> dict[int, int]:
    """Sealed number → size of the first checkpoint that covers it."""
    covering = AuditCheckpoint.objects.filter(size__gte=OuterRef("sequence")).order_by("size").values("size")[:1]
    seals = AuditSeal.objects.filter(sequence__in=list(sequences)).annotate(checkpoint=Subquery(covering))
    return {number: size for number, size in seals.values_list("sequence", "checkpoint") if size is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """The log as a whole. `checkpoint` is the newest signed statement about it, None before the first sealing."""

    sealed: int
    waiting: int
    waiting_since: datetime | None
    checkpoint: AuditCheckpoint | None

    @property
    def root(self) -> str:
        """The Merkle root of the newest checkpoint, hexadecimal."""
        return bytes(self.checkpoint.root).hex() if self.checkpoint else ""


def chain_state() -> ChainState:
    """Two queries."""
    checkpoint = AuditCheckpoint.objects.order_by("-size").first()
    backlog = log.backlog()
    return ChainState(
        sealed=checkpoint.size if checkpoint else 0,
        waiting=backlog.count,
        waiting_since=backlog.oldest_at,
        checkpoint=checkpoint,
    )


def exceptions_behind(subjects: Iterable[str]) -> list[Listed]:
    """The exceptions that these subjects name, for an evidence pack. One query."""
    numbers = sorted(number for subject in subjects if (number := case_number(subject)) is not None)
    names = ("pk", "document_number", "state", "outcome", "amount", "currency")
    return [_listed(case) for case in ExceptionCase.objects.filter(pk__in=numbers).only(*names)]


def _listed(case: ExceptionCase) -> Listed:
    amount = in_its_decimals(case.amount, case.currency)
    return Listed(
        ref=case.ref,
        number=case.document_number,
        state=case.outcome or case.state,
        amount=None if amount is None else format(amount, "f"),
        currency=case.currency,
    )
