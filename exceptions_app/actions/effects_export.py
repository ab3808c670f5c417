"""The report on effects as a file: what it says is what its hash in the audit trail covers."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import QuerySet

from audit import log
from audit.account_numbers import without_account_numbers
from audit.spreadsheets import BOM, Cell, csv_row
from exceptions_app.amounts import in_its_decimals
from exceptions_app.queries.audit_page import LOG_SCOPE
from exceptions_app.queries.effects import EffectRow, Period, all_rows, totals_of
from integrations.models import Delivery

COLUMNS: Final = (
    "delivery",
    "decided_at",
    "connection",
    "operation",
    "kind",
    "document",
    "business_key",
    "amount",
    "currency",
    "standing",
    "target_document",
    "further_target_documents",
    "seen_by",
    "observed_at",
    "sends",
    "content_sha256",
    "idempotency_key",
    "exception_or_transaction",
)


def export_effects(period: Period, found: QuerySet[Delivery], *, by: AbstractUser, at: datetime) -> Iterator[bytes]:
    """The rows of a period as CSV, the oldest decided first. That it was taken is an event, with the totals."""
    with transaction.atomic():
        totals = {total.standing.value: total.count for total in totals_of(found)}
        log.record(
            "effects.exported",
            subject="effects:report",
            scope=LOG_SCOPE,
            actor=by.get_username(),
            at=at,
            summary=f"{by} exported the report on effects, {sum(totals.values())} deliveries.",
            data={
                "since": period.since,
                "until": period.until,
                "connection": period.connection,
                "standing": period.standing,
                "totals": totals,
            },
        )
    return _chunks(found)


def _chunks(found: QuerySet[Delivery]) -> Iterator[bytes]:
    yield BOM + csv_row(COLUMNS)
    for row in all_rows(found):
        yield csv_row(_cells(row))


def _cells(row: EffectRow) -> tuple[Cell, ...]:
    delivery, effect = row.delivery, row.own_effect
    return (
        delivery.pk,
        delivery.created_at,
        delivery.connection.slug,
        delivery.operation,
        delivery.object_type,
        row.document_number,
        without_account_numbers(delivery.business_key),
        in_its_decimals(delivery.amount, delivery.currency),
        delivery.currency,
        row.standing.value,
        delivery.reference,
        " ".join(row.other_references),
        effect.seen_by if effect is not None else "",
        effect.observed_at if effect is not None else None,
        delivery.sends,
        delivery.content_sha256,
        delivery.key,
        row.ref,
    )
