"""Every rule of the official validator has plain words and a business field, as have those of the usual profiles."""

import pytest
from lxml import etree

from integrations.connectors.en16931 import connector, schema
from integrations.connectors.en16931.core_rules import CORE_RULES
from integrations.connectors.en16931.profile_rules import PROFILE_RULES
from integrations.connectors.en16931.rules import rule_of
from integrations.connectors.en16931.syntax_rules import ONLY_ONCE, SYNTAX_RULES
from integrations.connectors.en16931.terms import CREDIT_NOTE_TERMS, INVOICE_TERMS
from tests.integrations.connectors.en16931.invoices import SVRL, changed, ubl

# Their field is the very element that the report names: any amount, any date.
OF_ANY_ELEMENT = {"BR-CL-03", "UBL-DT-01"}
STYLESHEET = etree.parse(str(schema.UBL_FOLDER / "EN16931-UBL-validation.xslt"))

SECOND_CONTRACT = b"<cac:ContractDocumentReference><cbc:ID>C</cbc:ID></cac:ContractDocumentReference>" * 2
ATTACHMENT = (
    b"<cac:AdditionalDocumentReference><cbc:ID>A</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject "
    b'mimeCode="text/csv">YQ==</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>'
)
UNNAMED_ATTACHMENT = ATTACHMENT.replace(b"<cbc:ID>A</cbc:ID>", b"")
PAYEE = b"<cac:PayeeParty><cac:PartyName><cbc:Name>Maker GmbH</cbc:Name></cac:PartyName></cac:PayeeParty>"
ALLOWANCE = (
    b"<cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator><cbc:AllowanceChargeReason>R"
    b'</cbc:AllowanceChargeReason><cbc:Amount currencyID="EUR">0.00</cbc:Amount>'
    b'<cbc:BaseAmount currencyID="EUR">1.005</cbc:BaseAmount></cac:AllowanceCharge>'
)
EMPTY_REGISTRATION = b"<cac:PartyTaxScheme><cac:TaxScheme><cbc:ID>TAX</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>"
SELLER = "/ubl:Invoice/cac:AccountingSupplierParty/cac:Party"


def rules(*flags: str) -> list[str]:
    found = []
    for assertion in STYLESHEET.iter(f"{{{SVRL}}}failed-assert"):
        told = {node.get("name"): node.text for node in assertion.iterchildren("*")}
        if told.get("flag") in flags:
            found.append(str(told["id"]))
    return found


def inserted(before: bytes, xml: bytes, payload: bytes | None = None) -> bytes:
    payload = ubl() if payload is None else payload
    assert payload.count(before) >= 1
    return payload.replace(before, xml + before, 1)


def test_every_rule_that_refuses_has_words_and_a_field() -> None:
    found = rules("fatal")

    without_words = [code for code in found if not rule_of(code).plain]
    without_field = [code for code in found if not rule_of(code).terms and code not in OF_ANY_ELEMENT]
    assert len(found) > 250
    assert (without_words, without_field) == ([], [])


def test_every_rule_that_warns_is_known() -> None:
    assert [code for code in rules("warning") if not rule_of(code).plain and not rule_of(code).outside] == []


@pytest.mark.parametrize("code", [*CORE_RULES, *SYNTAX_RULES, *ONLY_ONCE, *PROFILE_RULES])
def test_rule_names_terms_that_there_are(code: str) -> None:
    assert [term for term in rule_of(code).terms if term not in INVOICE_TERMS or term not in CREDIT_NOTE_TERMS] == []


