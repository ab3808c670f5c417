"""Deliveries in the outbox, and the passing of time for them."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from integrations import outbox
from integrations.models import Connection, Delivery
from tests.cast import MORNING
from tests.gates import gates_open


def enqueue(connection: Connection, number: int = 1, **changes: Any) -> Delivery:
    given: dict[str, Any] = {"operation": Delivery.Operation.SUBMIT, "probe_first": False, **changes}
    with transaction.atomic():
        return outbox.enqueue(
            connection=connection,
            object_type="invoice",
            business_key=f"NL1|INV-{number}",
            content=f"<Invoice>{number}</Invoice>".encode(),
            media_type="application/xml",
            subject=f"case:EX-{number}",
            at=MORNING,
            **given,
        )


def let_leases_end() -> None:
    Delivery.objects.filter(state__in=Delivery.LIVE).update(due_at=Now() - timedelta(seconds=1))
    gates_open()
