"""Where an arriving transaction goes, and how urgent it is."""

from datetime import date, timedelta

from django.db.models import Q

from exceptions_app.models import ExceptionCase, Route
from integrations.models import Connection
from integrations.records.record import Record
from integrations.refusals import Category, MessageNotUnderstood, RefusedTransaction

# Time to resolve by priority. The field's convention: a statutory or payment deadline, urgent, normal, for information.
TIME_TO_RESOLVE = {1: timedelta(hours=4), 2: timedelta(days=1), 3: timedelta(days=2), 4: timedelta(days=5)}
SOON = timedelta(days=2)


def route_for(transaction: RefusedTransaction, connection: Connection) -> Route:
    """The first route that matches; raises MessageNotUnderstood when none does, so that nothing gets lost."""
    route = find_route(
        transaction.record, connection, object_type=transaction.object_type, category=transaction.refusal.category
    )
    if route is None:
        raise MessageNotUnderstood(
            f"No route leads this {transaction.object_type} of {connection} to a queue.",
            field="connection",
            remedy="Ask an administrator to add a route for this connection or seller, then read the message again.",
        )
    return route


def find_route(record: Record, connection: Connection, *, object_type: str, category: str) -> Route | None:
    """The first route that matches; with an empty category, of those that are for every category."""
    parties = record.headline.parties.values()
    party_ids = {identifier for party in parties for identifier in (party.vat_id, *party.identifiers)}
    return (
        Route.objects.select_related("queue", "entity")
        .filter(Q(connection=connection) | Q(connection__isnull=True))
        .filter(Q(object_type="") | Q(object_type=object_type))
        .filter(Q(party_id="") | Q(party_id__in=party_ids - {""}))
        .filter(Q(category="") | Q(category=category))
        .order_by("position")
        .first()
    )


def priority_of(case: ExceptionCase, *, base: int, today: date) -> int:
    """1 to 4, 1 most urgent: a sanctions hit at once, what is due within two days at least 2.

    `base` is what its route or its routing rule says; `today` is the day of its legal entity on which it is read.
    """
    if case.category == Category.POLICY_HOLD and case.sub == "sanctions":
        return 1
    if case.payable_on is not None and today <= case.payable_on <= today + SOON:
        return min(base, 2)
    return base
