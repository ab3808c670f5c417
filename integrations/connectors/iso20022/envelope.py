"""Payment files that we make: one with a single payment of a larger file, or one with several approved payments.

Identifiers follow from the content, so that every attempt of one version carries the same ones, and a correction
carries new ones: a bank takes a message identifier once.
"""

import hashlib
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Final, cast

from lxml import etree

from integrations.connectors.base import CannotBundle
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, plain, read_file, sum_of
from integrations.connectors.iso20022.names import Message, child, children, local, text
from integrations.connectors.xml_document.trees import detach

LONGEST_IDENTIFIER: Final = 35  # characters, of MsgId and PmtInfId

_OWN_MESSAGE: Final = re.compile(r"-[0-9A-F]{12}$")
_OWN_BLOCK: Final = re.compile(r"(?P<mark>[PM])(?P<payment>[0-9A-F]{12})-[0-9A-F]{12}")
_ALONE: Final = "P"
_SHARED: Final = "M"  # one of several payments of its file with the same end-to-end identifier
_BLOCK_OWN_PARTS: Final = ("PmtInfId", "NbOfTxs", "CtrlSum", "CdtTrfTxInf")
_HEADER_OWN_PARTS: Final = ("MsgId", "CreDtTm", "NbOfTxs", "CtrlSum")


def single(file: PaymentFile, payment: Payment) -> bytes:
    """A payment file of the same version with this payment alone, under identifiers of its own."""
    document, body = _skeleton(file)
    block = etree.SubElement(body, payment.block.tag)
    block.extend(deepcopy(part) for part in file.block_parts[payment.block])
    block.append(deepcopy(payment.element))
    made = PaymentFile(_message(document, body, file))
    _set(block, "PmtInfId", f"{_standing(file, payment)}-{'0' * 12}")
    _set_totals(made)
    for element, value in renewed_identifiers(made).items():
        element.text = value
    return _serialise(document)


def _standing(file: PaymentFile, payment: Payment) -> str:
    """What a payment keeps for good in the identifier of its block: the place in the file that it first came in."""
    if own := _OWN_BLOCK.fullmatch(payment.block_id):
        return f"{own['mark']}{own['payment']}"
    is_shared = (payment.debtor_account, payment.given_end_to_end_id) in file.repeated_end_to_end_ids
    place = _digest(f"{file.message_id}|{payment.block_id}|{payment.position}")
    return f"{_SHARED if is_shared else _ALONE}{place}"


def _skeleton(file: PaymentFile) -> tuple[etree._Element, etree._Element]:
    """Document and body with the header alone. Wrappers around Document stay behind."""
    body = file.message.body
    outer = body.getparent()
    alone = str(body.tag).replace(local(body), "Document")
    document = etree.Element(alone if outer is None else outer.tag, nsmap=cast("dict[str, str]", body.nsmap))
    copy = etree.SubElement(document, body.tag)
    copy.extend(deepcopy(part) for part in children(body, "GrpHdr"))
    return document, copy


def _message(document: etree._Element, body: etree._Element, like: PaymentFile) -> Message:
    return Message(tree=document.getroottree(), body=body, kind=like.message.kind, name=like.message.name)


def _serialise(document: etree._Element) -> bytes:
    """Indented, since people read it too."""
    etree.cleanup_namespaces(document)
    etree.indent(document)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8") + b"\n"


def control_totals(file: PaymentFile) -> dict[etree._Element, str]:
    """The totals of a file and its blocks as they should be: element → text, for those that stand there."""
    right: dict[etree._Element, str] = {}
    holders = [(file.header, file.payments)]
    holders += [(block, tuple(p for p in file.payments if p.block is block)) for block in file.blocks]
    for holder, payments in holders:
        total = sum_of(payments)
        if (count := child(holder, "NbOfTxs")) is not None:
            right[count] = str(len(payments))
        if (stated := child(holder, "CtrlSum")) is not None and total is not None:
            right[stated] = plain(total)
    return right


def _set_totals(file: PaymentFile) -> None:
    """A sum that cannot be worked out, because an amount is not written as one, is left out: a file may do without."""
    for element, value in control_totals(file).items():
        element.text = value
    if sum_of(file.payments) is None:
        for holder in (file.header, *file.blocks):
            if (stated := child(holder, "CtrlSum")) is not None:
                detach(stated)


def renewed_identifiers(file: PaymentFile) -> dict[etree._Element, str]:
    """New identifiers of a file and its blocks after its content has changed: element → text."""
    renewed: dict[etree._Element, str] = {}
    content = _digest(file.message_id, file.message.body)
    if (message_id := child(file.header, "MsgId")) is not None:
        stem = _OWN_MESSAGE.sub("", file.message_id)[: LONGEST_IDENTIFIER - 13]
        renewed[message_id] = f"{stem}-{content}".lstrip("-")
    for block in file.blocks:
        block_id = child(block, "PmtInfId")
        if block_id is not None and (own := _OWN_BLOCK.fullmatch(text(block, "PmtInfId"))):
            renewed[block_id] = f"{own['mark']}{own['payment']}-{content}"
    return renewed


