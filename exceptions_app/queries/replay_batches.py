"""Batches of replays as pages and the API show them: lists, how far each is, and what is in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, F, QuerySet, Sum

from exceptions_app.batch_states import BEGUN, ITEM_WORDS, LIVE, BatchState, ItemState, plan_of
from exceptions_app.models import BatchDecision, BatchItem, BatchProgress, ExceptionCase, ReplayBatch
from exceptions_app.models.replay_batch import ReplayBatchQuerySet
from exceptions_app.queries import keyset
from exceptions_app.queries.batch_standing import batches_within, waiting_for_batch_decision_of
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb
from integrations.models import Delivery

PAGE_SIZE = 50
MOST_IN_APPROVALS = 50
MOST_LARGEST = 5
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
IN_ORDER = Sort("position", (Key("position", "integer"),))


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items of a batch stand where."""

    count: int
    by_state: Mapping[ItemState, int]
    unknown: int = 0  # of those under way, how many the target has not been heard of

    def of(self, state: ItemState) -> int:
        return self.by_state.get(state, 0)

    @property
    def proven(self) -> int:
        return self.of(ItemState.PROVEN)

    @property
    def failed(self) -> int:
        return self.of(ItemState.FAILED)

    @property
    def skipped(self) -> int:
        return self.of(ItemState.SKIPPED)

    @property
    def under_way(self) -> int:
        return self.of(ItemState.UNDER_WAY)

    @property
    def waiting(self) -> int:
        return self.of(ItemState.WAITING)

    @property
    def given_back(self) -> int:
        return self.of(ItemState.GIVEN_BACK)

    @property
    def words(self) -> str:
        """“6 proven, 1 failed, 993 not sent yet”: what is, in the order in which a person asks for it."""
        told = [
            (self.proven, ITEM_WORDS[ItemState.PROVEN]),
            (self.failed, ITEM_WORDS[ItemState.FAILED]),
            (self.under_way - self.unknown, ITEM_WORDS[ItemState.UNDER_WAY]),
            (self.unknown, "of unknown outcome"),
            (self.skipped, ITEM_WORDS[ItemState.SKIPPED]),
            (self.given_back, ITEM_WORDS[ItemState.GIVEN_BACK]),
            (self.waiting, ITEM_WORDS[ItemState.WAITING]),
        ]
        return ", ".join(f"{number:,} {words}" for number, words in told if number)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in a list."""

    batch: ReplayBatch
    progress: Progress

    @property
    def money(self) -> dict[str, Decimal]:
        return money_of(self.batch)


def money_of(batch: ReplayBatch) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in batch.money.items()}


def progress_of(batches: Iterable[ReplayBatch]) -> dict[int, Progress]:
    """Two queries, whatever the number of batches; none for none."""
    found = list(batches)
    if not found:
        return {}
    rows = BatchProgress.objects.filter(item__batch__in=found).order_by()
    counts: dict[int, dict[ItemState, int]] = {batch.pk: {} for batch in found}
    for row in rows.values("item__batch", "state").annotate(number=Count("pk")):
        counts[row["item__batch"]][ItemState(row["state"])] = row["number"]
    lost = rows.filter(state=ItemState.UNDER_WAY, delivery__state=Delivery.State.UNKNOWN)
    unknown = dict(lost.values_list("item__batch").annotate(number=Count("pk")))
    return {batch.pk: Progress(batch.count, counts[batch.pk], unknown.get(batch.pk, 0)) for batch in found}


def rows_of_batches(batches: Sequence[ReplayBatch]) -> list[BatchRow]:
    progress = progress_of(batches)
    return [BatchRow(batch, progress[batch.pk]) for batch in batches]


def batch_page(
    reach: Reach, *, states: Iterable[str] = (), cursor: str = "", direction: Direction = "after"
) -> Page[ReplayBatch]:
    """Newest first. Raises keyset.InvalidCursor."""
    found: ReplayBatchQuerySet = batches_within(reach).select_related("connection", "proposer")
    if states:
        found = found.filter(state__in=list(states))
    return keyset.page(found, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def batches_to_decide(user: AbstractUser, reach: Reach) -> list[BatchRow]:
    """Those that wait for a decision that the person may make, the oldest first."""
    found = waiting_for_batch_decision_of(user, reach).select_related("connection", "proposer").order_by("pk")
    return rows_of_batches(list(found[:MOST_IN_APPROVALS]))


def batches_prepared_by(user: AbstractUser) -> list[BatchRow]:
    """Those that the person proposed and that are not over, the oldest first."""
    found = ReplayBatch.objects.filter(proposer=user.pk, state__in=sorted(LIVE))
    return rows_of_batches(list(found.select_related("connection", "proposer").order_by("pk")[:MOST_IN_APPROVALS]))


def live_batch_of(case: ExceptionCase) -> BatchItem | None:
    """The place of an exception in a batch that is not over; None for one that is in none."""
    items = BatchItem.objects.filter(case=case, batch__state__in=sorted(LIVE))
    return items.select_related("batch", "progress").order_by("-pk").first()


def find_batch(user: AbstractUser, ref: str, reach: Reach | None = None) -> ReplayBatch | None:
    """The batch, when every item of it is visible to the person; None as for one that is not there.

    `reach` is the person's, where it was read already.
    """
    found: ReplayBatchQuerySet = batches_within(reach or reach_of(user)).with_ref(ref)
    return found.select_related("connection", "proposer", "cancelled_by").first()


def batch_to_export(user: AbstractUser, ref: str) -> ReplayBatch | None:
    """The batch, when the person may read the log of every item of it; None as for one that is not there."""
    found: ReplayBatchQuerySet = batches_within(reach_of(user), Verb.EXPORT).with_ref(ref)
    return found.first()


def item_page(
    batch: ReplayBatch, *, state: str = "", cursor: str = "", direction: Direction = "after"
) -> Page[BatchItem]:
    """The items in the order of sending. Raises keyset.InvalidCursor."""
    items = BatchItem.objects.filter(batch=batch).select_related(
        "case__cause", "progress__delivery", "proposal__version"
    )
    if state:
        items = items.filter(progress__state=state)
    rows = items.defer("proposal__version__content", "proposal__version__operations")
    return keyset.page(rows, IN_ORDER, size=PAGE_SIZE, cursor=cursor, direction=direction)


@dataclass(frozen=True, slots=True)
class CauseShare:
    """What a part of the items have in common: why they were refused, how many and how much."""

    title: str
    code: str
    number: int
    money: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a person who decides on the list looks at before its single lines. No item is left out of a number."""

    causes: Sequence[CauseShare]
    corrected: int  # how many go in another version than they came in
    largest: Sequence[BatchItem]
    entities: Sequence[str]
    steps: Sequence[tuple[int, int]]

    @property
    def as_received(self) -> int:
        return sum(cause.number for cause in self.causes) - self.corrected