@pytest.mark.parametrize(
    ("payload", "rule", "term", "path"),
    [
        (
            inserted(b"<cac:AccountingSupplierParty>", SECOND_CONTRACT),
            "UBL-SR-01",
            "BT-12",
            "/ubl:Invoice/cac:ContractDocumentReference[2]/cbc:ID",
        ),
        (
            inserted(b"<cac:AccountingSupplierParty>", ATTACHMENT),
            "UBL-DT-07",
            "BT-125-2",
            "/ubl:Invoice/cac:AdditionalDocumentReference/cac:Attachment/cbc:EmbeddedDocumentBinaryObject/@filename",
        ),
        (
            inserted(b"<cac:AccountingSupplierParty>", ATTACHMENT + UNNAMED_ATTACHMENT),
            "BR-52",
            "BT-122",
            "/ubl:Invoice/cac:AdditionalDocumentReference[2]/cbc:ID",
        ),
        (
            inserted(b"<cac:PaymentMeans>", PAYEE),
            "UBL-SR-19",
            "BT-59",
            "/ubl:Invoice/cac:PayeeParty/cac:PartyName/cbc:Name",
        ),
        (
            inserted(b"<cac:Item>", ALLOWANCE),
            "BR-DEC-25",
            "BT-137",
            "/ubl:Invoice/cac:InvoiceLine[1]/cac:AllowanceCharge/cbc:BaseAmount",
        ),
        (
            inserted(b"<cac:Item>", ALLOWANCE.replace(b'<cbc:Amount currencyID="EUR">0.00</cbc:Amount>', b"")),
            "BR-41",
            "BT-136",
            "/ubl:Invoice/cac:InvoiceLine[1]/cac:AllowanceCharge/cbc:Amount",
        ),
        (
            ubl().replace(b'"EUR">240.00</cbc:PayableAmount>', b'"ZZZ">240.00</cbc:PayableAmount>'),
            "BR-CL-03",
            "BT-115",
            "/ubl:Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount/@currencyID",
        ),
        (
            ubl().replace(b' currencyID="EUR">240.00</cbc:PayableAmount>', b">240.00</cbc:PayableAmount>"),
            "BR-CL-03",
            "BT-115",
            "/ubl:Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount/@currencyID",
        ),
        (
            changed(ubl(), "/*/cac:TaxTotal", None),
            "BR-CO-18",
            "BT-118",
            "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
        ),
        (
            changed(ubl(), "//cac:InvoiceLine", None),
            "BR-16",
            "BT-126",
            "/ubl:Invoice/cac:InvoiceLine/cbc:ID",
        ),
        (
            inserted(b"<cac:PartyLegalEntity>", EMPTY_REGISTRATION),
            "UBL-SR-53",
            "BT-32",
            f"{SELLER}/cac:PartyTaxScheme[2]/cbc:CompanyID",
        ),
    ],
)  # fmt: skip
def test_rule_points_at_the_field_that_the_form_offers(payload: bytes, rule: str, term: str, path: str) -> None:
    found = {error.code: error for error in connector.check(payload).errors}

    assert (found[rule].term, found[rule].field_path) == (term, path)
    assert connector.read(payload).field_at(path) is not None


def test_what_the_standard_does_not_have_is_named_with_its_group() -> None:
    delivery = b"<cac:Delivery><cbc:ID>9</cbc:ID></cac:Delivery>"

    [warning] = connector.check(inserted(b"<cac:PaymentMeans>", delivery)).warnings

    assert (warning.term, warning.field, warning.field_path) == ("BG-13", "ID", "/ubl:Invoice/cac:Delivery/cbc:ID")
    assert warning.plain == (
        "ID has no place in the European standard, so the receiver may not read it. "
        "Take it out, unless you have agreed on it."
    )


def test_attribute_that_the_standard_does_not_have_is_found_where_it_stands() -> None:
    payload = ubl().replace(b"<cbc:Note>", b'<cbc:Note languageID="en">')

    [warning] = connector.check(payload).warnings

    assert (warning.code, warning.term, warning.field_path) == (
        "UBL-DT-19",
        "BT-22",
        "/ubl:Invoice/cbc:Note/@languageID",
    )


def test_vat_breakdown_that_is_missing_can_be_entered_field_by_field() -> None:
    broken = changed(ubl(), "//cac:TaxSubtotal", None)
    row = "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal"
    changes = {
        f"{row}/cbc:TaxableAmount": "200.00",
        f"{row}/cbc:TaxAmount": "40.00",
        f"{row}/cac:TaxCategory/cbc:ID": "S",
        f"{row}/cac:TaxCategory/cbc:Percent": "20",
    }

    corrected = connector.correct(broken, connector.operations_for(broken, changes))

    assert all(connector.read(broken).field_at(path) for path in changes)
    assert connector.operations_between(corrected, ubl()) == []


def test_tax_scheme_other_than_vat_can_be_corrected() -> None:
    xpath = "//cac:InvoiceLine[1]//cac:TaxScheme/cbc:ID"
    path = "/ubl:Invoice/cac:InvoiceLine[1]/cac:Item/cac:ClassifiedTaxCategory/cac:TaxScheme/cbc:ID"
    broken = changed(ubl(), xpath, "GST")

    corrected = connector.correct(broken, connector.operations_for(broken, {path: "VAT"}))

    assert connector.read(ubl()).field_at(path) is None
    assert connector.read(broken).field_at(path) is not None
    assert connector.operations_between(corrected, ubl()) == []


def test_creditor_identifier_is_no_seller_identifier() -> None:
    sepa = b'<cac:PartyIdentification><cbc:ID schemeID="SEPA">DE98ZZZ</cbc:ID></cac:PartyIdentification>'
    payload = inserted(b"<cac:PostalAddress>", sepa)
    record = connector.read(payload)

    path = f"{SELLER}/cac:PartyIdentification[2]/cbc:ID"
    corrected = connector.correct(payload, connector.operations_for(payload, {path: "S-1"}))

    assert {field.term: field.value for field in record.fields}["BT-90"] == "DE98ZZZ"
    assert [(field.path, field.value) for field in record.fields if field.term == "BT-29"] == [(path, None)]
    assert "S-1" in connector.read(corrected).seller.identifiers
