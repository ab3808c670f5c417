"""Approved payments in one file: exactly these, valid, and the same file whatever their order."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.base import CannotBundle
from integrations.connectors.iso20022.envelope import bundle
from integrations.connectors.iso20022.initiation import Payment, read_file
from integrations.connectors.registry import get_connector
from integrations.refusals import MessageNotUnderstood
from tests.integrations.connectors.iso20022.payment_files import (
    IBANS,
    VERSIONS,
    Wire,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    value_of,
)

BANK = get_connector("iso20022")

wires = st.lists(
    st.builds(
        Wire,
        end_to_end_id=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=1, max_size=35).filter(
            lambda text: text != "NOTPROVIDED"
        ),
        cents=st.integers(1, 10**11),
        name=st.text("abcdefghijklmnopqrstuvwxyz ÄÖÜß&<>'\"", min_size=1, max_size=40).map(lambda text: f"N{text}"),
        iban=st.sampled_from(IBANS),
        text=st.text("abcdefghijklmnopqrstuvwxyz 0123456789/-?:().,'+&<>", min_size=1, max_size=100).map(
            lambda text: f"T{text}"
        ),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda wire: wire.end_to_end_id,
)


def cases_of(content: bytes) -> list[bytes]:
    report = status_report(message_id(content), status="RJCT", reasons=reason("AC04"))
    return [case.payload for case in BANK.parse(incoming(content, report))]


def essence(payment: Payment) -> tuple[object, ...]:
    return (
        payment.end_to_end_id,
        payment.money,
        payment.creditor_account,
        payment.creditor_name,
        payment.debtor_account,
        payment.execution_date,
    )


@settings(deadline=None, max_examples=40)
@given(wires=wires, version=st.sampled_from(VERSIONS), batch=st.booleans(), data=st.data())
def test_bundle_is_valid_and_holds_exactly_its_payments(
    wires: list[Wire], version: str, batch: bool, data: st.DataObject
) -> None:
    contents = cases_of(payment_file(*wires, version=version, batch=batch))
    shuffled = data.draw(st.permutations(contents))

    together = bundle(shuffled)

    file = read_file(together)
    assert BANK.check(together).errors == ()
    assert {essence(payment) for payment in file.payments} == {
        essence(read_file(content).payments[0]) for content in contents
    }
    assert len(file.payments) == len(wires)
    assert (value_of(together, "NbOfTxs"), Decimal(value_of(together, "CtrlSum"))) == (
        str(len(wires)),
        sum((Decimal(wire.cents) for wire in wires), Decimal(0)) / 100,
    )
    assert bundle(contents) == together
    assert len(message_id(together)) <= 35


def test_bundle_of_other_payments_has_another_identifier() -> None:
    contents = cases_of(payment_file(Wire("A"), Wire("B"), Wire("C")))

    assert len({message_id(bundle(contents)), message_id(bundle(contents[:2])), message_id(bundle(contents[1:]))}) == 3


def test_blocks_that_are_alike_become_one_and_others_stay_apart() -> None:
    contents = cases_of(payment_file(Wire("A"), Wire("B"), batch=False))
    urgent = contents[1].replace(b"<ChrgBr>SLEV</ChrgBr>", b"<ChrgBr>SHAR</ChrgBr>")

    assert bundle(contents).count(b"<PmtInf>") == 1
    assert bundle([contents[0], urgent]).count(b"<PmtInf>") == 2
    assert BANK.check(bundle([contents[0], urgent])).errors == ()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (payment_file(Wire("B"), version="pain.001.001.03"), "versions of pain.001"),
        (payment_file(Wire("B"), debtor="DE89370400440532013000"), "debtor accounts"),
        (payment_file(Wire("B", on=date(2026, 12, 1))), "execution dates"),
        (payment_file(Wire("B")).replace(b"<InitgPty><Nm>Noord BV", b"<InitgPty><Nm>Zuid BV"), "senders"),
        (payment_file(Wire("A", cents=1)), "end-to-end identifier"),
    ],
)
def test_payments_that_do_not_fit_into_one_file_are_refused(other: bytes, words: str) -> None:
    with pytest.raises(CannotBundle, match=words):
        bundle([payment_file(Wire("A")), other])


def test_nothing_and_the_same_twice_are_refused() -> None:
    content = payment_file(Wire("A"))

    with pytest.raises(CannotBundle):
        bundle([])
    with pytest.raises(CannotBundle):
        bundle([content, content])
    with pytest.raises(MessageNotUnderstood):
        bundle([b"<a/>"])
