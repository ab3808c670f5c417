"""The controller of a rehearsal: approves at a pace, whatever the database does, and notes what was agreed."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.utils.timezone import now

from exceptions_app.actions.decide import DecidedAlready, approve
from exceptions_app.models import ExceptionCase, PayloadVersion
from integrations import outbox
from integrations.connectors.registry import get_connector
from integrations.models import Delivery
from workbench.rehearsal.stage import Scene, Waiting

log = logging.getLogger(__name__)

_TRIES: Final = 100
_PAUSE: Final = 0.2  # seconds


def decide_all(
    waiting: Sequence[Waiting], scene: Scene, *, seconds: float, seed: int, note: Callable[[str, Waiting], None]
) -> None:
    """Within `seconds`, in an order that the seed decides; twins directly after one another, as two people would.

    `note` is called with `approved`, `refused` or `forged` once that is certain.
    """
    order = _in_order(waiting, seed=seed)
    begun = time.monotonic()
    for place, item in enumerate(order):
        time.sleep(max(0.0, begun + seconds * place / len(order) - time.monotonic()))
        if item.document.unapproved:
            note("forged" if _again_and_again(partial(_forge, item)) else "refused", item)
        else:
            note("approved" if _again_and_again(partial(_approve, item, scene)) else "refused", item)


def _in_order(waiting: Sequence[Waiting], *, seed: int) -> list[Waiting]:
    twins = {item.document.twin_of: item for item in waiting if item.document.twin_of}
    order: list[Waiting] = []
    singles = [item for item in waiting if not item.document.twin_of]
    Random(seed).shuffle(singles)  # noqa: S311 - repeatable, not secret
    for item in singles:
        order.append(item)
        if item.document.reference in twins:
            order.append(twins[item.document.reference])
    return order


def _again_and_again(act: Callable[[], bool]) -> bool:
    """A connection that is lost leaves a commit in doubt; who acts again finds out what came of it."""
    for _ in range(_TRIES):
        try:
            return act()
        except (OperationalError, InterfaceError) as error:
            log.warning("The database is away: %s", str(error).strip())
            database.close()
            time.sleep(_PAUSE)
    raise TimeoutError(f"The database was away for {_TRIES} tries.")


def _approve(item: Waiting, scene: Scene) -> bool:
    try:
        approve(item.case_id, by=scene.controller, at=now(), frozen_sha256=item.frozen_sha256)
    except DecidedAlready:
        return True
    except outbox.AlreadyUnderWay:
        return False
    return True


@transaction.atomic
def _forge(item: Waiting) -> bool:
    """A row of the outbox that nobody agreed to, as a hand in the database or a fault of ours would write it."""
    case = ExceptionCase.objects.select_related("connection").get(pk=item.case_id)
    version = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    content = bytes(version.content)
    try:
        outbox.enqueue(
            connection=case.connection,
            operation=Delivery.Operation.SUBMIT,
            object_type=case.object_type,
            business_key=get_connector(case.connection.connector).business_key(content),
            content=content,
            media_type=version.media_type,
            subject=case.subject,
            probe_first=False,
            at=now(),
        )
    except outbox.AlreadyUnderWay:
        return False  # the commit that was in doubt had succeeded
    return True
