"""Policies of retention: proposed by one of those who may configure, decided on by another, and changed so too."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.sending import may_stop_sending
from exceptions_app.duties import kept_from_keeping
from exceptions_app.models import LegalEntity, RetentionDecision, RetentionPolicy
from exceptions_app.models.retention import LONGEST_DAYS, SHORTEST_DAYS, RecordClass
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say

NOT_PERMITTED = say("You may not keep policies of retention or legal holds. It needs the permission to configure.")
State = RetentionPolicy.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is kept, where, and for how long."""

    record_class: RecordClass
    days: int
    entity: LegalEntity | None = None


def may_keep_retention(user: AbstractUser) -> bool:
    """Whoever may configure any connection, and administrators; the triggers ask the same."""
    return may_stop_sending(user)


def require_keeper(by: AbstractUser) -> None:
    if not may_keep_retention(by):
        raise NotPermitted(NOT_PERMITTED)


@transaction.atomic
def propose_policy(asked: Asked, *, by: AbstractUser, at: datetime, because: str) -> RetentionPolicy:
    """Propose a policy; agreed to, it takes the place of the one in force there. Raises NotPermitted, Invalid."""
    require_keeper(by)
    if not SHORTEST_DAYS <= asked.days <= LONGEST_DAYS:
        raise Invalid(
            "days",
            say(
                "Write a number of days from {shortest_days} to {longest_days}.",
                shortest_days=SHORTEST_DAYS,
                longest_days=f"{LONGEST_DAYS:,}",
            ),
        )
    found = _of_the_same(asked).filter(state__in=[State.IN_FORCE, State.PROPOSED])
    there = {one.state: one for one in found.select_for_update(of=("self",), no_key=True)}
    if waiting := there.get(State.PROPOSED):
        raise _proposed_already(waiting, "record_class")
    old = there.get(State.IN_FORCE)
    if old is not None and old.days == asked.days:
        raise Invalid("days", say("That is what {ref} says already.", ref=old.ref))
    return _write(asked, old, is_end=False, by=by, at=at, because=because)


@transaction.atomic
def propose_end(policy_id: int, *, by: AbstractUser, at: datetime, because: str) -> RetentionPolicy:
    """Propose that a policy in force ends without another in its place: then nothing more is erased by it."""
    require_keeper(by)
    old = _locked(policy_id)
    if old.state != State.IN_FORCE:
        raise Invalid("because", say("{ref} is not in force.", ref=old.ref))
    asked = Asked(record_class=RecordClass(old.record_class), days=old.days, entity=old.entity)
    waiting = _of_the_same(asked).filter(state=State.PROPOSED).first()
    if waiting is not None:
        raise _proposed_already(waiting, "because")
    return _write(asked, old, is_end=True, by=by, at=at, because=because)


