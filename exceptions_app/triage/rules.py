"""Which routing rule leads an exception: the same question at its arrival and in a preview, asked in one place."""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final

from django.db.models import Q, QuerySet

from exceptions_app.models import ExceptionCase, RoutingRule

# What a rule may name beside an amount and a cause, and where it stands on an exception. Texts are compared in any
# case.
CONDITIONS: Final[Mapping[str, str]] = {
    "connection_id": "connection_id",
    "entity_id": "entity_id",
    "object_type": "object_type",
    "category": "category",
    "code": "cause__code",
    "country": "cause__counterparty_class",
}
_READ: Final = {name: attrgetter(path.replace("__", ".")) for name, path in CONDITIONS.items()}


def rules_in_force() -> QuerySet[RoutingRule]:
    """In the order in which they are tried."""
    found = RoutingRule.objects.filter(state=RoutingRule.State.IN_FORCE)
    return found.select_related("connection", "entity", "queue").order_by("position", "id")


def rule_for(case: ExceptionCase) -> RoutingRule | None:
    """The rule that leads it, which may be on its way into the database still. One query, however many rules."""
    return first_that_fits(rules_in_force(), case)


def first_that_fits(rules: Iterable[RoutingRule], case: ExceptionCase) -> RoutingRule | None:
    return next((rule for rule in rules if fits(rule, case)), None)


def fits(rule: RoutingRule, case: ExceptionCase) -> bool:
    """An amount is compared whichever way it is booked, and only with one in its own currency.

    A cause is met by all that are joined to it; whoever names a joined one means that one alone.
    """
    if rule.above is not None and (
        case.currency != rule.currency or case.amount is None or abs(case.amount) <= rule.above
    ):
        return False
    if rule.cause_id and rule.cause_id not in (case.cause_id, case.cause.head_id):
        return False
    return all(_folded(read(case)) == _folded(wanted) for read, wanted in _wanted(rule))


def may_fit(rule: RoutingRule) -> Q:
    """All that the rule fits, and what only its amount keeps from it; a part of a query."""
    named = {name: getattr(rule, name) for name in CONDITIONS if getattr(rule, name)}
    lookups = {CONDITIONS[name]: value for name, value in named.items() if not isinstance(value, str)}
    texts = {f"{CONDITIONS[name]}__iexact": value for name, value in named.items() if isinstance(value, str)}
    of_the_cause = Q(cause=rule.cause_id) | Q(cause__head=rule.cause_id) if rule.cause_id else Q()
    return Q(of_the_cause, pk__isnull=False, **lookups, **texts)  # an empty Q, beside another one, would not say so


def _wanted(rule: RoutingRule) -> Iterable[tuple[Callable[[ExceptionCase], object], object]]:
    return ((_READ[name], wanted) for name in CONDITIONS if (wanted := getattr(rule, name)))


def _folded(value: object) -> object:
    return value.upper() if isinstance(value, str) else value
