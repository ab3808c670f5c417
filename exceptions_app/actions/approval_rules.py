"""Rules of approval: proposed by one of those who may configure, decided on by another, and changed in the same way."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractUser, Group
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.sending import may_stop_sending
from exceptions_app.duties import kept_from_rule
from exceptions_app.models import ApprovalRule, ApprovalRuleDecision, LegalEntity
from exceptions_app.policies import NotPermitted

NOT_PERMITTED = "You may not keep the rules of approval. It needs the permission to configure a connection."
_MOST = Decimal(10**15)
State = ApprovalRule.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a rule asks, and of what."""

    above: Decimal
    currency: str
    approvers: int
    role: Group | None = None
    entity: LegalEntity | None = None
    object_type: str = ""


def may_keep_rules(user: AbstractUser) -> bool:
    """Whoever may configure any connection, and administrators; the trigger of a decision asks the same."""
    return may_stop_sending(user)


@transaction.atomic
def propose_rule(
    asked: Asked, *, by: AbstractUser, at: datetime, because: str, replaces: int | None = None
) -> ApprovalRule:
    """Propose a rule, or what shall be in the place of one that is in force. Raises NotPermitted, Invalid."""
    _require_keeper(by)
    _require_sound(asked)
    old = None if replaces is None else _in_force(replaces)
    if old is not None and all(getattr(old, one.name) == getattr(asked, one.name) for one in fields(Asked)):
        raise Invalid("above", f"That is what {old.ref} asks already.")
    return _write(asked, old, is_end=False, by=by, at=at, because=because)


@transaction.atomic
def propose_end(rule_id: int, *, by: AbstractUser, at: datetime, because: str) -> ApprovalRule:
    """Propose that a rule in force ends without another in its place."""
    _require_keeper(by)
    old = _in_force(rule_id)
    asked = Asked(
        above=old.above, currency=old.currency, approvers=old.approvers, role=old.role, entity=old.entity,
        object_type=old.object_type,
    )  # fmt: skip
    return _write(asked, old, is_end=True, by=by, at=at, because=because)


