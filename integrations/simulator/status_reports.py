"""What the simulated bank answers to a payment file: a status report (pain.002)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from lxml import etree

from integrations.simulator.bank_accounts import Reason
from integrations.simulator.payment_orders import REPORT_VERSIONS, STANDARD, Order, OrderFile

ACCEPTED = "ACSC"
PENDING = "PDNG"
REJECTED = "RJCT"
PARTLY = "PART"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bank decided on one order. `reference` is of the booking, when there is one."""

    order: Order
    status: str
    reason: Reason | None = None
    reference: str = ""


def report_on(file: OrderFile, decisions: Sequence[Decision], *, report_id: str, at: datetime | None = None) -> bytes:
    """A report with the status of every order, made now or `at` a time."""
    statuses = {decision.status for decision in decisions}
    root, body = _begin(file, report_id, at=at)
    group = _group(body, file, statuses.pop() if len(statuses) == 1 else PARTLY)
    _count(group, decisions)
    for block_id in dict.fromkeys(decision.order.block_id for decision in decisions):
        block = _add(body, "OrgnlPmtInfAndSts")
        _add(block, "OrgnlPmtInfId", block_id)
        for decision in decisions:
            if decision.order.block_id == block_id:
                _decision(block, decision)
    return _serialise(root)


def report_of_refusal(file: OrderFile, reason: Reason, *, report_id: str) -> bytes:
    """A report that refuses the file as a whole, without a word on its orders."""
    root, body = _begin(file, report_id)
    _reason(_group(body, file, REJECTED), reason)
    return _serialise(root)


def _begin(file: OrderFile, report_id: str, *, at: datetime | None = None) -> tuple[etree._Element, etree._Element]:
    namespace = STANDARD + REPORT_VERSIONS[file.version]
    root = etree.fromstring(f'<Document xmlns="{namespace}"/>'.encode())
    body = _add(root, "CstmrPmtStsRpt")
    header = _add(body, "GrpHdr")
    _add(header, "MsgId", report_id)
    _add(header, "CreDtTm", (at or datetime.now(UTC)).isoformat(timespec="seconds"))
    return root, body


def _group(body: etree._Element, file: OrderFile, status: str) -> etree._Element:
    group = _add(body, "OrgnlGrpInfAndSts")
    _add(group, "OrgnlMsgId", file.message_id)
    _add(group, "OrgnlMsgNmId", file.version)
    _add(group, "OrgnlNbOfTxs", str(len(file.orders)))
    _add(group, "OrgnlCtrlSum", f"{file.total:f}")
    _add(group, "GrpSts", status)
    return group


def _count(group: etree._Element, decisions: Sequence[Decision]) -> None:
    for status in dict.fromkeys(decision.status for decision in decisions):
        held = [decision for decision in decisions if decision.status == status]
        row = _add(group, "NbOfTxsPerSts")
        _add(row, "DtldNbOfTxs", str(len(held)))
        _add(row, "DtldSts", status)
        _add(row, "DtldCtrlSum", f"{sum((decision.order.amount or Decimal(0) for decision in held), Decimal(0)):f}")


def _decision(block: etree._Element, decision: Decision) -> None:
    row = _add(block, "TxInfAndSts")
    if decision.order.instruction_id:
        _add(row, "OrgnlInstrId", decision.order.instruction_id)
    _add(row, "OrgnlEndToEndId", decision.order.end_to_end_id)
    _add(row, "TxSts", decision.status)
    if decision.reason is not None:
        _reason(row, decision.reason)
    if decision.reference:
        _add(row, "AcctSvcrRef", decision.reference)
    original = _add(row, "OrgnlTxRef")
    amount = _add(_add(original, "Amt"), "InstdAmt", f"{decision.order.amount or Decimal(0):f}")
    amount.set("Ccy", decision.order.currency)


def _reason(holder: etree._Element, reason: Reason) -> None:
    row = _add(holder, "StsRsnInf")
    _add(_add(row, "Rsn"), "Cd", reason.code)
    for start in range(0, len(reason.text), 105):  # characters of one line
        _add(row, "AddtlInf", reason.text[start : start + 105])


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    element.text = text
    return element


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
