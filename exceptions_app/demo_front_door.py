"""The demonstration's CRM: it hands won deals over for delivery, one of which nobody has taught the ledger to read."""

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.hand_over import hand_over
from exceptions_app.demo_field_maps import seed_field_maps
from integrations.demo.field_maps import NEW_FAMILY, UNMAPPED_FAMILY, deal
from integrations.handed_in import HandedIn
from integrations.models import Connection, InboxMessage
from integrations.receiving import Arrival

CRM = "crm"


def hand_deals_over(*, by: AbstractUser, at: datetime) -> None:
    """Deals of this morning: one to be booked, the same one sent again, one with a family that the field map does not
    know, and three with a family that has no revenue account yet.
    """
    connection = Connection.objects.get(slug=CRM)
    seed_field_maps(connection, by=by, at=at - timedelta(days=20))
    first = _deal(at, "MNL-2026-4711", "D-20417")
    unmapped = _deal(at, "MNL-2026-4712", "D-20431", family=UNMAPPED_FAMILY)
    sent = [("crm-D-20417", first), ("crm-D-20417-again", first), ("crm-D-20431", unmapped)]
    for number in range(3):
        name = f"D-{20440 + number}"
        sent.append((f"crm-{name}", _deal(at, f"MNL-2026-{4720 + number}", name, family=NEW_FAMILY)))
    hand_over(
        [
            Arrival(connection, HandedIn(name, payload, "application/json", purpose=InboxMessage.Purpose.DELIVER))
            for name, payload in sent
        ],
        by=CRM,
        at=at - timedelta(hours=1),
    )


def _deal(at: datetime, number: str, deal_id: str, *, family: str = "") -> bytes:
    """As the CRM writes it: the day of the deal, and thirty days to pay."""
    won, due = at.date(), at.date() + timedelta(days=30)
    return deal(invoice_no=number, family=family, id=deal_id, won_on=f"{won:%d.%m.%Y}", due_on=f"{due:%d.%m.%Y}")
