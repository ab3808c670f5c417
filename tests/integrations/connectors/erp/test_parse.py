import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.base import IncomingMessage
from integrations.connectors.erp import connector
from integrations.records.journal import JournalRecord
from integrations.refusals import (
    Category,
    MessageNotUnderstood,
    Money,
    RefusedTransaction,
    Severity,
    TransactionKind,
)
from tests.integrations.connectors.erp.postings import customer_invoice, detail, gateway_error, journal


def parse(
    refusal: bytes, *, payload: bytes | None = None, status: int | None = 400, context: dict[str, Any] | None = None
) -> RefusedTransaction:
    message = IncomingMessage(
        payload=journal() if payload is None else payload,
        payload_media_type="application/json",
        refusal=refusal,
        refusal_media_type="application/json",
        refusal_status=status,
        context=context or {},
    )
    [found] = connector.parse(message)
    return found


def odata_4(*details: dict[str, Any], code: str = "RW/609", text: str = "Error in document") -> bytes:
    return json.dumps({"error": {"code": code, "message": text, "details": list(details)}}).encode()


def test_journal_becomes_one_refused_transaction():
    found = parse(gateway_error(detail("KI/235", "Account 630000 requires …", "lines/0/cost_center")))

    assert (found.object_type, found.business_key) == ("journal", "NL01|JE-2026-0118")
    assert isinstance(found.record, JournalRecord)
    assert (found.payload, found.media_type) == (journal(), "application/json")
    refusal = found.refusal
    assert (refusal.category, refusal.sub, refusal.kind) == (
        Category.BUSINESS_VALIDATION, "missing_cost_center", TransactionKind.FAILED,
    )  # fmt: skip
    assert (refusal.auto_retry, refusal.definitive) == (False, True)
    assert refusal.money == Money(Decimal("1250.00"), "EUR")
    assert refusal.keys == {
        "company": "NL01",
        "reference": "JE-2026-0118",
        "transaction_id": "4FDF3748112322F4E10000000A420C41",
    }


def test_error_says_where_and_what_in_plain_words():
    [error] = parse(gateway_error(detail("KI/235", "Account 630000 requires …", "lines/0/cost_center"))).refusal.errors

    assert (error.code, error.severity, error.text) == ("KI/235", Severity.ERROR, "Account 630000 requires …")
    assert error.plain == "The account needs a cost centre."
    assert (error.path, error.field_path, error.field) == ("lines/0/cost_center", "/lines/0/cost_center", "Cost centre")


def test_several_details_are_kept_with_their_severity():
    refusal = parse(
        gateway_error(
            detail("ZFI/081", place="lines/1/cost_center", severity="warning"),
            detail("F5/201", place="posting_date"),
            detail("KI/235", place="lines/0/cost_center"),
            detail("ZFI/777", severity="info"),
        )
    ).refusal

    assert [(error.code, error.severity) for error in refusal.errors] == [
        ("ZFI/081", Severity.WARNING),
        ("F5/201", Severity.ERROR),
        ("KI/235", Severity.ERROR),
        ("ZFI/777", Severity.INFO),
    ]
    assert refusal.category is Category.PERIOD_CLOSED


def test_warnings_alone_are_held():
    warning = detail("ZFI/081", place="lines/0/cost_center", severity="warning")

    refusal = parse(gateway_error(warning, code="ZFI/081", text="Cost center CC-1000 is to be closed")).refusal

    assert (refusal.kind, refusal.category, refusal.sub) == (
        TransactionKind.HELD, Category.POLICY_HOLD, "warning",
    )  # fmt: skip
    assert [error.severity for error in refusal.errors] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("lines/1/account", "/lines/1/account"),
        ("/lines/1/account", "/lines/1/account"),
        ("Lines/1/Account", "/lines/1/account"),
        ("PostingDate", "/posting_date"),
        ("posting_date", "/posting_date"),
        ("lines/0", "/lines/0"),
        ("lines/0/profit_center", "/lines/0/profit_center"),
        ("lines/2/account", ""),
        ("lines/x/account", ""),
        ("to_Item(1)/Account", ""),
        ("lines/0/nowhere", ""),
        ("", ""),
    ],
)
def test_place_that_the_erp_names_is_found_in_the_payload(place: str, path: str):
    [error] = parse(gateway_error(detail("XX/001", place=place))).refusal.errors

    assert (error.path, error.field_path) == (place, path)


