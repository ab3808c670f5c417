"""What the simulated bank knows: accounts closed, blocked or unknown, a limit, a cut-off. All can be changed."""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from integrations.simulator.payment_orders import Order, decimal_of


class AccountState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class ChangeNotUnderstood(Exception):
    """`detail` says what is wrong with a control call."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reason:
    """A code of the ISO 20022 external list of status reasons, and the bank's own words."""

    code: str
    text: str


_STATES = {
    AccountState.CLOSED: Reason("AC04", "Account closed"),
    AccountState.BLOCKED: Reason("AC06", "Account blocked"),
    AccountState.UNKNOWN: Reason("AC01", "Account unknown"),
}


@dataclass(frozen=True, slots=True)
class Accounts:
    """The bank's tables. An account that is not listed is open if its check digits are right, else unknown.

    `limit` is the most that one payment may move before the money is short; `first_date` the first execution date
    whose cut-off has not passed; `pending` makes the bank receive without deciding yet.
    """

    states: dict[str, AccountState] = field(default_factory=dict)
    limit: Decimal | None = None
    first_date: date | None = None
    is_pending: bool = False

    def changed(self, change: dict[str, Any]) -> "Accounts":
        """The tables after a control call such as {"accounts": {"DE…": "closed"}, "limit": "5000.00"}."""
        unknown = set(change) - {"accounts", "limit", "first_date", "pending"}
        if unknown:
            raise ChangeNotUnderstood(f"{', '.join(sorted(unknown))}: known are accounts, limit, first_date, pending.")
        changed = self
        if "accounts" in change:
            changed = replace(changed, states={**changed.states, **_states_in(change["accounts"])})
        if "limit" in change:
            changed = replace(changed, limit=_limit_in(change["limit"]))
        if "first_date" in change:
            changed = replace(changed, first_date=_date_in(change["first_date"]))
        if "pending" in change:
            if not isinstance(change["pending"], bool):
                raise ChangeNotUnderstood("pending: it is true or false.")
            changed = replace(changed, is_pending=change["pending"])
        return changed

    def as_json(self) -> dict[str, Any]:
        return {
            "accounts": dict(self.states),
            "limit": None if self.limit is None else f"{self.limit:f}",
            "first_date": None if self.first_date is None else self.first_date.isoformat(),
            "pending": self.is_pending,
        }

    def judge(self, order: Order) -> Reason | None:
        """Why the bank does not execute an order; None when it does."""
        for account, whose in ((order.debtor_account, "debtor"), (order.creditor_account, "creditor")):
            state = self.states.get(account, AccountState.OPEN if has_check_digits(account) else AccountState.UNKNOWN)
            if state is not AccountState.OPEN:
                reason = _STATES[state]
                return Reason("AC02" if whose == "debtor" else reason.code, f"{reason.text} ({whose})")
        if self.first_date is not None and order.execution_date is not None and order.execution_date < self.first_date:
            return Reason("TM01", f"Cut-off passed, next possible date {self.first_date.isoformat()}")
        if self.limit is not None and order.amount is not None and order.amount > self.limit:
            return Reason("AM04", "Insufficient funds")
        return None


def has_check_digits(account: str) -> bool:
    """Whether an IBAN's digits modulo 97 come to 1 (ISO 13616)."""
    if not account.isascii() or not account.isalnum() or len(account) < 15:
        return False
    turned = account[4:].upper() + account[:4].upper()
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _states_in(value: Any) -> dict[str, AccountState]:
    if not isinstance(value, dict):
        raise ChangeNotUnderstood('accounts: send an object such as {"DE89370400440532013000": "closed"}.')
    try:
        return {str(account): AccountState(state) for account, state in value.items()}
    except ValueError:
        raise ChangeNotUnderstood(f"accounts: a state is one of {', '.join(AccountState)}.") from None


def _limit_in(value: Any) -> Decimal | None:
    limit = decimal_of(value) if isinstance(value, str) else None
    if value is not None and (limit is None or not limit.is_finite()):
        raise ChangeNotUnderstood('limit: an amount as text, such as "5000.00", or null for none.')
    return limit


def _date_in(value: Any) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ChangeNotUnderstood('first_date: a date such as "2026-11-30", or null for none.') from None