@transaction.atomic
def approve_policy(
    policy_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> RetentionPolicy:
    """Agree to it: from now on it is in force, and what it replaces is not. Raises NotPermitted for its proposer."""
    policy = _as_shown(policy_id, frozen_sha256, by=by)
    old = None if policy.replaces_id is None else _locked(policy.replaces_id)
    if old is not None and old.state != State.IN_FORCE:
        raise ApprovalNoLongerHolds(say("{ref} is not in force any more. Have this withdrawn.", ref=old.ref))
    _decide(policy, RetentionDecision.Verdict.APPROVED, by=by, at=at, because=because)
    if old is not None:
        _move(old, State.ENDED, at=at)
        words = f"{old.ref} ended, as {policy.proposer} proposed and {by} approved with {policy.ref}."
        _record("retention.approved", old, words, by=by, at=at, because=because)
    _move(policy, State.ENDED if policy.is_end else State.IN_FORCE, at=at)
    words = f"{by} approved the policy of retention that {policy.proposer} proposed, {policy}."
    _record("retention.approved", policy, words, by=by, at=at, because=because)
    return policy


@transaction.atomic
def reject_policy(
    policy_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str
) -> RetentionPolicy:
    """Say no, with the reason; what is in force stays so."""
    if not because.strip():
        raise Invalid("because", say("Say why you reject it; the person who proposed it needs to know what to change."))
    policy = _as_shown(policy_id, frozen_sha256, by=by)
    _decide(policy, RetentionDecision.Verdict.REJECTED, by=by, at=at, because=because)
    _move(policy, State.REJECTED, at=at)
    words = f"{by} rejected the policy of retention that {policy.proposer} proposed, {policy}."
    _record("retention.rejected", policy, words, by=by, at=at, because=because)
    return policy


@transaction.atomic
def withdraw_policy(policy_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> RetentionPolicy:
    """Take one's own proposal back before it is decided."""
    policy = _locked(policy_id)
    if policy.proposer_id != by.pk:
        raise NotPermitted(say("Only the person who proposed it may withdraw it."))
    if policy.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(
            say("{ref} is {state} already.", ref=policy.ref, state=say(policy.get_state_display().lower()))
        )
    _move(policy, State.WITHDRAWN, at=at)
    words = f"{by} withdrew the policy of retention that they proposed, {policy}."
    _record("retention.withdrawn", policy, words, by=by, at=at, because=because)
    return policy


def frozen_hash_of(policy: RetentionPolicy) -> str:
    """What a decision is bound to."""
    parts = {
        "replaces": policy.replaces_id, "is_end": policy.is_end, "entity": policy.entity.code if policy.entity else "",
        "class": policy.record_class, "days": policy.days,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _of_the_same(asked: Asked) -> QuerySet[RetentionPolicy]:
    return RetentionPolicy.objects.filter(entity=asked.entity, record_class=asked.record_class)


def _proposed_already(waiting: RetentionPolicy, name: str) -> Invalid:
    return Invalid(name, say("{ref} is proposed for it already. It is decided or withdrawn first.", ref=waiting.ref))


def _locked(policy_id: int) -> RetentionPolicy:
    rows = RetentionPolicy.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("entity", "proposer").get(pk=policy_id)


def _write(
    asked: Asked, old: RetentionPolicy | None, *, is_end: bool, by: AbstractUser, at: datetime, because: str
) -> RetentionPolicy:
    if not because.strip():
        raise Invalid("because", say("Say why; the person who decides will read it, and the auditor."))
    policy = RetentionPolicy(
        replaces=old, is_end=is_end, entity=asked.entity, record_class=asked.record_class, days=asked.days,
        proposer_id=by.pk, because=because.strip()[:500], proposed_at=at,
    )  # fmt: skip
    policy.frozen_sha256 = frozen_hash_of(policy)
    try:
        with transaction.atomic():
            policy.save()
    except IntegrityError as error:  # somebody was faster, and there was no row yet for which one of them would wait
        waiting = _of_the_same(asked).filter(state=State.PROPOSED).first()
        if waiting is None:
            raise
        raise _proposed_already(waiting, "because" if is_end else "record_class") from error
    words = f"{by} proposed the policy of retention {policy}."
    _record("retention.proposed", policy, words, by=by, at=at, because=policy.because)
    return policy


def _as_shown(policy_id: int, frozen_sha256: str, *, by: AbstractUser) -> RetentionPolicy:
    policy = _locked(policy_id)
    decision = RetentionDecision.objects.filter(policy=policy).first()
    if decision is not None and decision.decider_id == by.pk:
        raise DecidedAlready(
            say("You {verdict} {ref} already.", verdict=say(decision.get_verdict_display().lower()), ref=policy.ref)
        )
    require_keeper(by)
    if policy.proposer_id == by.pk:
        raise NotPermitted(say("You proposed this; someone else must decide."))
    if kept := kept_from_keeping(by, policy):
        raise NotPermitted(kept)
    if policy.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(
            say("Somebody was faster: {ref} is {state}.", ref=policy.ref, state=say(policy.get_state_display().lower()))
        )
    if frozen_sha256 != policy.frozen_sha256 or frozen_hash_of(policy) != policy.frozen_sha256:
        raise ApprovalNoLongerHolds(say("{ref} is not what you were shown. Look at it again.", ref=policy.ref))
    return policy


@refused_in_words()
def _decide(
    policy: RetentionPolicy, verdict: RetentionDecision.Verdict, *, by: AbstractUser, at: datetime, because: str
) -> None:
    RetentionDecision.objects.create(
        policy=policy, verdict=verdict, decider_id=by.pk, frozen_sha256=policy.frozen_sha256,
        because=because.strip()[:500], decided_at=at,
    )  # fmt: skip


def _move(policy: RetentionPolicy, state: RetentionPolicy.State, *, at: datetime) -> None:
    policy.state = state
    policy.closed_at = None if state == State.IN_FORCE else at
    policy.save(update_fields=["state", "closed_at"])


def _record(name: str, policy: RetentionPolicy, words: str, *, by: AbstractUser, at: datetime, because: str) -> None:
    data: Mapping[str, object] = {
        "policy": policy.ref,
        "state": policy.state,
        "replaces": f"RP-{policy.replaces_id}" if policy.replaces_id else "",
        "is_end": policy.is_end,
        "entity": policy.entity.code if policy.entity else "",
        "class": policy.record_class,
        "days": policy.days,
        "frozen_sha256": policy.frozen_sha256,
    }
    log.record(
        name, subject=policy.subject, scope=SCOPE, actor=by.get_username(), at=at, summary=words, because=because,
        data=data,
    )  # fmt: skip
