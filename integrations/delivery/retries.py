"""When a technical failure is tried again, and when no longer: terms by connection and by what is at stake.

Only what failed technically comes here. A refusal is never tried again by these terms, and a target that says when to
come back is believed.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from integrations.models import Delivery, RetryPolicy

About = RetryPolicy.About
LEFT_ALONE = timedelta(days=1)  # what was left to a person is asked about once a day nevertheless


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`tries` in a row and `deadline` from the first of them; None for no limit. `jitter` is a part of the wait."""

    first: timedelta = timedelta(seconds=2)
    most: timedelta = timedelta(minutes=15)
    jitter: float = 0.2
    tries: int | None = None
    deadline: timedelta | None = None

    def wait(self, failures: int, *, spread: float) -> timedelta:
        """After so many failures before this one; `spread` from 0 to 1 says how much of the jitter it gets."""
        return min(self.first * (1 << min(failures, 20)), self.most) * (1 + self.jitter * spread)


DEFAULTS = {
    About.SENDING: Terms(deadline=timedelta(days=3)),
    About.ASKING: Terms(deadline=timedelta(days=3)),
    About.TELLING: Terms(),
    About.REFUSED: Terms(tries=0),  # only where a connection has terms of its own
}


def terms_for(connection_id: int, about: RetryPolicy.About) -> Terms:
    """Those of the connection, else those of all connections, else the product's own."""
    rows = RetryPolicy.objects.filter(about=about)
    own = rows.filter(connection=connection_id) | rows.filter(connection__isnull=True)
    found = own.order_by(F("connection").asc(nulls_last=True)).first()
    return of_policy(found) if found is not None else DEFAULTS[about]


def of_policy(policy: RetryPolicy) -> Terms:
    return Terms(
        first=timedelta(seconds=policy.first_seconds),
        most=timedelta(seconds=policy.most_seconds),
        jitter=policy.jitter_percent / 100,
        tries=policy.tries,
        deadline=timedelta(seconds=policy.deadline_seconds) if policy.deadline_seconds else None,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How long to wait for the next try, or that there is none by itself."""

    wait: timedelta
    spent: bool


def judge(delivery: Delivery, *, epoch: int, may_be_there: bool) -> Verdict:
    """After one more technical failure of a delivery, which the row does not count yet. By the database's clock."""
    terms = terms_for(delivery.connection_id, _about(delivery, may_be_there=may_be_there))
    if _is_spent(delivery, terms):
        return Verdict(LEFT_ALONE, spent=True)
    return Verdict(terms.wait(delivery.failures, spread=_spread(delivery.pk, epoch)), spent=False)


def _about(delivery: Delivery, *, may_be_there: bool) -> RetryPolicy.About:
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return About.TELLING
    return About.ASKING if may_be_there else About.SENDING


def _is_spent(delivery: Delivery, terms: Terms) -> bool:
    if terms.tries is not None and delivery.failures + 1 >= terms.tries:
        return True
    if terms.deadline is None:
        return False
    return Delivery.objects.filter(pk=delivery.pk, failing_since__lte=Now() - terms.deadline).exists()


def _spread(delivery_id: int, epoch: int) -> float:
    """From 0 to 1, and the same again for the same claim."""
    digest = hashlib.sha256(f"{delivery_id}:{epoch}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / (1 << 32)
