from decimal import Decimal

import pytest

from integrations.connectors.base import IncomingMessage
from integrations.connectors.en16931 import connector
from integrations.refusals import Category, MessageNotUnderstood, Money, Severity, TransactionKind
from tests.integrations.connectors.en16931.invoices import INVOICE, TOTALS, changed, located, message, svrl, ubl

BROKEN = changed(ubl(), "//cbc:TaxInclusiveAmount", "250.00")
BR_CO_15 = ("BR-CO-15", "fatal", located("/ubl:Invoice"), "[BR-CO-15]-Invoice total amount with VAT (BT-112) = …")
BR_CO_16 = ("BR-CO-16", "fatal", located("/ubl:Invoice/cac:LegalMonetaryTotal"), "[BR-CO-16]-Amount due (BT-115) = …")


def test_parse_of_a_report_makes_one_refused_transaction() -> None:
    [refused] = connector.parse(message(BROKEN, svrl(BR_CO_16, BR_CO_15)))

    refusal = refused.refusal
    assert refused.object_type == "invoice"
    assert refused.business_key == "ATU99999999|INV-7"
    assert refused.payload == BROKEN
    assert (refusal.category, refusal.sub, refusal.auto_retry) == (Category.COMPLIANCE, "arithmetic", False)
    assert (refusal.kind, refusal.definitive) == (TransactionKind.FAILED, True)
    assert refusal.money == Money(Decimal("250.00"), "EUR")
    assert [(error.code, error.proposed_value) for error in refusal.errors] == [
        ("BR-CO-15", "240.00"),
        ("BR-CO-16", None),
    ]
    assert refusal.errors[0].field_path == f"{TOTALS}/cbc:TaxInclusiveAmount"
    assert refusal.errors[0].path == located("/ubl:Invoice")
    assert refused.context == {
        "number": "INV-7",
        "type_code": "380",
        "seller_name": "Maker GmbH",
        "seller_vat_id": "ATU99999999",
        "seller_country": "AT",
        "buyer_name": "Buyer SA",
        "buyer_vat_id": "FR00999999999",
        "buyer_country": "FR",
        "currency": "EUR",
        "issue_date": "2026-03-31",
        "due_date": "2026-04-30",
        "total_without_vat": "200.00",
        "total_vat": "40.00",
        "total_with_vat": "250.00",
        "amount_due": "240.00",
    }


def test_parse_of_a_credit_note_names_its_kind() -> None:
    report = svrl(("BR-03", "fatal", located("/cn:CreditNote"), "[BR-03]-…"))

    [refused] = connector.parse(message(changed(ubl(credit_note=True), "/*/cbc:IssueDate", None), report))

    assert refused.object_type == "credit_note"
    assert refused.refusal.errors[0].field_path == "/cn:CreditNote/cbc:IssueDate"
    assert refused.context["due_date"] == "2026-04-30"


@pytest.mark.parametrize("prefix", ["svrl", "s", "ns0"])
@pytest.mark.parametrize("kind", ["failed-assert", "successful-report"])
def test_parse_reads_a_report_whatever_its_prefix(prefix: str, kind: str) -> None:
    [refused] = connector.parse(message(BROKEN, svrl(BR_CO_15, prefix=prefix, kind=kind)))

    assert [error.term for error in refused.refusal.errors] == ["BT-112"]


def test_parse_reads_a_report_inside_another_document() -> None:
    wrapped = b"<result><report>" + svrl(BR_CO_15) + b"</report></result>"

    [refused] = connector.parse(message(BROKEN, wrapped))

    assert refused.refusal.errors[0].code == "BR-CO-15"


@pytest.mark.parametrize(
    ("flag", "severity"),
    [
        ("fatal", Severity.ERROR),
        ("error", Severity.ERROR),
        ("", Severity.ERROR),
        ("unheard-of", Severity.ERROR),
        ("warning", Severity.WARNING),
        ("Warning", Severity.WARNING),
        ("information", Severity.INFO),
    ],
)
def test_parse_reads_the_severity_of_each_finding(flag: str, severity: Severity) -> None:
    report = svrl(BR_CO_15, ("X-1", flag, "/*", "Something"))

    [refused] = connector.parse(message(BROKEN, report))

    assert {error.code: error.severity for error in refused.refusal.errors}["X-1"] is severity


