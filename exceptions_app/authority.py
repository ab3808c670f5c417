"""What the rules of approval ask of an exception when something is proposed on it: the SQL of `models.demands`."""
# ruff: noqa: S608 - made of constants of `models.demands`

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection as database

from exceptions_app.models.approval_rule import RULE_PREFIX, rule_in_words
from exceptions_app.models.demands import RULES

_ASKED = f"""
    SELECT proposed.case_id, rule.id, rule.approvers, rule.role, rule.above, rule.currency, rule.entity,
        rule.object_type, rule.is_unknown
    FROM (SELECT unnest(%(cases)s::bigint[]) AS case_id, %(at)s::timestamptz AS proposed_at) proposed
    CROSS JOIN LATERAL ({RULES}) rule ORDER BY proposed.case_id, rule.id
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """One rule that applies, and what it asks."""

    rule: str
    approvers: int
    role: str
    words: str


def demands_on(cases: Collection[int], *, at: datetime) -> dict[int, list[Demand]]:
    """Exception → the rules in force that ask something of what would be proposed on it. One query."""
    found: defaultdict[int, list[Demand]] = defaultdict(list)
    with database.cursor() as cursor:
        cursor.execute(_ASKED, {"cases": list(cases), "at": at})
        for case, number, approvers, role, above, currency, entity, object_type, is_unknown in cursor.fetchall():
            words = rule_in_words(
                above=Decimal(above), currency=currency, entity=entity or "", object_type=object_type,
                approvers=approvers, role=role or "",
            )  # fmt: skip
            unknown = ". Its amount cannot be compared with that, so it counts as above it" if is_unknown else ""
            ref = f"{RULE_PREFIX}{number}"
            found[case].append(Demand(ref, approvers, role or "", f"{ref}: {words}{unknown}."))
    return found


def approvers_of(demands: Sequence[Demand]) -> int:
    """All are obeyed, so the most that one of them asks."""
    return max((demand.approvers for demand in demands), default=1)


def roles_of(demands: Sequence[Demand]) -> list[str]:
    return sorted({demand.role for demand in demands if demand.role})


def why_alone(demands: Sequence[Demand]) -> str:
    """Why such an exception is not decided on with others; empty when it may be."""
    return f"It is decided by itself, since a rule asks more of it. {demands[0].words}" if demands else ""
