"""What happened to one exception, list by list: newest first, a page at a time, and how many there are in all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from django.db.models import F, QuerySet, Window
from django.db.models.functions import Length, RowNumber

from audit.queries import Cursor, EventFilter, LogEntry, events, matching
from exceptions_app.models import Attachment, Comment, ExceptionCase, Occurrence, PayloadVersion
from exceptions_app.models.references import number_in
from integrations.models import Delivery, DeliveryAttempt

PAGE_SIZE = 50
MOST_ATTEMPTS = 100  # of one delivery
MOST_REASONS = 10  # of corrections that are told with a proposal; all are in the list of versions


class Part(StrEnum):
    """The lists below the page of an exception."""

    TIMELINE = "timeline"
    VERSIONS = "versions"
    ATTEMPTS = "attempts"
    ARRIVALS = "arrivals"


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[Item]):
    """One page of a list; `older` is the place after which the next page begins, empty on the last one."""

    items: list[Item]
    older: str = ""


def corrections_up_to(latest: PayloadVersion) -> list[PayloadVersion]:
    """The corrections that lead to a version, newest first, each with its author and reason. At most one query."""
    if latest.number <= 2:  # the only correction is there already
        return [latest] if latest.number == 2 else []
    written = PayloadVersion.objects.filter(case=latest.case_id, number__gt=1, number__lt=latest.number)
    earlier = written.select_related("author").only("number", "reason", "created_at", "author").order_by("-number")
    return [latest, *earlier[: MOST_REASONS - 1]]


def counts_of(case: ExceptionCase) -> Mapping[Part, int]:
    """How many there are of each."""
    return {
        Part.TIMELINE: matching(EventFilter(scopes=None, subject=case.subject)).count(),
        Part.VERSIONS: PayloadVersion.objects.filter(case=case).count(),
        Part.ATTEMPTS: Delivery.objects.filter(subject=case.subject).count(),
        Part.ARRIVALS: case.occurrences_count,
    }


def timeline_of(case: ExceptionCase, *, after: str = "", limit: int = PAGE_SIZE) -> Listed[LogEntry]:
    """Its events in the audit trail; a place that is none begins at the newest."""
    try:
        cursor = Cursor.parse(after) if after else None
    except (ValueError, OverflowError):
        cursor = None
    page = events(EventFilter(scopes=None, subject=case.subject), after=cursor, limit=limit)
    return Listed(items=page.entries, older=str(page.next) if page.next else "")


def versions_of(case: ExceptionCase, *, after: str = "", limit: int = PAGE_SIZE) -> Listed[PayloadVersion]:
    """Its versions without their bytes."""
    versions = PayloadVersion.objects.filter(case=case).select_related("author").defer("content")
    return _newest_first(versions, "number", after, limit)


def deliveries_of(case: ExceptionCase, *, after: str = "", limit: int = PAGE_SIZE) -> Listed[Delivery]:
    """What was sent for it, and what the source was told."""
    return _newest_first(Delivery.objects.filter(subject=case.subject).select_related("connection"), "pk", after, limit)


def arrivals_of(case: ExceptionCase, *, after: str = "", limit: int = PAGE_SIZE) -> Listed[Occurrence]:
    """Each time that it came in."""
    return _newest_first(Occurrence.objects.filter(case=case).select_related("inbox_message"), "pk", after, limit)


def comments_of(case: ExceptionCase, *, limit: int = PAGE_SIZE) -> Listed[Comment]:
    return _newest_first(Comment.objects.filter(case=case).select_related("author"), "pk", "", limit)


def attachments_of(case: ExceptionCase, *, limit: int = PAGE_SIZE) -> list[Attachment]:
    """The newest files that came with comments, without their bytes; `there` is how much is left of each. One query."""
    found = Attachment.objects.filter(case=case).select_related("comment__author").defer("content")
    found = found.annotate(there=Length("content"))
    return list(found.order_by("-pk")[:limit])


def _newest_first(rows: QuerySet[Item], key: str, after: str, limit: int) -> Listed[Item]:  # type: ignore[type-var]
    """A page of rows, beginning below the key `after`; a place that is none begins at the newest."""
    below = number_in(after)
    if below is not None:
        rows = rows.filter(**{f"{key}__lt": below})
    found = list(rows.order_by(f"-{key}")[: limit + 1])
    shown = found[:limit]
    return Listed(items=shown, older=str(getattr(shown[-1], key)) if len(found) > limit else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedAttempt:
    """An attempt and which one of its delivery it was."""

    number: int
    attempt: DeliveryAttempt


def attempts_of(
    deliveries: Iterable[Delivery], *, with_bodies: bool, limit: int = MOST_ATTEMPTS
) -> dict[int, list[NumberedAttempt]]:
    """Delivery → its newest attempts with their answers, in the order in which they were made. One query."""
    found: dict[int, list[NumberedAttempt]] = {delivery.pk: [] for delivery in deliveries}
    newest_first = Window(RowNumber(), partition_by=F("delivery"), order_by=[F("started_at").desc(), F("id").desc()])
    oldest_first = Window(RowNumber(), partition_by=F("delivery"), order_by=[F("started_at"), F("id")])
    attempts = (
        DeliveryAttempt.objects.filter(delivery__in=found)
        .annotate(from_the_end=newest_first, number=oldest_first)
        .filter(from_the_end__lte=limit)
        .select_related("answer", "envelope")
        .order_by("started_at", "id")
    )
    unread = ["answer__headers", "envelope__body", *([] if with_bodies else ["answer__body"])]
    for attempt in attempts.defer(*unread):
        found[attempt.delivery_id].append(NumberedAttempt(number=attempt.number, attempt=attempt))
    return found
