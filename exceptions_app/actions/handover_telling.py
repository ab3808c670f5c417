"""What the source is told about what it handed over, signed, through the same outbox as everything that leaves."""

import json
from datetime import datetime

from exceptions_app.models import Transaction
from integrations import outbox
from integrations.models import Delivery


def tell(transaction: Transaction, event: str, *, at: datetime) -> None:
    """Queue a signed webhook in the caller's transaction; nothing when the source does not want one."""
    if not transaction.connection.write_back_url:
        return
    body = {"type": f"transaction.{event}", "timestamp": at.isoformat(), "data": _facts_of(transaction)}
    outbox.enqueue(
        connection=transaction.connection,
        operation=Delivery.Operation.WRITE_BACK,
        object_type=f"transaction.{event}",
        business_key=f"{transaction.ref}/{transaction.revision}",
        content=json.dumps(body, sort_keys=True).encode(),
        media_type="application/json",
        subject=transaction.subject,
        correlation_id=transaction.ref,
        probe_first=False,
        at=at,
    )


def _facts_of(transaction: Transaction) -> dict[str, str]:
    """Of a repeat: also how the first one stands at this moment."""
    first = transaction.duplicate_of
    return {
        "transaction": transaction.ref,
        "id": transaction.external_id,
        "state": str(transaction.state),
        "object_type": transaction.object_type,
        "business_key": transaction.business_key,
        "document_number": transaction.document_number,
        "reference": first.reference if first is not None else transaction.reference,
        "outcome": str(transaction.outcome),
        "problem": transaction.problem,
        "exception": transaction.case.ref if transaction.case is not None else "",
        "duplicate_of": first.ref if first is not None else "",
        "first_state": str(first.state) if first is not None else "",
    }