def name_of(file: PaymentFile, payment: Payment) -> str:
    """What tells a payment from others of its payer: its end-to-end identifier, else whatever there is."""
    own = _OWN_BLOCK.fullmatch(payment.block_id)
    name = payment.given_end_to_end_id or payment.instruction_id
    if not name:
        return f"(no identifier) {own['payment'] if own else _digest(file.message_id, payment.element)}"
    is_shared = own is not None and own["mark"] == _SHARED and bool(payment.given_end_to_end_id)
    return f"{name}|{payment.instruction_id or (own['payment'] if own else '')}" if is_shared else name


def bundle(contents: Sequence[bytes], *, name: str = "") -> bytes:
    """One payment file with exactly these payments, in an order that does not depend on theirs.

    They must be of one version, one debtor account and one execution date; raises CannotBundle, or
    MessageNotUnderstood when a content is no payment file. The newest of their times of creation is kept. The message
    identifier follows from them and from `name`, which tells one sending of the same payments from another.
    """
    if not contents:
        raise CannotBundle("There is no payment to send.")
    if len(set(contents)) != len(contents):
        raise CannotBundle("The same payment stands in the list twice.")
    ordered = sorted(contents, key=_digest_of)
    files = [read_file(content) for content in ordered]
    _refuse_different(files)
    document, body = _skeleton(files[0])
    blocks: dict[bytes, etree._Element] = {}
    for file in files:
        for block in file.blocks:
            _join(block, blocks, body)
    made = PaymentFile(_message(document, body, files[0]))
    _set(made.header, "CreDtTm", max(text(file.header, "CreDtTm") for file in files))
    _complete_totals(made)
    source = b"".join(map(_digest_of, ordered)) + name.encode()
    message_id = "B" + hashlib.sha256(source).hexdigest()[:24].upper()
    _set(made.header, "MsgId", message_id)
    for number, block in enumerate(made.blocks, start=1):
        _set(block, "PmtInfId", f"{message_id}-{number}")
    return _serialise(document)


def _digest_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def shared_by(file: PaymentFile) -> tuple[tuple[str, object], ...]:
    """What must be the same for payments that travel in one file: in words, and as this file has it."""
    return (
        ("versions of pain.001", file.message.name),
        ("debtor accounts", frozenset(payment.debtor_account for payment in file.payments)),
        ("execution dates", frozenset(payment.execution_date for payment in file.payments)),
        ("senders", _without(file.header, _HEADER_OWN_PARTS)),
    )


def _refuse_different(files: Sequence[PaymentFile]) -> None:
    payments = [payment for file in files for payment in file.payments]
    for alike in zip(*map(shared_by, files), strict=True):
        what = alike[0][0]
        if len({value for _, value in alike}) > 1:
            raise CannotBundle(f"The payments have different {what}; send them in different files.")
    given = [payment.given_end_to_end_id for payment in payments if payment.given_end_to_end_id]
    if len(set(given)) != len(given):
        raise CannotBundle("Two payments have the same end-to-end identifier; no answer could tell them apart.")


def _without(element: etree._Element | None, parts: Sequence[str]) -> bytes:
    """An element's content without some of its parts and without layout, for comparing."""
    if element is None:
        return b""
    copy = deepcopy(element)
    for part in children(copy, *parts):
        copy.remove(part)
    for node in copy.iter():
        node.text, node.tail = (node.text or "").strip() or None, None
    etree.cleanup_namespaces(copy)
    return etree.tostring(copy, method="c14n")


def _join(block: etree._Element, blocks: dict[bytes, etree._Element], body: etree._Element) -> None:
    """Add the payments of a block to the one that is like it, or begin one."""
    likeness = _without(block, _BLOCK_OWN_PARTS)
    if likeness in blocks:
        blocks[likeness].extend(deepcopy(element) for element in children(block, "CdtTrfTxInf"))
    else:
        blocks[likeness] = deepcopy(block)
        body.append(blocks[likeness])


def _complete_totals(file: PaymentFile) -> None:
    for holder in (file.header, *file.blocks):
        if holder is not None and child(holder, "NbOfTxs") is not None and child(holder, "CtrlSum") is None:
            count = children(holder, "NbOfTxs")[0]
            stated = deepcopy(count)
            stated.tag, stated.text = str(count.tag).replace("NbOfTxs", "CtrlSum"), "0"
            count.addnext(stated)
    _set_totals(file)


def _set(holder: etree._Element | None, name: str, value: str) -> None:
    if (element := child(holder, name)) is not None:
        element.text = value


def _digest(source: str, element: etree._Element | None = None) -> str:
    """Twelve hexadecimal digits that follow from a name and from what an element says."""
    content = etree.tostring(element, method="c14n") if element is not None else b""
    return hashlib.sha256(source.encode() + b"\x00" + content).hexdigest()[:12].upper()