def test_parse_of_warnings_alone_is_held_for_a_person() -> None:
    report = svrl(("UBL-CR-004", "warning", located("/ubl:Invoice"), "[UBL-CR-004]-Should not be there"))

    [refused] = connector.parse(message(ubl(), report))

    refusal = refused.refusal
    assert (refusal.kind, refusal.sub, refusal.definitive) == (TransactionKind.HELD, "warning", False)


def test_parse_puts_errors_before_warnings() -> None:
    report = svrl(("W-1", "warning", "/*", "w"), BR_CO_15)

    [refused] = connector.parse(message(BROKEN, report))

    assert [error.code for error in refused.refusal.errors] == ["BR-CO-15", "W-1"]


def test_parse_keeps_the_words_of_an_unknown_rule() -> None:
    text = "[NO-R-9]-The Buyer reference (BT-10)\n      shall be given."

    [refused] = connector.parse(message(ubl(), svrl(("NO-R-9", "fatal", located("/ubl:Invoice"), text))))

    [error] = refused.refusal.errors
    assert error.plain == "The Buyer reference (BT-10) shall be given."
    assert (error.term, error.field_path) == ("BT-10", "/ubl:Invoice/cbc:BuyerReference")


def test_parse_takes_the_field_from_the_rule_s_own_test_when_nothing_else_names_it() -> None:
    report = svrl(("X-1", "fatal", located("/ubl:Invoice"), "Give a due date.")).replace(
        b'id="X-1"', b'id="X-1" test="normalize-space(cbc:DueDate) != \'\'"'
    )

    [refused] = connector.parse(message(changed(ubl(), "//cbc:DueDate", None), report))

    assert (refused.refusal.errors[0].term, refused.refusal.errors[0].field) == ("BT-9", "Payment due date")


@pytest.mark.parametrize(
    "location",
    [
        located("/ubl:Invoice/cac:InvoiceLine[2]"),
        "/ubl:Invoice/cac:InvoiceLine[2]",
        "/Q{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice[1]/*:InvoiceLine[2]",
        "/*[local-name()='Invoice'][1]/*[local-name()='InvoiceLine'][2]",
        "//cac:InvoiceLine[cbc:ID='2']",
        "/child::ubl:Invoice[1]/child::cac:InvoiceLine[2]",
        f"/*[namespace-uri()='{INVOICE}' and local-name()='Invoice']/*[local-name()='InvoiceLine'][2]",
    ],
)
def test_parse_finds_the_line_however_the_location_is_written(location: str) -> None:
    broken = changed(ubl(), "//cac:InvoiceLine[2]/cac:Item/cbc:Name", None)

    [refused] = connector.parse(message(broken, svrl(("BR-25", "fatal", location, "[BR-25]-…"))))

    assert refused.refusal.errors[0].field_path == "/ubl:Invoice/cac:InvoiceLine[2]/cac:Item/cbc:Name"


@pytest.mark.parametrize("location", ["", "nonsense(((", "/Order/ID", "document('/etc/passwd')"])
def test_parse_survives_a_location_that_names_nothing(location: str) -> None:
    [refused] = connector.parse(message(BROKEN, svrl(("BR-CO-15", "fatal", location, "…"))))

    assert refused.refusal.errors[0].term == "BT-112"


def test_parse_of_the_same_finding_twice_keeps_one() -> None:
    [refused] = connector.parse(message(BROKEN, svrl(BR_CO_15, BR_CO_15)))

    assert len(refused.refusal.errors) == 1


