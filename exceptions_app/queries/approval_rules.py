"""The rules of approval as a page and the API list them."""

from django.db.models import Q, QuerySet

from exceptions_app.models import ApprovalRule
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb


def rules_within(reach: Reach, *, keeps: bool) -> QuerySet[ApprovalRule]:
    """Whoever keeps the rules sees all; others those that ask something of what they may see."""
    found = ApprovalRule.objects.select_related("entity", "role", "proposer", "decision__decider").order_by("-id")
    if keeps:
        return found
    if not reach.has(Verb.SEE):
        return found.none()
    return found.filter(Q(entity=None) | Q(entity__in=reach.entities(Verb.SEE)))
