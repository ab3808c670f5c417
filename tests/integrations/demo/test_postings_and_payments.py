"""What the ledger and the bank of the demonstration refuse: read by the connectors, and mended by what is said to."""

from collections import Counter
from datetime import date
from functools import cache

import pytest

from integrations.connectors.base import IncomingMessage
from integrations.connectors.registry import get_connector
from integrations.demo import partners, payments, postings
from integrations.demo.messages import DemoMessage
from integrations.demo.targets import erp_messages
from integrations.refusals import MessageNotUnderstood, RefusedTransaction, Severity, TransactionKind
from integrations.simulator import master_data

TODAY = date(2026, 11, 21)
CONNECTORS = {postings.LEDGER: "erp", payments.TREASURY: "iso20022", partners.MASTER_DATA: "erp_master"}
_NAMES = {"payment": "iso20022", "supplier": "erp_master", "customer": "erp_master"}


@cache
def messages() -> tuple[DemoMessage, ...]:
    return (
        *postings.demo_postings(today=TODAY),
        *payments.demo_payments(today=TODAY),
        *partners.demo_partners(today=TODAY),
    )


def parsed(message: DemoMessage) -> list[RefusedTransaction]:
    incoming = IncomingMessage(
        message.payload, message.payload_media_type, message.refusal, message.refusal_media_type, message.refusal_status
    )
    return get_connector(CONNECTORS[message.connection_slug]).parse(incoming)


@cache
def transactions() -> dict[str, RefusedTransaction]:
    """By the number that a person would name."""
    return {found.record.headline.number: found for message in messages() for found in parsed(message)}


def mended(number: str, mends: dict[str, str]) -> tuple[str, bytes]:
    transaction = transactions()[number]
    name = _NAMES.get(transaction.object_type, "erp")
    fields = {field.label: field.path for field in reversed(transaction.record.fields)}
    connector = get_connector(name)
    steps = connector.operations_for(transaction.payload, {fields[label]: value for label, value in mends.items()})
    return name, connector.correct(transaction.payload, steps)


def test_each_kind_of_transaction_has_failed_ones_and_two_journals_are_held() -> None:
    counted = Counter((found.object_type, found.refusal.kind) for found in transactions().values())

    assert counted == {
        ("journal", TransactionKind.FAILED): 5,
        ("journal", TransactionKind.HELD): 2,
        ("customer_invoice", TransactionKind.FAILED): 8,
        ("payment", TransactionKind.FAILED): 11,
        ("supplier", TransactionKind.FAILED): 2,
        ("supplier", TransactionKind.HELD): 1,
        ("customer", TransactionKind.FAILED): 1,
    }


def test_same_day_gives_the_same_messages_and_none_twice() -> None:
    again = (
        *postings.demo_postings(today=TODAY),
        *payments.demo_payments(today=TODAY),
        *partners.demo_partners(today=TODAY),
    )

    assert again == messages()
    assert len({message.id for message in messages()}) == len(messages())


def test_one_answer_of_the_ledger_has_several_errors_and_a_warning() -> None:
    errors = transactions()["JE-2026-0121"].refusal.errors

    assert Counter(error.severity for error in errors) == {Severity.ERROR: 3, Severity.WARNING: 1}


@pytest.mark.parametrize("today", [date(2026, 11, 1), date(2027, 1, 2), date(2028, 2, 29)])
def test_only_the_stories_about_it_meet_a_closed_period(today: date) -> None:
    closed = [message.number for message in postings.demo_postings(today=today) if b"F5/201" in message.refusal]

    assert closed == ["JE-2026-0112", "4900001239"]


def test_totals_of_each_payment_file_agree() -> None:
    totals = {
        found.refusal.batch.reference: found.refusal.batch.totals.in_words(unit="payments")
        for found in transactions().values()
        if found.refusal.batch is not None and found.refusal.batch.totals is not None
    }

    assert totals == {
        "PAY-NL-2026-0291": "2 of 5 payments rejected; 3 accepted, 60,034.65 EUR; totals agree",
        "PAY-DE-2026-0117": "4 of 5 payments rejected; 1 accepted, 6,218.75 EUR; totals agree",
        "PAY-NL-2026-0298": (
            "5 of 12 payments rejected; 6 accepted, 74,207.05 EUR; 1 pending, 6,740.00 EUR; totals agree"
        ),
    }


@pytest.mark.parametrize("number", postings.MENDS)
def test_mended_posting_is_one_that_the_ledger_books(number: str) -> None:
    name, payload = mended(number, dict(postings.MENDS[number]))

    assert get_connector(name).check(payload).passed
    assert erp_messages(payload, today=TODAY) == []


@pytest.mark.parametrize("number", payments.mends(today=TODAY))
def test_mended_payment_passes_the_check(number: str) -> None:
    name, payload = mended(number, dict(payments.mends(today=TODAY)[number]))

    assert get_connector(name).check(payload).passed


@pytest.mark.parametrize("number", partners.MENDS)
def test_mended_partner_is_one_that_the_ledger_takes(number: str) -> None:
    name, payload = mended(number, dict(partners.MENDS[number]))

    assert get_connector(name).check(payload).passed
    assert master_data.judge(master_data.content_of(payload)) == []


def test_account_that_was_changed_is_held_and_its_digits_are_right() -> None:
    assert get_connector("erp_master").check(transactions()[partners.NEW_ACCOUNT].payload).passed


def test_mistyped_account_is_found_by_our_own_check() -> None:
    report = get_connector("iso20022").check(transactions()[payments.MISTYPED_PAYMENT].payload)

    assert [error.code for error in report.errors] == ["IBAN"]


def test_posting_that_was_cut_off_cannot_be_read() -> None:
    with pytest.raises(MessageNotUnderstood):
        parsed(postings.unreadable_posting(today=TODAY))
