"""The one mover: lock, permission, table, write and audit event in a single transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef

from audit import log
from exceptions_app import policies
from exceptions_app.actions import notify
from exceptions_app.machines import is_machine
from exceptions_app.models import ExceptionCase, Notification, PayloadVersion, Subscription
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.states import TRANSITIONS, UNDOABLE, UNDOING, Action, Kind, State, target_of
from exceptions_app.wording import say

_CHANGES_NOTHING = frozenset({Action.COMMENT, Action.RECUR, Action.FLAG, Action.REGROUP})
_KEEPS_A_SNOOZE = _CHANGES_NOTHING | {Action.SNOOZE, Action.WAKE, Action.END_SNOOZE, Action.TAG, *UNDOING.values()}
NOT_SNOOZED: Mapping[str, Any] = {"snoozed_by": None, "snoozed_until": None, "snoozed_for": ""}


class ChangedMeanwhile(Exception):
    """Someone else changed the exception since it was read. `case` is how it stands now."""

    def __init__(self, case: ExceptionCase, reason: str = "") -> None:
        self.case = case
        self.reason = reason or say("Someone changed this exception while you were working on it.")
        super().__init__(self.reason)


class Invalid(Exception):
    """What the person entered cannot be used. `field` names the input, the message says what to do."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem

    @property
    def steps(self) -> Sequence[object]:
        """The way to it in the body of a request."""
        return (self.field,)


def lock(case_id: int, *, revision: int | None = None) -> ExceptionCase:
    """The row, locked until the transaction ends; raises ChangedMeanwhile when it is not at `revision`.

    Without the key, so that a comment or an arrival can be added meanwhile. Whether anybody subscribed to it is read
    with it, so that a move of what nobody watches costs no query more.
    """
    case: ExceptionCase = _rows_to_lock().get(pk=case_id)
    if revision is not None and case.revision != revision:
        raise ChangedMeanwhile(case)
    return case


def lock_all(case_ids: Collection[int]) -> dict[int, ExceptionCase]:
    """The same of several, by their numbers, and in the order of these: two who want the same wait for no ring."""
    return {case.pk: case for case in _rows_to_lock().filter(pk__in=case_ids).order_by("pk")}


def _rows_to_lock() -> ExceptionCaseQuerySet:
    related = ExceptionCase.objects.select_related("queue", "entity", "connection", "assignee", "cause", "snoozed_by")
    watched = related.annotate(is_watched=Exists(Subscription.objects.filter(case=OuterRef("pk"))))
    rows: ExceptionCaseQuerySet = watched.select_for_update(of=("self",), no_key=True)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An exception that the caller's transaction has locked, and what it has read since, of many with one query.

    What is None is read when it is needed. `waiting` is how many transactions wait until it is delivered, and
    `without_rules` says that no rule of approval is in force.
    """

    case: ExceptionCase
    where: policies.Standing | None = None
    latest: PayloadVersion | None = None
    waiting: int | None = None
    without_rules: bool = False


def scope_of(case: ExceptionCase) -> str:
    """Who may read the events about it: its legal entity and its queue."""
    return f"{case.entity.code}/{case.queue.slug}"


def move(
    case: ExceptionCase,
    action: Action,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
    where: policies.Standing | None = None,
    tells: Mapping[int, Notification.Kind] | None = None,
    **changes: Any,
) -> ExceptionCase:
    """Move a locked exception, with its audit event. `changes` are further fields that change with it.

    `where` is the standing of the person, read since the row was locked. `tells` are people whom the move is about, by
    primary key, beside those who subscribed. Raises policies.NotPermitted, then states.TransitionNotAllowed.
    """
    policies.require(action, case, by, where=where)
    before = State(case.state)
    ends_snooze = case.snoozed_by_id is not None and action not in _KEEPS_A_SNOOZE
    if ends_snooze:  # somebody took it up
        changes = {**NOT_SNOOZED, **changes}
    was = {name: getattr(case, name) for name in changes}
    case.state = target_of(action, state=before, kind=Kind(case.kind))
    # A comment or a repeat changes nothing that a colleague is deciding on, so it makes no form stale.
    revision = case.revision if action in _CHANGES_NOTHING else case.revision + 1
    changes = {"changed_at": at, "revision": revision, **changes}
    for name, value in changes.items():
        setattr(case, name, value)
    case._history_user = by
    case._change_reason = because[:100] or None
    case.save(update_fields=["state", *changes])
    if action in UNDOABLE:  # all that it takes to undo it, in the trail itself
        data = {**(data or {}), "revision": revision, "before": {name: _as_text(value) for name, value in was.items()}}
    record(
        case,
        TRANSITIONS[action].past,
        by=by,
        at=at,
        summary=summary,
        because=because,
        data={"from": before.value, "to": State(case.state).value, **(data or {})},
    )
    if ends_snooze:
        record(
            case,
            TRANSITIONS[Action.END_SNOOZE].past,
            by=by,
            at=at,
            summary=f"The snooze of {case.ref} ended with that.",
        )
    is_watched = bool(vars(case).get("is_watched", True))
    notify.case_moved(case, action, by=by, at=at, directly=tells or {}, is_watched=is_watched)
    return case


def _as_text(value: object) -> object:
    """A person by their user name, as everywhere in the trail."""
    return value.get_username() if isinstance(value, AbstractUser) else value


def record(
    case: ExceptionCase,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
) -> None:
    log.record(
        name,
        subject=case.subject,
        scope=scope_of(case),
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data or {},
        correlation_id=case.ref,
    )
