"""Connections as operations look at them: running or paused, what waits, what came in and went out last."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db.models import BooleanField as BooleanColumn
from django.db.models import Count, ExpressionWrapper, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from exceptions_app.models import ExceptionCase, Route
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.handover import SUBJECT_PREFIX
from integrations.models import SECRETS, Connection, Delivery, DeliveryAttempt, FolderProblem, InboxMessage

RECENTLY = timedelta(days=7)
LOOKED_AT = 100  # newest deliveries among which those of visible exceptions are shown
MOST_SHOWN = 20
UNTOLD_AFTER = 5  # tries in a row that came to nothing, before the source counts as not told
_WAITING = (Delivery.State.QUEUED, Delivery.State.PROBING, Delivery.State.SENDING)


def connections_with_state(keys: Collection[int], *, at: datetime) -> QuerySet[Connection]:
    """The connections by name, with what waits there. One query; of secrets it reads only whether they are set."""
    deliveries = Delivery.objects.filter(connection=OuterRef("pk"))
    messages = InboxMessage.objects.filter(connection=OuterRef("pk"))
    refused = deliveries.filter(state=Delivery.State.REFUSED, finished_at__gte=at - RECENTLY)
    untold = deliveries.filter(
        operation=Delivery.Operation.WRITE_BACK, state__in=Delivery.LIVE, failures__gte=UNTOLD_AFTER
    )
    booked = deliveries.filter(state__in=Delivery.BOOKED, finished_at__isnull=False)
    return (
        Connection.objects.filter(pk__in=keys)
        .defer(*SECRETS)
        .annotate(
            waiting=_number_of(deliveries.filter(state__in=_WAITING)),
            unknown=_number_of(deliveries.filter(state=Delivery.State.UNKNOWN)),
            refused=_number_of(refused),
            unread=_number_of(messages.filter(status=InboxMessage.Status.PENDING)),
            failures=_number_of(messages.filter(status=InboxMessage.Status.FAILED)),
            quarantined=_number_of(FolderProblem.objects.filter(connection=OuterRef("pk"), set_aside_at__isnull=True)),
            untold=_number_of(untold),
            untold_because=Subquery(untold.order_by("-id").values("detail")[:1]),
            last_message_at=Subquery(messages.order_by("-id").values("received_at")[:1]),
            last_delivery_at=Subquery(booked.order_by("-id").values("finished_at")[:1]),
            has_target_token=_is_set("target_token"),
            has_write_back_secret=_is_set("write_back_secret"),
            has_webhook_secret=_is_set("webhook_secret"),
        )
        .order_by("name", "pk")
    )


def _number_of(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().values("connection").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def _is_set(name: str) -> ExpressionWrapper[Q]:
    return ExpressionWrapper(~Q(**{name: ""}), output_field=BooleanColumn())


def routes_of(connection: Connection) -> list[Route]:
    """Where its transactions go, in the order in which the routes are tried."""
    routes = Route.objects.filter(Q(connection=connection) | Q(connection__isnull=True))
    return list(routes.select_related("queue", "entity").order_by("position"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentDeliveries:
    """The newest deliveries for exceptions that the person may see, and how many newer ones they may not."""

    shown: Sequence[Delivery]
    hidden: int


def recent_deliveries(connection: Connection, user: AbstractUser) -> RecentDeliveries:
    """Those for exceptions, two queries: a document's number is as confidential as the exception it belongs to.

    What was handed over for delivery is listed by itself, with its own state.
    """
    attempts = DeliveryAttempt.objects.filter(delivery=OuterRef("pk")).order_by().values("delivery")
    counted = Subquery(attempts.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
    newest = list(
        Delivery.objects.filter(connection=connection)
        .exclude(subject__startswith=SUBJECT_PREFIX)
        .annotate(attempts_made=Coalesce(counted, Value(0)))
        .order_by("-id")[:LOOKED_AT]
    )
    references = {number for delivery in newest if (number := case_number(delivery.subject)) is not None}
    visible = set(ExceptionCase.objects.visible_to(user).filter(pk__in=references).values_list("pk", flat=True))
    allowed = [delivery for delivery in newest if case_number(delivery.subject) in visible]
    return RecentDeliveries(shown=allowed[:MOST_SHOWN], hidden=len(newest) - len(allowed))


def case_number(subject: str) -> int | None:
    """The number in a subject such as "case:EX-1042"; None for a subject of another kind."""
    kind, _, reference = subject.partition(":")
    number = reference.removeprefix(REF_PREFIX)
    is_case = kind == "case" and reference.startswith(REF_PREFIX) and number.isascii() and number.isdigit()
    return int(number) if is_case else None