def test_code_says_which_field_where_the_erp_does_not():
    errors = parse(gateway_error(detail("F5/201"), detail("KI/235", place="lines/0"), detail("KI/235"))).refusal.errors

    assert [error.field_path for error in errors] == ["/posting_date", "/lines/0/cost_center", ""]


@pytest.mark.parametrize(
    ("code", "category", "sub", "auto_retry"),
    [
        ("F5/201", Category.PERIOD_CLOSED, "closed", False),
        ("F5-201", Category.PERIOD_CLOSED, "closed", False),
        ("F5/702", Category.BUSINESS_VALIDATION, "unbalanced", False),
        ("ZFI/020", Category.MASTER_DATA, "unknown_cost_center", False),
        ("ZFI/021", Category.MASTER_DATA, "blocked_cost_center", False),
        ("ZFI/030", Category.MASTER_DATA, "unknown_account", False),
        ("F5/102", Category.MASTER_DATA, "unknown_customer", False),
        ("FF/101", Category.MASTER_DATA, "unknown_tax_code", False),
        ("ZFI/050", Category.MASTER_DATA, "unmapped_product_family", False),
        ("ZFI/070", Category.DUPLICATE, "already_processed", False),
        ("MC/601", Category.TRANSPORT, "locked", True),
        ("ZFI/090", Category.TRANSPORT, "authorization", False),
        ("XX/999", Category.UNCLASSIFIED, "", False),
    ],
)
def test_code_decides_the_category(code: str, category: Category, sub: str, auto_retry: bool):
    refusal = parse(gateway_error(detail(code, "In the ERP's words"))).refusal

    assert (refusal.category, refusal.sub, refusal.auto_retry) == (category, sub, auto_retry)
    assert refusal.errors[0].text == "In the ERP's words"


def test_text_of_an_unknown_code_is_its_plain_words():
    [error] = parse(gateway_error(detail("XX/999", "Segment must be filled"))).refusal.errors

    assert error.plain == "Segment must be filled"


def test_duplicate_decides_and_what_is_known_goes_before_what_is_not():
    duplicate = parse(gateway_error(detail("XX/999"), detail("F5/702"), detail("ZFI/070"))).refusal
    known = parse(gateway_error(detail("XX/999"), detail("F5/702"))).refusal

    assert (duplicate.category, known.category) == (Category.DUPLICATE, Category.BUSINESS_VALIDATION)


def test_lock_with_a_warning_does_not_go_again_by_itself():
    refusal = parse(gateway_error(detail("MC/601"), detail("ZFI/081", severity="warning"))).refusal

    assert (refusal.category, refusal.auto_retry) == (Category.TRANSPORT, False)


def test_error_without_details_is_its_own_message():
    [error] = parse(gateway_error(code="F5/201", text="Posting period 011 2026 is not open")).refusal.errors

    assert (error.code, error.text, error.field_path) == (
        "F5/201", "Posting period 011 2026 is not open", "/posting_date",
    )  # fmt: skip


def test_head_that_says_more_than_the_details_is_kept():
    errors = parse(gateway_error(detail("KI/235"), code="F5/201", text="Period closed")).refusal.errors

    assert [error.code for error in errors] == ["F5/201", "KI/235"]


def test_odata_4_is_understood():
    body = odata_4(
        {"code": "KI/235", "message": "No cost center", "target": "lines/0/cost_center"},
        {"code": "ZFI/081", "message": "To be closed", "target": "lines/0", "@SAP__common.numericSeverity": 3},
    )

    errors = parse(body).refusal.errors

    assert [(error.code, error.severity, error.field_path) for error in errors] == [
        ("KI/235", Severity.ERROR, "/lines/0/cost_center"),
        ("ZFI/081", Severity.WARNING, "/lines/0/cost_center"),
    ]


