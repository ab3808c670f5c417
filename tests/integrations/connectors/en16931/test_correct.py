import pytest

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.en16931 import connector
from tests.integrations.connectors.en16931.invoices import CAC, CBC, TOTALS, changed, ubl, value

DUE = f"{TOTALS}/cbc:PayableAmount"
SELLER = "/ubl:Invoice/cac:AccountingSupplierParty/cac:Party"
SELLER_VAT = f"{SELLER}/cac:PartyTaxScheme[cac:TaxScheme/cbc:ID='VAT']/cbc:CompanyID"
ACCOUNT = "/ubl:Invoice/cac:PaymentMeans/cac:PayeeFinancialAccount"
IBAN = "AT611904300234573201"


def add(path: str, text: str) -> Operation:
    return {"op": "add", "path": path, "value": text}


def remove(path: str) -> Operation:
    return {"op": "remove", "path": path}


def replace(path: str, text: str) -> Operation:
    return {"op": "replace", "path": path, "value": text}


def check_value(path: str, text: str) -> Operation:
    return {"op": "test", "path": path, "value": text}


@pytest.mark.parametrize("credit_note", [False, True])
def test_correct_with_nothing_to_do_keeps_every_byte(credit_note: bool) -> None:
    payload = ubl(credit_note=credit_note)

    assert connector.correct(payload, []) == payload


def test_correct_changes_the_bytes_of_the_field_and_no_others() -> None:
    payload = ubl()

    corrected = connector.correct(payload, [check_value(DUE, "240.00"), replace(DUE, "239.00")])

    assert corrected == payload.replace(b'"EUR">240.00</cbc:PayableAmount>', b'"EUR">239.00</cbc:PayableAmount>')


def test_correct_keeps_cdata_comments_and_what_follows_the_root() -> None:
    payload = ubl().replace(b"Thank you", b"<![CDATA[a & b]]><!-- c -->") + b"<!-- end -->\n"

    assert connector.correct(payload, [replace(DUE, "1.00")]) == payload.replace(
        b"240.00</cbc:PayableAmount>", b"1.00</cbc:PayableAmount>"
    )


def test_correct_writes_utf_8_whatever_came_in() -> None:
    payload = ubl().decode().replace("UTF-8", "UTF-16").replace("Wien", "Wiën").encode("utf-16")

    corrected = connector.correct(payload, [replace(DUE, "1.00")])

    assert corrected.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    assert value(corrected, "//cac:AccountingSupplierParty//cbc:CityName") == "Wiën"


def test_correct_takes_markup_in_a_text_for_text() -> None:
    corrected = connector.correct(ubl(), [replace("/ubl:Invoice/cbc:Note", "<cbc:ID>9</cbc:ID> & <b>")])

    assert value(corrected, "/*/cbc:Note") == "<cbc:ID>9</cbc:ID> & <b>"
    assert value(corrected, "/*/cbc:Note/*") is None


def test_add_puts_a_field_where_the_schema_wants_it() -> None:
    broken = changed(ubl(), "/*/cbc:IssueDate", None)

    corrected = connector.correct(broken, [add("/ubl:Invoice/cbc:IssueDate", "2026-03-31")])

    assert value(corrected, "/*/*[3]") == "2026-03-31"
    assert connector.operations_between(corrected, ubl()) == []
    assert connector.check(corrected).passed


def test_add_makes_what_is_missing_on_the_way() -> None:
    country = "/ubl:Invoice/cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"

    corrected = connector.correct(ubl(), [add(country, "FR")])

    assert connector.read(corrected).field_at(country) is not None
    assert connector.check(corrected).passed


def test_add_makes_what_the_condition_of_a_step_says() -> None:
    broken = changed(ubl(), "//cac:AccountingSupplierParty//cac:PartyTaxScheme", None)

    corrected = connector.correct(broken, [add(SELLER_VAT, "ATU99999999")])

    assert connector.operations_between(corrected, ubl()) == []


def test_add_gives_an_amount_the_currency_of_the_document() -> None:
    corrected = connector.correct(ubl(), [add(f"{TOTALS}/cbc:PrepaidAmount", "0.00")])

    assert value(corrected, "//cbc:PrepaidAmount/@currencyID") == "EUR"
    assert connector.check(corrected).passed


