"""Reports of other shapes: the first version, national variants of the namespace, an envelope around the message."""

from integrations.connectors.registry import get_connector
from integrations.refusals import Category
from tests.integrations.connectors.iso20022.payment_files import (
    block,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
    wires,
)

BANK = get_connector("iso20022")


def test_report_of_the_first_version_names_the_block_beside_each_payment() -> None:
    content = payment_file(*wires(2), version="pain.001.001.03")
    report = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.02"><pain.002.001.02>
<GrpHdr><MsgId>S</MsgId><CreDtTm>2026-11-21T10:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id(content)}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.03</OrgnlMsgNmId>
<GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>
<TxInfAndSts><OrgnlPmtInfId>{value_of(content, "PmtInfId")}</OrgnlPmtInfId><OrgnlEndToEndId>INV-2</OrgnlEndToEndId>
<TxSts>RJCT</TxSts><StsRsnInf><StsRsn><Cd>AC04</Cd></StsRsn><AddtlStsRsnInf>Konto erloschen</AddtlStsRsnInf>
</StsRsnInf></TxInfAndSts></pain.002.001.02></Document>""".encode()

    [case] = BANK.parse(incoming(content, report))

    assert (case.refusal.category, case.refusal.errors[0].text) == (Category.MASTER_DATA, "Konto erloschen")
    assert case.business_key.endswith("|INV-2")


def test_report_in_a_national_namespace_is_read() -> None:
    content = payment_file(*wires(2))
    report = status_report(
        message_id(content), block("", transaction("INV-1", reasons=reason("RR04"))), status="PART"
    ).replace(b"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10", b"http://bank.example/de/pain.002.001.10.ch.03.xsd")

    [case] = BANK.parse(incoming(content, report))

    assert case.refusal.category is Category.COMPLIANCE


def test_file_in_a_national_namespace_is_split_and_says_that_its_structure_was_not_checked() -> None:
    content = payment_file(*wires(2)).replace(
        b"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09", b"http://bank.example/de/pain.001.001.09.ch.03.xsd"
    )

    cases = BANK.parse(incoming(content, status_report(message_id(content), status="RJCT", reasons=reason("FF01"))))

    report = BANK.check(cases[0].payload)
    assert [case.record.headline.number for case in cases] == ["INV-1", "INV-2"]
    assert report.errors == ()
    assert [warning.code for warning in report.warnings] == ["XSD"]


def test_messages_in_an_envelope_are_found() -> None:
    content = payment_file(*wires(2))
    report = status_report(message_id(content), status="RJCT", reasons=reason("FF01"))

    def wrapped(document: bytes) -> bytes:
        body = document.partition(b"?>")[2]
        return b'<Envelope xmlns="urn:x"><Header><Id>1</Id></Header>' + body + b"</Envelope>"

    cases = BANK.parse(incoming(wrapped(content), wrapped(report)))

    assert len(cases) == 2
    assert BANK.check(cases[0].payload).errors == ()