@pytest.mark.parametrize(
    ("status", "sub", "auto_retry", "definitive"),
    [
        (504, "timeout", True, False),
        (408, "timeout", True, False),
        (500, "server_error", True, False),
        (503, "server_error", True, False),
        (429, "rate_limit", True, True),
        (401, "auth", False, True),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html><body>Gateway</body></html>", b"upstream error"])
def test_parse_of_a_broken_way_is_transport(
    status: int, sub: str, auto_retry: bool, definitive: bool, body: bytes
) -> None:
    [refused] = connector.parse(message(ubl(), body, status=status))

    refusal = refused.refusal
    assert (refusal.category, refusal.sub, refusal.auto_retry, refusal.definitive) == (
        Category.TRANSPORT,
        sub,
        auto_retry,
        definitive,
    )


def test_parse_of_a_report_with_a_server_error_believes_the_report() -> None:
    [refused] = connector.parse(message(BROKEN, svrl(BR_CO_15), status=500))

    assert refused.refusal.category is Category.COMPLIANCE


def test_parse_of_a_duplicate_answer_is_a_duplicate() -> None:
    [refused] = connector.parse(message(ubl(), b'{"code": "DUPLICATE_DOCUMENT", "clearance": "CLR-1"}', status=409))

    assert (refused.refusal.category, refused.refusal.sub) == (Category.DUPLICATE, "already_processed")


@pytest.mark.parametrize("code", ["NOT_XML", "NOT_CHECKABLE"])
def test_parse_of_a_document_that_could_not_be_judged_is_schema(code: str) -> None:
    answer = f'{{"code": "{code}", "detail": "char 7"}}'.encode()

    [refused] = connector.parse(message(ubl(), answer, status=400))

    assert (refused.refusal.category, refused.refusal.sub) == (Category.SCHEMA, "malformed")
    assert refused.refusal.errors[0].text == "char 7"


def test_parse_of_an_unknown_code_is_unclassified() -> None:
    [refused] = connector.parse(message(ubl(), b'{"code": "E77", "message": "No."}', status=400))

    assert (refused.refusal.category, refused.refusal.errors[0].text) == (Category.UNCLASSIFIED, "No.")


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (b"", 422),
        (b"", None),
        (b" \n", 200),
        (svrl(), 422),
        (b"<a/>", 422),
        (b"<a", 422),
        (b"<!DOCTYPE a><a/>", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"hold": {}}', 422),
        (b'{"hold": "yes"}', 422),
        (b'{"hold": {"code": NaN}}', 422),
        (b'{"hold": {"code": "A", "code": "B"}}', 422),
        (b"refused", 422),
    ],
)
def test_parse_of_a_refusal_that_says_nothing_names_the_refusal(refusal: bytes, status: int | None) -> None:
    with pytest.raises(MessageNotUnderstood) as caught:
        connector.parse(message(ubl(), refusal, status=status))

    assert caught.value.field == "refusal"
    assert caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"<a/>",
        b"<Invoice/>",
        b"<!DOCTYPE Invoice><Invoice/>",
        ubl()[:-30],
        ubl().replace(b"Wien", b"\xff\xfe"),
    ],
)
def test_parse_of_a_payload_that_is_no_invoice_names_the_payload(payload: bytes) -> None:
    with pytest.raises(MessageNotUnderstood) as caught:
        connector.parse(message(payload, svrl(BR_CO_15)))

    assert caught.value.field == "payload"
    assert caught.value.remedy


def test_parse_reads_a_payload_with_other_prefixes_and_encoding() -> None:
    text = BROKEN.decode().replace("cbc:", "b:").replace("xmlns:cbc", "xmlns:b").replace("cac:", "a:")
    text = (
        text.replace("xmlns:cac", "xmlns:a").replace("<Invoice ", "<i:Invoice ").replace("</Invoice>", "</i:Invoice>")
    )
    text = text.replace("xmlns=", "xmlns:i=").replace("UTF-8", "UTF-16")

    [refused] = connector.parse(message(text.encode("utf-16"), svrl(BR_CO_15)))

    assert refused.business_key == "ATU99999999|INV-7"
    assert refused.refusal.errors[0].proposed_value == "240.00"


@pytest.mark.parametrize(
    ("gone", "key"),
    [
        (["//cac:AccountingSupplierParty//cac:PartyTaxScheme"], "MAKERGMBH|INV-7"),
        (
            [
                "//cac:AccountingSupplierParty//cac:PartyTaxScheme",
                "//cac:AccountingSupplierParty//cac:PartyLegalEntity",
            ],
            "|INV-7",
        ),
    ],
)
def test_business_key_falls_back_when_the_seller_has_no_vat_id(gone: list[str], key: str) -> None:
    payload = ubl()
    for xpath in gone:
        payload = changed(payload, xpath, None)

    [refused] = connector.parse(message(payload, svrl(BR_CO_15)))

    assert refused.business_key == key


def test_business_key_tells_documents_without_a_number_apart() -> None:
    first, second = (changed(ubl(lines=[("1", price)]), "/*/cbc:ID", None) for price in ("1.00", "2.00"))

    keys = [connector.parse(message(payload, svrl(BR_CO_15)))[0].business_key for payload in (first, second, first)]

    assert keys[0] == keys[2]
    assert keys[0] != keys[1]


def test_parse_keeps_what_the_sender_said_about_the_message() -> None:
    incoming = IncomingMessage(BROKEN, "", svrl(BR_CO_15), "", context={"entity": "AT01", "number": "not this"})

    [refused] = connector.parse(incoming)

    assert refused.context["entity"] == "AT01"
    assert refused.context["number"] == "INV-7"
    assert refused.media_type == "application/xml"
