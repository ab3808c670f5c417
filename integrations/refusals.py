"""What every connector yields when another system refused or held a transaction.

A refusal is a fact about one transaction: its category by the connector's own code table, the single errors
in the other system's words and in plain ones, and where in the payload they point. Rules in the domain may
override a category; nothing here knows what a case is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from integrations.mapped_values import Unmapped
from integrations.records.record import Record


class Category(StrEnum):
    """First level of the taxonomy: who works it and whether a machine may try again."""

    TRANSPORT = "transport"
    SCHEMA = "schema"
    BUSINESS_VALIDATION = "business_validation"
    MASTER_DATA = "master_data"
    DUPLICATE = "duplicate"
    POLICY_HOLD = "policy_hold"
    PERIOD_CLOSED = "period_closed"
    COMPLIANCE = "compliance"
    PAYMENT_FAILURE = "payment_failure"
    SEQUENCING = "sequencing"
    RECONCILIATION_BREAK = "reconciliation_break"
    UNCLASSIFIED = "unclassified"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class TransactionKind(StrEnum):
    FAILED = "failed"  # correct and replay
    HELD = "held"  # release as it is, correct and release, or decline back to the source


@dataclass(frozen=True, slots=True)
class RefusalError:
    """One error as the other system reported it, and where it points.

    `path` is the vendor's own location, `field_path` the same place as a path into the payload bound for the
    target (empty when it points nowhere), `term` the field's standard identifier (BT-2), `field` its label.
    `general` says what is wrong without a name, amount or value of this document, for what many share; it is empty
    where `plain` has none of these. `said_by` names who found it, where that was not the other system. `was` is the
    source's own value where it differs from what stands in the payload; `allowed` are values that would do there.
    `unmapped` is the value that a value mapping would have to know, where that is what is missing.
    """

    code: str
    severity: Severity
    text: str
    plain: str = ""
    path: str = ""
    field_path: str = ""
    term: str = ""
    field: str = ""
    proposed_value: str | None = None
    language: str = "en"
    general: str = ""
    said_by: str = ""
    was: str = ""
    allowed: tuple[str, ...] = ()
    unmapped: Unmapped | None = None


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str  # ISO 4217


class BatchOutcome(StrEnum):
    """What the other system said of one transaction of a batch."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PENDING = "pending"  # no word yet
    CANCELLED = "cancelled"
    UNCLEAR = "unclear"  # the answer does not tell it from another one


@dataclass(frozen=True, slots=True)
class OutcomeTotals:
    """How many, and how much in each currency (ISO 4217)."""

    count: int
    sums: Mapping[str, Decimal]

    @property
    def money(self) -> str:
        return " and ".join(f"{amount:,} {currency}" for currency, amount in sorted(self.sums.items()))


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """The control totals of a batch that came back in parts. `findings` say what does not agree or is not sure."""

    sent: OutcomeTotals
    outcomes: Mapping[BatchOutcome, OutcomeTotals]
    findings: tuple[str, ...] = ()

    @property
    def agree(self) -> bool:
        return not self.findings and self._adds_up()

    def _adds_up(self) -> bool:
        sums: dict[str, Decimal] = {}
        for totals in self.outcomes.values():
            for currency, amount in totals.sums.items():
                sums[currency] = sums.get(currency, Decimal(0)) + amount
        return sum(totals.count for totals in self.outcomes.values()) == self.sent.count and sums == dict(
            self.sent.sums
        )

    def in_words(self, *, unit: str) -> str:
        """`3 of 12 payments rejected; 9 accepted, 41,200.00 EUR; totals agree`. `unit` is the plural."""
        rejected = self.outcomes.get(BatchOutcome.REJECTED, OutcomeTotals(0, {}))
        parts = [f"{rejected.count or 'none'} of {self.sent.count} {unit} rejected"]
        parts += [
            f"{totals.count} {outcome.value}" + (f", {totals.money}" if totals.sums else "")
            for outcome, totals in self.outcomes.items()
            if totals.count and outcome is not BatchOutcome.REJECTED
        ]
        return "; ".join([*parts, "totals agree" if self.agree else "totals need a look"])


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that came back, as a whole. `unit` is the plural of what it holds: "payments"."""

    reference: str
    unit: str
    totals: BatchTotals


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """Where in a batch a transaction stood, counted from 1, and what became of the whole where that is known."""

    reference: str
    position: int
    size: int
    whole: Batch | None = None

    @property
    def totals(self) -> BatchTotals | None:
        return self.whole.totals if self.whole is not None else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one transaction did not go through.

    `definitive` is False when the answer leaves open whether the target booked it (a 504 at the source):
    then the target is asked before the first send.
    """

    category: Category
    sub: str
    auto_retry: bool
    errors: tuple[RefusalError, ...]
    kind: TransactionKind = TransactionKind.FAILED
    definitive: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    money: Money | None = None
    batch: BatchPosition | None = None