def contents_of(batch: ReplayBatch) -> Contents:
    """Four queries."""
    items = BatchItem.objects.filter(batch=batch)
    largest = items.filter(amount__isnull=False).select_related("case").order_by(F("amount").desc(), "position")
    entities = items.order_by("case__entity__code").values_list("case__entity__code", flat=True).distinct()
    return Contents(
        causes=_causes(items),
        corrected=items.filter(proposal__version__number__gt=1).count(),
        largest=list(largest[:MOST_LARGEST]),
        entities=list(entities),
        steps=plan_of(batch.count),
    )


def _causes(items: QuerySet[BatchItem]) -> list[CauseShare]:
    grouped = items.order_by().values("case__cause__title", "case__cause__code", "currency")
    numbers: Counter[tuple[str, str]] = Counter()
    money: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in grouped.annotate(number=Count("pk"), sum=Sum("amount")):
        cause = (row["case__cause__title"], row["case__cause__code"])
        numbers[cause] += row["number"]
        if row["sum"] is not None:
            money.setdefault(cause, {})[row["currency"]] = row["sum"]
    return [CauseShare(*cause, number, money.get(cause, {})) for cause, number in numbers.most_common()]


def kinds_of_error(batch: ReplayBatch) -> list[tuple[str, int]]:
    """The kinds of error of a batch with how many items each."""
    failed = BatchProgress.objects.filter(item__batch=batch).exclude(code="").order_by()
    return list(failed.values_list("code").annotate(number=Count("pk")).order_by("-number", "code"))


def decision_on(batch: ReplayBatch) -> BatchDecision | None:
    return BatchDecision.objects.filter(batch=batch).select_related("decider").first()


def is_begun(batch: ReplayBatch) -> bool:
    return BatchState(batch.state) in BEGUN


def is_live(batch: ReplayBatch) -> bool:
    return BatchState(batch.state) in LIVE
