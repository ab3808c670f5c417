from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

from integrations.connectors.en16931 import connector
from integrations.connectors.xml_document import paths
from integrations.records.record import Party, ValueKind
from tests.integrations.connectors.en16931.invoices import changed, ubl


def test_read_of_an_invoice_gives_its_record() -> None:
    record = connector.read(ubl())

    assert (record.number, record.type_code, record.currency) == ("INV-7", "380", "EUR")
    assert (record.issue_date, record.due_date) == (date(2026, 3, 31), date(2026, 4, 30))
    assert record.seller == Party("Maker GmbH", "AT", "ATU99999999", ("ATU99999999",))
    assert record.buyer == Party("Buyer SA", "FR", "FR00999999999", ("FR00999999999",))
    assert (record.total_without_vat, record.total_vat) == (Decimal("200.00"), Decimal("40.00"))
    assert (record.total_with_vat, record.amount_due) == (Decimal("240.00"), Decimal("240.00"))


def test_read_of_a_credit_note_uses_its_own_names() -> None:
    record = connector.read(ubl(credit_note=True))

    labels = {field.term: (field.label, field.path) for field in record.fields}
    assert labels["BT-1"] == ("Credit note number", "/cn:CreditNote/cbc:ID")
    assert labels["BT-3"][1] == "/cn:CreditNote/cbc:CreditNoteTypeCode"
    assert labels["BT-9"][1] == "/cn:CreditNote/cac:PaymentMeans/cbc:PaymentDueDate"
    assert labels["BT-129"] == ("Credited quantity", "/cn:CreditNote/cac:CreditNoteLine[2]/cbc:CreditedQuantity")


@pytest.mark.parametrize("credit_note", [False, True])
def test_read_gives_paths_that_lead_to_the_values(credit_note: bool) -> None:
    payload = ubl(credit_note=credit_note)
    root = etree.fromstring(payload)
    record = connector.read(payload)

    for field in record.fields:
        path = paths.parse_path(field.path, root)
        found = [node.get(path.attribute) if path.attribute else node.text for node in paths.find_elements(path, root)]
        assert [value for value in found if value is not None] == ([] if field.value is None else [field.value])
    assert len({field.path for field in record.fields}) == len(record.fields)


def test_read_offers_what_is_absent() -> None:
    record = connector.read(ubl())

    reference = next(field for field in record.fields if field.term == "BT-10")
    assert (reference.value, reference.path, reference.group) == (None, "/ubl:Invoice/cbc:BuyerReference", "Document")


def test_read_groups_lines_and_gives_amounts_their_currency() -> None:
    record = connector.read(ubl())

    nets = [field for field in record.fields if field.term == "BT-131"]
    assert [(field.group, field.value, field.currency, field.kind) for field in nets] == [
        ("Line 1", "100.00", "EUR", ValueKind.AMOUNT),
        ("Line 2", "100.00", "EUR", ValueKind.AMOUNT),
    ]


def test_read_says_what_a_line_should_come_to() -> None:
    record = connector.read(changed(ubl(), "//cac:InvoiceLine[1]/cbc:LineExtensionAmount", "999.00"))

    assert [field.hint for field in record.fields if field.term == "BT-131"] == [
        "Quantity times price comes to 100.00",
        "",
    ]


@pytest.mark.parametrize("text", ["", "31.03.2026", "20260331", "2026-13-01", "\uff12\uff10\uff12\uff16-03-31"])
def test_read_of_a_date_that_is_none_keeps_the_text(text: str) -> None:
    record = connector.read(changed(ubl(), "/*/cbc:IssueDate", text))

    field = record.field_at("/ubl:Invoice/cbc:IssueDate")
    assert record.issue_date is None
    assert field is not None
    assert field.value == text


@pytest.mark.parametrize("text", ["1e3", "1,00", "NaN", "\uff11.00", "1_000", "Infinity", "0x10", " "])
def test_read_of_an_amount_that_is_none_gives_no_amount(text: str) -> None:
    assert connector.read(changed(ubl(), "//cbc:PayableAmount", text)).amount_due is None


def test_read_takes_the_vat_total_in_the_currency_of_the_invoice() -> None:
    other = b'<cac:TaxTotal><cbc:TaxAmount currencyID="SEK">440.00</cbc:TaxAmount></cac:TaxTotal>'
    payload = ubl().replace(b"<cac:TaxTotal>", other + b"<cac:TaxTotal>", 1)
    payload = payload.replace(
        b"EUR</cbc:DocumentCurrencyCode>",
        b"EUR</cbc:DocumentCurrencyCode><cbc:TaxCurrencyCode>SEK</cbc:TaxCurrencyCode>",
    )

    record = connector.read(payload)

    totals = {
        field.term: (field.value, field.currency) for field in record.fields if field.term in ("BT-110", "BT-111")
    }
    assert totals == {"BT-110": ("40.00", "EUR"), "BT-111": ("440.00", "SEK")}
    assert connector.check(payload).passed


def test_read_passes_over_comments_inside_a_value() -> None:
    payload = ubl().replace(b">INV-7<", b">INV<!-- new -->-7<")

    assert connector.read(payload).number == "INV-7"


def test_read_offers_the_payment_that_a_document_lacks() -> None:
    payload = changed(ubl(), "//cac:PaymentMeans", None)
    account = "/ubl:Invoice/cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"
    means = "/ubl:Invoice/cac:PaymentMeans/cbc:PaymentMeansCode"

    assert {account, means} <= {field.path for field in connector.read(payload).fields}
    corrected = connector.correct(payload, connector.operations_for(payload, {account: "AT1", means: "58"}))
    assert connector.check(corrected).passed


def test_read_offers_the_parts_of_an_optional_group_that_is_there() -> None:
    name = "/ubl:Invoice/cac:PayeeParty/cac:PartyName/cbc:Name"
    payee = b"<cac:PayeeParty><cac:PartyIdentification><cbc:ID>7</cbc:ID></cac:PartyIdentification></cac:PayeeParty>"
    payload = ubl().replace(b"  <cac:PaymentMeans>", payee + b"<cac:PaymentMeans>")

    assert connector.read(ubl()).field_at(name) is None
    assert connector.read(payload).field_at(name) is not None
    assert ("BR-17", name) in {(error.code, error.field_path) for error in connector.check(payload).errors}


def test_read_shows_the_currency_of_an_amount_that_has_its_own() -> None:
    payload = ubl().replace(b'"EUR">240.00</cbc:PayableAmount>', b'"EUX">240.00</cbc:PayableAmount>')
    path = "/ubl:Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount/@currencyID"

    field = connector.read(payload).field_at(path)

    assert field is not None
    assert (field.label, field.value) == ("Currency of amount due for payment", "EUX")
    assert [(error.code, error.field_path) for error in connector.check(payload).errors] == [("BR-CL-03", path)]
