"""Rules that two people keep, as a page lists them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import QuerySet

from exceptions_app.models import KeptRule
from exceptions_app.models.kept_rule import RuleState

MOST_PAST = 50
Rule = TypeVar("Rule", bound=KeptRule)
LIVE = (RuleState.PROPOSED, RuleState.IN_FORCE)


@dataclass(frozen=True, slots=True)
class Rules(Generic[Rule]):
    """Those that wait for a second person, those in force, and the newest of those that are over."""

    waiting: list[Rule]
    in_force: list[Rule]
    past: list[Rule]


def rules_among(found: QuerySet[Rule]) -> Rules[Rule]:
    """Two queries."""
    live = list(found.filter(state__in=LIVE))
    return Rules(
        [rule for rule in live if rule.state == RuleState.PROPOSED],
        [rule for rule in live if rule.state == RuleState.IN_FORCE],
        list(found.exclude(state__in=LIVE)[:MOST_PAST]),
    )
