"""The code table: every published code is known, in words of our own, and in the right category."""

import json
from pathlib import Path

import pytest

from integrations.connectors.iso20022 import order_reasons, payment_reasons
from integrations.connectors.iso20022.codes import DUPLICATES, REASONS, reason_of
from integrations.refusals import Category

GROUPS = (*payment_reasons.GROUPS, *order_reasons.GROUPS)
INPUTS = Path(__file__).resolve().parents[5] / "shared" / "inputs" / "iso20022"
PUBLISHED = INPUTS / "external_status_reason_code.json"


def published() -> dict[str, str]:
    if not PUBLISHED.exists():
        pytest.skip(f"The published code list is not there: {PUBLISHED.name} in the shared inputs.")
    return dict(json.loads(PUBLISHED.read_text())["codes"])


def test_every_published_code_is_known() -> None:
    assert set(published()) - set(REASONS) == set()


def test_words_are_our_own() -> None:
    theirs = {text.strip(" .").lower() for text in published().values()}

    assert [code for code, reason in REASONS.items() if reason.plain.strip(" .").lower() in theirs] == []


def test_no_code_stands_in_two_groups() -> None:
    assert sum(len(group.codes) for group in GROUPS) == len(REASONS)


def test_every_code_but_the_one_that_is_only_text_has_plain_words() -> None:
    assert [code for code, reason in REASONS.items() if not reason.plain] == ["NARR"]
    assert all(reason.plain.endswith(".") for reason in REASONS.values() if reason.plain)


@pytest.mark.parametrize(
    ("code", "category", "sub", "auto_retry"),
    [
        ("AC01", Category.MASTER_DATA, "bank_details", False),
        ("AC04", Category.MASTER_DATA, "bank_details", False),
        ("AC06", Category.MASTER_DATA, "bank_details", False),
        ("BE01", Category.MASTER_DATA, "bank_details", False),
        ("RC01", Category.MASTER_DATA, "bank_identifier", False),
        ("AM04", Category.PAYMENT_FAILURE, "insufficient_funds", False),
        ("AM05", Category.DUPLICATE, "same_payment", False),
        ("AM09", Category.RECONCILIATION_BREAK, "amount_differs", False),
        ("AM10", Category.BUSINESS_VALIDATION, "arithmetic", False),
        ("DT01", Category.BUSINESS_VALIDATION, "date", False),
        ("DU01", Category.DUPLICATE, "same_file", False),
        ("DUPL", Category.DUPLICATE, "same_payment", False),
        ("TM01", Category.PAYMENT_FAILURE, "cut_off", False),
        ("AG01", Category.POLICY_HOLD, "not_permitted", False),
        ("MD01", Category.POLICY_HOLD, "mandate", False),
        ("FRAD", Category.POLICY_HOLD, "fraud", False),
        ("RR04", Category.COMPLIANCE, "regulatory", False),
        ("LEGL", Category.COMPLIANCE, "regulatory", False),
        ("FF01", Category.SCHEMA, "malformed", False),
        ("AB05", Category.TRANSPORT, "timeout", True),
        ("MS03", Category.UNCLASSIFIED, "no_reason", False),
        ("NARR", Category.UNCLASSIFIED, "narrative", False),
    ],
)
def test_code_belongs_to_its_category(code: str, category: Category, sub: str, auto_retry: bool) -> None:
    reason = reason_of(code)

    assert reason is not None
    assert (reason.category, reason.sub, reason.auto_retry) == (category, sub, auto_retry)


def test_only_what_failed_on_the_way_may_be_tried_again_by_a_machine() -> None:
    assert {reason.category for reason in REASONS.values() if reason.auto_retry} == {Category.TRANSPORT}


def test_code_is_known_in_small_letters_and_with_spaces() -> None:
    assert reason_of(" ac04 ") == REASONS["AC04"]


def test_code_of_a_bank_is_not_known() -> None:
    assert reason_of("X4711") is None


def test_repeats_are_those_that_are_looked_up_first() -> None:
    assert {"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"} <= DUPLICATES
