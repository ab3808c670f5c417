"""Field maps of a connection: a new version, and which version translates. Whoever configures the connection may."""

import hashlib
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE, may_configure, subject_of
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say
from integrations.fieldmaps.declaration import MapNotUnderstood, read_text
from integrations.fieldmaps.fit import require_fit
from integrations.models import ActiveFieldMap, Connection, Direction, FieldMap
from integrations.records.schemas import DESCRIPTIONS

MOST_NOTE = 500


class MapInvalid(Invalid):
    """A declaration that cannot be saved. `place` is the JSON Pointer into it, `remedy` what to do."""

    def __init__(self, error: MapNotUnderstood) -> None:
        super().__init__("declared", f"{error.problem} {error.remedy}".strip())
        self.place = error.place
        self.remedy = error.remedy
        self.detail = error.problem


class MapChangedMeanwhile(Exception):
    """Someone else saved a version, or switched the map, since it was read."""


@transaction.atomic
def save_version(
    connection_id: int,
    *,
    direction: str,
    object_type: str,
    declared: str,
    note: str,
    by: AbstractUser,
    at: datetime,
    base: int | None = None,
) -> FieldMap:
    """A new version of a map; it translates nothing until it is put to use. The same text again makes no new version.

    `base` is the number of the version that the author started from, 0 for none: another one meanwhile raises
    MapChangedMeanwhile. Raises NotPermitted, MapInvalid and Invalid.
    """
    connection = _locked(connection_id, by=by)
    _require_kind(direction, object_type)
    declared = declared.replace("\r\n", "\n")
    try:
        require_fit(read_text(declared), direction=direction, object_type=object_type)
    except MapNotUnderstood as error:
        raise MapInvalid(error) from None
    if not note.strip():
        raise Invalid("note", say("Say what this version does or changes."))
    latest = latest_version(connection, direction, object_type)
    if latest is not None and latest.declared == declared:
        return latest
    number = latest.number if latest else 0
    if base is not None and base != number:
        raise MapChangedMeanwhile(say("Version {number} was saved meanwhile.", number=number))
    saved = FieldMap(
        connection=connection, direction=direction, object_type=object_type, number=number + 1, declared=declared,
        note=note.strip()[:MOST_NOTE], author_id=by.pk, created_at=at,
    )  # fmt: skip
    saved.save(force_insert=True)
    words = f"{by} saved version {saved.number} of the {direction} field map for {object_type} of {connection}."
    digest = hashlib.sha256(declared.encode()).hexdigest()
    data = {**_named(saved), "sha256": digest}
    _record("field_map.saved", connection, by=by, at=at, summary=words, because=saved.note, data=data)
    return saved


@transaction.atomic
def use_version(
    connection_id: int,
    *,
    direction: str,
    object_type: str,
    number: int | None,
    by: AbstractUser,
    at: datetime,
    because: str,
    revision: int | None = None,
) -> ActiveFieldMap:
    """Have a version translate from now on, or none (`number` None). What was translated before stays as it is.

    `revision` is the count of switches that the person saw, 0 for none: another one raises MapChangedMeanwhile.
    Raises NotPermitted and Invalid. The same again changes nothing.
    """
    connection = _locked(connection_id, by=by)
    _require_kind(direction, object_type)
    key = {"connection": connection, "direction": direction, "object_type": object_type}
    version = FieldMap.objects.filter(**key, number=number).select_related("author").first() if number else None
    if number is not None and version is None:
        raise Invalid("number", say("There is no version {number} of this map.", number=number))
    active = ActiveFieldMap.objects.select_related("version").filter(**key).first()
    before = active.version if active else None
    if active is not None and active.version_id == (version.pk if version else None):
        return active
    if revision is not None and revision != (active.revision if active else 0):
        raise MapChangedMeanwhile(say("Someone switched this map since you looked at it."))
    if not because.strip():
        raise Invalid("because", say("Say why this version shall translate from now on."))
    if active is None:
        active = ActiveFieldMap(**key, revision=0)
    active.version, active.revision = version, active.revision + 1
    active.changed_by_id, active.changed_at, active.because = by.pk, at, because.strip()[:MOST_NOTE]
    active.save()
    _record_switch(active, before, by=by, because=because.strip())
    return active


def latest_version(connection: Connection, direction: str, object_type: str) -> FieldMap | None:
    versions = FieldMap.objects.filter(connection=connection, direction=direction, object_type=object_type)
    return versions.select_related("author").order_by("-number").first()


def _record_switch(active: ActiveFieldMap, before: FieldMap | None, *, by: AbstractUser, because: str) -> None:
    """The event names who wrote the version and who put it to use."""
    version, connection = active.version, active.connection
    which = f"the {active.direction} field map for {active.object_type} of {connection}"
    data: dict[str, object] = {
        "direction": active.direction,
        "object_type": active.object_type,
        "was": before.number if before else None,
        "will_be": version.number if version else None,
        "author": version.author.get_username() if version else None,
        "put_to_use_by": by.get_username(),
    }
    if version is None:
        name, words = "field_map.switched_off", f"{by} switched off {which}."
    else:
        name = "field_map.activated"
        words = f"{by} put version {version.number} of {which}, written by {version.author}, to use."
    _record(name, connection, by=by, at=active.changed_at, summary=words, because=because, data=data)


def _named(saved: FieldMap) -> dict[str, object]:
    return {"direction": saved.direction, "object_type": saved.object_type, "number": saved.number}


def _require_kind(direction: str, object_type: str) -> None:
    if direction not in Direction.values:
        raise Invalid("direction", say("A field map is {list}.", list=" or ".join(Direction.values)))
    if object_type not in DESCRIPTIONS:
        raise Invalid("object_type", say("There are canonical documents for {list}.", list=", ".join(DESCRIPTIONS)))


def _locked(connection_id: int, *, by: AbstractUser) -> Connection:
    """The connection's row, so that two people write its maps one after the other."""
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if not (is_machine(by) or may_configure(by, connection)):
        raise NotPermitted(may_not_map(connection))
    return connection


def may_not_map(connection: Connection) -> str:
    return say(
        "You may not change field maps of {connection}. It needs configure_connection; an administrator can grant it.",
        connection=connection,
    )


def _record(
    name: str,
    connection: Connection,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str,
    data: dict[str, object],
) -> None:
    log.record(
        name,
        subject=subject_of(connection),
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
    )
