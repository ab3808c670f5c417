import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from integrations.connectors.en16931 import connector
from integrations.refusals import Severity
from tests.integrations.connectors.en16931.invoices import TOTALS, changed, ubl


@pytest.mark.parametrize("credit_note", [False, True])
def test_check_of_a_valid_document_passes(credit_note: bool) -> None:
    report = connector.check(ubl(credit_note=credit_note))

    assert report.passed
    assert report.warnings == ()
    assert report.check.startswith("EN 16931 official validator (CEN schematron 1.")


def test_check_names_the_wrong_total_first_and_proposes_it() -> None:
    report = connector.check(changed(ubl(), "//cbc:TaxInclusiveAmount", "250.00"))

    assert [(error.code, error.term, error.proposed_value) for error in report.errors] == [
        ("BR-CO-15", "BT-112", "240.00"),
        ("BR-CO-16", "BT-115", None),
    ]
    assert report.errors[0].field_path == f"{TOTALS}/cbc:TaxInclusiveAmount"
    assert report.errors[0].plain == "The total with VAT does not equal the total without VAT plus the VAT."
    assert report.errors[1].plain.endswith("Correcting BT-112 settles this too.")


def test_check_names_the_line_behind_wrong_sums() -> None:
    report = connector.check(changed(ubl(), "//cac:InvoiceLine[2]/cbc:LineExtensionAmount", "101.00"))

    assert {error.code for error in report.errors} == {"BR-CO-10", "BR-S-08"}
    cause = "the net amount of line 2 (BT-131) is 101.00, but quantity times price comes to 100.00."
    assert all(error.plain.endswith(cause) for error in report.errors)


def test_check_proposes_nothing_when_two_amounts_are_wrong() -> None:
    broken = changed(changed(ubl(), "//cbc:TaxInclusiveAmount", "250.00"), "//cbc:PayableAmount", "77.00")

    report = connector.check(broken)

    assert [error.proposed_value for error in report.errors] == [None, None]


def test_check_finds_the_currency_behind_a_vat_total_that_does_not_count() -> None:
    report = connector.check(changed(ubl(), "//cbc:DocumentCurrencyCode", "SEK"))

    assert [(error.code, error.term, error.proposed_value) for error in report.errors] == [("BR-CO-15", "BT-5", "EUR")]


@pytest.mark.parametrize(
    ("xpath", "rule", "term", "path"),
    [
        (
            "//cac:InvoiceLine[2]/cac:Item/cbc:Name",
            "BR-25",
            "BT-153",
            "/ubl:Invoice/cac:InvoiceLine[2]/cac:Item/cbc:Name",
        ),
        (
            "//cac:InvoiceLine[1]/cbc:InvoicedQuantity",
            "BR-22",
            "BT-129",
            "/ubl:Invoice/cac:InvoiceLine[1]/cbc:InvoicedQuantity",
        ),
        (
            "//cac:AccountingSupplierParty//cac:Country",
            "BR-09",
            "BT-40",
            "/ubl:Invoice/cac:AccountingSupplierParty/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode",
        ),
        ("/*/cbc:ID", "BR-02", "BT-1", "/ubl:Invoice/cbc:ID"),
        ("/*/cbc:InvoiceTypeCode", "BR-04", "BT-3", "/ubl:Invoice/cbc:InvoiceTypeCode"),
    ],
)
def test_check_of_a_missing_field_says_where_it_would_stand(xpath: str, rule: str, term: str, path: str) -> None:
    broken = changed(ubl(), xpath, None)

    found = {error.code: error for error in connector.check(broken).errors}

    assert (found[rule].term, found[rule].field_path) == (term, path)
    assert "XSD" not in found
    assert connector.read(broken).field_at(path) is not None


@pytest.mark.parametrize(
    ("xpath", "text", "rule", "term"),
    [
        ("//cac:AccountingCustomerParty//cbc:IdentificationCode", "XX", "BR-CL-14", "BT-55"),
        ("//cac:ClassifiedTaxCategory[1]/cbc:ID", "Q", "BR-CL-18", "BT-151"),
        ("/*/cbc:InvoiceTypeCode", "999", "BR-CL-01", "BT-3"),
        ("//cbc:PaymentMeansCode", "999", "BR-CL-16", "BT-81"),
        ("//cac:AccountingSupplierParty//cac:PartyTaxScheme/cbc:CompanyID", "99", "BR-CO-09", "BT-31"),
        ("//cac:AccountingCustomerParty//cac:PartyTaxScheme/cbc:CompanyID", "99", "BR-CO-09", "BT-48"),
        ("//cac:LegalMonetaryTotal/cbc:PayableAmount", "240.001", "BR-DEC-18", "BT-115"),
    ],
)
def test_check_of_a_wrong_value_names_the_field(xpath: str, text: str, rule: str, term: str) -> None:
    broken = changed(ubl(), xpath, text)

    found = {error.code: error for error in connector.check(broken).errors}

    assert found[rule].term == term
    assert connector.read(broken).field_at(found[rule].field_path) is not None


def test_check_of_a_value_against_the_schema_is_refused() -> None:
    report = connector.check(changed(ubl(), "/*/cbc:IssueDate", "2026-02-30"))

    assert [(error.code, error.term, error.field_path) for error in report.errors] == [
        ("XSD", "BT-2", "/ubl:Invoice/cbc:IssueDate")
    ]


def test_check_of_an_amount_that_is_no_number_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    report = connector.check(changed(ubl(), "//cbc:PayableAmount", "1,234.00"))

    assert [(error.code, error.term) for error in report.errors] == [("XSD", "BT-115")]


def test_check_of_elements_out_of_order_is_refused() -> None:
    payload = (
        ubl()
        .replace(b"  <cbc:Note>Thank you</cbc:Note>\n", b"")
        .replace(b"</cac:LegalMonetaryTotal>", b"</cac:LegalMonetaryTotal><cbc:Note>Thank you</cbc:Note>")
    )

    assert [error.code for error in connector.check(payload).errors] == ["XSD"]


def test_check_of_a_warning_passes_with_the_warning() -> None:
    report = connector.check(
        ubl().replace(b"<cbc:ID>INV-7", b"<cbc:CopyIndicator>false</cbc:CopyIndicator><cbc:ID>INV-7")
    )

    assert not report.passed  # out of order
    report = connector.check(
        ubl().replace(b"<cbc:IssueDate>", b"<cbc:CopyIndicator>false</cbc:CopyIndicator><cbc:IssueDate>")
    )
    assert report.passed
    assert [(warning.code, warning.severity, warning.field_path) for warning in report.warnings] == [
        ("UBL-CR-004", Severity.WARNING, "/ubl:Invoice/cbc:CopyIndicator")
    ]


@pytest.mark.parametrize("payload", [b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\x00\x01", b"<Invoice/>"])
def test_check_of_what_is_no_invoice_fails_with_the_reason(payload: bytes) -> None:
    report = connector.check(payload)

    assert [error.code for error in report.errors] == ["XML"]
    assert report.errors[0].plain


def test_check_from_many_threads_judges_each_document_alone() -> None:
    payloads = [
        changed(ubl(number=f"N{index}"), "//cbc:TaxInclusiveAmount", "1.00") if index % 2 else ubl()
        for index in range(12)
    ]
    started = threading.Barrier(4)

    def judge(payload: bytes) -> bool:
        return connector.check(payload).passed

    def warm() -> None:
        started.wait(timeout=30)
        connector.check(ubl())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: warm(), range(4)))
        assert list(pool.map(judge, payloads)) == [index % 2 == 0 for index in range(12)]
