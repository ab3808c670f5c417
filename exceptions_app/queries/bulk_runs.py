"""Bulk runs as their pages and the API show them: how far each is, and what came of each exception."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, F, Max, Q, QuerySet

from audit.account_numbers import without_account_numbers
from audit.spreadsheets import BOM, csv_row
from exceptions_app.bulk_states import LEFT, OUTCOME_WORDS, RUN_MOVES, OutcomeState, RunAction, RunState
from exceptions_app.models import BulkItem, BulkOutcome, BulkRun
from exceptions_app.models.bulk_run import BulkRunQuerySet
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb

PAGE_SIZE = 50
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
IN_ORDER = Sort("position", (Key("position", "integer"),))
CSV_COLUMNS = ("position", "exception", "document", "counterparty", "amount", "currency", "outcome", "reason", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkProgress:
    """How many items of a run stand where. `per_second` since it was started or last resumed; None when unknown."""

    count: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    per_second: float | None = None

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.skipped

    @property
    def left(self) -> int:
        return self.count - self.ended

    @property
    def percent(self) -> int:
        return 100 * self.ended // self.count

    @property
    def tenths(self) -> int:
        """The percentage, as often as it is worth saying aloud."""
        return self.percent // 10 * 10

    @property
    def per_minute(self) -> int | None:
        return None if self.per_second is None else max(1, round(self.per_second * 60))

    @property
    def seconds_left(self) -> int | None:
        return round(self.left / self.per_second) if self.per_second else None

    def of(self, state: str) -> int:
        return {LEFT: self.left, "done": self.done, "failed": self.failed, "skipped": self.skipped}[state]

    @property
    def outcomes(self) -> list[tuple[int, str]]:
        """How many have each outcome that there is, with its word: 36 done, 1 failed, 963 left."""
        return [(self.of(state), words) for state, words in OUTCOME_WORDS.items() if self.of(state)]


@dataclass(frozen=True, slots=True)
class BulkRow:
    """A run in a list."""

    run: BulkRun
    progress: BulkProgress

    @property
    def money(self) -> dict[str, Decimal]:
        return money_of_run(self.run)


def money_of_run(run: BulkRun) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in run.money.items()}


def progress_of_runs(runs: Iterable[BulkRun]) -> dict[int, BulkProgress]:
    """One query, whatever the number of runs; none for none."""
    found = list(runs)
    if not found:
        return {}
    recent = Q(at__gt=F("item__run__counted_from"))
    rows = (
        BulkOutcome.objects.filter(item__run__in=found)
        .order_by()
        .values("item__run", "state")
        .annotate(number=Count("pk"), lately=Count("pk", filter=recent), until=Max("at", filter=recent))
    )
    told: dict[int, list[Mapping[str, object]]] = {run.pk: [] for run in found}
    for row in rows:
        told[row["item__run"]].append(row)
    return {run.pk: _progress(run, told[run.pk]) for run in found}


def _progress(run: BulkRun, rows: Sequence[Mapping[str, object]]) -> BulkProgress:
    counts = {str(row["state"]): _number(row["number"]) for row in rows}
    until = max((row["until"] for row in rows if isinstance(row["until"], datetime)), default=None)
    lately = sum(_number(row["lately"]) for row in rows)
    seconds = (until - run.counted_from).total_seconds() if until is not None else 0.0
    return BulkProgress(
        count=run.count,
        done=counts.get(OutcomeState.DONE, 0),
        failed=counts.get(OutcomeState.FAILED, 0),
        skipped=counts.get(OutcomeState.SKIPPED, 0),
        per_second=lately / seconds if seconds > 0 else None,
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def bulk_page(user: AbstractUser, *, cursor: str = "", direction: Direction = "after") -> Page[BulkRun]:
    """The runs that the person started, newest first. Raises keyset.InvalidCursor."""
    found = BulkRun.objects.filter(starter=user.pk).select_related("starter")
    return keyset.page(found, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def rows_of_runs(runs: Sequence[BulkRun]) -> list[BulkRow]:
    progress = progress_of_runs(runs)
    return [BulkRow(run, progress[run.pk]) for run in runs]


def find_run(user: AbstractUser, ref: str) -> BulkRun | None:
    """A run that the person started; None as for one that is not there."""
    found: BulkRunQuerySet = BulkRun.objects.filter(starter=user.pk).with_ref(ref)
    return found.select_related("starter").first()


def items_within(run: BulkRun, reach: Reach, *, state: str = "") -> QuerySet[BulkItem]:
    """The items of which the person may see the exception, still: all, or those with this outcome or with none."""
    items = BulkItem.objects.filter(
        run=run, case__queue__in=reach.queues(Verb.SEE), case__entity__in=reach.entities(Verb.SEE)
    )
    if state == LEFT:
        items = items.filter(outcome__isnull=True)
    elif state:
        items = items.filter(outcome__state=state)
    return items.select_related("case", "outcome")


def bulk_item_page(
    run: BulkRun, reach: Reach, *, state: str = "", cursor: str = "", direction: Direction = "after"
) -> Page[BulkItem]:
    """The items in the order of their turns. Raises keyset.InvalidCursor."""
    items = items_within(run, reach, state=state)
    return keyset.page(items, IN_ORDER, size=PAGE_SIZE, cursor=cursor, direction=direction)


def outcomes_as_csv(run: BulkRun, reach: Reach) -> Iterator[bytes]:
    """A line for each exception of the run, in the order of their turns."""
    yield BOM + csv_row(CSV_COLUMNS)
    rows = items_within(run, reach).order_by("position").values_list(
        "position", "case_id", "case__document_number", "case__counterparty", "amount", "currency", "outcome__state",
        "outcome__detail", "outcome__at",
    )  # fmt: skip
    for position, case, document, counterparty, amount, currency, state, detail, at in rows.iterator(chunk_size=1_000):
        exact = amount.normalize() if amount is not None else None
        yield csv_row(
            (
                position, f"{REF_PREFIX}{case}", document, counterparty, exact, currency, state or LEFT,
                without_account_numbers(detail or ""), at,
            )
        )  # fmt: skip


def moves_of(run: BulkRun) -> list[RunAction]:
    """What the person who started it may do with it now."""
    return [action for action, row in RUN_MOVES.items() if RunState(run.state) in row.sources]
