"""A payment file from what a status report repeats of each payment, for the case that the file itself did not come.

Only a report that repeats amount, date, both names and both accounts is enough for it. The file is of the version
that the report names, and the parts keep the structure in which the bank repeats them.
"""

from copy import deepcopy
from typing import Final

from lxml import etree

from integrations.connectors.iso20022.initiation import PaymentFile, file_of, plain, sum_of
from integrations.connectors.iso20022.names import INITIATION, STANDARD, Message, child, children, local, text
from integrations.connectors.iso20022.schema import VERSIONS, nearest_version
from integrations.connectors.iso20022.status import PaymentStatus, StatusReport, outcome_of
from integrations.connectors.iso20022.values import NOT_PROVIDED
from integrations.refusals import BatchOutcome
from integrations.safe_xml import parse

_NEEDED: Final = ("Amt", "ReqdExctnDt", "Dbtr", "DbtrAcct", "CdtrAcct", "Cdtr")
_OF_THE_BLOCK: Final = ("PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "UltmtDbtr")
_OF_THE_PAYMENT: Final = ("Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "UltmtCdtr", "RmtInf")


def rebuild(report: StatusReport) -> PaymentFile | None:
    """The rejected payments as a file, or None when the report repeats too little of any of them."""
    rejected = [entry for entry in report.payments if outcome_of(entry.status) is BatchOutcome.REJECTED]
    if not rejected or not report.message_id or any(not _suffices(entry) for entry in rejected):
        return None
    version = report.message_name if report.message_name in VERSIONS else nearest_version(report.message_name)
    root = parse(f'<Document xmlns="{STANDARD}{version}"/>'.encode()).getroot()
    body = _add(root, "CstmrCdtTrfInitn")
    header = _add(body, "GrpHdr")
    _add(header, "MsgId", report.message_id)
    _add(header, "CreDtTm", report.created)
    _add(header, "NbOfTxs", str(len(rejected)))
    sender = _add(_add(header, "InitgPty"), "Nm")
    sender.text = text(_party(rejected[0].original, "Dbtr"), "Nm")
    for number, entry in enumerate(rejected, start=1):
        _add_payment(body, entry, number)
    file = file_of(Message(tree=root.getroottree(), body=body, kind=INITIATION, name=version))
    total = sum_of(file.payments)
    if total is not None:
        stated = _add(header, "CtrlSum", plain(total))
        children(header, "NbOfTxs")[0].addnext(stated)
    return PaymentFile(file.message)


def _suffices(entry: PaymentStatus) -> bool:
    original = entry.original
    return (
        all(child(original, name) is not None for name in _NEEDED)
        and bool(text(_party(original, "Dbtr"), "Nm"))
        and bool(text(_party(original, "Cdtr"), "Nm"))
    )


def _add_payment(body: etree._Element, entry: PaymentStatus, number: int) -> None:
    block = _add(body, "PmtInf")
    _add(block, "PmtInfId", entry.block_id or f"{number}")
    _add(block, "PmtMtd", "TRF")
    _add(block, "NbOfTxs", "1")
    for name in _OF_THE_BLOCK:
        _repeat(block, entry, name)
    payment = _add(block, "CdtTrfTxInf")
    identifiers = _add(payment, "PmtId")
    if entry.instruction_id:
        _add(identifiers, "InstrId", entry.instruction_id)
    _add(identifiers, "EndToEndId", entry.end_to_end_id or NOT_PROVIDED)
    if entry.uetr:
        _add(identifiers, "UETR", entry.uetr)
    for name in _OF_THE_PAYMENT:
        _repeat(payment, entry, name)


def _repeat(holder: etree._Element, entry: PaymentStatus, name: str) -> None:
    """Copy a part into the namespace of the file. A debtor's bank is mandatory there, though it may say nothing."""
    part = _party(entry.original, name)
    if part is None:
        if name == "DbtrAgt":
            _add(_add(holder, name), "FinInstnId")
        return
    copy = _add(holder, name)
    copy.text = part.text
    copy.attrib.update(part.attrib)
    copy.extend(deepcopy(node) for node in part.iterchildren("*"))
    uri = etree.QName(holder).namespace
    for node in copy.iter("*"):
        node.tag = f"{{{uri}}}{local(node)}"
    etree.cleanup_namespaces(holder)


def _party(original: etree._Element | None, name: str) -> etree._Element | None:
    """A part that is repeated; newer versions wrap a party, since it could be a bank."""
    part = child(original, name)
    wrapped = child(part, "Pty") if name in ("Dbtr", "Cdtr", "UltmtDbtr", "UltmtCdtr") else None
    return part if wrapped is None else wrapped


def _add(parent: etree._Element, name: str, value: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    element.text = value
    return element
