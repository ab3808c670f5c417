"""The field rules as a page and the API list them."""

from django.db.models import Q, QuerySet

from exceptions_app.models import FieldRule
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb


def field_rules_within(reach: Reach, *, keeps: bool) -> QuerySet[FieldRule]:
    """Whoever keeps the rules sees all; others those that say something of what they may see."""
    found = FieldRule.objects.select_related("queue", "proposer", "decision__decider").order_by("-id")
    if keeps:
        return found
    if not reach.has(Verb.SEE):
        return found.none()
    return found.filter(Q(queue=None) | Q(queue__in=reach.queues(Verb.SEE)))
