"""The columns of an exception that repeat its document, above all the sign of its money."""

from decimal import Decimal

import pytest

from exceptions_app.facts import facts_of
from integrations.connectors.en16931 import connector
from tests.integrations.connectors.en16931.invoices import ubl


def test_amount_of_an_invoice_is_its_total_with_vat():
    facts = facts_of(connector.read(ubl()))
    assert (facts["amount"], facts["currency"]) == (Decimal("240.00"), "EUR")


def test_amount_of_a_credit_note_is_negative():
    facts = facts_of(connector.read(ubl(credit_note=True)))
    assert (facts["amount"], facts["currency"]) == (Decimal("-240.00"), "EUR")


def test_credit_note_is_one_by_its_type_code_too():
    facts = facts_of(connector.read(ubl().replace(b">380<", b">381<")))
    assert facts["amount"] == Decimal("-240.00")


def test_credit_note_whose_type_code_is_missing_is_one_by_its_root():
    payload = ubl(credit_note=True).replace(b"  <cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>\n", b"")
    assert facts_of(connector.read(payload))["amount"] == Decimal("-240.00")


def test_amount_due_stands_in_for_a_total_that_is_missing():
    payload = ubl(credit_note=True).replace(
        b'    <cbc:TaxInclusiveAmount currencyID="EUR">240.00</cbc:TaxInclusiveAmount>\n', b""
    )
    assert facts_of(connector.read(payload))["amount"] == Decimal("-240.00")


@pytest.mark.parametrize("currency", ["", "EURO", "E"])
def test_money_without_a_usable_currency_is_no_money(currency):
    code = b"<cbc:DocumentCurrencyCode>EUR<"
    payload = ubl().replace(code, code.replace(b"EUR", currency.encode()))
    facts = facts_of(connector.read(payload))
    assert (facts["amount"], facts["currency"]) == (None, "")
