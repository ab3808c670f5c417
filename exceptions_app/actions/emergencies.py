"""Emergency access: taking it, its end, and its review by a second person.

It gives grants that have an end, so every rule about who may not decide on what stays as it is: what was proposed
before somebody took it they do not approve, what they had a hand in neither, and after its end nothing.
"""

import logging
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log as audit
from exceptions_app.actions.fresh_proof import require_fresh_proof_of_whoever_asks
from exceptions_app.actions.grants import ROLES, give_until, take_what_was_until
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.notify import emergency_reviewed, emergency_taken
from exceptions_app.machines import EMERGENCY, is_machine, machine
from exceptions_app.models import Emergency, LegalEntity, Queue
from exceptions_app.models.emergency import LONGEST
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import lock_people
from exceptions_app.queries.emergencies import may_end, scope_of_emergency, to_be_told, unreviewed_of, why_no_review
from exceptions_app.queries.reach import own_reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import say

MOST_MINUTES = int(LONGEST.total_seconds() // 60)
PROOF = say("Emergency access opens what is closed to you otherwise.")
NOBODY_TO_TELL = say("There is nobody else who could be told and review it, so there is no emergency access here.")

log = logging.getLogger(__name__)


@transaction.atomic
def take_emergency(
    queue: Queue, entity: LegalEntity, *, role: str, minutes: int, by: AbstractUser, at: datetime, because: str
) -> Emergency:
    """Take a role in the queue for the legal entity, for so many minutes. Everybody who may review it is told.

    Raises NotPermitted, Invalid with the field at fault, and FreshProofNeeded.
    """
    lock_people([by.pk])  # one after the other
    if is_machine(by) or Verb.EMERGENCY not in own_reach_of(by).verbs_at(queue.pk, entity.pk):
        raise NotPermitted(
            say(
                "You may not take emergency access in {queue} for {entity}. An administrator can make you eligible.",
                queue=queue,
                entity=entity,
            )
        )
    waiting = unreviewed_of(by)
    if waiting is not None:
        raise NotPermitted(
            say("{waiting} of yours is not reviewed yet. Have somebody else review it first.", waiting=waiting)
        )
    _check(role, minutes, because)
    require_fresh_proof_of_whoever_asks(PROOF)
    told = to_be_told(queue, entity, by=by)
    if not told:
        raise NotPermitted(NOBODY_TO_TELL)
    ends_at = at + timedelta(minutes=minutes)
    taken = Emergency.objects.create(
        person_id=by.pk, queue=queue, entity=entity, role=role, because=because.strip()[:500], began_at=at,
        ends_at=ends_at, told=len(told),
    )  # fmt: skip
    _mark(by, taken.ref, ends_at)
    words = f"{by} took emergency access as {role} in {queue} for {entity}, for {minutes} minutes."
    _record("emergency.taken", taken, words, by=by, at=at, because=taken.because, told=len(told))
    give_until(ends_at, ROLES[role], [queue, entity], by=by, at=at, because=taken.because)
    emergency_taken(taken, told, at=at, words=words)
    log.warning("Emergency access %s was taken by %s.", taken.ref, by.get_username())
    return taken


def _check(role: str, minutes: int, because: str) -> None:
    if role not in Emergency.Role.values:
        raise Invalid("role", say("There is no such role. Use one of {list}.", list=", ".join(Emergency.Role.values)))
    if not 1 <= minutes <= MOST_MINUTES:
        raise Invalid("minutes", say("Choose 1 to {most_minutes} minutes.", most_minutes=MOST_MINUTES))
    if not because.strip():
        raise Invalid("because", say("Say what happened that cannot wait; who reviews it reads it."))


@transaction.atomic
def end_emergency(number: int, *, by: AbstractUser, at: datetime, because: str = "") -> Emergency:
    """What it gave is taken: by who took it, who may review it, or an administrator. Ended twice is ended once."""
    taken = _locked(number)
    if not (is_machine(by) or may_end(taken, by, own_reach_of(by), at=at)):
        raise NotPermitted(say("Only who took it, who may review it, or an administrator may end it."))
    if taken.ended_at is None:
        _end(taken, by=by, at=at, because=because)
    return taken


def _end(taken: Emergency, *, by: AbstractUser, at: datetime, because: str = "") -> None:
    take_what_was_until(taken.person, by=by, at=at, because=because)
    taken.ended_at, taken.ended_by_id = at, by.pk
    taken.save(update_fields=["ended_at", "ended_by"])
    words = f"The emergency access {taken} of {taken.person} ended."
    _record("emergency.ended", taken, words, by=by, at=at, because=because)
    for account in (taken.person, by) if by.pk == taken.person_id else (taken.person,):
        _mark(account, "", None)


def end_due(*, at: datetime) -> int:
    """Those whose time is over. Their grants count no more by then: this takes them away, and says so."""
    due = Emergency.objects.filter(ended_at=None, ends_at__lte=at).order_by("pk").values_list("pk", flat=True)
    for number in list(due):
        end_emergency(number, by=machine(EMERGENCY), at=at)
    return len(due)


@transaction.atomic
def review_emergency(number: int, *, verdict: str, review: str, by: AbstractUser, at: datetime) -> Emergency:
    """A second person has looked through what was done. Only now may whoever took it take another.

    Raises NotPermitted, and Invalid with the field at fault.
    """
    taken = _locked(number)
    reason = why_no_review(taken, by, own_reach_of(by), at=at)
    if reason:
        raise NotPermitted(reason)
    if taken.reviewed_at is not None:
        raise Invalid("verdict", say("{reviewed_by} reviewed it already.", reviewed_by=taken.reviewed_by))
    if taken.ended_at is None and taken.ends_at <= at:
        _end(taken, by=machine(EMERGENCY), at=at)
    if taken.ended_at is None:
        raise Invalid("verdict", say("It lasts still. End it first, or wait until it is over."))
    if verdict not in Emergency.Verdict.values:
        raise Invalid("verdict", say("Choose one of {list}.", list=", ".join(Emergency.Verdict.values)))
    if not review.strip():
        raise Invalid("review", say("Say what you looked at and what you found; the auditor reads it."))
    taken.reviewed_at, taken.reviewed_by_id = at, by.pk
    taken.verdict, taken.review = verdict, review.strip()[:500]
    taken.save(update_fields=["reviewed_at", "reviewed_by", "verdict", "review"])
    words = f"{by} reviewed the emergency access {taken} of {taken.person}: {taken.get_verdict_display()}."
    _record("emergency.reviewed", taken, words, by=by, at=at, because=taken.review, verdict=verdict)
    emergency_reviewed(taken, to_be_told(taken.queue, taken.entity, by=by), by=by, at=at)
    return taken


def _locked(number: int) -> Emergency:
    found = Emergency.objects.select_for_update(of=("self",), no_key=True)
    return found.select_related("person", "queue", "entity", "ended_by", "reviewed_by").get(pk=number)


def _mark(person: AbstractUser, ref: str, until: datetime | None) -> None:
    """On the account, which every request reads, and on the one that is read already."""
    get_user_model().objects.filter(pk=person.pk).update(emergency=ref, emergency_until=until)
    person.emergency, person.emergency_until = ref, until  # type: ignore[attr-defined]  # of our own model of accounts


def _record(
    name: str, taken: Emergency, words: str, *, by: AbstractUser, at: datetime, because: str, **more: object
) -> None:
    audit.record(
        name,
        subject=f"person:{taken.person.get_username()}",
        scope=scope_of_emergency(taken),
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=words,
        because=because,
        data={
            "emergency": taken.ref, "queue": taken.queue.slug, "entity": taken.entity.code, "role": taken.role,
            "began_at": taken.began_at, "ends_at": taken.ends_at, **more,
        },
    )  # fmt: skip
