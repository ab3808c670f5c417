"""A row of the outbox that no action of ours wrote: it is never sent, and the trail says so."""

from datetime import datetime

from audit import log
from exceptions_app.machines import WORKER
from integrations.models import Delivery


def note_stray(delivery: Delivery, *, at: datetime) -> None:
    log.record(
        "delivery.stopped",
        subject=f"delivery:{delivery.pk}",
        scope=f"connection/{delivery.connection.slug}",
        actor=WORKER,
        actor_kind="machine",
        at=at,
        summary=f"Nothing was sent: {delivery.detail}",
        data={"state": delivery.state, "content_sha256": delivery.content_sha256},
    )
