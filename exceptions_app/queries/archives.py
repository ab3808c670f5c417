"""The archive and what was delivered to it, as a page and the API show them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, QuerySet

from exceptions_app.archive_states import GRACE, ArchiveState
from exceptions_app.models import ArchiveDelivery
from exceptions_app.models.archive import DELIVERY_PREFIX
from exceptions_app.models.references import number_in
from exceptions_app.queries import keyset
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from integrations.archive_settings import FolderSettings, S3Settings, read_archive_settings
from integrations.models import Archive
from integrations.pull_settings import SettingsRefused

PAGE_SIZE = 50
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How deliveries stand: how many in each state, the last that succeeded, and when the next day is taken up."""

    counts: dict[str, int]
    last: ArchiveDelivery | None
    next_due_at: datetime | None

    @property
    def waiting(self) -> int:
        return self.counts.get(ArchiveState.WAITING, 0) + self.counts.get(ArchiveState.DELIVERING, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(ArchiveState.FAILED, 0)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person sees of the archive. Deliveries: administrators all, others those of which they may read it all."""

    is_administrator: bool
    scopes: frozenset[str]

    @property
    def is_any(self) -> bool:
        return self.is_administrator or bool(self.scopes)

    @property
    def deliveries(self) -> QuerySet[ArchiveDelivery]:
        found = ArchiveDelivery.objects.select_related("export", "archive").defer("archive__secret")
        return found if self.is_administrator else found.filter(export__scopes__contained_by=sorted(self.scopes))


def sight_of(user: AbstractUser) -> Sight:
    """Three queries, or none for an administrator."""
    if user.is_active and user.is_staff:
        return Sight(is_administrator=True, scopes=frozenset())
    return Sight(is_administrator=False, scopes=readable_scopes(user))


def all_archives() -> QuerySet[Archive]:
    """The one that is switched on first. Secrets are not read."""
    return Archive.objects.defer("secret").order_by("-in_use", "name", "pk")


def find_delivery(sight: Sight, ref: str) -> ArchiveDelivery | None:
    number = number_in(ref, DELIVERY_PREFIX)
    return None if number is None or not sight.is_any else sight.deliveries.filter(pk=number).first()


def delivery_page(sight: Sight, *, cursor: str = "", direction: Direction = "after") -> Page[ArchiveDelivery]:
    """Newest first. One query; raises keyset.InvalidCursor."""
    return keyset.page(sight.deliveries, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def standing(sight: Sight, archive: Archive | None) -> Standing:
    """Of the deliveries that are seen. Two queries."""
    counts = dict(sight.deliveries.values_list("state").annotate(number=Count("pk")).order_by("state"))
    last = sight.deliveries.filter(state=ArchiveState.DELIVERED).order_by("-delivered_at").first()
    looked = archive.looked_until if archive is not None and archive.in_use else None
    return Standing(counts=counts, last=last, next_due_at=looked + _DAY + GRACE if looked else None)


def where(archive: Archive) -> str:
    """Where it is, without anything secret."""
    try:
        settings = read_archive_settings(archive.kind, archive.settings)
    except SettingsRefused:
        return ""
    if isinstance(settings, FolderSettings):
        return settings.folder
    if isinstance(settings, S3Settings):
        return f"{settings.address}/{settings.folder}".rstrip("/")
    return f"sftp://{settings.host}:{settings.port}/{settings.folder.lstrip('/')}"
