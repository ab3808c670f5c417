"""Who is between the intent to send and its answer, where a target would not recognise a second one.

A lease says how long a worker may take, and a worker that was frozen takes longer: its request can leave when the lease
is long over, and what the target was asked meanwhile says nothing about it. So it holds a lock of its database session,
which ends with the session and not with the time. A crash of the database ends it too; what is sent after that is found
by the comparison with the target's own list. A pool between worker and database must leave a session to its worker.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import connection as database
from django.db.models.functions import Now

from integrations.connectors.base import TargetKind
from integrations.delivery.attempts import client_of
from integrations.delivery.claims import Claim, State, still_ours
from integrations.models import Delivery

LOCKS: Final = -14  # advisory locks of deliveries; -11 to -13 are those of sources, places and comparisons
_NUMBERS: Final = 2**31  # two that share a number only wait for one another
_UNSURE: Final = frozenset({TargetKind.ASKABLE, TargetKind.NEITHER})


@contextmanager
def taken_in_hand(delivery: Delivery) -> Iterator[bool]:
    """Hold it until the answer is noted; False when another worker is between its intent and its answer."""
    if not _is_unsure(delivery):
        yield True
        return
    taken = _try(delivery)
    try:
        yield taken
    finally:
        if taken:
            _let_go(delivery)


def is_in_hand(delivery: Delivery) -> bool:
    """Whether a request of another worker may still leave, however long its lease is over."""
    if not _is_unsure(delivery):
        return False
    taken = _try(delivery)
    if taken:
        _let_go(delivery)
    return not taken


def has_ended(claim: Claim) -> bool:
    """Whether whoever had it before can send no more; a late effect is then waited for from this moment on."""
    if not _is_unsure(claim.delivery):
        return True
    if is_in_hand(claim.delivery):
        return False
    # As it was before this claim: a send or a look-up that came to no end.
    broke_off = claim.delivery.state == State.SENDING or claim.delivery.claims > 0
    if broke_off and still_ours(claim).filter(sends__gt=0).update(last_sent_at=Now()):
        claim.delivery.refresh_from_db(fields=["last_sent_at"])
    return True


def _is_unsure(delivery: Delivery) -> bool:
    return client_of(delivery)[1].target_kind in _UNSURE


def _try(delivery: Delivery) -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCKS, delivery.pk % _NUMBERS])
        return bool(cursor.fetchone()[0])


def _let_go(delivery: Delivery) -> None:
    """Where the session is lost, its lock is too."""
    with suppress(Exception), database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCKS, delivery.pk % _NUMBERS])
