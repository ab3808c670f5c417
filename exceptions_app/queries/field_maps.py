"""Field maps as the pages and the API show them, and the messages on which one may be tried out."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from exceptions_app.models import ExceptionCase, Occurrence
from exceptions_app.queries.connection_reach import ConnectionReach
from exceptions_app.queries.messages import WAS_A_FAILURE
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import Said, say
from integrations.fieldmaps.active import MapVersion, Versioned
from integrations.models import ActiveFieldMap, Connection, Direction, FieldMap, InboxContent, InboxMessage
from integrations.records.schemas import DESCRIPTIONS

MOST_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class MapKey:
    """Which map of a connection. Its name stands in addresses: "inbound-invoice"."""

    direction: str
    object_type: str

    @property
    def name(self) -> str:
        return f"{self.direction}-{self.object_type}"


def title_of(key: MapKey) -> Said:
    """What people call a map: “Invoice from the source”."""
    document = say(DESCRIPTIONS[key.object_type].label)
    if key.direction == Direction.INBOUND:
        return say("{document} from the source", document=document)
    return say("{document} to the target", document=document)


def version_in_words(key: MapKey, number: int) -> Said:
    """A version of a map; without a number the one that is being written."""
    if not number:
        return say("“{title}” (as it is written here)", title=title_of(key))
    return say("“{title}” (version {number})", title=title_of(key), number=number)


@dataclass(frozen=True, slots=True)
class MapState:
    """How a map stands: its newest version, which one translates, and how often that was switched."""

    key: MapKey
    latest: FieldMap | None = None
    active: ActiveFieldMap | None = None

    @property
    def title(self) -> Said:
        return title_of(self.key)

    @property
    def number(self) -> int:
        return self.latest.number if self.latest else 0

    @property
    def revision(self) -> int:
        return self.active.revision if self.active else 0

    @property
    def in_use(self) -> FieldMap | None:
        return self.active.version if self.active else None

    @property
    def etag(self) -> str:
        """Changes with every version and with every switch."""
        return f'"{self.number}.{self.revision}"'


def map_states(connection: Connection) -> list[MapState]:
    """Every map that has a version, by direction and kind. Two queries."""
    latest = (
        FieldMap.objects.filter(connection=connection)
        .select_related("author")
        .defer("declared")
        .order_by("direction", "object_type", "-number")
        .distinct("direction", "object_type")
    )
    used = ActiveFieldMap.objects.filter(connection=connection).select_related("version__author", "changed_by")
    active = {MapKey(row.direction, row.object_type): row for row in used.defer("version__declared")}
    keys = [(MapKey(row.direction, row.object_type), row) for row in latest]
    return [MapState(key, row, active.get(key)) for key, row in keys]


def map_state(connection: Connection, key: MapKey) -> MapState:
    """Two queries."""
    latest = _versions(connection, key).order_by("-number").first()
    used = ActiveFieldMap.objects.filter(connection=connection, direction=key.direction, object_type=key.object_type)
    return MapState(key, latest, used.select_related("version__author", "changed_by").first())


def versions_of(connection: Connection, key: MapKey) -> list[FieldMap]:
    """Newest first, without their text."""
    return list(_versions(connection, key).defer("declared").order_by("-number"))


def every_version(connection: Connection, key: MapKey) -> QuerySet[FieldMap]:
    """With their text."""
    return _versions(connection, key)


def find_version(connection: Connection, key: MapKey, number: int) -> FieldMap | None:
    return _versions(connection, key).filter(number=number).first()


def _versions(connection: Connection, key: MapKey) -> QuerySet[FieldMap]:
    versions = FieldMap.objects.filter(connection=connection, direction=key.direction, object_type=key.object_type)
    return versions.select_related("author")


def with_draft(in_use: Iterable[Versioned], key: MapKey, declared: str, *, number: int = 0) -> list[Versioned]:
    """The maps for a preview: this one as it is written, and the one in use for the other step."""
    draft = Versioned(MapVersion(key.direction, key.object_type, number), declared)
    if key.direction == Direction.INBOUND:
        others = [found for found in in_use if found.version.direction == Direction.OUTBOUND]
    else:
        others = [
            found
            for found in in_use
            if found.version.direction == Direction.INBOUND and found.version.object_type == key.object_type
        ]
    return [draft, *others]


def messages_to_try(connection: Connection, user: AbstractUser, reach: ConnectionReach) -> QuerySet[InboxMessage]:
    """Messages of the connection whose payload the person may see, newest first.

    That is who corrects where the connection leads; what became exceptions or was delivered only where they may see
    that. Whoever merely configures the connection sees no payload.
    """
    if connection.pk not in reach.worked:
        return InboxMessage.objects.none()
    arrivals = Occurrence.objects.filter(inbox_message=OuterRef("pk"))
    visible = arrivals.filter(case__in=ExceptionCase.objects.visible_to(user).values("pk"))
    processed = Q(status=InboxMessage.Status.PROCESSED)
    granted = reach_of(user)
    passed_on = processed & Q(
        transaction__queue__in=granted.queues(Verb.SEE), transaction__entity__in=granted.entities(Verb.SEE)
    )
    found = InboxMessage.objects.filter(WAS_A_FAILURE | (processed & Exists(visible)) | passed_on)
    return found.filter(connection=connection).order_by("-id")


def payload_of(message: InboxMessage) -> tuple[bytes, str]:
    """The bytes as they were handed in, and their media type."""
    content = InboxContent.objects.only("payload", "payload_media_type").get(pk=message.pk)
    return bytes(content.payload), content.payload_media_type
