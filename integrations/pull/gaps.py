"""Numbers that a source passed over: seen, closed when they come late, asked for again, or set aside by a person."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from audit import log
from integrations.handed_in import MessageRefused
from integrations.models import PullSource, SequenceGap

Ranges = list[tuple[int, int]]  # each with its first and its last number

MOST_AT_ONCE = 20  # gaps of one page that are told each for itself; of more the page makes one
ASKED_AT_ONCE = 5
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)


def note(
    source: PullSource,
    numbers: Collection[int],
    *,
    highest: int | None,
    first: int | None,
    overdue_after: timedelta,
    at: datetime,
) -> int | None:
    """Keep account of the numbers that came in one page, in the caller's transaction. Returns the highest so far.

    What is passed over becomes a gap, and what comes late closes one. `first` is the number with which the source
    begins, if that is known; without it the first page says where to begin.
    """
    if not numbers:
        return highest
    arrived = sorted(set(numbers))
    expected = highest + 1 if highest is not None else first if first is not None else arrived[0]
    late = [number for number in arrived if number < expected]
    new = [number for number in arrived if number >= expected]
    if late:
        _close(source, late, at=at)
    if new:
        _open(source, _passed_over(new, expected), overdue_at=at + overdue_after, at=at)
    return new[-1] if new else highest


def _passed_over(numbers: Sequence[int], expected: int) -> Ranges:
    """The ranges between ascending numbers, from the one that is expected next."""
    ranges = []
    for number in numbers:
        if number > expected:
            ranges.append((expected, number - 1))
        expected = number + 1
    return ranges


def without(ranges: Iterable[Sequence[int]], numbers: Iterable[int]) -> Ranges:
    """What is left of the ranges once these numbers, in ascending order, are taken out."""
    wanted = list(numbers)
    left: Ranges = []
    for first, last in ranges:
        begin = int(first)
        for number in (number for number in wanted if first <= number <= last):
            if number > begin:
                left.append((begin, number - 1))
            begin = number + 1
        if begin <= last:
            left.append((begin, int(last)))
    return left


def _open(source: PullSource, ranges: Ranges, *, overdue_at: datetime, at: datetime) -> None:
    if not ranges:
        return
    parts = [[one] for one in ranges] if len(ranges) <= MOST_AT_ONCE else [ranges]
    gaps = SequenceGap.objects.bulk_create(
        SequenceGap(source=source, first=part[0][0], last=part[-1][1], missing=part, seen_at=at, overdue_at=overdue_at)
        for part in parts
    )
    seen = "pull_source.gap_seen"
    log.record_many(_entry(source, gap, seen, at=at, summary=f"{source} passed over number {gap}.") for gap in gaps)


def _close(source: PullSource, numbers: Sequence[int], *, at: datetime) -> None:
    """Take what came late out of the gaps; also of those set aside, which are then closed after all."""
    gaps = SequenceGap.objects.select_for_update(of=("self",), no_key=True).filter(
        source=source, closed_at=None, first__lte=numbers[-1], last__gte=numbers[0]
    )
    changed, entries = [], []
    for gap in gaps.order_by("pk"):
        left = without(gap.missing, numbers)
        if left == [tuple(one) for one in gap.missing]:
            continue
        gap.missing = left
        changed.append(gap)
        if not left:
            gap.closed_at = at
            summary = f"{source} sent number {gap} after all."
            entries.append(_entry(source, gap, "pull_source.gap_closed", at=at, summary=summary))
    SequenceGap.objects.bulk_update(changed, ["missing", "closed_at"])
    log.record_many(entries)


def to_ask_for(source: PullSource, *, at: datetime) -> list[SequenceGap]:
    """The oldest gaps that may be asked for again now, at growing intervals."""
    todo = SequenceGap.objects.filter(source=source, closed_at=None, set_aside_at=None).order_by("seen_at", "pk")
    due = [gap for gap in todo[: 20 * ASKED_AT_ONCE] if gap.asked_at is None or gap.asked_at + _wait(gap) <= at]
    return due[:ASKED_AT_ONCE]


def _wait(gap: SequenceGap) -> timedelta:
    return min(_FIRST_WAIT * (1 << min(gap.asks, 20)), _LONGEST_WAIT)


def asked_for(gap: SequenceGap, *, at: datetime) -> None:
    """The source was asked for it once more, whatever came of it."""
    SequenceGap.objects.filter(pk=gap.pk).update(asked_at=at, asks=F("asks") + 1)


@transaction.atomic
def set_aside(gap_id: int, *, by: str, at: datetime, because: str) -> SequenceGap:
    """A person has seen it and nothing is to be done. Raises MessageRefused without a reason or the second time."""
    if not because.strip():
        raise MessageRefused(
            gettext_noop("A reason is missing."),
            field="because",
            remedy=gettext_noop("Say why nothing is to be done."),
        )
    rows = SequenceGap.objects.select_related("source__connection").select_for_update(of=("self",), no_key=True)
    gap = rows.get(pk=gap_id)
    if gap.closed_at is not None or gap.set_aside_at is not None:
        came, aside = gettext_noop("This gap came after all."), gettext_noop("This gap is set aside already.")
        raise MessageRefused(
            came if gap.closed_at is not None else aside,
            field="gap",
            remedy=gettext_noop("Reload the page to see what became of it."),
        )
    gap.set_aside_at = at
    gap.save(update_fields=["set_aside_at"])
    summary = f"{by} set the gap {gap} of {gap.source} aside."
    name = "pull_source.gap_set_aside"
    log.record_many([_entry(gap.source, gap, name, at=at, summary=summary, person=by, because=because)])
    return gap


def _entry(
    source: PullSource,
    gap: SequenceGap,
    name: str,
    *,
    at: datetime,
    summary: str,
    person: str = "",
    because: str = "",
) -> log.Entry:
    return log.Entry(
        action=name,
        subject=f"pull_source:{source.slug}",
        scope=f"connection/{source.connection.slug}",
        actor=person or f"pull:{source.slug}",
        actor_kind="person" if person else "machine",
        at=at,
        summary=summary,
        because=because,
        data={"first": gap.first, "last": gap.last, "missing": gap.number_missing},
    )
