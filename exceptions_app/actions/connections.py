"""Configuration of connections and routing: every change has its author, its reason and its audit event."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models, transaction

from audit import log
from exceptions_app.machines import is_machine
from exceptions_app.models import LegalEntity, Queue, Route
from exceptions_app.policies import NotPermitted
from exceptions_app.targets import without_secrets
from exceptions_app.wording import say
from integrations.delivery import gates
from integrations.models import (
    SECRETS,
    Archive,
    Connection,
    ConnectionGroupGrant,
    ConnectionUserGrant,
    PullSource,
    RetryPolicy,
)
from integrations.webhooks import new_secret

SCOPE = "configuration"
_ADDRESSES = frozenset({"target_url", "write_back_url"})


def subject_of(item: models.Model) -> str:
    """Its name in the audit trail; the database's guard on the table expects the same."""
    match item:
        case Connection():
            return f"connection:{item.slug}"
        case PullSource():
            return f"pull_source:{item.slug}"
        case Archive():
            return item.subject
        case Queue():
            return f"queue:{item.slug}"
        case LegalEntity():
            return f"entity:{item.code}"
        case RetryPolicy():
            whose = item.connection.slug if item.connection else "all"
            return f"retry_policy:{whose}:{item.about}"
        case Route():
            return f"route:{item.position}"
    raise TypeError(f"{type(item).__name__} is not configuration.")


@transaction.atomic
def save_configuration(
    item: models.Model, *, by: AbstractUser, at: datetime, because: str = "", fields: Collection[str] | None = None
) -> None:
    """Insert or update one piece of configuration, with what changed; secrets are named, never shown.

    `fields` names what a form changed: nothing else is written, so that two people do not undo each other.
    """
    rows = type(item)._default_manager.select_for_update(no_key=True)
    before = rows.filter(pk=item.pk).first() if item.pk else None
    changes = {name: change for name, change in _changes(before, item).items() if fields is None or name in fields}
    if before is not None and not changes:
        return
    item._history_user = by  # type: ignore[attr-defined]  # read by django-simple-history
    item.save(update_fields=list(changes) if before is not None and fields is not None else None)
    verb = "added" if before is None else "changed"
    log.record(
        f"configuration.{verb}",
        subject=subject_of(item),
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} {verb} {item._meta.verbose_name} {item}.",
        because=because,
        data={"changes": changes},
    )


def _changes(before: models.Model | None, after: models.Model) -> Mapping[str, object]:
    changes: dict[str, object] = {}
    for field in after._meta.concrete_fields:
        was = getattr(before, field.attname) if before is not None else None
        will = getattr(after, field.attname)
        if was != will and not field.primary_key:
            changes[field.name] = _told(field.name, was, will)
    return changes


def _told(name: str, was: object, will: object) -> object:
    """What the log says, for ever: never a secret, and of an address only what can be shown."""
    if name in SECRETS or name == "secret":
        return "replaced"
    if name not in _ADDRESSES:
        return {"was": _plain(was), "will_be": _plain(will)}
    shown = {"was": without_secrets(str(was or "")), "will_be": without_secrets(str(will or ""))}
    return shown if shown["was"] != shown["will_be"] else {**shown, "query": "changed"}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def may_configure(user: AbstractUser, connection: Connection) -> bool:
    """Whether the person may pause and resume this connection, by themselves or through a group."""
    wanted = {"content_object": connection, "permission__codename": "configure_connection"}
    return user.is_active and (
        ConnectionUserGrant.objects.filter(user=user, **wanted).exists()
        or ConnectionGroupGrant.objects.filter(group__user=user, **wanted).exists()
    )


@transaction.atomic
def pause(connection_id: int, *, by: AbstractUser, at: datetime, because: str) -> Connection:
    """Send nothing more there until it is resumed; what is queued stays queued."""
    connection = _locked(connection_id, by=by)
    if connection.is_paused:
        return connection
    connection.paused_at = at
    connection.paused_because = because[:300]
    return _save(connection, "connection.paused", by=by, at=at, because=because, words="paused")


@transaction.atomic
def resume(connection_id: int, *, by: AbstractUser, at: datetime) -> Connection:
    """Let what is queued go on."""
    connection = _locked(connection_id, by=by)
    if not connection.is_paused:
        return connection
    connection.paused_at = None
    connection.paused_because = ""
    gates.reset(connection.pk)
    return _save(connection, "connection.resumed", by=by, at=at, because="", words="resumed")


@transaction.atomic
def rotate_webhook_secret(
    connection_id: int, *, by: AbstractUser, at: datetime, because: str, old_until: datetime | None = None
) -> str:
    """A new secret for the source to sign its webhooks with, told here and never again.

    What is signed with the old one is taken until `old_until`, with a still older one no more; without a time both are
    void at once. Raises NotPermitted.
    """
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if not (by.is_staff or may_configure(by, connection)):
        raise NotPermitted(
            say("You may not configure {connection}. An administrator can grant it.", connection=connection)
        )
    keeps_old = bool(connection.webhook_secret) and old_until is not None and old_until > at
    connection.webhook_secret_previous = connection.webhook_secret if keeps_old else ""
    connection.webhook_previous_until = old_until if keeps_old else None
    connection.webhook_secret = new_secret()
    connection._history_user = by
    connection.save(update_fields=["webhook_secret", "webhook_secret_previous", "webhook_previous_until"])
    words = f"the old one is taken until {old_until:%Y-%m-%d %H:%M} UTC" if keeps_old else "there is no other"
    log.record(
        "connection.webhook_secret_rotated",
        subject=subject_of(connection),
        scope=SCOPE,
        actor=by.get_username(),
        at=at,
        summary=f"{by} made a new webhook secret for {connection}; {words}.",
        because=because,
        data={"old_until": connection.webhook_previous_until},
    )
    return connection.webhook_secret


def _locked(connection_id: int, *, by: AbstractUser) -> Connection:
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if not (is_machine(by) or may_configure(by, connection)):
        raise NotPermitted(
            say("You may not configure {connection}. An administrator can grant it.", connection=connection)
        )
    return connection


def _save(connection: Connection, name: str, *, by: AbstractUser, at: datetime, because: str, words: str) -> Connection:
    connection._history_user = by
    connection.save(update_fields=["paused_at", "paused_because"])
    log.record(
        name,
        subject=subject_of(connection),
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} {words} {connection}.",
        because=because,
    )
    return connection
