"""Write-back: the source is told how it ended, through the same outbox as everything that leaves."""

import json
from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.mover import record
from exceptions_app.models import ExceptionCase, Occurrence
from integrations import outbox
from integrations.models import Delivery


def tell_source(case: ExceptionCase, event: str, *, by: AbstractUser, at: datetime, because: str = "") -> None:
    """Queue a signed webhook to the source, in the caller's transaction; nothing when it does not want one."""
    if not case.connection.write_back_url:
        return
    first = Occurrence.objects.filter(case=case).select_related("inbox_message").order_by("id").first()
    body = {
        "type": f"exception.{event}",
        "timestamp": at.isoformat(),
        "data": {
            "exception": case.ref,
            "message_id": first.inbox_message.external_id if first else "",
            "object_type": case.object_type,
            "business_key": case.business_key,
            "document_number": case.document_number,
            "state": str(case.state),
            "outcome": str(case.outcome),
            "reference": case.reference,
            "reason": because,
        },
    }
    outbox.enqueue(
        connection=case.connection,
        operation=Delivery.Operation.WRITE_BACK,
        object_type=f"exception.{event}",
        business_key=f"{case.ref}/{case.revision}",
        content=json.dumps(body, sort_keys=True).encode(),
        media_type="application/json",
        subject=case.subject,
        correlation_id=case.ref,
        probe_first=False,
        at=at,
    )
    record(
        case,
        "case.source_notified",
        by=by,
        at=at,
        summary=f"The source will be told: {event} ({case.ref}).",
        data={"event": event},
    )
