"""Correction: a new version of the payload bound for the target, checked and with its reason."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit.account_numbers import HIDDEN
from exceptions_app import policies
from exceptions_app.actions.mover import ChangedMeanwhile, Held, Invalid, lock, move
from exceptions_app.actions.scoring import scored
from exceptions_app.actions.suggestions import for_the_trail, record_suggestions
from exceptions_app.facts import facts_of, remember_identifiers
from exceptions_app.field_classes import FieldClass, class_of
from exceptions_app.hands import Hand
from exceptions_app.models import Draft, ExceptionCase, PayloadVersion, Proposal, Suggestion
from exceptions_app.queries.precedents import Precedent
from exceptions_app.queries.score_facts import waiting_for
from exceptions_app.queries.sensitive import values_of_version
from exceptions_app.releases import changed_fields, releases_of
from exceptions_app.states import Action, State
from exceptions_app.typed_values import MASK_TYPED
from exceptions_app.veil import TrailVeil
from exceptions_app.wording import say
from integrations.connectors.base import Connector, CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.records.record import Record
from integrations.refusals import MessageNotUnderstood

MOST_IN_THE_TRAIL = 100_000  # characters
REASON_NEEDED = say("Say why you change this; the approver and the auditor will read it.")
_THE_SOURCE = say("The source")
_TWO = HIDDEN[:2]
_MASK_IN_BYTES = (
    *(_TWO.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1252")),
    b"&#8226;&#8226;", b"&#x2022;&#x2022;", b"\\u2022\\u2022",
)  # fmt: skip
NOTHING_CHANGED = say("Nothing was changed. Change a field, or go back without saving.")


@transaction.atomic
def correct(
    case_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    base_version: int,
    operations: Sequence[Operation] = (),
    payload: bytes | None = None,
    offered: Sequence[Precedent] = (),
    hands: Sequence[Hand] = (),
    by_mapping: bool = False,
) -> PayloadVersion:
    """Write the next version, from operations or from a whole payload, and have it checked.

    `base_version` is the version that the person was looking at; ChangedMeanwhile when it is no longer the latest.
    `offered` are the suggestions that the person saw; what they made of each is written down. `hands` are others who
    made a value in it, such as the author of a mapping; `by_mapping` says that two people decide on its values.
    A failing check does not stop the correction, it stops the proposal. An open proposal dies with the change.
    Raises Invalid (names the field), CorrectionError (names the path), releases.NotReleased
    and other policies.NotPermitted, TransitionNotAllowed.
    """
    if not because.strip():
        raise Invalid("because", REASON_NEEDED)
    return correct_locked(
        Held(case=lock(case_id)), by=by, at=at, because=because, base_version=base_version, operations=operations,
        payload=payload, offered=offered, hands=hands, by_mapping=by_mapping,
    )  # fmt: skip


def correct_locked(
    held: Held,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    base_version: int,
    operations: Sequence[Operation] = (),
    payload: bytes | None = None,
    offered: Sequence[Precedent] = (),
    hands: Sequence[Hand] = (),
    by_mapping: bool = False,
) -> PayloadVersion:
    """The same of an exception that is locked already, in the caller's transaction."""
    case = held.case
    where = policies.require(Action.CORRECT, case, by, where=held.where)
    latest = held.latest or latest_version(case)
    if latest.number != base_version:
        raise ChangedMeanwhile(
            case,
            say("{value} saved version {number} meanwhile.", value=latest.author or _THE_SOURCE, number=latest.number),
        )
    connector = get_connector(case.connection.connector)
    before = bytes(latest.content)
    after, steps, record = _apply(connector, before, operations, payload)
    if after == before:
        raise Invalid("changes", NOTHING_CHANGED)
    _refuse_masks(after, before)
    version = write_version(
        case, latest, connector, after, steps, by=by, at=at, because=because, hands=hands, record=record,
        by_mapping=by_mapping,
    )  # fmt: skip
    suggestions = record_suggestions(version, offered, at=at)
    dropped = drop_proposal(case, by=by, at=at)
    waiting = waiting_for([case.pk])[case.pk] if held.waiting is None else held.waiting
    _move(
        case, version, by=by, at=at, because=because, dropped=dropped, record=record, suggestions=suggestions,
        where=where, waiting=waiting,
    )  # fmt: skip
    Draft.objects.filter(case=case, author_id=by.pk).delete()
    return version


def latest_version(case: ExceptionCase) -> PayloadVersion:
    return PayloadVersion.objects.select_related("author").filter(case=case).order_by("-number")[0]


def _apply(
    connector: Connector, before: bytes, operations: Sequence[Operation], payload: bytes | None
) -> tuple[bytes, list[Operation], Record]:
    """The document as it becomes, the steps that lead there, and what it says."""
    try:
        if payload is not None:
            record = connector.read(payload)
            return payload, connector.operations_between(before, payload), record
        after = connector.correct(before, operations)
        return after, list(operations), connector.read(after)
    except MessageNotUnderstood as error:
        raise CorrectionError(error.problem, remedy=error.remedy) from error