@transaction.atomic
def approve_rule(
    rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> ApprovalRule:
    """Agree to it: from now on it is in force, and what it replaces is not. Raises NotPermitted for its proposer."""
    rule = _as_shown(rule_id, frozen_sha256, by=by)
    old = None if rule.replaces_id is None else ApprovalRule.objects.select_for_update().get(pk=rule.replaces_id)
    if old is not None and old.state != State.IN_FORCE:
        raise ApprovalNoLongerHolds(f"{old.ref} is not in force any more. Have this withdrawn.")
    _decide(rule, ApprovalRuleDecision.Verdict.APPROVED, by=by, at=at, because=because)
    if old is not None:
        _move(old, State.ENDED, at=at)
        words = f"{old.ref} ended, as {rule.proposer} proposed and {by} approved with {rule.ref}."
        _record("approval_rule.approved", old, words, by=by, at=at, because=because)
    _move(rule, State.ENDED if rule.is_end else State.IN_FORCE, at=at)
    words = f"{by} approved the rule that {rule.proposer} proposed, {rule}."
    _record("approval_rule.approved", rule, words, by=by, at=at, because=because)
    return rule


@transaction.atomic
def reject_rule(rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str) -> ApprovalRule:
    """Say no, with the reason; what is in force stays so."""
    if not because.strip():
        raise Invalid("because", "Say why you reject it; the person who proposed it needs to know what to change.")
    rule = _as_shown(rule_id, frozen_sha256, by=by)
    _decide(rule, ApprovalRuleDecision.Verdict.REJECTED, by=by, at=at, because=because)
    _move(rule, State.REJECTED, at=at)
    words = f"{by} rejected the rule that {rule.proposer} proposed, {rule}."
    _record("approval_rule.rejected", rule, words, by=by, at=at, because=because)
    return rule


@transaction.atomic
def withdraw_rule(rule_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> ApprovalRule:
    """Take one's own proposal back before it is decided."""
    rule = _locked(rule_id)
    if rule.proposer_id != by.pk:
        raise NotPermitted("Only the person who proposed it may withdraw it.")
    if rule.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(f"{rule.ref} is {rule.get_state_display().lower()} already.")
    _move(rule, State.WITHDRAWN, at=at)
    words = f"{by} withdrew the rule that they proposed, {rule}."
    _record("approval_rule.withdrawn", rule, words, by=by, at=at, because=because)
    return rule


def frozen_hash_of(rule: ApprovalRule) -> str:
    """What a decision is bound to."""
    parts = {
        "replaces": rule.replaces_id, "is_end": rule.is_end, "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type, "above": f"{rule.above.normalize():f}", "currency": rule.currency,
        "approvers": rule.approvers, "role": rule.role.name if rule.role else "",
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _require_keeper(by: AbstractUser) -> None:
    if not may_keep_rules(by):
        raise NotPermitted(NOT_PERMITTED)


def _require_sound(asked: Asked) -> None:
    if not 0 <= asked.above < _MOST:
        raise Invalid("above", "Write an amount of nought or more.")
    if len(asked.currency) != 3:
        raise Invalid("currency", "Write the three letters of a currency, such as EUR.")
    if asked.approvers not in (1, 2):
        raise Invalid("approvers", "Choose 1 or 2.")
    if asked.approvers == 1 and asked.role is None:
        raise Invalid("approvers", "One approver is asked for anyway. Choose 2, or a role that the one must have.")


def _in_force(rule_id: int) -> ApprovalRule:
    rule = _locked(rule_id)
    if rule.state != State.IN_FORCE:
        raise Invalid("replaces", f"{rule.ref} is not in force.")
    waiting = ApprovalRule.objects.filter(replaces=rule, state=State.PROPOSED).first()
    if waiting is not None:
        raise Invalid("replaces", f"{waiting.ref} is proposed for it already. It is decided or withdrawn first.")
    return rule


def _locked(rule_id: int) -> ApprovalRule:
    rows = ApprovalRule.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("entity", "role", "proposer").get(pk=rule_id)


def _write(
    asked: Asked, old: ApprovalRule | None, *, is_end: bool, by: AbstractUser, at: datetime, because: str
) -> ApprovalRule:
    if not because.strip():
        raise Invalid("because", "Say why; the person who decides will read it, and the auditor.")
    rule = ApprovalRule(
        replaces=old, is_end=is_end, entity=asked.entity, object_type=asked.object_type, above=abs(asked.above),
        currency=asked.currency, approvers=asked.approvers, role=asked.role, proposer_id=by.pk,
        because=because.strip()[:500], proposed_at=at,
    )  # fmt: skip
    rule.frozen_sha256 = frozen_hash_of(rule)
    rule.save()
    _record("approval_rule.proposed", rule, f"{by} proposed the rule {rule}.", by=by, at=at, because=rule.because)
    return rule


def _as_shown(rule_id: int, frozen_sha256: str, *, by: AbstractUser) -> ApprovalRule:
    rule = _locked(rule_id)
    decision = ApprovalRuleDecision.objects.filter(rule=rule).select_related("decider").first()
    if decision is not None and decision.decider_id == by.pk:
        raise DecidedAlready(f"You {decision.get_verdict_display().lower()} {rule.ref} already.")
    require_to_decide(rule, by)
    if rule.state != State.PROPOSED:
        raise ApprovalNoLongerHolds(f"Somebody was faster: {rule.ref} is {rule.get_state_display().lower()}.")
    if frozen_sha256 != rule.frozen_sha256 or frozen_hash_of(rule) != rule.frozen_sha256:
        raise ApprovalNoLongerHolds(f"{rule.ref} is not what you were shown. Look at it again.")
    return rule


def require_to_decide(rule: ApprovalRule, by: AbstractUser) -> None:
    """Raise NotPermitted with the reason unless the person may decide on a rule that somebody else proposed."""
    _require_keeper(by)
    if rule.proposer_id == by.pk:
        raise NotPermitted("You proposed this; someone else must decide.")
    if kept := kept_from_rule(by, rule):
        raise NotPermitted(kept)


def _decide(
    rule: ApprovalRule, verdict: ApprovalRuleDecision.Verdict, *, by: AbstractUser, at: datetime, because: str
) -> None:
    ApprovalRuleDecision.objects.create(
        rule=rule,
        verdict=verdict,
        decider_id=by.pk,
        frozen_sha256=rule.frozen_sha256,
        because=because.strip()[:500],
        decided_at=at,
    )


def _move(rule: ApprovalRule, state: ApprovalRule.State, *, at: datetime) -> None:
    rule.state = state
    rule.closed_at = None if state == State.IN_FORCE else at
    rule.save(update_fields=["state", "closed_at"])


def _record(name: str, rule: ApprovalRule, words: str, *, by: AbstractUser, at: datetime, because: str) -> None:
    data: Mapping[str, object] = {
        "rule": rule.ref,
        "state": rule.state,
        "replaces": f"AR-{rule.replaces_id}" if rule.replaces_id else "",
        "is_end": rule.is_end,
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "above": f"{rule.above:f}",
        "currency": rule.currency,
        "approvers": rule.approvers,
        "role": rule.role.name if rule.role else "",
        "frozen_sha256": rule.frozen_sha256,
    }
    log.record(
        name, subject=rule.subject, scope=SCOPE, actor=by.get_username(), at=at, summary=words, because=because,
        data=data,
    )  # fmt: skip
