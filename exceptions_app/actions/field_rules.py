"""Field rules: proposed by one of those who may configure, decided on by another, and changed in the same way."""

from dataclasses import dataclass, fields
from datetime import datetime

from django.contrib.auth.models import AbstractUser, Group
from django.db import transaction

from exceptions_app.actions.kept_rules import Kind, may_keep_rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import FieldRule, FieldRuleDecision, Queue
from exceptions_app.releases import names_known, parts_known
from exceptions_app.wording import say

__all__ = [
    "NOT_PERMITTED",
    "Release",
    "approve_field_rule",
    "asks",
    "may_keep_rules",
    "propose_field_end",
    "propose_field_rule",
    "reject_field_rule",
    "withdraw_field_rule",
]
NOT_PERMITTED = say("You may not keep the field rules. It needs the permission to configure a connection.")
MOST_POSITION = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Its place in the order, of which fields it is, and who may change them. What is left out fits everything."""

    position: int
    who: str
    roles: tuple[str, ...] = ()
    queue: Queue | None = None
    object_type: str = ""
    part: str = ""
    field: str = ""
    sort: str = ""


_NAMES = [field.name for field in fields(Release)]


def asks(rule: FieldRule) -> dict[str, object]:
    """All that it asks, by the names under which people, programs and the audit trail know it."""
    return {
        "position": rule.position, "queue": rule.queue.slug if rule.queue else "", "object_type": rule.object_type,
        "part": rule.part, "field": rule.field, "sort": rule.sort, "who": rule.who, "roles": list(rule.roles),
    }  # fmt: skip


_KIND = Kind(
    rules=FieldRule,
    decisions=FieldRuleDecision,
    beside=("queue",),
    asks=asks,
    a_rule="the field rule",
    not_permitted=NOT_PERMITTED,
)


@transaction.atomic
def propose_field_rule(
    asked: Release, *, by: AbstractUser, at: datetime, because: str, replaces: int | None = None
) -> FieldRule:
    """Propose a rule, or what shall be in the place of one that is in force. Raises NotPermitted, Invalid."""
    _KIND.require_keeper(by)
    _require_sound(asked)
    old = None if replaces is None else _KIND.in_force(replaces)
    rule = _written(asked, old)
    if old is not None and asks(old) == asks(rule):
        raise Invalid("position", say("That is what {ref} asks already.", ref=old.ref))
    return _KIND.propose(rule, by=by, at=at, because=because)


@transaction.atomic
def propose_field_end(rule_id: int, *, by: AbstractUser, at: datetime, because: str) -> FieldRule:
    """Propose that a rule in force ends without another in its place."""
    _KIND.require_keeper(by)
    old = _KIND.in_force(rule_id)
    rule = FieldRule(replaces=old, is_end=True, **{name: getattr(old, name) for name in _NAMES})
    return _KIND.propose(rule, by=by, at=at, because=because)


@transaction.atomic
def approve_field_rule(
    rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> FieldRule:
    """Agree to it: every correction from now on is judged by it. Raises NotPermitted for its proposer."""
    return _KIND.approve(_KIND.as_shown(rule_id, frozen_sha256, by=by), by=by, at=at, because=because)


@transaction.atomic
def reject_field_rule(rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str) -> FieldRule:
    """Say no, with the reason; what is in force stays so."""
    return _KIND.reject(rule_id, by=by, at=at, frozen_sha256=frozen_sha256, because=because)


@transaction.atomic
def withdraw_field_rule(rule_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> FieldRule:
    """Take one's own proposal back before it is decided."""
    return _KIND.withdraw(rule_id, by=by, at=at, because=because)


def _written(asked: Release, replaces: FieldRule | None) -> FieldRule:
    """A rule that asks this and is not written yet; a field by the name that it goes by."""
    named = {name: getattr(asked, name) for name in _NAMES}
    field = names_known(asked.object_type, asked.part).get(asked.field.casefold(), "")
    return FieldRule(replaces=replaces, **named | {"roles": sorted(set(asked.roles)), "field": field})


def _require_sound(asked: Release) -> None:
    """Raise Invalid for what no rule may ask: one that fits nothing would be believed to keep something."""
    if not 1 <= asked.position <= MOST_POSITION:
        raise Invalid("position", say("Write a number from 1 to {most_position}.", most_position=f"{MOST_POSITION:,}"))
    if asked.who not in FieldRule.Who.values:
        raise Invalid("who", say("Choose who may change it."))
    if (asked.who == FieldRule.Who.ROLES) != bool(asked.roles):
        raise Invalid("roles", say("Choose roles when it takes one, and none otherwise."))
    if Group.objects.filter(name__in=asked.roles).count() != len(set(asked.roles)):
        raise Invalid("roles", say("There is no such role."))
    if asked.part and asked.part not in parts_known():
        raise Invalid("part", say("No form has such a part."))
    if asked.field and asked.field.casefold() not in names_known(asked.object_type, asked.part):
        raise Invalid(
            "field",
            say("There is no field “{field}” there. Write its name, such as Tax code, or its term, such as BT-84.",
                field=asked.field[:60]),
        )  # fmt: skip
