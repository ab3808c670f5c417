"""What an evidence pack lists of exceptions, and what it is held against to say whether it has all of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Concat

from audit.account_numbers import without_account_numbers
from audit.queries import EventFilter
from audit.spreadsheets import Cell
from exceptions_app.amounts import in_its_decimals
from exceptions_app.models import (
    ArchivedCase,
    ArchiveDelivery,
    BatchItem,
    Decision,
    ExceptionCase,
    FirstApproval,
    PayloadVersion,
    Proposal,
    ReplayBatch,
)
from exceptions_app.models.case import REF_PREFIX

COLUMNS = (
    "exception", "document", "legal_entity", "queue", "outcome", "amount", "currency", "authors", "proposed_by",
    "approved_by", "opened_at", "proposed_at", "approved_at", "closed_at",
)  # fmt: skip
NOBODY = "as received"
_NAMES = (
    "pk", "document_number", "state", "outcome", "amount", "currency", "opened_at", "closed_at", "entity__code",
    "queue__slug",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCase:
    """One exception in a table: what became of it, its money, who wrote, proposed and approved, and when."""

    ref: str
    number: str
    entity: str
    queue: str
    outcome: str
    amount: Decimal | None
    currency: str
    authors: str
    proposed_by: str
    approved_by: str
    opened_at: datetime
    proposed_at: datetime | None
    approved_at: datetime | None
    closed_at: datetime | None

    def cells(self) -> list[Cell]:
        """In the order of COLUMNS."""
        return [
            self.ref, self.number, self.entity, self.queue, self.outcome, self.amount, self.currency, self.authors,
            self.proposed_by, self.approved_by, self.opened_at, self.proposed_at, self.approved_at, self.closed_at,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A number of exceptions and their money, as text by currency."""

    words: str
    count: int
    money: Mapping[str, str]


def listed_cases(numbers: Collection[int]) -> list[ListedCase]:
    """In the order of their numbers. Five queries."""
    cases = ExceptionCase.objects.filter(pk__in=numbers).select_related("entity", "queue").order_by("pk").only(*_NAMES)
    written = PayloadVersion.objects.filter(case__in=numbers, author__isnull=False).order_by("number")
    authors: dict[int, dict[str, None]] = defaultdict(dict)
    for number, name in written.values_list("case_id", "author__username"):
        authors[number][name] = None
    newest = {one.case_id: one for one in _proposals(numbers)}
    given: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for opinions in (FirstApproval.objects.all(), Decision.objects.filter(verdict="approved")):
        found = opinions.filter(proposal__in=[one.pk for one in newest.values()])
        for proposal, at, name in found.values_list("proposal_id", "decided_at", "decider__username"):
            given[proposal].append((at, name))
    return [_listed(case, list(authors[case.pk]), newest.get(case.pk), given) for case in cases]


def _proposals(numbers: Collection[int]) -> QuerySet[Proposal]:
    """The newest of each exception."""
    found = Proposal.objects.filter(case__in=numbers).order_by("case", "-pk").distinct("case")
    return found.select_related("proposer").only("case_id", "proposed_at", "proposer__username")


Given = Mapping[int, Sequence[tuple[datetime, str]]]
"""By proposal: when it was approved, and by whom."""


def _listed(case: ExceptionCase, authors: Sequence[str], proposal: Proposal | None, given: Given) -> ListedCase:
    approvals = sorted(given[proposal.pk]) if proposal and proposal.pk in given else []
    return ListedCase(
        ref=case.ref, number=without_account_numbers(case.document_number), entity=case.entity.code,
        queue=case.queue.slug, outcome=case.outcome or case.state,
        amount=in_its_decimals(case.amount, case.currency), currency=case.currency,
        authors=", ".join(authors) or NOBODY, proposed_by=proposal.proposer.get_username() if proposal else "",
        approved_by=", ".join(name for _, name in approvals), opened_at=case.opened_at,
        proposed_at=proposal.proposed_at if proposal else None, approved_at=approvals[-1][0] if approvals else None,
        closed_at=case.closed_at,
    )  # fmt: skip


def batch_subjects(batch: ReplayBatch) -> list[str]:
    """The batch and its exceptions, as the log names them. The list of a batch never changes."""
    cases = BatchItem.objects.filter(batch=batch).order_by("position").values_list("case_id", flat=True)
    return [batch.subject, *(f"case:{REF_PREFIX}{number}" for number in cases)]


def delivery_subjects(delivery: ArchiveDelivery) -> list[str]:
    """The exceptions of a delivery to the archive, as the log names them. Its list never changes."""
    cases = ArchivedCase.objects.filter(delivery=delivery).order_by("case_id").values_list("case_id", flat=True)
    return [f"case:{REF_PREFIX}{number}" for number in cases]


def delivery_totals(delivery: ArchiveDelivery, numbers: Collection[int]) -> list[Total]:
    """The list that was frozen when the delivery was planned, and what of it is not among these."""
    rows = list(ArchivedCase.objects.filter(delivery=delivery).values_list("case_id", "case__amount", "case__currency"))
    return [
        _total(f"On the list of {delivery.ref}", rows),
        _total("Of these not in this pack", (row for row in rows if row[0] not in numbers)),
    ]


def batch_totals(batch: ReplayBatch, numbers: Collection[int]) -> list[Total]:
    """The list that was frozen when the batch was proposed, and what of it is not among these."""
    rows = BatchItem.objects.filter(batch=batch).values_list("case_id", "amount", "currency")
    frozen = {currency: Decimal(amount) for currency, amount in batch.money.items()}
    return [
        Total(words=f"On the frozen list of {batch.ref}", count=batch.count, money=_shown(frozen)),
        _total("Of these not in this pack", (row for row in rows if row[0] not in numbers)),
    ]


def opened_totals(filters: EventFilter, numbers: Collection[int]) -> list[Total]:
    """What came in during the period, by the tables and not by the log, and what of it is not among these."""
    scope = Concat(F("entity__code"), Value("/"), F("queue__slug"), output_field=CharField())
    cases = ExceptionCase.objects.annotate(scope=scope).filter(scope__in=sorted(filters.scopes or ()))
    if filters.since is not None:
        cases = cases.filter(opened_at__gte=filters.since)
    if filters.until is not None:
        cases = cases.filter(opened_at__lt=filters.until)
    rows = cases.values_list("pk", "amount", "currency")
    return [
        _total("Came in during the period", rows.iterator(chunk_size=5_000)),
        _total("Of these not in this pack", (row for row in rows.iterator(chunk_size=5_000) if row[0] not in numbers)),
    ]


def _total(words: str, rows: Iterable[tuple[int, Decimal | None, str]]) -> Total:
    money: dict[str, Decimal] = defaultdict(Decimal)
    count = 0
    for _, amount, currency in rows:
        count += 1
        if amount is not None:
            money[currency] += amount
    return Total(words=words, count=count, money=_shown(money))


def _shown(money: Mapping[str, Decimal]) -> dict[str, str]:
    return {code: format(in_its_decimals(total, code) or Decimal(), "f") for code, total in sorted(money.items())}
