"""Only the bank's report came: enough when it repeats the payments, else it says what to send."""

import pytest

from integrations.connectors.registry import get_connector
from integrations.refusals import Category, MessageNotUnderstood
from tests.integrations.connectors.iso20022.payment_files import (
    DEBTOR_IBAN,
    IBANS,
    block,
    incoming,
    reason,
    status_report,
    transaction,
)

BANK = get_connector("iso20022")


def repeated(*, bic: str = "BICFI", date: str = "<Dt>2026-11-30</Dt>", wrap: str = "Pty") -> str:
    def party(name: str) -> str:
        return f"<{wrap}><Nm>{name}</Nm></{wrap}>" if wrap else f"<Nm>{name}</Nm>"

    return f"""<OrgnlTxRef><Amt><InstdAmt Ccy="EUR">125.00</InstdAmt></Amt><ReqdExctnDt>{date}</ReqdExctnDt>
<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf><RmtInf><Ustrd>Invoice 4711</Ustrd></RmtInf>
<Dbtr>{party("Noord BV")}</Dbtr><DbtrAcct><Id><IBAN>{DEBTOR_IBAN}</IBAN></Id></DbtrAcct>
<DbtrAgt><FinInstnId><{bic}>ABNANL2A</{bic}></FinInstnId></DbtrAgt>
<CdtrAgt><FinInstnId><{bic}>COBADEFFXXX</{bic}></FinInstnId></CdtrAgt>
<Cdtr>{party("Muster GmbH")}</Cdtr><CdtrAcct><Id><IBAN>{IBANS[0]}</IBAN></Id></CdtrAcct></OrgnlTxRef>"""


NEW = repeated()
OLD = repeated(bic="BIC", date="2026-11-30", wrap="")


@pytest.mark.parametrize(
    ("version", "name", "original"),
    [
        ("pain.002.001.03", "pain.001.001.03", OLD),
        ("pain.002.001.10", "pain.001.001.09", NEW),
        ("pain.002.001.12", "pain.001.001.11", NEW),
    ],
)
@pytest.mark.parametrize("as_payload", [True, False])
def test_report_that_repeats_the_payments_is_enough(version: str, name: str, original: str, as_payload: bool) -> None:
    report = status_report(
        "MSG-1",
        block("B-1", transaction("INV-1", reasons=reason("AC04"), more=original), transaction("INV-2", status="ACSC")),
        status="PART",
        version=version,
        name=name,
    )

    [case] = BANK.parse(incoming(report, b"") if as_payload else incoming(b"", report))

    assert case.business_key == f"{DEBTOR_IBAN}|INV-1"
    assert (case.refusal.category, case.refusal.errors[0].field) == (Category.MASTER_DATA, "Payee's account (IBAN)")
    assert (BANK.check(case.payload).errors, BANK.check(case.payload).warnings) == ((), ())
    assert case.record.headline.counterparty.name == "Muster GmbH"
    assert case.refusal.batch is not None
    assert case.refusal.batch.totals is not None
    assert case.refusal.batch.totals.findings == (
        "The payment file did not come with the report; the totals are of the rejected payments alone.",
    )


def test_report_that_repeats_too_little_says_which_file_to_send() -> None:
    report = status_report(
        "MSG-1",
        block("B-1", transaction("INV-1", reasons=reason("AC04")), transaction("INV-2", reasons=reason(text=["Nej"]))),
        status="PART",
    )

    with pytest.raises(MessageNotUnderstood) as caught:
        BANK.parse(incoming(b"", report))

    assert caught.value.field == "payload"
    assert caught.value.problem == (
        "The status report rejects 2 payment(s): INV-1 (AC04), INV-2 (Nej), and the payment file did not come with it."
    )
    assert caught.value.remedy == ("Send the payment file (pain.001) MSG-1 as the payload, together with this report.")


def test_report_that_rejects_the_whole_file_keeps_its_reason_in_what_it_says() -> None:
    report = status_report("MSG-1", status="RJCT", reasons=reason("NARR", ["4847,37 is not a valid value for decimal"]))

    with pytest.raises(MessageNotUnderstood) as caught:
        BANK.parse(incoming(report, b""))

    assert "the file MSG-1 (NARR 4847,37 is not a valid value for decimal)" in caught.value.problem
    assert "MSG-1" in caught.value.remedy


@pytest.mark.parametrize("status", ["ACCP", "ACSC", "PDNG", "RCVD"])
def test_report_that_rejects_nothing_needs_no_file(status: str) -> None:
    assert BANK.parse(incoming(b"", status_report("MSG-1", status=status))) == []


def test_report_without_a_word_is_not_understood() -> None:
    with pytest.raises(MessageNotUnderstood) as caught:
        BANK.parse(incoming(b"", status_report("MSG-1")))

    assert caught.value.field == "refusal"
