"""What the rules of approval ask of an exception when something is proposed on it: the SQL of `models.demands`."""
# ruff: noqa: S608, S611 - made of constants of `models.demands`

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db.models import JSONField, QuerySet
from django.db.models.expressions import RawSQL

from exceptions_app.models import ApprovalRule, Proposal
from exceptions_app.models.approval_rule import RULE_PREFIX, rule_in_words
from exceptions_app.models.demands import RULES
from exceptions_app.models.kept_rule import RuleState
from exceptions_app.wording import say, together

_COLUMNS = (
    "rule.id, rule.approvers, rule.role, rule.above::text, rule.currency, rule.entity, rule.object_type, "
    "rule.is_unknown"
)
_ASKED = f"""
    SELECT proposed.case_id, {_COLUMNS}
    FROM (SELECT unnest(%(cases)s::bigint[]) AS case_id, %(at)s::timestamptz AS proposed_at) proposed
    CROSS JOIN LATERAL ({RULES}) rule ORDER BY proposed.case_id, rule.id
"""
_PROPOSALS = Proposal._meta.db_table
_ASKED_OF_OPEN = f"""(
    SELECT jsonb_agg(jsonb_build_array({_COLUMNS}) ORDER BY rule.id)
    FROM (SELECT {_PROPOSALS}.case_id, {_PROPOSALS}.proposed_at WHERE {_PROPOSALS}.state = 'open') proposed
    CROSS JOIN LATERAL ({RULES}) rule
)"""


@dataclass(frozen=True, slots=True)
class Demand:
    """One rule that applies, and what it asks."""

    rule: str
    approvers: int
    role: str
    words: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proposal takes: how many approvers in all, which roles of each, and the rules that ask so."""

    approvers: int
    roles: list[str]
    rules: list[str]


def demands_on(cases: Collection[int], *, at: datetime) -> dict[int, list[Demand]]:
    """Exception → the rules in force that ask something of what would be proposed on it. One query."""
    found: defaultdict[int, list[Demand]] = defaultdict(list)
    with database.cursor() as cursor:
        cursor.execute(_ASKED, {"cases": list(cases), "at": at})
        for case, *rule in cursor.fetchall():
            found[case].append(_demand(rule))
    return found


def any_rule_holds() -> bool:
    """Whether any rule is in force: when none is, none has to be looked for exception by exception. One query."""
    return ApprovalRule.objects.filter(state=RuleState.IN_FORCE).exists()


def with_rules(proposals: QuerySet[Proposal]) -> QuerySet[Proposal]:
    """With the rules in force that ask something of those that are open, for `asked_of`; no query more."""
    return proposals.annotate(rules_now=RawSQL(_ASKED_OF_OPEN, [], output_field=JSONField()))


def asked_of(proposal: Proposal) -> Asked:
    """What was asked when it was proposed, and what came into force since; of one that was read `with_rules`."""
    now = [_demand(rule) for rule in getattr(proposal, "rules_now", None) or ()]
    frozen = {str(one["rule"]): str(one["words"]) for one in proposal.demanded_by}
    first = 2 if getattr(proposal, "first_approval", None) else 1
    return Asked(
        approvers=max(proposal.approvers, approvers_of(now), first),
        roles=sorted({*proposal.roles, *roles_of(now)}),
        rules=[*frozen.values(), *(demand.words for demand in now if demand.rule not in frozen)],
    )


def _demand(rule: Sequence[Any]) -> Demand:
    number, approvers, role, above, currency, entity, object_type, is_unknown = rule
    words = rule_in_words(
        above=Decimal(above), currency=currency, entity=entity or "", object_type=object_type, approvers=approvers,
        role=role or "",
    )  # fmt: skip
    ref = f"{RULE_PREFIX}{number}"
    told = say("{rule}: {words}.", rule=ref, words=words)
    if is_unknown:
        told = together(told, say("Its amount cannot be compared with that, so it counts as above it."))
    return Demand(ref, approvers, role or "", told)


def approvers_of(demands: Sequence[Demand]) -> int:
    """All are obeyed, so the most that one of them asks."""
    return max((demand.approvers for demand in demands), default=1)


def roles_of(demands: Sequence[Demand]) -> list[str]:
    return sorted({demand.role for demand in demands if demand.role})


def why_alone(demands: Sequence[Demand]) -> str:
    """Why such an exception is not decided on with others; empty when it may be."""
    return together(say("It is decided by itself, since a rule asks more of it."), demands[0].words) if demands else ""
