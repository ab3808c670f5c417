"""A status report (pain.002) as the bank wrote it: what it says of the file, of its blocks, of single payments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from integrations.connectors.iso20022.names import STATUS_REPORT, Message, child, children, local, text
from integrations.connectors.iso20022.values import decimal_of
from integrations.connectors.xml_document import paths
from integrations.refusals import BatchOutcome, MessageNotUnderstood

REJECTED = "RJCT"
PARTLY = "PART"
BLOCKED = "BLCK"
# What the bank took up, up to the last step of booking. What it only received is not accepted yet.
_OUTCOMES: Mapping[str, BatchOutcome] = {
    **dict.fromkeys(
        ("ACCP", "ACSP", "ACSC", "ACTC", "ACWC", "ACWP", "ACCC", "ACFC", "ACIS", "ACPD"), BatchOutcome.ACCEPTED
    ),
    **dict.fromkeys((REJECTED, BLOCKED), BatchOutcome.REJECTED),
    "CANC": BatchOutcome.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class StatusReason:
    """One reason. `code` is empty when the bank gives text alone; `text` is the bank's, in its language."""

    code: str
    is_proprietary: bool
    text: str
    path: str  # of the reason in the report


@dataclass(frozen=True, slots=True)
class PerStatus:
    """How many payments, and how much, the bank counts under one status."""

    status: str
    count: int
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class Level:
    """What is said of the whole file or of one block. `status` is empty when nothing is said."""

    status: str
    reasons: tuple[StatusReason, ...]
    stated_count: str
    stated_sum: Decimal | None
    counted: tuple[PerStatus, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PaymentStatus:
    """What is said of one payment, and by which identifiers the bank names it. `path` leads to it in the report."""

    path: str
    block_id: str
    instruction_id: str
    end_to_end_id: str
    uetr: str
    status: str
    reasons: tuple[StatusReason, ...]
    reference: str  # the bank's own, when it gives one
    original: etree._Element | None  # what the bank repeats of the payment
    element: etree._Element  # the entry itself

    @property
    def name(self) -> str:
        return self.end_to_end_id or self.instruction_id or self.uetr or "without an identifier"


@dataclass(frozen=True, slots=True)
class BlockStatus:
    block_id: str
    level: Level
    payments: tuple[PaymentStatus, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    report_id: str
    created: str  # of the payment file when the bank says so, else of the report
    message_id: str  # of the payment file
    message_name: str
    level: Level
    blocks: tuple[BlockStatus, ...]
    loose: tuple[PaymentStatus, ...]  # of older versions, which name the block beside each payment

    @property
    def payments(self) -> tuple[PaymentStatus, ...]:
        return (*(status for block in self.blocks for status in block.payments), *self.loose)

    @property
    def rejects_anything(self) -> bool:
        said = (self.level.status, *(b.level.status for b in self.blocks), *(p.status for p in self.payments))
        return any(outcome_of(status) is BatchOutcome.REJECTED for status in said)


def outcome_of(status: str) -> BatchOutcome:
    """What a status means for a payment; one that is not known, or only says “received”, decides nothing."""
    return _OUTCOMES.get(status.strip().upper(), BatchOutcome.PENDING)


def report_of(message: Message, *, field: str = "refusal") -> StatusReport:
    """Read a status report; raises MessageNotUnderstood when the message is none."""
    if message.kind != STATUS_REPORT:
        raise MessageNotUnderstood(
            f"The document is “{message.name or message.kind}”, not a pain.002.",
            field=field,
            remedy="Send the bank's status report (pain.002) beside the payment file (pain.001).",
        )
    group = child(message.body, "OrgnlGrpInfAndSts")
    report = StatusReport(
        report_id=text(message.body, "GrpHdr/MsgId"),
        created=text(group, "OrgnlCreDtTm") or text(message.body, "GrpHdr/CreDtTm"),
        message_id=text(group, "OrgnlMsgId"),
        message_name=text(group, "OrgnlMsgNmId"),
        level=_level(group, "GrpSts"),
        blocks=tuple(_block(element) for element in children(message.body, "OrgnlPmtInfAndSts")),
        loose=tuple(_payments(message.body, "")),
    )
    if not (report.level.status or report.blocks or report.loose):
        raise MessageNotUnderstood(
            "The status report says nothing of the file and of no payment.",
            field=field,
            remedy="Send the whole pain.002, with its group status, payment blocks or transactions.",
        )
    return report


def _level(element: etree._Element | None, status: str) -> Level:
    return Level(
        status=text(element, status).upper(),
        reasons=tuple(_reasons(element, paths.canonical(element) if element is not None else "")),
        stated_count=text(element, "OrgnlNbOfTxs"),
        stated_sum=decimal_of(text(element, "OrgnlCtrlSum")),
        counted=tuple(_counted(element)),
    )


def _counted(element: etree._Element | None) -> Iterator[PerStatus]:
    for row in children(element, "NbOfTxsPerSts"):
        count = text(row, "DtldNbOfTxs")
        if count.isascii() and count.isdigit():
            yield PerStatus(text(row, "DtldSts").upper(), int(count[:15]), decimal_of(text(row, "DtldCtrlSum")))


def _block(element: etree._Element) -> BlockStatus:
    block_id = text(element, "OrgnlPmtInfId")
    return BlockStatus(
        block_id=block_id,
        level=_level(element, "PmtInfSts"),
        payments=tuple(_payments(element, block_id)),
    )


def _payments(holder: etree._Element, block_id: str) -> Iterator[PaymentStatus]:
    above, rows = paths.canonical(holder), children(holder, "TxInfAndSts")
    for number, row in enumerate(rows, start=1):
        position = f"[{number}]" if len(rows) > 1 else ""
        yield _payment(row, block_id, f"{above}/{paths.short_name(row)}{position}")


def _payment(element: etree._Element, block_id: str, path: str) -> PaymentStatus:
    return PaymentStatus(
        path=path,
        block_id=block_id or text(element, "OrgnlPmtInfId"),
        instruction_id=text(element, "OrgnlInstrId"),
        end_to_end_id=text(element, "OrgnlEndToEndId"),
        uetr=text(element, "OrgnlUETR"),
        status=text(element, "TxSts").upper(),
        reasons=tuple(_reasons(element, path)),
        reference=text(element, "AcctSvcrRef", "ClrSysRef"),
        original=child(element, "OrgnlTxRef"),
        element=element,
    )


def _reasons(element: etree._Element | None, above: str) -> Iterator[StatusReason]:
    rows = children(element, "StsRsnInf")
    for number, row in enumerate(rows, start=1):
        path = f"{above}/{paths.short_name(row)}" + (f"[{number}]" if len(rows) > 1 else "")
        code = text(row, "Rsn/Cd", "StsRsn/Cd")
        proprietary = text(row, "Rsn/Prtry", "StsRsn/Prtry")
        lines = (" ".join((node.text or "").split()) for node in row if _is_text(node))
        said = " ".join(line for line in lines if line)
        if code or proprietary or said:
            yield StatusReason(code or proprietary, bool(proprietary and not code), said, path)


def _is_text(node: etree._Element) -> bool:
    return isinstance(node.tag, str) and local(node) in ("AddtlInf", "AddtlStsRsnInf")
