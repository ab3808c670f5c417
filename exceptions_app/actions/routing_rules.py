"""Routing rules: proposed by one of those who may configure, decided on by another, and changed in the same way."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions.kept_rules import Kind, may_keep_rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import Cause, LegalEntity, Queue, RoutingRule, RoutingRuleDecision
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import held_together, why_refused
from exceptions_app.queries.routing_sight import comes_to_approve
from exceptions_app.wording import say
from integrations.models import Connection

__all__ = [
    "NOT_PERMITTED",
    "Routing",
    "approve_routing_rule",
    "asks",
    "frozen_hash_of",
    "may_keep_rules",
    "propose_routing_end",
    "propose_routing_rule",
    "reject_routing_rule",
    "require_sound",
    "withdraw_routing_rule",
]
NOT_PERMITTED = say("You may not keep the routing rules. It needs the permission to configure a connection.")
MOST_POSITION = 32_767
_MOST = Decimal(10**15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Its place in the order, of what it is, and where that goes. A condition that is left out fits everything."""

    position: int
    priority: int
    queue: Queue | None = None
    connection: Connection | None = None
    entity: LegalEntity | None = None
    object_type: str = ""
    category: str = ""
    code: str = ""
    cause: Cause | None = None
    country: str = ""
    above: Decimal | None = None
    currency: str = ""

    def as_rule(self, replaces: RoutingRule | None = None, *, is_end: bool = False) -> RoutingRule:
        """A rule that asks this and is not written yet."""
        return RoutingRule(replaces=replaces, is_end=is_end, **{name: getattr(self, name) for name in _NAMES})


_NAMES = [field.name for field in fields(Routing)]


def asks(rule: RoutingRule) -> dict[str, object]:
    """All that it asks, by the names under which people, programs and the audit trail know it."""
    return {
        "position": rule.position,
        "connection": rule.connection.slug if rule.connection else "",
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "category": rule.category,
        "code": rule.code,
        "cause": rule.cause.ref if rule.cause else "",
        "country": rule.country,
        "above": "" if rule.above is None else f"{rule.above.normalize():f}",
        "currency": rule.currency,
        "queue": rule.queue.slug if rule.queue else "",
        "priority": rule.priority,
    }


_KIND = Kind(
    rules=RoutingRule,
    decisions=RoutingRuleDecision,
    beside=("connection", "entity", "cause", "queue"),
    asks=asks,
    a_rule="the routing rule",
    not_permitted=NOT_PERMITTED,
)


@transaction.atomic
def propose_routing_rule(
    asked: Routing, *, by: AbstractUser, at: datetime, because: str, replaces: int | None = None
) -> RoutingRule:
    """Propose a rule, or what shall be in the place of one that is in force. Raises NotPermitted, Invalid."""
    _KIND.require_keeper(by)
    require_sound(asked)
    old = None if replaces is None else _KIND.in_force(replaces)
    if old is not None and all(getattr(old, name) == getattr(asked, name) for name in _NAMES):
        raise Invalid("position", say("That is what {ref} asks already.", ref=old.ref))
    rule = _KIND.propose(asked.as_rule(old), by=by, at=at, because=because)
    _refuse_own_gain(rule, by)
    if pairs := _new_pairs(rule):
        raise Invalid("queue", pairs)
    return rule


@transaction.atomic
def propose_routing_end(rule_id: int, *, by: AbstractUser, at: datetime, because: str) -> RoutingRule:
    """Propose that a rule in force ends without another in its place."""
    _KIND.require_keeper(by)
    old = _KIND.in_force(rule_id)
    asked = Routing(**{name: getattr(old, name) for name in _NAMES})
    return _KIND.propose(asked.as_rule(old, is_end=True), by=by, at=at, because=because)


@transaction.atomic
def approve_routing_rule(
    rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> RoutingRule:
    """Agree to it: what arrives from now on is led by it. Raises NotPermitted for its proposer."""
    rule = _KIND.as_shown(rule_id, frozen_sha256, by=by)
    _refuse_own_gain(rule, by)
    if pairs := _new_pairs(rule):
        raise NotPermitted(pairs)
    return _KIND.approve(rule, by=by, at=at, because=because)


@transaction.atomic
def reject_routing_rule(
    rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str
) -> RoutingRule:
    """Say no, with the reason; what is in force stays so."""
    return _KIND.reject(rule_id, by=by, at=at, frozen_sha256=frozen_sha256, because=because)


@transaction.atomic
def withdraw_routing_rule(rule_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> RoutingRule:
    """Take one's own proposal back before it is decided."""
    return _KIND.withdraw(rule_id, by=by, at=at, because=because)


def frozen_hash_of(rule: RoutingRule) -> str:
    """What was shown of a rule, written or not: of a proposed one what a decision is bound to."""
    return _KIND.hash_of(rule)


def require_sound(asked: Routing) -> None:
    """Raise Invalid for what no rule may ask."""
    if not 1 <= asked.position <= MOST_POSITION:
        raise Invalid("position", say("Write a number from 1 to {most_position}.", most_position=f"{MOST_POSITION:,}"))
    if not 1 <= asked.priority <= 4:
        raise Invalid("priority", say("Choose P1, P2, P3 or P4."))
    if asked.above is not None and not 0 <= asked.above < _MOST:
        raise Invalid("above", say("Write an amount of nought or more."))
    if (asked.above is None) != (not asked.currency):
        raise Invalid("currency", say("Write an amount together with its currency, or neither."))


def _refuse_own_gain(rule: RoutingRule, by: AbstractUser) -> None:
    """Nobody brings to where they approve what they may not approve where it would go."""
    if comes_to_approve(by, rule):
        raise NotPermitted(
            say(
                "You may approve in {queue}, and not where the routes lead this. Somebody else must propose "
                "such a rule, and decide on it.",
                queue=rule.queue,
            )
        )


def _new_pairs(rule: RoutingRule) -> str:
    """Which rights somebody would hold together by the rule that no person may; empty for none. Two queries."""
    new = sorted(set(held_together(also=rule.pk)) - set(held_together()))
    if not new:
        return ""
    return why_refused(new)
