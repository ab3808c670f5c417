"""Working an exception: claim, assign, hold, resume, comment, reopen."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from exceptions_app import policies
from exceptions_app.actions import handover_follow, snoozing
from exceptions_app.actions.mover import Invalid, lock, move
from exceptions_app.actions.telling import tell_source
from exceptions_app.attached_files import FileRefused, media_type_of
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import Attachment, Comment, ExceptionCase, Notification, Proposal
from exceptions_app.queries.erasures import is_erased
from exceptions_app.queries.mentioned import mentioned_in
from exceptions_app.states import Action, Verb, WakesOn
from exceptions_app.wording import say

LONGEST_HOLD = timedelta(days=731)


@transaction.atomic
def claim(case_id: int, *, by: AbstractUser, at: datetime, revision: int | None = None) -> ExceptionCase:
    """Take an unassigned exception to work on it."""
    case = lock(case_id, revision=revision)
    return move(case, Action.CLAIM, by=by, at=at, summary=f"{by} claimed {case.ref}.", assignee=by)


@transaction.atomic
def assign(
    case_id: int,
    *,
    to: AbstractUser | None,
    by: AbstractUser,
    at: datetime,
    because: str = "",
    revision: int | None = None,
) -> ExceptionCase:
    """Give an exception to a colleague who may work on it, or back to the queue when `to` is None."""
    case = lock(case_id, revision=revision)
    policies.require(Action.ASSIGN, case, by)  # first: who may not assign does not learn here what a colleague may do
    if to is not None and Verb.CORRECT not in policies.verbs_of(to, case):
        raise Invalid(
            "to",
            say(
                "{to} may not work on exceptions in {queue} for {entity}. Choose someone else.",
                to=to,
                queue=case.queue,
                entity=case.entity,
            ),
        )
    whom = f"to {to}" if to is not None else "back to the queue"
    return move(
        case,
        Action.ASSIGN,
        by=by,
        at=at,
        because=because,
        summary=f"{by} assigned {case.ref} {whom}.",
        data={"assignee": to.get_username() if to is not None else ""},
        tells={to.pk: Notification.Kind.ASSIGNED} if to is not None else {},
        assignee=to,
    )


@transaction.atomic
def hold(
    case_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    waiting_for: str,
    until: datetime | None = None,
    revision: int | None = None,
) -> ExceptionCase:
    """Put on hold: something outside must happen first. `waiting_for` says what."""
    case = lock(case_id, revision=revision)
    policies.require(Action.HOLD, case, by)
    if not waiting_for.strip():
        raise Invalid("waiting_for", say("Say what this exception is waiting for."))
    if until is not None and until <= at:
        raise Invalid("until", say("Choose a time in the future, or leave it empty."))
    if until is not None and until - at > LONGEST_HOLD:
        raise Invalid("until", say("Choose a time within two years, or leave it empty and resume it by hand."))
    return move(
        case,
        Action.HOLD,
        by=by,
        at=at,
        because=waiting_for,
        summary=f"{by} put {case.ref} on hold: {waiting_for}",
        data={"until": until},
        waiting_for=waiting_for[:300],
        held_until=until,
        assignee=case.assignee or by,
    )


@transaction.atomic
def resume(case_id: int, *, by: AbstractUser, at: datetime, revision: int | None = None) -> ExceptionCase:
    case = lock(case_id, revision=revision)
    return move(
        case,
        Action.RESUME,
        by=by,
        at=at,
        summary=f"{by} resumed {case.ref}.",
        waiting_for="",
        held_until=None,
        assignee=case.assignee or by,
    )


@transaction.atomic
def end_hold(case_id: int, *, at: datetime) -> ExceptionCase:
    """Back to work when the time until which it was held has come."""
    case = lock(case_id)
    return move(
        case,
        Action.END_HOLD,
        by=machine(WORKER),
        at=at,
        summary=f"The hold of {case.ref} ended.",
        waiting_for="",
        held_until=None,
    )


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was handed in."""

    name: str
    content: bytes


@transaction.atomic
def comment(case_id: int, *, by: AbstractUser, at: datetime, text: str, file: File | None = None) -> Comment:
    """Add a comment, with a file if there is one; it changes no state and cannot be taken back.

    Who is named in it with an at sign is told, if they may see the exception.
    """
    if not text.strip():
        raise Invalid("text", say("Write a comment first.") if file is None else say("Write what the file is."))
    if len(text) > 5000:
        raise Invalid("text", say("A comment has at most 5,000 characters. Shorten it or attach the detail as a file."))
    media_type = _media_type_of(file) if file is not None else ""
    case = lock(case_id)
    policies.require(Action.COMMENT, case, by)  # first: who may not comment does not learn here who may see it
    told = mentioned_in(text, case).people
    data: dict[str, object] = {"text": text}
    if told:
        data["mentioned"] = [person.get_username() for person in told]
    if file is not None:
        data |= {"file": file.name, "file_sha256": hashlib.sha256(file.content).hexdigest()}
    tells = {person.pk: Notification.Kind.MENTION for person in told}
    move(case, Action.COMMENT, by=by, at=at, summary=f"{by} commented on {case.ref}.", data=data, tells=tells)
    snoozing.happened(case, WakesOn.COMMENT, by=by, at=at)
    written = Comment.objects.create(case=case, author_id=by.pk, text=text, written_at=at)
    if file is not None:
        _attach(file, written, media_type=media_type)
    return written


def _media_type_of(file: File) -> str:
    try:
        return media_type_of(file.name, file.content)
    except FileRefused as error:
        raise Invalid("file", str(error)) from error


def _attach(file: File, written: Comment, *, media_type: str) -> None:
    Attachment.objects.create(
        comment=written,
        case_id=written.case_id,
        file_name=file.name,
        media_type=media_type,
        size=len(file.content),
        sha256=hashlib.sha256(file.content).hexdigest(),
        content=file.content,
    )


def _require_documents(case: ExceptionCase, *, by: AbstractUser) -> None:
    """What has none left is not worked on any more. Who may not reopen it does not learn that."""
    if Verb.CORRECT in policies.verbs_of(by, case) and is_erased(case):
        raise Invalid("because", policies.ERASED)


@transaction.atomic
def reopen(case_id: int, *, by: AbstractUser, at: datetime, because: str, revision: int | None = None) -> ExceptionCase:
    """Take up again what was closed without sending."""
    if not because.strip():
        raise Invalid("because", say("Say why this exception is opened again."))
    case = lock(case_id, revision=revision)
    _require_documents(case, by=by)
    try:
        with transaction.atomic():
            move(
                case,
                Action.REOPEN,
                by=by,
                at=at,
                because=because,
                summary=f"{by} reopened {case.ref}.",
                outcome="",
                closed_at=None,
                assignee=by,
            )
    except IntegrityError as error:  # one open exception per document, also against one that arrives right now
        raise Invalid(
            "because", say("The same document came in again and has an open exception; work on that one.")
        ) from error
    for closure in Proposal.objects.filter(case=case, state=Proposal.State.APPROVED):
        # What the decider said, and when, stays as it is; that it was undone is in the timeline.
        closure.state = Proposal.State.UNDONE
        closure.save(update_fields=["state"])
    tell_source(case, "reopened", by=by, at=at, because=because)
    handover_follow.case_reopened(case, by=by.get_username(), at=at)
    return case
