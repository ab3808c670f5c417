"""A decision about much wants a fresh proof of who decides: the check through which page and API both pass.

What asks is known here as a caller and not as a request. Commands, workers and tests have none, and are not asked.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from exceptions_app.actions.scoring import rates_for

Money = tuple[Decimal | None, str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a program with a token, or a person who proved who they are a short while ago, or longer ago."""

    has_token: bool
    proved_lately: bool


_caller: ContextVar[Callable[[], Caller] | None] = ContextVar("caller", default=None)


class FreshProofNeeded(Exception):
    """The decision is about too much for an old proof, and for a token. Nothing was done."""

    def __init__(self, reason: str, *, by_token: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by_token = by_token


@contextmanager
def called_by(caller: Callable[[], Caller]) -> Iterator[None]:
    """While this lasts, decisions are asked for by this caller; it is looked at when one wants to know."""
    before = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(before)


def require_fresh_proof(money: Callable[[], Iterable[Money]], *, at: datetime) -> None:
    """Raise FreshProofNeeded when the money together is above the limit and the caller's proof is no fresh one.

    What is unknown, or in a currency without a rate, counts as above it. `money` is read only when it matters.
    """
    find_caller = _caller.get()
    if find_caller is None:
        return
    caller = find_caller()
    if caller.proved_lately or not _is_above_limit(money(), at=at):
        return
    limit = f"{settings.PROOF_ABOVE:,} {settings.GROUP_CURRENCY}"
    raise _needed(f"This decision is about more than {limit}, or about an amount that cannot be told.", caller)


def require_fresh_proof_of_whoever_asks(about: str) -> None:
    """Raise FreshProofNeeded when the caller's proof is no fresh one; `about` says in a sentence why it is asked."""
    find_caller = _caller.get()
    caller = find_caller() if find_caller is not None else None
    if caller is not None and not caller.proved_lately:
        raise _needed(about, caller)


def _needed(about: str, caller: Caller) -> FreshProofNeeded:
    if caller.has_token:
        return FreshProofNeeded(f"{about} A person decides it, signed in, and no token.", by_token=True)
    return FreshProofNeeded(
        f"{about} It wants a proof of who you are that is no older than five minutes.", by_token=False
    )


def _is_above_limit(money: Iterable[Money], *, at: datetime) -> bool:
    parts = list(money)
    rates = rates_for({currency for _, currency in parts}, at.date())
    total = Decimal(0)
    for amount, currency in parts:
        converted = rates.in_group(abs(amount), currency) if amount is not None and currency else None
        if converted is None:
            return True
        total += converted[0]
    return not parts or total > settings.PROOF_ABOVE
