"""What a person does about a source that is fetched from: pause it, resume it, have it pulled now, set it back."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models.functions import Now

from audit import log
from exceptions_app.actions.connections import may_configure
from exceptions_app.actions.intake_failures import may_not_tend
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.wording import say
from integrations.models import PullSource, SequenceGap
from integrations.pull import gaps

LONGEST_CURSOR = 1_000  # characters


@transaction.atomic
def pause_source(source_id: int, *, by: AbstractUser, at: datetime, because: str) -> PullSource:
    """Fetch nothing more from it until it is resumed."""
    source = _locked(source_id, by=by)
    if source.is_paused:
        return source
    source.paused_at, source.paused_because = at, because[:500]
    _save(source, by=by)
    return _record(source, "pull_source.paused", by=by, at=at, because=because, words="paused")


@transaction.atomic
def resume_source(source_id: int, *, by: AbstractUser, at: datetime) -> PullSource:
    """Go on where it was, at once."""
    source = _locked(source_id, by=by)
    if not source.is_paused:
        return source
    source.paused_at, source.paused_because = None, ""
    _save(source, by=by)
    PullSource.objects.filter(pk=source.pk).update(next_due_at=Now(), failures=0, last_problem="")
    return _record(source, "pull_source.resumed", by=by, at=at, words="resumed")


@transaction.atomic
def pull_now(source_id: int, *, by: AbstractUser, at: datetime) -> PullSource:
    """Have a worker fetch from it within seconds. Raises Invalid while it is paused."""
    source = _locked(source_id, by=by)
    if source.is_paused:
        raise Invalid("source", say("{source} is paused. Resume it first.", source=source))
    PullSource.objects.filter(pk=source.pk).update(next_due_at=Now())
    return _record(source, "pull_source.asked", by=by, at=at, words="had the workbench fetch at once from")


@transaction.atomic
def set_back(source_id: int, *, cursor: str, by: AbstractUser, at: datetime, because: str) -> PullSource:
    """Read a feed again from this cursor, or from its start when it is empty; what came before is recognised.

    Administrators may do so too, since they could write another address as well.
    """
    source = _locked(source_id, by=by, administrators=True)
    if len(cursor) > LONGEST_CURSOR or not cursor.isprintable():
        raise Invalid(
            "cursor",
            say(
                "The cursor has control characters or more than {longest_cursor} characters.",
                longest_cursor=LONGEST_CURSOR,
            ),
        )
    place = {name: value for name, value in source.cursor.items() if name != "cursor"}
    if source.kind == PullSource.Kind.SFTP:
        if cursor:
            raise Invalid("cursor", say("A folder has no cursor; give none to have it looked at anew."))
        place = {}
    elif cursor:
        place["cursor"] = cursor
    PullSource.objects.filter(pk=source.pk).update(cursor=place, next_due_at=Now())
    data = {"was": str(source.cursor.get("cursor", "")), "will_be": cursor}
    return _record(source, "pull_source.set_back", by=by, at=at, because=because, words="set back", data=data)


def set_gap_aside(gap_id: int, *, by: AbstractUser, at: datetime, because: str) -> SequenceGap:
    """Nothing is to be done about numbers that are missing. Raises NotPermitted, inbox.MessageRefused."""
    connection = SequenceGap.objects.select_related("source__connection").get(pk=gap_id).source.connection
    if connection.pk not in connection_reach_of(by).tended:
        raise NotPermitted(may_not_tend(connection))
    return gaps.set_aside(gap_id, by=by.get_username(), at=at, because=because)


def _locked(source_id: int, *, by: AbstractUser, administrators: bool = False) -> PullSource:
    rows = PullSource.objects.select_related("connection").select_for_update(of=("self",), no_key=True)
    source = rows.defer("secret").get(pk=source_id)
    is_administrator = administrators and by.is_active and by.is_staff
    if not (is_administrator or is_machine(by) or may_configure(by, source.connection)):
        raise NotPermitted(
            say("You may not configure {connection}. An administrator can grant it.", connection=source.connection)
        )
    return source


def _save(source: PullSource, *, by: AbstractUser) -> None:
    source._history_user = by
    source.save(update_fields=["paused_at", "paused_because"])


def _record(
    source: PullSource,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    words: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
) -> PullSource:
    log.record(
        name,
        subject=f"pull_source:{source.slug}",
        scope=f"connection/{source.connection.slug}",
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} {words} {source}.",
        because=because,
        data=data,
    )
    return source
