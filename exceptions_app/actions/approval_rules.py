"""Rules of approval: proposed by one of those who may configure, decided on by another, and changed in the same way."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractUser, Group
from django.db import transaction

from exceptions_app.actions.kept_rules import Kind, may_keep_rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ApprovalRule, ApprovalRuleDecision, LegalEntity
from exceptions_app.wording import say

__all__ = [
    "NOT_PERMITTED",
    "Asked",
    "approve_rule",
    "draft_of",
    "frozen_hash_of",
    "may_keep_rules",
    "propose_end",
    "propose_rule",
    "reject_rule",
    "withdraw_rule",
]
NOT_PERMITTED = say("You may not keep the rules of approval. It needs the permission to configure a connection.")
_MOST = Decimal(10**15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a rule asks, and of what."""

    above: Decimal
    currency: str
    approvers: int
    role: Group | None = None
    entity: LegalEntity | None = None
    object_type: str = ""


_NAMES = [field.name for field in fields(Asked)]


def _asks(rule: ApprovalRule) -> dict[str, object]:
    return {
        "entity": rule.entity.code if rule.entity else "", "object_type": rule.object_type,
        "above": f"{rule.above.normalize():f}", "currency": rule.currency, "approvers": rule.approvers,
        "role": rule.role.name if rule.role else "",
    }  # fmt: skip


_KIND = Kind(
    rules=ApprovalRule,
    decisions=ApprovalRuleDecision,
    beside=("entity", "role"),
    asks=_asks,
    a_rule="the rule",
    not_permitted=NOT_PERMITTED,
)


@transaction.atomic
def propose_rule(
    asked: Asked, *, by: AbstractUser, at: datetime, because: str, replaces: int | None = None
) -> ApprovalRule:
    """Propose a rule, or what shall be in the place of one that is in force. Raises NotPermitted, Invalid."""
    _KIND.require_keeper(by)
    _require_sound(asked)
    old = None if replaces is None else _KIND.in_force(replaces)
    return _KIND.propose(_rule(asked, old), by=by, at=at, because=because)


def draft_of(asked: Asked, *, replaces: int | None) -> ApprovalRule:
    """What would be proposed, to be looked at before; nothing is written. Raises Invalid."""
    _require_sound(asked)
    old = None
    if replaces is not None:
        old = ApprovalRule.objects.filter(pk=replaces, state=ApprovalRule.State.IN_FORCE).first()
        if old is None:
            raise Invalid("replaces", say("The rule to be changed is not in force."))
    return _rule(asked, old)


def frozen_hash_of(rule: ApprovalRule) -> str:
    """What a decision is bound to, and what was shown before it is proposed."""
    return _KIND.hash_of(rule)


def _rule(asked: Asked, old: ApprovalRule | None) -> ApprovalRule:
    if old is not None and all(getattr(old, name) == getattr(asked, name) for name in _NAMES):
        raise Invalid("above", say("That is what {ref} asks already.", ref=old.ref))
    asked = replace(asked, above=abs(asked.above))  # nought has no sign
    return ApprovalRule(replaces=old, **{name: getattr(asked, name) for name in _NAMES})


@transaction.atomic
def propose_end(rule_id: int, *, by: AbstractUser, at: datetime, because: str) -> ApprovalRule:
    """Propose that a rule in force ends without another in its place."""
    _KIND.require_keeper(by)
    old = _KIND.in_force(rule_id)
    rule = ApprovalRule(replaces=old, is_end=True, **{name: getattr(old, name) for name in _NAMES})
    return _KIND.propose(rule, by=by, at=at, because=because)


@transaction.atomic
def approve_rule(
    rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> ApprovalRule:
    """Agree to it: from now on it is in force, and what it replaces is not. Raises NotPermitted for its proposer."""
    return _KIND.approve(_KIND.as_shown(rule_id, frozen_sha256, by=by), by=by, at=at, because=because)


@transaction.atomic
def reject_rule(rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str) -> ApprovalRule:
    """Say no, with the reason; what is in force stays so."""
    return _KIND.reject(rule_id, by=by, at=at, frozen_sha256=frozen_sha256, because=because)


@transaction.atomic
def withdraw_rule(rule_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> ApprovalRule:
    """Take one's own proposal back before it is decided."""
    return _KIND.withdraw(rule_id, by=by, at=at, because=because)


def _require_sound(asked: Asked) -> None:
    if not 0 <= asked.above < _MOST:
        raise Invalid("above", say("Write an amount of nought or more."))
    if len(asked.currency) != 3:
        raise Invalid("currency", say("Write the three letters of a currency, such as EUR."))
    if asked.approvers not in (1, 2):
        raise Invalid("approvers", say("Choose 1 or 2."))
    if asked.approvers == 1 and asked.role is None:
        raise Invalid("approvers", say("One approver is asked for anyway. Choose 2, or a role that the one must have."))
