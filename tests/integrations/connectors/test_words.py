"""What each connector says for the pages: words for the other side, and what to do about its codes."""

import pytest

from integrations.connectors.erp import codes
from integrations.connectors.iso20022.codes import REASONS
from integrations.connectors.registry import CONNECTORS, get_connector


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_connector_has_words_for_the_other_side(name: str) -> None:
    words = get_connector(name).words

    assert words.target.startswith("the ")
    assert all((words.code, words.said, words.own_code, words.own_said, words.reference, words.said_of_a_hold))


@pytest.mark.parametrize("code", ["KI/235", "F5/201", "FF/101", "F5/102", "ZFI/050", "ZFI/081", "F5-702"])
def test_message_of_the_erp_says_what_to_do(code: str) -> None:
    assert get_connector("erp").remedy(code).endswith(".")


def test_unknown_code_has_no_remedy_and_only_its_target_can_judge_it() -> None:
    for name in CONNECTORS:
        connector = get_connector(name)
        assert (connector.remedy("NOBODY/KNOWS"), connector.check_finds("NOBODY/KNOWS")) == ("", False)


@pytest.mark.parametrize(
    ("name", "code", "found"),
    [
        ("erp", "F5/702", True), ("erp", "ZFI/060", True), ("erp", "KI/235", False), ("erp", "F5/201", False),
        ("erp", "FINS_FI_POSTING_IF/017", False), ("iso20022", "AM10", True), ("iso20022", "AC04", False),
        ("iso20022", "AC01", False), ("iso20022", "AM04", False), ("en16931", "BR-CO-15", True),
        ("en16931", "UBL-CR-001", True), ("en16931", "PEPPOL-EN16931-R003", False), ("en16931", "BR-DE-15", False),
    ],
)  # fmt: skip
def test_our_check_finds_only_what_needs_no_master_data(name: str, code: str, found: bool) -> None:
    assert get_connector(name).check_finds(code) is found


def test_reason_of_the_bank_says_once_what_to_do() -> None:
    bank = get_connector("iso20022")
    both = [code for code, reason in REASONS.items() if ". " in reason.plain and bank.remedy(code)]

    assert both == []
    assert bank.remedy("AM04").startswith("Move money")
    assert bank.remedy("AC05").startswith("Choose an account of ours")


def test_every_remedy_of_the_erp_belongs_to_a_code() -> None:
    subs = {meaning.sub for meaning in codes._MEANINGS.values()}

    assert set(codes._REMEDIES) <= subs
