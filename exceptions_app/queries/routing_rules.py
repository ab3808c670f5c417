"""The routing rules as a page and the API list them."""

from django.db.models import Q, QuerySet

from exceptions_app.models import RoutingRule
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb


def routing_rules_within(reach: Reach, *, keeps: bool) -> QuerySet[RoutingRule]:
    """Whoever keeps the rules sees all; others those that lead something of what they may see."""
    found = RoutingRule.objects.select_related(
        "connection", "entity", "cause", "queue", "proposer", "decision__decider"
    ).order_by("-id")
    if keeps:
        return found
    if not reach.has(Verb.SEE):
        return found.none()
    return found.filter(
        Q(entity=None) | Q(entity__in=reach.entities(Verb.SEE)), Q(queue=None) | Q(queue__in=reach.queues(Verb.SEE))
    )