@pytest.mark.parametrize(
    ("path", "xml"),
    [
        (
            ACCOUNT,
            f'<c:PayeeFinancialAccount xmlns:c="{CAC}" xmlns:b="{CBC}"><b:ID>{IBAN}</b:ID></c:PayeeFinancialAccount>',
        ),
        (ACCOUNT, "<cac:PayeeFinancialAccount><cbc:ID>AT611904300234573201</cbc:ID></cac:PayeeFinancialAccount>"),
        (ACCOUNT, "<PayeeFinancialAccount><ID>AT611904300234573201</ID></PayeeFinancialAccount>"),
        (ACCOUNT, "<cbc:ID>AT611904300234573201</cbc:ID>"),
        (
            "/Invoice/PaymentMeans",
            "<cac:PayeeFinancialAccount><cbc:ID>AT611904300234573201</cbc:ID></cac:PayeeFinancialAccount>",
        ),
        (f"{ACCOUNT}/cbc:ID", "AT611904300234573201"),
        (f"{ACCOUNT}/cbc:ID", "<cbc:ID>AT611904300234573201</cbc:ID>"),
        ("/*/*[local-name()='PaymentMeans']/PayeeFinancialAccount/ID", "AT611904300234573201"),
    ],
)
def test_add_of_xml_or_text_comes_to_the_same(path: str, xml: str) -> None:
    broken = changed(ubl(), "//cac:PayeeFinancialAccount", None)

    corrected = connector.correct(broken, [add(path, xml)])

    assert connector.operations_between(corrected, ubl()) == []


def test_add_of_a_line_puts_it_at_its_number() -> None:
    payload = ubl(lines=[("1", "1.00"), ("2", "2.00"), ("3", "3.00")])
    line = connector.operations_between(ubl(lines=[("1", "1.00"), ("3", "3.00")]), payload)

    corrected = connector.correct(ubl(lines=[("1", "1.00"), ("3", "3.00")]), line)

    assert connector.operations_between(corrected, payload) == []


def test_add_of_a_second_note_keeps_the_first() -> None:
    corrected = connector.correct(ubl(), [add("/ubl:Invoice/cbc:Note", "Second")])

    assert value(corrected, "/*/cbc:Note[1]") == "Thank you"
    assert value(corrected, "/*/cbc:Note[2]") == "Second"


def test_add_to_an_empty_field_fills_it() -> None:
    corrected = connector.correct(
        changed(ubl(), "/*/cbc:IssueDate", ""), [add("/ubl:Invoice/cbc:IssueDate", "2026-03-31")]
    )

    assert connector.operations_between(corrected, ubl()) == []


def test_attributes_are_added_replaced_and_removed() -> None:
    unit = "/ubl:Invoice/cac:InvoiceLine[1]/cbc:InvoicedQuantity/@unitCode"

    corrected = connector.correct(
        ubl(), [check_value(unit, "C62"), replace(unit, "HUR"), add("/ubl:Invoice/cbc:Note/@languageID", "en")]
    )

    assert value(corrected, "//cac:InvoiceLine[1]/cbc:InvoicedQuantity/@unitCode") == "HUR"
    assert value(corrected, "/*/cbc:Note/@languageID") == "en"
    assert (
        value(connector.correct(corrected, [remove(unit)]), "//cac:InvoiceLine[1]/cbc:InvoicedQuantity/@unitCode")
        is None
    )


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (check_value(DUE, "241.00"), "The document says “240.00” here, not “241.00”."),
        (check_value("/ubl:Invoice/cbc:BuyerReference", "X"), "The path names nothing in the document."),
        (check_value(DUE, ""), "The document says “240.00” here, not “”."),
        (replace("/ubl:Invoice/cbc:BuyerReference", "X"), "The path names nothing in the document."),
        (replace("/ubl:Invoice/cac:InvoiceLine/cbc:ID", "X"), "The path names 2 places in the document."),
        (replace("//cbc:ID", "X"), "The path names 12 places in the document."),
        (replace(TOTALS, "X"), "This place holds other elements, not a text."),
        (replace("/ubl:Invoice/cbc:Note/@languageID", "de"), "The attribute is not there."),
        (replace(DUE, "1\x00"), "The value contains characters that XML does not allow."),
        (replace(DUE, "\x0b"), "The value contains characters that XML does not allow."),
        (replace("/ubl:Invoice", "<cac:Order/>"), "This place holds other elements, not a text."),
        (remove("/ubl:Invoice/cbc:BuyerReference"), "The path names nothing in the document."),
        (remove("/ubl:Invoice"), "The document itself cannot be removed."),
        (remove("/ubl:Invoice/cac:InvoiceLine"), "The path names 2 places in the document."),
        (add("/ubl:Invoice/cbc:Colour", "red"), "UBL has no Colour below Invoice."),
        (add("/cn:CreditNote/cbc:ID", "1"), "The path does not begin at the root of the document."),
        (add("/ubl:Invoice/cac:InvoiceLine/cbc:Note", "1"), "The path names 2 places in the document."),
        (add("/ubl:Invoice/cac:Delivery", "tomorrow"), "This place holds other elements, not a text."),
        (add("//cbc:BuyerReference", "1"), "The path does not say where to create."),
        (add(ACCOUNT, "<cac:PayeeFinancialAccount/>"), "PayeeFinancialAccount is already there."),
        (add(TOTALS, "<cbc:PayableAmount>1</cbc:PayableAmount>"), "PayableAmount is already there."),
        (add("/ubl:Invoice/cac:Delivery", "<cac:Delivery>"), None),
        (add("/ubl:Invoice/cac:Delivery", "<!DOCTYPE a><cac:Delivery/>"), None),
        (add("/ubl:Invoice/cac:Delivery", "</wrapper><wrapper>"), None),
        ({"op": "move", "path": DUE, "value": "x"}, "'move' is not a step."),
        ({"op": "replace", "path": DUE}, "The step replace has no value."),
        ({"op": "replace", "path": "/..", "value": ""}, None),
    ],
)
def test_step_that_cannot_be_taken_refuses_the_whole_correction(operation: Operation, problem: str | None) -> None:
    with pytest.raises(CorrectionError) as caught:
        connector.correct(ubl(), [replace("/ubl:Invoice/cbc:ID", "OTHER"), operation])

    assert problem is None or caught.value.problem == problem
    assert caught.value.path == operation["path"]
    assert caught.value.remedy


