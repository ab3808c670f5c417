"""Reports of validators other than the official one: Peppol access points and national portals."""

import pytest

from integrations.connectors.en16931 import connector
from integrations.refusals import Category
from tests.integrations.connectors.en16931.invoices import located, message, svrl, ubl


@pytest.mark.parametrize(
    ("rule", "location", "text", "term", "plain"),
    [
        (
            "PEPPOL-EN16931-R003",
            located("/ubl:Invoice"),
            "A buyer reference or purchase order reference MUST be provided.",
            "BT-10",
            "Neither a buyer reference nor a purchase order reference is given.",
        ),
        (
            "PEPPOL-EN16931-R120",
            "/Q{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice[1]/*:InvoiceLine[2]",
            "Invoice line net amount MUST equal …",
            "BT-131",
            "The net amount of the line does not equal quantity times price.",
        ),
        (
            "BR-DE-15",
            "/ubl:Invoice",
            "[BR-DE-15] Das Element „Buyer reference“ (BT-10) muss übermittelt werden.",
            "BT-10",
            "The buyer reference (Leitweg-ID) is missing.",
        ),
        (
            "BR-DE-99",
            "/ns2:Invoice/ns1:Delivery",
            "[BR-DE-99] Die Gruppe „DELIVERY INFORMATION“ (BG-13) muss übermittelt werden.",
            "BT-72",
            "Die Gruppe „DELIVERY INFORMATION“ (BG-13) muss übermittelt werden.",
        ),
        (
            "IT-R-002",
            "/ubl:Invoice/cac:AccountingSupplierParty/cac:Party/cac:PostalAddress",
            "[IT-R-002] Give the street.",
            "BG-5",
            "Give the street.",
        ),
        (
            "X-2",
            located("/ubl:Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount")
            + "/@*[local-name()='currencyID' and namespace-uri()='']",
            "Not this currency.",
            "BT-115",
            "Not this currency.",
        ),
    ],
)
def test_parse_of_a_rule_of_another_validator_is_compliance_with_field_and_words(
    rule: str, location: str, text: str, term: str, plain: str
) -> None:
    [refused] = connector.parse(message(ubl(), svrl((rule, "fatal", location, text))))

    [error] = refused.refusal.errors
    assert refused.refusal.category is Category.COMPLIANCE
    assert (error.code, error.term, error.plain, error.text) == (rule, term, plain, text)
    assert error.field


@pytest.mark.timeout(60)
def test_parse_reads_a_test_of_any_length_at_once() -> None:
    """A pattern of quadratic cost would take hours for these, and a report comes from outside."""
    report = svrl(("X-3", "fatal", located("/ubl:Invoice"), "Not this."))
    for test in ("a" + " " * 1_000_000 + "!", "not(" * 200_000, "a/" * 400_000):
        long = report.replace(b'flag="fatal"', b'flag="fatal" test="' + test.encode() + b'"')
        [refused] = connector.parse(message(ubl(), long))
        assert [error.code for error in refused.refusal.errors] == ["X-3"]
