"""The check before a payment goes out, and which check it says it was."""

import pytest

from integrations.connectors.registry import get_connector
from tests.integrations.connectors.iso20022.payment_files import VERSIONS, Wire, payment_file

BANK = get_connector("iso20022")


def errors(content: bytes) -> list[tuple[str, str]]:
    return [(error.code, error.plain) for error in BANK.check(content).errors]


@pytest.mark.parametrize("version", VERSIONS)
def test_file_of_an_independent_library_passes(version: str) -> None:
    report = BANK.check(payment_file(Wire("INV-1"), Wire("INV-2"), version=version))

    assert (report.errors, report.warnings) == ((), ())
    assert report.check == BANK.capabilities.check_name
    assert "not the bank's rules" in report.check


@pytest.mark.parametrize(
    ("was", "becomes", "code", "words"),
    [
        (
            b"DE89370400440532013000",
            b"DE98370400440532013000",
            "IBAN",
            (
                "Payee's account (IBAN): DE98370400440532013000 is no account number: "
                "its check digits do not fit: a digit or letter is wrong, or two are exchanged."
            ),
        ),
        (
            b"DE89370400440532013000",
            b"DE8937040044053201300",
            "IBAN",
            (
                "Payee's account (IBAN): DE8937040044053201300 is no account number: "
                "it has 21 characters; in DE it has 22."
            ),
        ),
        (
            b"DE89370400440532013000",
            b"DE89 3704 0044 0532 0130 00",
            "IBAN",
            (
                "Payee's account (IBAN): DE89 3704 0044 0532 0130 00 is no account number: it is not written as one: "
                "two letters, two digits, then letters and digits without spaces."
            ),
        ),
        (
            b"COBADEFFXXX",
            b"COBADEFFX",
            "BIC",
            "Payee's bank (BIC): COBADEFFX has not the form of a BIC, 8 or 11 letters and digits.",
        ),
        (b"2026-11-30", b"30.11.2026", "XSD", "Execution date: the value is not written as the schema asks."),
        (
            b"<EndToEndId>INV-1</EndToEndId>",
            b"<EndToEndId>" + b"X" * 36 + b"</EndToEndId>",
            "LENGTH",
            "End-to-end identifier: it has 36 characters; 35 are allowed.",
        ),
        (b"<Nm>Muster GmbH</Nm>", b"<Name>Muster GmbH</Name>", "XSD", None),
        (b' Ccy="EUR"', b"", "XSD", "Amount: an attribute, such as the currency, is missing or not allowed."),
        (
            b"<NbOfTxs>1</NbOfTxs><CtrlSum>",
            b"<NbOfTxs>2</NbOfTxs><CtrlSum>",
            "TOTAL",
            "The file states 2 payments and holds 1.",
        ),
    ],
)
def test_fault_is_said_in_plain_words(was: bytes, becomes: bytes, code: str, words: str | None) -> None:
    content = payment_file(Wire("INV-1"))
    assert was in content

    found = errors(content.replace(was, becomes, 1))

    assert found[0][0] == code
    assert words is None or found[0][1] == words


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("0.00", "EUR", "Amount: 0.00 is not more than zero."),
        ("125.005", "EUR", "Amount: 125.005 has more decimals than the 2 of EUR."),
        ("125.5", "JPY", "Amount: 125.5 has more decimals than the 0 of JPY."),
        ("125,00", "EUR", "Amount: “125,00” is not written as an amount, such as 1234.50."),
    ],
)
def test_amount_must_be_one_of_its_currency(amount: str, currency: str, words: str) -> None:
    content = payment_file(Wire("INV-1")).replace(
        b'<InstdAmt Ccy="EUR">125.00', f'<InstdAmt Ccy="{currency}">{amount}'.encode()
    )

    assert words in [plain for _, plain in errors(content)]


@pytest.mark.parametrize(("amount", "currency"), [("125.000", "EUR"), ("125", "JPY"), ("125.125", "BHD")])
def test_amount_with_the_decimals_of_its_currency_passes(amount: str, currency: str) -> None:
    content = payment_file(Wire("INV-1")).replace(
        b'<InstdAmt Ccy="EUR">125.00', f'<InstdAmt Ccy="{currency}">{amount}'.encode()
    )

    assert [code for code, _ in errors(content) if code != "TOTAL"] == []


def test_control_sum_that_does_not_fit_is_proposed_right() -> None:
    content = payment_file(Wire("INV-1")).replace(b"<CtrlSum>125.00", b"<CtrlSum>124.00", 1)

    [error] = BANK.check(content).errors

    assert (error.code, error.proposed_value) == ("TOTAL", "125.00")
    assert error.field_path == "/Document/CstmrCdtTrfInitn/GrpHdr/CtrlSum"


@pytest.mark.parametrize("content", [b"", b"no xml", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_what_cannot_be_read_fails_with_one_error(content: bytes) -> None:
    assert [code for code, _ in errors(content)] == ["XML"]
