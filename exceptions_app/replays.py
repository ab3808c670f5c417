"""Carrying out what was approved: claim deliveries, send with many threads, settle each with its exception."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import connection as database
from django.utils.timezone import now

from exceptions_app.actions.permission import NotApproved
from exceptions_app.actions.settle import require_approval, settle
from integrations import delivery as engine
from integrations.doorbell import TimeIsUp

log = logging.getLogger(__name__)

THREADS = 8
# Seconds of claiming; the next sweep goes on. A claim takes up to 180, and a sweep has 240 with all that it does.
BUDGET = 30.0


def carry_out_due() -> int:
    """Carry out what is due until nothing is left or the time is up. Returns how many were settled."""
    settled = 0
    ends_at = time.monotonic() + BUDGET
    while time.monotonic() < ends_at and (claims := engine.claim(limit=THREADS)):
        if len(claims) == 1:
            settled += _carry_out(claims[0])
            continue
        with ThreadPoolExecutor(max_workers=len(claims)) as pool:
            settled += sum(pool.map(_carry_out_in_thread, claims))
    return settled


def _carry_out_in_thread(claim: engine.Claim) -> bool:
    try:
        return _carry_out(claim)
    finally:
        database.close()


def _carry_out(claim: engine.Claim) -> bool:
    """One claim from look-up to settlement. A crash in here leaves the row to the next claim, as unknown."""
    try:
        return settle(_outcome_of(claim), at=now())
    except engine.Fenced:
        log.info("Delivery %s was claimed by another worker.", claim.delivery.pk)
        return False
    except TimeIsUp:
        raise  # of the task, not of this delivery, which the next claim finds as any that was broken off
    except Exception:
        # The lease runs out and the next claim asks the target first; failing the whole batch would help nobody.
        log.exception("Delivery %s broke off.", claim.delivery.pk)
        return False


def _outcome_of(claim: engine.Claim) -> engine.Settlement:
    if claim.broke_off:
        return engine.park(claim)
    try:
        require_approval(claim.delivery)
    except NotApproved as error:
        log.error("Not sent: %s", error)  # noqa: TRY400 - a refusal, not a fault of ours
        return engine.hold_back(claim, because=str(error))
    return engine.carry_out(claim)
