"""How a connection sends, as its page shows it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from exceptions_app.wording import say
from integrations.delivery.retries import DEFAULTS, Terms, of_policy
from integrations.models import Connection, Gate, MaintenanceWindow, RetryPolicy

MOST_WINDOWS = 20


def windows_of(connection: Connection, *, at: datetime) -> list[MaintenanceWindow]:
    """Those that are running or to come, the next first."""
    return list(windows_to_come(connection, at=at)[:MOST_WINDOWS])


def windows_to_come(connection: Connection, *, at: datetime) -> QuerySet[MaintenanceWindow]:
    rows = MaintenanceWindow.objects.filter(connection=connection, cancelled_at__isnull=True, ends_at__gt=at)
    return rows.order_by("starts_at", "pk")


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsRow:
    """Terms of retry as the page lists them; `whose` says where they come from."""

    about: str
    whose: str
    terms: Terms


def terms_of(connection: Connection) -> list[TermsRow]:
    """Which terms hold on this connection. One query."""
    found: dict[str, RetryPolicy] = {}
    rows = RetryPolicy.objects.filter(Q(connection=connection) | Q(connection__isnull=True))
    for policy in rows.order_by(F("connection").asc(nulls_first=True)):
        found[policy.about] = policy
    return [_row(about, found.get(about)) for about in RetryPolicy.About]


def _row(about: RetryPolicy.About, policy: RetryPolicy | None) -> TermsRow:
    if policy is None:
        return TermsRow(about=about.label, whose=say("the usual ones"), terms=DEFAULTS[about])
    whose = say("of this connection") if policy.connection_id else say("of all connections")
    return TermsRow(about=about.label, whose=whose, terms=of_policy(policy))


def gate_of(connection: Connection) -> Gate | None:
    return Gate.objects.filter(pk=connection.pk).first()