def write_version(
    case: ExceptionCase,
    latest: PayloadVersion,
    connector: Connector,
    after: bytes,
    steps: list[Operation],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    field_maps: Sequence[Mapping[str, object]] = (),
    hands: Sequence[Hand] = (),
    record: Record | None = None,
    by_mapping: bool = False,
) -> PayloadVersion:
    """The next version of a locked exception, with the report of its check; `steps` lead there from the latest.

    `record` is what it says, when that was read already. Whatever way leads to it, it changes no field that is not
    released: for `by`, or for mappings. Raises NotReleased.
    """
    before = bytes(latest.content)
    was, will = connector.read(before), record or connector.read(after)
    released = releases_of(None if by_mapping else by, at=at)
    if released.rules:
        released.require(case, changed_fields(before, was, after, will))
    report = connector.check(after)
    return PayloadVersion.objects.create(
        case=case,
        number=latest.number + 1,
        content=after,
        media_type=latest.media_type,
        sha256=hashlib.sha256(after).hexdigest(),
        author_id=by.pk,
        operations=steps,
        changes=business_changes(was, will),
        reason=because[:500],
        check_name=report.check,
        check_passed=report.passed,
        check_errors=[asdict(error) for error in report.errors],
        field_maps=list(field_maps),
        hands=[hand.kept for hand in hands],
        created_at=at,
    )


def business_changes(before: Record, after: Record) -> list[dict[str, str]]:
    """What changed, in business fields: term, label, group, was and will be (empty text for absent)."""
    was = {field.path: field for field in before.fields}
    will = {field.path: field for field in after.fields}
    changes = []
    for path in [*was, *(path for path in will if path not in was)]:
        old, new = was.get(path), will.get(path)
        old_value, new_value = (old.value or "") if old else "", (new.value or "") if new else ""
        shown = new or old
        if old_value != new_value and shown is not None:
            changes.append(
                {
                    "term": shown.term,
                    "label": shown.label,
                    "group": shown.group,
                    "path": path,
                    "was": old_value,
                    "will_be": new_value,
                }
            )
    return changes


def drop_proposal(case: ExceptionCase, *, by: AbstractUser, at: datetime) -> Proposal | None:
    """The open proposal of a locked exception whose content changes: it no longer holds."""
    if case.state != State.AWAITING_APPROVAL:
        return None
    proposal = Proposal.objects.get(case=case, state=Proposal.State.OPEN)
    proposal.state = Proposal.State.SUPERSEDED
    proposal.closed_at = at
    proposal.closed_because = f"{by} changed the content after it was proposed."
    proposal.save(update_fields=["state", "closed_at", "closed_because"])
    return proposal


def steps_for_the_trail(version: PayloadVersion) -> dict[str, object]:
    """What was changed, as the audit event tells it; a whole new document is told by its hash, the version has it."""
    steps = _masked_steps(version)
    if len(json.dumps(steps)) <= MOST_IN_THE_TRAIL:
        return steps
    return {"operations": len(version.operations), "changes": len(version.changes), "told_by": "sha256"}


def _masked_steps(version: PayloadVersion) -> dict[str, object]:
    """Without bank details and personal data: the version has them, and an event would keep them for ever."""
    values = dict(values_of_version(version) or {})
    for change in version.changes:
        field_class = class_of(change["path"], term=change["term"])
        values |= dict.fromkeys((change["was"].strip(), change["will_be"].strip()), field_class)
    for step in version.operations:
        field_class = class_of(str(step.get("path", "")))
        if isinstance(step.get("value"), str):
            values.setdefault(step["value"].strip(), field_class)
    hidden = {text: kind for text, kind in values.items() if text and kind is not FieldClass.INTERNAL}
    veil = TrailVeil(hidden)
    return {"operations": veil.data(version.operations), "changes": veil.data(version.changes)}


def _refuse_masks(after: bytes, before: bytes) -> None:
    """What a page or an answer showed instead of a value is never written back, by whatever way it comes.

    In a document it may stand as bytes of any encoding or as a reference. Raises CorrectionError.
    """
    if any(mark in after and mark not in before for mark in _MASK_IN_BYTES):
        raise CorrectionError(MASK_TYPED)


def _move(
    case: ExceptionCase,
    version: PayloadVersion,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    dropped: Proposal | None,
    record: Record,
    suggestions: Sequence[Suggestion],
    where: policies.Standing,
    waiting: int,
) -> None:
    verdict = "passes" if version.check_passed else "does not pass"
    summary = f"{by} corrected {case.ref}: version {version.number} {verdict} the {version.check_name}."
    if dropped is not None:
        summary += " The open proposal no longer holds, because the content changed."
    facts = facts_of(record)
    move(
        case,
        Action.CORRECT,
        by=by,
        at=at,
        because=because,
        summary=summary,
        data={
            "version": version.number,
            "sha256": version.sha256,
            **steps_for_the_trail(version),
            "check": version.check_name,
            "passed": bool(version.check_passed),
            "dropped_proposal": dropped.frozen_sha256 if dropped else "",
            **({"suggestions": for_the_trail(suggestions)} if suggestions else {}),
        },
        where=where,
        assignee=case.assignee or by,
        waiting_for="",
        held_until=None,
        **facts,
        **scored(case, at=at, waiting=waiting, changed=facts),
    )
    remember_identifiers(case, record)
