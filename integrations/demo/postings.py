"""The postings of the demonstration: journals and customer invoices that the corporate ledger refused or held."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from integrations.demo.messages import DemoMessage
from integrations.demo.targets import erp_refusal

LEDGER: Final = "corporate-ledger"
# The journal of the README's walk: the account asks for a cost centre, and the ledger holds it until it has one.
HELD_JOURNAL: Final = "JE-2026-0118"
HELD_COST_CENTER: Final = "CC-2100"
# The customer invoice of the journey: a product family that nobody has mapped, and a tax code that does not exist.
UNMAPPED_INVOICE: Final = "4900001241"
# What mends a posting, by number: label of a field → value. A newcomer finds some of them mended already.
MENDS: Final[Mapping[str, Mapping[str, str]]] = {
    "JE-2026-0102": {"Cost centre": "CC-1000"},
    "JE-2026-0109": {"Cost centre": "CC-3000"},
    "4900001225": {"Tax code": "V21"},
    "4900001226": {"Tax code": "V21"},
    "4900001228": {"Tax code": "V21"},
    "4900001230": {"Customer account": "C-1004"},
}
_CENT: Final = Decimal("0.01")
_NL, _DE = "NL01", "DE01"
_CUSTOMERS: Final = {
    "C-1001": ("Brouwer & De Wit Logistiek B.V.", "NL720408362B01"),
    "C-1002": ("Van Loon Koeltechniek B.V.", "NL930678801B01"),
    "C-1003": ("Kassen Groep Westland B.V.", "NL257089639B01"),
    "C-1004": ("Hartmann Anlagenbau GmbH", "DE621456492"),
    "C-1005": ("Oberland Molkereitechnik GmbH", "DE573539026"),
    "C-1044": ("Hartmann Anlagenbau GmbH", "DE621456492"),
}
# V20 is a code that somebody made up; what it was to be is charged.
_RATES: Final = {"V21": 21, "V19": 19, "V9": 9, "V20": 21, "V0": 0}


@dataclass(frozen=True, slots=True)
class _Line:
    """One side of a journal: an amount is a debit when positive, a credit when negative."""

    account: str
    amount: str
    text: str
    cost_center: str = ""


@dataclass(frozen=True, slots=True)
class _Journal:
    number: str
    days_ago: int
    text: str
    lines: tuple[_Line, ...]
    company: str = _NL
    last_month: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    family: str
    description: str
    quantity: int
    price: str
    tax_code: str
    account: str = "800000"
    cost_center: str = ""


@dataclass(frozen=True, slots=True)
class _Invoice:
    number: str
    days_ago: int
    customer: str
    items: tuple[_Item, ...]
    company: str = _NL
    last_month: bool = False
    total_off_by: str = "0"


_JOURNALS: Final = (
    _Journal(
        "JE-2026-0102", 9, "Accrual: plant maintenance",
        (
            _Line("650000", "6480.00", "Maintenance contract, conveyor hall"),
            _Line("190000", "-6480.00", "Accrued costs"),
        ),
    ),
    _Journal(
        "JE-2026-0109", 6, "Recharge: shared services",
        (
            _Line("630000", "9150.00", "Office services, Rotterdam", "CC-1900"),
            _Line("630000", "3050.00", "Office services, Hamburg", "CC-2000"),
            _Line("191000", "-12200.00", "Clearing, shared services"),
        ),
    ),
    _Journal(
        "JE-2026-0112", 4, "Correction: freight of last month",
        (
            _Line("470000", "2764.30", "Freight, inbound", "CC-2100"),
            _Line("191000", "-2764.30", "Clearing, freight"),
        ),
        last_month=True,
    ),
    _Journal(
        "JE-2026-0115", 3, "Depreciation: line controller",
        (
            _Line("680000", "4125.00", "Depreciation", "CC-9000"),
            _Line("140000", "-4125.00", "Accumulated depreciation"),
        ),
        company=_DE,
    ),
    _Journal(
        HELD_JOURNAL, 1, "Accrual: consulting, warehouse project",
        (
            _Line("477000", "18420.00", "Consulting, warehouse project"),
            _Line("190000", "-18420.00", "Accrued costs"),
        ),
    ),
    _Journal(
        "JE-2026-0121", 1, "Accrual: energy and rent",
        (
            _Line("400000", "31870.45", "Electricity, Rotterdam plant"),
            _Line("630000", "14500.00", "Rent, distribution centre", "CC-1900"),
            _Line("650000", "2210.00", "Cleaning, distribution centre", "CC-8000"),
            _Line("190000", "-48850.45", "Accrued costs"),
        ),
    ),
    _Journal(
        "JE-2026-0123", 0, "Settlement: insurance, hall 4",
        (
            _Line("113100", "318400.00", "Payment by the insurer"),
            _Line("191000", "-318400.00", "Claim, damage by water"),
        ),
    ),
)  # fmt: skip
_INVOICES: Final = (
    _Invoice(
        "4900001228", 8, "C-1001",
        (_Item("SERVICES", "Remote support, gold", 3, "890.00", "V20"),),
    ),
    _Invoice(
        "4900001230", 7, "C-1044",
        (_Item("HARDWARE", "Servo drive SD-40", 6, "1284.50", "V0"),),
    ),
    _Invoice(
        "4900001236", 5, "C-1003",
        (_Item("SUBSCRIPTION", "Line controller, software", 12, "640.00", "V21"),), total_off_by="-9.00",
    ),
    _Invoice(
        "4900001239", 2, "C-1002",
        (
            _Item("TRAINING", "Operator training, two days", 2, "1450.00", "V21", "800300"),
            _Item("SERVICES", "Commissioning on site", 16, "118.00", "V21", "800100", "CC-9000"),
        ),
        last_month=True,
    ),
    _Invoice(
        UNMAPPED_INVOICE, 1, "C-1002",
        (
            _Item("ROBOTICS", "Palletiser gripper, vacuum", 2, "3190.00", "V21", account=""),
            _Item("SERVICES", "Commissioning on site", 24, "118.00", "V20", "800100"),
        ),
    ),
    _Invoice(
        "4900001242", 0, "C-1005",
        (_Item("ROBOTICS", "Palletiser, compact", 1, "28400.00", "V19", account=""),), company=_DE,
    ),
    # The same made-up tax code as above and in the journey, mended the same way: what is suggested there.
    _Invoice(
        "4900001225", 10, "C-1003",
        (_Item("SERVICES", "Remote support, silver", 4, "540.00", "V20"),),
    ),
    _Invoice(
        "4900001226", 9, "C-1002",
        (_Item("SERVICES", "Inspection of conveyors", 1, "1360.00", "V20"),),
    ),
)  # fmt: skip


def demo_postings(*, today: date) -> list[DemoMessage]:
    """Seven journals and eight customer invoices. The same day gives the same bytes."""
    journals = [(story.number, story.days_ago, _journal(story, today)) for story in _JOURNALS]
    invoices = [(story.number, story.days_ago, _invoice(story, today)) for story in _INVOICES]
    return [
        _message(number, days_ago, content, today=today, position=position)
        for position, (number, days_ago, content) in enumerate([*journals, *invoices])
    ]


def unreadable_posting(*, today: date) -> DemoMessage:
    """A journal that was cut off on its way: it becomes an intake failure, with its original."""
    whole = _message(HELD_JOURNAL, 0, _journal(_JOURNALS[0], today), today=today, position=0)
    cut = whole.payload[: len(whole.payload) * 2 // 3]
    return DemoMessage(
        "ledger:JE-2026-0117", LEDGER, "JE-2026-0117", cut, whole.refusal, whole.refusal_media_type, 1, 0,
        payload_media_type="application/json", refusal_status=400,
    )  # fmt: skip


def _message(number: str, days_ago: int, content: Mapping[str, Any], *, today: date, position: int) -> DemoMessage:
    payload = json.dumps(content, ensure_ascii=False, indent=2).encode()
    return DemoMessage(
        id=f"ledger:{number}",
        connection_slug=LEDGER,
        number=number,
        payload=payload,
        refusal=erp_refusal(payload, today=today),
        refusal_media_type="application/json",
        received_days_ago=days_ago,
        position=position,
        payload_media_type="application/json",
        refusal_status=400,
    )


def _posting_date(story: _Journal | _Invoice, today: date) -> date:
    """In the open month, whatever the day; the story about a closed period is dated in the month before."""
    if story.last_month:
        return today.replace(day=1) - timedelta(days=1)
    return max(today.replace(day=1), today - timedelta(days=story.days_ago + 1))


def _journal(story: _Journal, today: date) -> dict[str, Any]:
    return {
        "type": "journal",
        "company": story.company,
        "reference": story.number,
        "posting_date": _posting_date(story, today).isoformat(),
        "currency": "EUR",
        "text": story.text,
        "lines": [_journal_line(line) for line in story.lines],
    }


def _journal_line(line: _Line) -> dict[str, str]:
    amount = Decimal(line.amount)
    side = {"debit": f"{amount:f}"} if amount > 0 else {"credit": f"{-amount:f}"}
    place = {"cost_center": line.cost_center} if line.cost_center else {}
    return {"account": line.account, **place, **side, "text": line.text}


def _invoice(story: _Invoice, today: date) -> dict[str, Any]:
    name, vat_id = _CUSTOMERS[story.customer]
    posted = _posting_date(story, today)
    lines = [_invoice_line(item) for item in story.items]
    net = sum((Decimal(line["net_amount"]) for line in lines), Decimal(0))
    tax = sum((_tax(item) for item in story.items), Decimal(0))
    return {
        "type": "customer_invoice",
        "company": story.company,
        "number": story.number,
        "customer": story.customer,
        "customer_name": name,
        "customer_vat_id": vat_id,
        "invoice_date": posted.isoformat(),
        "posting_date": posted.isoformat(),
        "due_date": (posted + timedelta(days=30)).isoformat(),
        "currency": "EUR",
        "lines": lines,
        "net_amount": f"{net:f}",
        "tax_amount": f"{tax:f}",
        "total": f"{net + tax + Decimal(story.total_off_by):f}",
    }


def _net(item: _Item) -> Decimal:
    return item.quantity * Decimal(item.price)


def _tax(item: _Item) -> Decimal:
    return (_net(item) * _RATES[item.tax_code] / 100).quantize(_CENT, rounding=ROUND_HALF_UP)


def _invoice_line(item: _Item) -> dict[str, Any]:
    places = {"account": item.account, "cost_center": item.cost_center}
    return {
        "product_family": item.family,
        "description": item.description,
        "quantity": item.quantity,
        "unit_price": item.price,
        "net_amount": f"{_net(item):f}",
        "tax_code": item.tax_code,
        **{name: value for name, value in places.items() if value},
    }