def test_correct_of_what_is_no_xml_is_refused() -> None:
    with pytest.raises(CorrectionError, match="DOCTYPE"):
        connector.correct(b"<!DOCTYPE a><a/>", [])


def test_operations_for_begin_with_a_test_of_the_old() -> None:
    assert connector.operations_for(ubl(), {DUE: "239.00", "/ubl:Invoice/cbc:BuyerReference": "PO 7"}) == [
        check_value(DUE, "240.00"),
        replace(DUE, "239.00"),
        check_value("/ubl:Invoice/cbc:BuyerReference", ""),
        add("/ubl:Invoice/cbc:BuyerReference", "PO 7"),
    ]


def test_operations_for_what_is_unchanged_are_none() -> None:
    changes = {field.path: f" {field.value or ''}\r\n" for field in connector.read(ubl()).fields}

    assert connector.operations_for(ubl(), changes) == []


def test_operations_for_are_refused_on_other_content() -> None:
    operations = connector.operations_for(ubl(), {"/ubl:Invoice/cbc:BuyerReference": "PO 7"})
    meanwhile = connector.correct(ubl(), [add("/ubl:Invoice/cbc:BuyerReference", "PO 8")])

    with pytest.raises(CorrectionError, match="PO 8"):
        connector.correct(meanwhile, operations)


def test_operations_for_an_emptied_field_remove_what_only_held_it() -> None:
    operations = connector.operations_for(ubl(), {f"{ACCOUNT}/cbc:ID": "", SELLER_VAT: ""})
    corrected = connector.correct(ubl(), operations)

    assert value(corrected, "//cac:PayeeFinancialAccount") is None
    assert value(corrected, "//cac:AccountingSupplierParty//cac:PartyTaxScheme") is None
    assert value(corrected, "//cbc:PaymentMeansCode") == "58"
    assert {error.code for error in connector.check(corrected).errors} == {"BR-61", "BR-CO-26", "BR-S-02"}


def test_operations_for_an_emptied_field_with_another_unit_keep_the_unit() -> None:
    quantity = "/ubl:Invoice/cac:InvoiceLine[1]/cbc:InvoicedQuantity"

    corrected = connector.correct(
        ubl(), connector.operations_for(ubl(), {quantity: "", f"{quantity}/@unitCode": "HUR"})
    )

    assert (value(corrected, "//cac:InvoiceLine[1]/cbc:InvoicedQuantity") or "") == ""
    assert value(corrected, "//cac:InvoiceLine[1]/cbc:InvoicedQuantity/@unitCode") == "HUR"


def test_operations_for_every_field_of_a_line_emptied_remove_the_line() -> None:
    payload = ubl(lines=[("1", "1.00"), ("2", "2.00"), ("3", "3.00")])
    fields = [field for field in connector.read(payload).fields if field.group == "Line 2" and field.value is not None]
    tax_scheme = "/ubl:Invoice/cac:InvoiceLine[2]/cac:Item/cac:ClassifiedTaxCategory/cac:TaxScheme/cbc:ID"

    operations = connector.operations_for(payload, {**{field.path: "" for field in fields}, tax_scheme: ""})

    corrected = connector.correct(payload, operations)
    assert [field.value for field in connector.read(corrected).fields if field.term == "BT-126"] == ["1", "3"]


def test_operations_for_a_bad_path_name_it() -> None:
    with pytest.raises(CorrectionError) as caught:
        connector.operations_for(ubl(), {"/ubl:Invoice/cac:InvoiceLine/cbc:ID": "9"})

    assert caught.value.path == "/ubl:Invoice/cac:InvoiceLine/cbc:ID"
