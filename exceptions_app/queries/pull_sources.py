"""Sources that are fetched from, as a page shows them: how they are, what is missing, and what waits there."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from exceptions_app.wording import Said, say
from integrations.models import Connection, PullSource, SequenceGap
from integrations.pull import sftp
from integrations.pull_settings import SettingsRefused, SftpSettings, read_settings

MOST_GAPS = 20
MOST_FILES = 20


def with_gaps(rows: QuerySet[PullSource]) -> QuerySet[PullSource]:
    """With the number of their open gaps, and of those that are before a person. Secrets are not read."""
    still_open = Q(gaps__closed_at=None, gaps__set_aside_at=None, gaps__isnull=False)
    overdue = still_open & Q(gaps__overdue_at__lte=Now())
    return rows.defer("secret").annotate(
        open_gaps=Count("gaps", filter=still_open), overdue_gaps=Count("gaps", filter=overdue)
    )


def sources_of(connection: Connection) -> list[PullSource]:
    return list(with_gaps(PullSource.objects.filter(connection=connection)).order_by("name", "pk"))


def find_source(slug: str, connections: Collection[int]) -> PullSource | None:
    """None when it is not among these connections."""
    rows = with_gaps(PullSource.objects.filter(slug=slug, connection__in=connections))
    return rows.select_related("connection").first()


def numbers_of(gap: SequenceGap) -> Said:
    """Which numbers are missing: “17”, “17 to 19”."""
    if gap.first == gap.last:
        return Said(str(gap.first))
    return say("{first} to {last}", first=gap.first, last=gap.last)


def open_gaps_of(source: PullSource) -> list[SequenceGap]:
    """The oldest that nobody has set aside, one more than is shown."""
    rows = SequenceGap.objects.filter(source=source, closed_at=None, set_aside_at=None)
    return list(rows.order_by("seen_at", "pk")[: MOST_GAPS + 1])


def gaps_to_do(connections: Collection[int] | QuerySet[Connection]) -> QuerySet[SequenceGap]:
    """Numbers that are missing for longer than the source's settings allow."""
    return SequenceGap.objects.filter(
        source__connection__in=connections, closed_at=None, set_aside_at=None, overdue_at__lte=Now()
    )


def gaps_set_aside(connections: Collection[int]) -> QuerySet[SequenceGap]:
    return SequenceGap.objects.filter(
        source__connection__in=connections, closed_at=None, set_aside_at__isnull=False
    )  # fmt: skip


def find_gap(number: int, connections: Collection[int]) -> SequenceGap | None:
    """None when it is not among these connections."""
    rows = SequenceGap.objects.select_related("source__connection").defer("source__secret")
    return rows.filter(pk=number, source__connection__in=connections).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFile:
    """A file at a source that waits for its other half for too long."""

    source: PullSource
    name: str
    since: datetime


def files_waiting(connections: Collection[int], *, at: datetime) -> list[WaitingFile]:
    """The longest waiting first, one more than is shown. One query."""
    rows = PullSource.objects.filter(connection__in=connections, kind=PullSource.Kind.SFTP, cursor__has_key="waiting")
    sources = rows.exclude(cursor__waiting={}).defer("secret").select_related("connection")
    found = [file for source in sources for file in files_waiting_at(source, at=at)]
    return sorted(found, key=lambda file: (file.since, file.name))[: MOST_FILES + 1]


def files_waiting_at(source: PullSource, *, at: datetime) -> list[WaitingFile]:
    try:
        settings = read_settings(source.kind, source.settings)
    except SettingsRefused:
        return []
    if not isinstance(settings, SftpSettings):
        return []
    late = sftp.overdue(source, settings, at=at)
    return [WaitingFile(source=source, name=name, since=since) for name, since in late]
