"""How the simulated ERP and bank of the demonstration are set up, and what they would answer to a document.

The refusals of the demonstration are made by the rules that the simulator applies later, so that what a person corrects
is accepted, and what they do not is refused again.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from integrations.simulator import master_data
from integrations.simulator.bank_accounts import Accounts, Reason
from integrations.simulator.erp import content_of, refusal
from integrations.simulator.erp_books import Books
from integrations.simulator.erp_judge import Message, judge
from integrations.simulator.payment_orders import Order, read_orders
from integrations.simulator.routes import Request
from integrations.simulator.status_reports import ACCEPTED, PENDING, REJECTED, Decision, report_on

BANK_LIMIT: Final = "250000.00"  # euro that one payment may move


def erp_change(today: date) -> dict[str, Any]:
    """The control call that sets the ERP up: the last month is closed."""
    last_month = today.replace(day=1) - timedelta(days=1)
    return {"close_periods": [f"{last_month:%Y-%m}"]}


def bank_change(today: date, *, closed: tuple[str, ...], blocked: tuple[str, ...]) -> dict[str, Any]:
    """The control call that sets the bank up: accounts, a limit, and a cut-off that passed yesterday."""
    states = {**dict.fromkeys(closed, "closed"), **dict.fromkeys(blocked, "blocked")}
    return {"accounts": states, "limit": BANK_LIMIT, "first_date": today.isoformat()}


def erp_refusal(payload: bytes, *, today: date) -> bytes:
    """What the ERP says about a posting: all errors and warnings in one answer."""
    messages = erp_messages(payload, today=today)
    return refusal(Request(body=payload), messages).body


def erp_messages(payload: bytes, *, today: date) -> list[Message]:
    """What the ERP objects to; nothing when it would book."""
    return judge(content_of(payload), Books.fresh().changed(erp_change(today)))


def partner_refusal(payload: bytes, *, before: dict[str, Any] | None) -> bytes:
    """What the ERP says about a supplier or customer; `before` is what it has of the same, None for a new one."""
    content = master_data.content_of(payload)
    messages = [*master_data.judge(content), *master_data.warnings(content, before)]
    return refusal(Request(body=payload), messages).body


def bank_report(
    payload: bytes,
    *,
    setup: Mapping[str, Any],
    today: date,
    at_bank: Mapping[str, Reason],
    pending: frozenset[str] = frozenset(),
) -> bytes:
    """The status report on a payment file. `at_bank` are reasons of the bank's own, by end-to-end identifier."""
    file = read_orders(payload)
    accounts = Accounts().changed(dict(setup))
    decisions = [
        _decision(
            order, at_bank.get(order.end_to_end_id) or accounts.judge(order), is_pending=order.end_to_end_id in pending
        )
        for order in file.orders
    ]
    at = datetime.combine(today, time(16, 5), tzinfo=UTC)
    return report_on(file, decisions, report_id=f"STS-{file.message_id}"[:35], at=at)


def _decision(order: Order, reason: Reason | None, *, is_pending: bool) -> Decision:
    if reason is not None:
        return Decision(order, REJECTED, reason)
    return Decision(order, PENDING) if is_pending else Decision(order, ACCEPTED, reference=f"BK{order.end_to_end_id}")
