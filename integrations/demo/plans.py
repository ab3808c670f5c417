"""Plans of invoices: who bought what, when, at which VAT. Deterministic by seed."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from integrations.demo.companies import Company
from integrations.demo.invoices import InvoicePlan, LinePlan, Vat

STANDARD = {"NL": Vat("S", Decimal("21")), "DE": Vat("S", Decimal("19"))}
REDUCED = {"NL": Vat("S", Decimal("9")), "DE": Vat("S", Decimal("7"))}
INTRA_COMMUNITY = Vat("K", Decimal("0"), "Intra-Community supply", "VATEX-EU-IC")
REVERSE_CHARGE = Vat("AE", Decimal("0"), "Reverse charge", "VATEX-EU-AE")

# Name, unit, price in euro, smallest and largest quantity.
_GOODS = (
    ("Servo drive SD-40, 4 kW", "H87", "1284.50", 1, 12),
    ("Planetary gearbox PG-80, ratio 1:10", "H87", "946.00", 1, 16),
    ("Conveyor belt PU, food grade", "MTR", "38.75", 20, 400),
    ("Stainless steel roller 60 x 500 mm", "H87", "42.30", 24, 240),
    ("Proximity sensor M12, PNP", "H87", "27.85", 10, 300),
    ("Cable EPIC 4G2.5, screened", "MTR", "6.48", 50, 900),
    ("Hydraulic oil HLP 46", "LTR", "4.12", 205, 2050),
    ("Control cabinet, wired and tested", "H87", "7860.00", 1, 4),
    ("Palletiser gripper, vacuum", "H87", "3190.00", 1, 6),
    ("Aluminium profile 45 x 45", "MTR", "11.90", 30, 600),
)
_SERVICES = (
    ("Commissioning on site", "HUR", "118.00", 8, 64),
    ("Remote support, service level gold", "MON", "890.00", 1, 3),
    ("Annual inspection of conveyor line", "C62", "2450.00", 1, 3),
    ("Software maintenance, line controller", "MON", "640.00", 1, 12),
    ("Technician, overtime", "HUR", "164.00", 4, 32),
)
_MANUALS = ("Technical manual, printed", "H87", "58.00", 2, 12)
# Euro for one unit, and units for one euro as used in prices: fixed, the demonstration needs no market.
EURO_RATES = {"DKK": Decimal("0.1341"), "SEK": Decimal("0.0879"), "PLN": Decimal("0.2338")}


def plan_invoice(
    rng: Random,
    *,
    number: str,
    seller: Company,
    buyer: Company,
    issue_date: date,
    currency: str = "EUR",
    days_to_pay: int = 30,
    with_allowance: bool = False,
    with_prepayment: bool = False,
    corrects: tuple[str, date] | None = None,
    services: bool = False,
) -> InvoicePlan:
    """A plan with one to four lines; VAT follows from where seller and buyer are."""
    vat = _vat_of(seller, buyer, services=services)
    catalogue = _SERVICES if services else _GOODS
    chosen = rng.sample(catalogue, rng.randint(1, 4))
    lines = [_line(rng, article, vat, currency) for article in chosen]
    if vat.category == "S" and not services and rng.random() < 0.4:
        lines.append(_line(rng, _MANUALS, REDUCED[seller.country], currency))
    plan = InvoicePlan(
        number=number,
        issue_date=issue_date,
        due_date=issue_date + timedelta(days=days_to_pay),
        delivery_date=issue_date - timedelta(days=rng.randint(1, 6)),
        seller=seller,
        buyer=buyer,
        currency=currency,
        lines=tuple(lines),
        order=f"PO-{rng.randint(4500000, 4599999)}",
        terms=f"Payable within {days_to_pay} days, net.",
        allowance=(lines[0].net * Decimal("0.03")).quantize(Decimal("0.01")) if with_allowance else Decimal(0),
        euro_rate=EURO_RATES.get(currency),
        corrects=corrects,
    )
    if not with_prepayment:
        return plan
    return _with_prepayment(plan)


def _with_prepayment(plan: InvoicePlan) -> InvoicePlan:
    return replace(plan, prepaid=(plan.total_with_vat * Decimal("0.3")).quantize(Decimal("1")))


def _vat_of(seller: Company, buyer: Company, *, services: bool) -> Vat:
    if seller.country == buyer.country:
        return STANDARD[seller.country]
    return REVERSE_CHARGE if services else INTRA_COMMUNITY


def _line(rng: Random, article: tuple[str, str, str, int, int], vat: Vat, currency: str) -> LinePlan:
    name, unit, euro, smallest, largest = article
    price = Decimal(euro)
    if currency in EURO_RATES:
        price = (price / EURO_RATES[currency]).quantize(Decimal("0.01"))
    return LinePlan(name=name, quantity=Decimal(rng.randint(smallest, largest)), unit=unit, price=price, vat=vat)
