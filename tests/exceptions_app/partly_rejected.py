"""A payment file that a bank rejects in part, as its source hands it in."""

from collections.abc import Mapping
from decimal import Decimal

from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations import inbox
from integrations.models import InboxMessage
from tests.arrivals import configure, receive
from tests.cast import MORNING, Cast
from tests.integrations.connectors.iso20022.payment_files import (
    block,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
    wires,
)


def come_back(
    cast: Cast, statuses: Mapping[str, str], *, payments: int = 4, total: Decimal | None = None, number: int = 1
) -> InboxMessage:
    """A file of payments INV-1, INV-2 … and the bank's report with a status for some; the others it leaves accepted."""
    configure(cast.connection, connector="iso20022")
    file = payment_file(*wires(payments))
    rows = [
        transaction(name, status=status, reasons=reason("AC04") if status == "RJCT" else "")
        for name, status in statuses.items()
    ]
    said = set(statuses.values())
    group = said.pop() if len(said) == 1 and len(statuses) == payments else "PART"
    listed = block(value_of(file, "PmtInfId"), *rows)
    message = inbox.HandedIn(
        f"file-{number}",
        file,
        payload_media_type="application/xml",
        refusal=status_report(message_id(file), listed, status=group, count=payments, total=total),
        refusal_media_type="application/xml",
    )
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    return InboxMessage.objects.get(external_id=f"file-{number}")


def cases_of(message: InboxMessage) -> list[ExceptionCase]:
    return list(ExceptionCase.objects.filter(occurrences__inbox_message=message).order_by("document_number"))
