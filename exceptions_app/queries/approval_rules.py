"""The rules of approval as a page and the API list them."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from exceptions_app.models import ApprovalRule
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb

MOST_PAST = 50
State = ApprovalRule.State


@dataclass(frozen=True, slots=True)
class Rules:
    """Those that wait for a second person, those in force, and the newest of those that are over."""

    waiting: list[ApprovalRule]
    in_force: list[ApprovalRule]
    past: list[ApprovalRule]


def rules_within(reach: Reach, *, keeps: bool) -> QuerySet[ApprovalRule]:
    """Whoever keeps the rules sees all; others those that ask something of what they may see."""
    found = ApprovalRule.objects.select_related("entity", "role", "proposer", "decision__decider").order_by("-id")
    if keeps:
        return found
    if not reach.has(Verb.SEE):
        return found.none()
    return found.filter(Q(entity=None) | Q(entity__in=reach.entities(Verb.SEE)))


def rules_for(reach: Reach, *, keeps: bool) -> Rules:
    """Two queries."""
    found = rules_within(reach, keeps=keeps)
    live = list(found.filter(state__in=[State.PROPOSED, State.IN_FORCE]))
    past = list(found.exclude(state__in=[State.PROPOSED, State.IN_FORCE])[:MOST_PAST])
    return Rules(
        [rule for rule in live if rule.state == State.PROPOSED],
        [rule for rule in live if rule.state == State.IN_FORCE],
        past,
    )