def test_language_and_repeats():
    body = json.loads(gateway_error(detail("F5/201", "Periode geschlossen"), detail("F5/201", "Periode geschlossen")))
    body["error"]["message"]["lang"] = "de"

    [error] = parse(json.dumps(body).encode()).refusal.errors

    assert error.language == "de"


def test_customer_invoice_is_an_invoice_with_customer_and_total():
    found = parse(gateway_error(detail("F5/102", place="customer")), payload=customer_invoice())

    headline = found.record.headline
    assert (found.object_type, found.business_key) == ("customer_invoice", "NL01|4900001234")
    assert (headline.counterparty.name, headline.amount) == ("Van Loon Logistics B.V.", Decimal("1210.00"))
    assert found.refusal.keys["customer"] == "C-1001"
    assert found.context["customer_name"] == "Van Loon Logistics B.V."
    assert [error.field_path for error in found.refusal.errors] == ["/customer"]


def test_context_of_the_source_is_kept():
    context = parse(gateway_error(detail("F5/201")), context={"batch": "7"}).context

    assert (context["batch"], context["total_debit"], context["lines"]) == ("7", "1250.00", "2")


@pytest.mark.parametrize(
    ("status", "sub", "auto_retry", "definitive"),
    [
        (401, "auth", False, True),
        (423, "locked", True, True),
        (429, "rate_limit", True, True),
        (500, "server_error", True, False),
        (503, "server_error", True, False),
        (504, "timeout", True, False),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"error": {"code": "X", "message": "Y"}}'])
def test_status_decides_where_no_code_does(status: int, sub: str, auto_retry: bool, definitive: bool, body: bytes):
    refusal = parse(body, status=status).refusal

    assert (refusal.category, refusal.sub) == (Category.TRANSPORT, sub)
    assert (refusal.auto_retry, refusal.definitive) == (auto_retry, definitive)


def test_code_goes_before_status():
    assert parse(gateway_error(detail("F5/201")), status=500).refusal.category is Category.PERIOD_CLOSED


@pytest.mark.parametrize(
    "refusal",
    [b"", b"no", b"[]", b"{}", b'{"error": "no"}', b'{"error": {}}', b'{"error": {"code": NaN}}', b"<error/>"],
)
def test_refusal_that_says_nothing_is_not_understood(refusal: bytes):
    with pytest.raises(MessageNotUnderstood) as caught:
        parse(refusal)

    assert caught.value.field == "refusal"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"type": "order"}', b'{"type": ["journal"]}', b'{"type": "journal", "type": "a"}']
)
def test_payload_that_is_no_posting_is_not_understood(payload: bytes):
    with pytest.raises(MessageNotUnderstood) as caught:
        parse(gateway_error(), payload=payload)

    assert (caught.value.field, bool(caught.value.remedy)) == ("payload", True)


def test_posting_without_a_reference_is_told_apart_by_its_content():
    one, other = connector.business_key(journal(reference=None)), connector.business_key(journal(reference="", text=""))

    assert one.startswith("NL01|(no reference) ")
    assert one != other


NAMES = st.sampled_from(["code", "message", "propertyref", "target", "severity", "value", "lang", "details"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["F5/201", "warning", "lines/0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(NAMES, ANYTHING, max_size=4),
    st.lists(st.dictionaries(NAMES, ANYTHING, max_size=4) | ANYTHING, max_size=3) | ANYTHING,
    st.sampled_from([None, 400, 409, 500]),
)
def test_any_error_body_is_a_refusal_or_not_understood(head: dict[str, Any], details: Any, status: int | None):
    body = json.dumps({"error": head | {"innererror": {"errordetails": details, "transactionid": details}}}).encode()

    with suppress(MessageNotUnderstood):
        assert parse(body, status=status).refusal.errors
