"""Messages that could not be read and files that could not be taken in, for those who care for their connections."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Length, Substr

from exceptions_app.models import ExceptionCase, Occurrence
from exceptions_app.queries.counters import Count, count_each
from exceptions_app.queries.keyset import Direction, Key, Page, Sort, page
from exceptions_app.queries.messages import WAS_A_FAILURE
from exceptions_app.queries.pull_sources import gaps_set_aside, gaps_to_do
from integrations.models import Connection, FolderProblem, InboxContent, InboxMessage, SequenceGap

NEWEST_FIRST = Sort("newest", (Key("received_at", "time", descending=True), Key("id", "integer", descending=True)))
PAGE_SIZE = 50
MOST_FILES = 20
SHOWN_BYTES = 200_000
TO_DO, SET_ASIDE = InboxMessage.Status.FAILED, InboxMessage.Status.SET_ASIDE
# Nobody knows yet whose document it is, so it is shown to those who have to find out.
UNREAD = (TO_DO, SET_ASIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFilter:
    """Which failures; `connections` are those that the person cares for, or the one of them that was chosen."""

    connections: Collection[int]
    status: InboxMessage.Status = TO_DO
    contains: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePage:
    """One page of failures, newest first, the newest files in quarantine, and the oldest numbers that are missing.

    `counts` are of all together, by status; `parts` of messages, files and gaps each, of the status that is shown.
    """

    page: Page[InboxMessage]
    counts: Mapping[str, Count]
    parts: Mapping[str, Count]
    files: list[FolderProblem]
    more_files: bool
    gaps: list[SequenceGap]


def failures(connections: Collection[int], status: InboxMessage.Status) -> QuerySet[InboxMessage]:
    return InboxMessage.objects.filter(connection__in=connections, status=status)


def files_in_quarantine(connections: Collection[int], status: InboxMessage.Status) -> QuerySet[FolderProblem]:
    return FolderProblem.objects.filter(connection__in=connections, set_aside_at__isnull=status == TO_DO)


def read_failure_page(
    filters: FailureFilter, *, user: AbstractUser, cursor: str = "", direction: Direction = "after"
) -> FailurePage:
    """Four queries. Raises keyset.InvalidCursor."""
    rows = failures(filters.connections, filters.status).select_related("connection")
    if filters.contains:
        rows = rows.filter(external_id__icontains=filters.contains)
    files = list(
        files_in_quarantine(filters.connections, filters.status)
        .select_related("connection")
        .order_by("-found_at", "-id")[: MOST_FILES + 1]
    )
    counted = _counts(filters.connections, user)
    return FailurePage(
        page=page(rows, NEWEST_FIRST, size=PAGE_SIZE, cursor=cursor, direction=direction),
        counts={status: sum(parts.values(), start=Count(0)) for status, parts in counted.items()},
        parts=counted[filters.status],
        files=files[:MOST_FILES],
        more_files=len(files) > MOST_FILES,
        gaps=list(
            _gaps(filters).select_related("source__connection").defer("source__secret").order_by("pk")[:MOST_FILES]
        ),
    )


def _gaps(filters: FailureFilter) -> QuerySet[SequenceGap]:
    found = gaps_to_do if filters.status == TO_DO else gaps_set_aside
    return found(filters.connections)


def _counts(connections: Collection[int], user: AbstractUser) -> Mapping[str, Mapping[str, Count]]:
    """Status → messages, files and gaps. One query, or none without a connection."""
    rows: dict[str, QuerySet[Any]] = {}
    for status in UNREAD:
        rows[f"{status.value} messages"] = failures(connections, status)
        rows[f"{status.value} files"] = files_in_quarantine(connections, status)
        rows[f"{status.value} gaps"] = (gaps_to_do if status == TO_DO else gaps_set_aside)(connections)
    counts = count_each(user, rows) if connections else dict.fromkeys(rows, Count(0))
    return {
        status: {part: counts[f"{status.value} {part}"] for part in ("messages", "files", "gaps")} for status in UNREAD
    }


def connections_by_name(keys: Collection[int]) -> list[Connection]:
    return list(Connection.objects.filter(pk__in=keys).only("slug", "name").order_by("name", "pk"))


def find_failure(number: int, connections: Collection[int]) -> InboxMessage | None:
    """A message that is or was a failure, or None when it is not among these connections."""
    was_one = WAS_A_FAILURE | Q(status=InboxMessage.Status.PROCESSED)  # then it leads to its exceptions
    found = InboxMessage.objects.select_related("connection").filter(was_one, pk=number, connection__in=connections)
    return found.first()


def find_file(number: int, connections: Collection[int]) -> FolderProblem | None:
    """A file that is or was in quarantine, or None when it is not among these connections."""
    rows = FolderProblem.objects.select_related("connection", "pull_source").defer("pull_source__secret")
    return rows.filter(pk=number, connection__in=connections).first()


def cases_of(message: InboxMessage, user: AbstractUser) -> list[ExceptionCase]:
    """The exceptions that the message became in the end, as far as the person may see them."""
    arrivals = Occurrence.objects.filter(inbox_message=message).values("case")
    return list(ExceptionCase.objects.visible_to(user).filter(pk__in=arrivals).order_by("pk"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The beginning of one part of a message as it came in. `size` is its whole length in bytes."""

    name: str
    media_type: str
    head: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The message as it came in: the document, the refusal beside it (None when there was none), and what was said."""

    payload: Part
    refusal: Part | None
    refusal_status: int | None
    context: Mapping[str, Any]


def read_original(message: InboxMessage) -> Original:
    """The first SHOWN_BYTES bytes of each part; the rest stays in the database. One query."""
    binary = BinaryField()
    row = (
        InboxContent.objects.filter(pk=message.pk)
        .annotate(
            payload_head=Substr("payload", 1, SHOWN_BYTES, output_field=binary),
            payload_size=Length("payload"),
            refusal_head=Substr("refusal", 1, SHOWN_BYTES, output_field=binary),
            refusal_size=Length("refusal"),
        )
        .values(
            "payload_head", "payload_size", "payload_media_type", "refusal_head", "refusal_size", "refusal_media_type",
            "refusal_status", "context",
        )
        .get()
    )  # fmt: skip
    return Original(
        payload=_part("payload", row),
        refusal=_part("refusal", row) if row["refusal_size"] else None,
        refusal_status=row["refusal_status"],
        context=row["context"],
    )


def _part(name: str, row: Mapping[str, Any]) -> Part:
    return Part(
        name=name,
        media_type=row[f"{name}_media_type"],
        head=bytes(row[f"{name}_head"]),
        size=row[f"{name}_size"],
    )


def bytes_of(message: InboxMessage, part: str) -> tuple[bytes, str]:
    """All bytes of "payload" or "refusal", and their media type."""
    content = InboxContent.objects.only(part, f"{part}_media_type").get(pk=message.pk)
    return bytes(getattr(content, part)), str(getattr(content, f"{part}_media_type"))
