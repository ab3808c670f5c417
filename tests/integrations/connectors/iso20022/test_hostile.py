"""Whatever stands in the two documents: exceptions that can be worked on, or a clear word that they cannot be read."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from integrations.connectors.base import CorrectionError
from integrations.connectors.registry import get_connector
from integrations.refusals import MessageNotUnderstood, RefusedTransaction
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
FILE = payment_file(*wires(3))
COUNTED = "<NbOfTxsPerSts><DtldNbOfTxs>3</DtldNbOfTxs><DtldSts>RJCT</DtldSts></NbOfTxsPerSts>"
REPORT = status_report(
    message_id(FILE),
    block(
        value_of(FILE, "PmtInfId"),
        transaction("INV-2", reasons=reason("AC04", ["x", "y"]) + reason(proprietary="ZZ"), instruction_id="I-1"),
        transaction("INV-1", status="ACSC"),
        status="PART",
        counted=COUNTED,
    ),
    status="PART",
    counted=COUNTED,
    count=3,
)
TEXTS = ("", "RJCT", "PART", "٣", "²", "1,5", "-1", "NaN", "1e5", "x" * 300, "NOTPROVIDED")
changes = st.lists(
    st.tuples(
        st.integers(0, 200), st.sampled_from(["drop", "text", "twice", "comment", "rename"]), st.sampled_from(TEXTS)
    ),
    max_size=3,
)


def changed(content: bytes, steps: list[tuple[int, str, str]]) -> bytes:
    root = etree.fromstring(content)
    for number, kind, text in steps:
        nodes = list(root.iter("*"))
        node = nodes[number % len(nodes)]
        parent = node.getparent()
        if parent is None:
            continue
        if kind == "drop":
            parent.remove(node)
        elif kind == "text":
            node.text = text
        elif kind == "twice":
            parent.append(etree.fromstring(etree.tostring(node)))
        elif kind == "comment":
            node.insert(0, etree.Comment("a note"))
        else:
            node.tag = f"{node.tag}X"
    return etree.tostring(root)


@settings(deadline=None, max_examples=150)
@given(in_file=changes, in_report=changes, number=st.integers(0, 50), text=st.sampled_from([*TEXTS, "<x/>", "12.00"]))
def test_documents_that_are_damaged_are_read_or_refused(
    in_file: list[tuple[int, str, str]], in_report: list[tuple[int, str, str]], number: int, text: str
) -> None:
    cases, problem = read(changed(FILE, in_file), changed(REPORT, in_report))

    assert problem is None or (problem.problem and problem.remedy)
    for case in cases:
        record = BANK.read(case.payload)
        assert record == case.record
        assert BANK.business_key(case.payload) == case.business_key
        assert case.refusal.errors
        assert BANK.check(case.payload).check
        field = record.fields[number % len(record.fields)]
        with suppress(CorrectionError):
            BANK.correct(case.payload, BANK.operations_for(case.payload, {field.path: text}))


def read(payload: bytes, refusal: bytes) -> tuple[list[RefusedTransaction], MessageNotUnderstood | None]:
    try:
        return BANK.parse(incoming(payload, refusal)), None
    except MessageNotUnderstood as error:
        return [], error
