"""Documents that a policy or a screening held, and the words that many exceptions share."""

import json
import re

import pytest

from integrations.connectors.en16931 import connector
from integrations.refusals import Category, TransactionKind
from tests.integrations.connectors.en16931.invoices import changed, located, message, svrl, ubl

BROKEN = changed(ubl(), "//cbc:TaxInclusiveAmount", "250.00")
BR_CO_15 = ("BR-CO-15", "fatal", located("/ubl:Invoice"), "[BR-CO-15]-Invoice total amount with VAT (BT-112) = …")


def test_parse_of_an_amount_hold_names_limit_and_amount() -> None:
    hold = b'{"hold": {"code": "AMOUNT_LIMIT", "text": "Above limit", "limit": "100.00", "currency": "EUR"}}'

    [refused] = connector.parse(message(ubl(), hold, status=None))

    refusal = refused.refusal
    assert (refusal.category, refusal.sub, refusal.kind) == (Category.POLICY_HOLD, "amount_limit", TransactionKind.HELD)
    [error] = refusal.errors
    assert (error.term, error.text) == ("BT-112", "Above limit")
    assert error.plain == "The amount is above the limit of 100.00 EUR. A second person must release it."
    assert error.general == "The amount is above the limit. A second person must release it."


def test_parse_of_a_sanctions_hold_names_the_match() -> None:
    hold = (
        b'{"hold": {"code": "SANCTIONS_HIT", "matched": "BUYER S.A.", "field": "BT-44", "list": "EU", "score": 0.87}}'
    )

    [refused] = connector.parse(message(ubl(), hold))

    assert refused.refusal.sub == "sanctions"
    [error] = refused.refusal.errors
    assert error.field_path.endswith("cac:PartyLegalEntity/cbc:RegistrationName")
    assert error.plain == (
        "Sanctions screening found a possible match with “BUYER S.A.” (list EU, score 0.87). "
        "A second person must clear it."
    )
    assert error.general == "Sanctions screening found a possible match. A second person must clear it."


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "a possible match"),
        ({"score": 87}, "a possible match (score 87)"),
        ({"list": " EU \n list "}, "a possible match (list EU list)"),
        ({"matched": ["X"], "score": True, "list": {}}, "a possible match"),
    ],
)
def test_parse_of_a_sanctions_hold_says_no_more_than_the_notice(more: dict[str, object], found: str) -> None:
    notice = json.dumps({"hold": {"code": "SANCTIONS_HIT", **more}}).encode()

    [refused] = connector.parse(message(ubl(), notice))

    assert refused.refusal.errors[0].plain == f"Sanctions screening found {found}. A second person must clear it."


@pytest.mark.parametrize(
    ("refusal", "status", "general"),
    [
        (b'{"hold": {"code": "MANUAL", "text": "Ask Aurora Shipping."}}', 422, "is held by a policy"),
        (b'{"code": "E-17", "message": "Aurora Shipping owes 12.00 EUR."}', 422, "Refused with E-17."),
        (svrl(("X-1", "fatal", "/*", "Aurora Shipping owes 12.00 EUR.")), 422, "The rule X-1 is not kept."),
        (svrl(BR_CO_15), 422, "does not equal"),
    ],
)
def test_parse_keeps_names_and_amounts_out_of_the_general_words(refusal: bytes, status: int, general: str) -> None:
    [refused] = connector.parse(message(BROKEN, refusal, status=status))

    [error] = refused.refusal.errors
    assert general in error.general
    assert "Aurora" not in error.general
    assert not re.search(r"\d\.\d", error.general)


def test_parse_of_another_hold_is_a_policy() -> None:
    [refused] = connector.parse(message(ubl(), b'{"hold": {"code": "MANUAL", "text": "Please look at it."}}'))

    assert (refused.refusal.sub, refused.refusal.errors[0].plain) == ("policy", "Please look at it.")