MOST_ERRORS = 500
# Characters. The whole text stays in the message or the answer that it came in.
LONGEST_TEXT = 1000
LONGEST_CODE = 100
LONGEST_PATH = 500
MOST_ALLOWED = 100


def bounded(refusal: Refusal) -> Refusal:
    """The refusal as it may be stored and shown, whatever the other system wrote into it.

    Applied in one place for what comes in and one for what a target answers, so that nothing behind them can fail on
    a text without end. A path too long to be kept points nowhere, since a part of it would point elsewhere.
    """
    return replace(refusal, errors=tuple(_bounded(error) for error in refusal.errors[:MOST_ERRORS]))


def _bounded(error: RefusalError) -> RefusalError:
    proposed = error.proposed_value
    return replace(
        error,
        code=_cut(error.code, LONGEST_CODE),
        text=_cut(error.text, LONGEST_TEXT),
        plain=_cut(error.plain, LONGEST_TEXT),
        path=_cut(error.path, LONGEST_PATH),
        field_path=error.field_path if len(error.field_path) <= LONGEST_PATH else "",
        term=_cut(error.term, LONGEST_CODE),
        field=_cut(error.field, LONGEST_CODE),
        proposed_value=proposed if proposed is None or len(proposed) <= LONGEST_TEXT else None,
        language=_cut(error.language, LONGEST_CODE),
        general=_cut(error.general, LONGEST_TEXT),
        said_by=_cut(error.said_by, LONGEST_CODE),
        was=_cut(error.was, LONGEST_TEXT),
        allowed=tuple(_cut(value, LONGEST_CODE) for value in error.allowed[:MOST_ALLOWED]),
        unmapped=error.unmapped if _is_short(error.unmapped) else None,
    )


def _is_short(found: Unmapped | None) -> bool:
    """No mapping knows a value that is longer than a code."""
    if found is None or not found.value.isprintable():
        return False
    return len(found.value) <= LONGEST_CODE and len(found.path) <= LONGEST_PATH


def _cut(text: str, longest: int) -> str:
    """At most `longest` characters, and none that a database refuses."""
    kept = text[: longest + 1].replace("\x00", "").encode(errors="replace").decode()
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def problem_of(refusal: Refusal) -> str:
    """What is wrong with this transaction, in plain words: the first error leads, connectors put the root there."""
    error = leading_error(refusal)
    return (error.plain or error.text or error.code) if error else refusal.sub


def leading_error(refusal: Refusal) -> RefusalError | None:
    """The first error, or the first warning where there is no error."""
    errors = [error for error in refusal.errors if error.severity is Severity.ERROR]
    return next(iter([*errors, *refusal.errors]), None)


@dataclass(frozen=True, slots=True)
class RefusedTransaction:
    """One failed or held transaction found in an incoming message, ready to become a case."""

    object_type: str  # "invoice", "credit_note"
    business_key: str  # what the target would call the same document
    refusal: Refusal
    record: Record
    payload: bytes
    media_type: str
    context: Mapping[str, Any] = field(default_factory=dict)


class MessageNotUnderstood(Exception):
    """The message cannot be parsed: it stays visible as an intake failure, with its original.

    `field` names the part of the message at fault (`payload`, `refusal`, `connection` …), `remedy` what to do.
    """

    def __init__(self, problem: str, *, field: str = "payload", remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field
        self.remedy = remedy
