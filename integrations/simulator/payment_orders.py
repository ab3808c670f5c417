"""What the simulated bank receives: payment files (pain.001), parsed defensively, held against the schema."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree

STANDARD = "urn:iso:std:iso:20022:tech:xsd:"
# The status report that goes with each version of the payment file.
REPORT_VERSIONS = {
    "pain.001.001.03": "pain.002.001.03",
    "pain.001.001.09": "pain.002.001.10",
    "pain.001.001.10": "pain.002.001.11",
    "pain.001.001.11": "pain.002.001.12",
}
NOT_PROVIDED = "NOTPROVIDED"
_AMOUNT = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,5})?")
_BRACED = re.compile(r"\{[^}]*\}")


class FileRefused(Exception):
    """Bytes that are no payment file at all; `code` is what the bank answers."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Order:
    """One payment of a file. `amount` is None when it is not written as one."""

    block_id: str
    instruction_id: str
    end_to_end_id: str
    amount: Decimal | None
    currency: str
    debtor_account: str
    creditor_account: str
    execution_date: date | None

    @property
    def business_key(self) -> str:
        return f"{self.debtor_account}|{self.end_to_end_id}"


@dataclass(frozen=True, slots=True)
class OrderFile:
    version: str
    message_id: str
    stated_count: str
    stated_sum: str
    orders: tuple[Order, ...]
    fault: str  # what the official schema objects to first; empty when nothing
    sha256: str

    @property
    def total(self) -> Decimal:
        return sum((order.amount for order in self.orders if order.amount is not None), Decimal(0))


def read_orders(body: bytes) -> OrderFile:
    """Parse a payment file. Raises FileRefused for what is none, or of a version that the bank does not take."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FileRefused("NOT_XML", f"The body is not well-formed XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise FileRefused("DOCTYPE_FORBIDDEN", "A document type declaration is not allowed.")
    tag = etree.QName(root)
    version = (tag.namespace or "").removeprefix(STANDARD)
    if tag.localname != "Document" or version not in REPORT_VERSIONS:
        raise FileRefused("NOT_A_PAYMENT_FILE", f"{root.tag} is none of {', '.join(REPORT_VERSIONS)}.")
    return OrderFile(
        version=version,
        message_id=_text(root, "*/*[local-name()='GrpHdr']/*[local-name()='MsgId']"),
        stated_count=_text(root, "*/*[local-name()='GrpHdr']/*[local-name()='NbOfTxs']"),
        stated_sum=_text(root, "*/*[local-name()='GrpHdr']/*[local-name()='CtrlSum']"),
        orders=tuple(_order(element) for element in root.iter(f"{{{tag.namespace}}}CdtTrfTxInf")),
        fault=_fault(root, version),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def _order(element: etree._Element) -> Order:
    block = element.getparent()
    amount = next((node for node in element.iterfind("{*}Amt//*") if node.get("Ccy")), None)
    digits = (amount.text or "").strip() if amount is not None else ""
    return Order(
        block_id=_text(block, "*[local-name()='PmtInfId']"),
        instruction_id=_text(element, "*/*[local-name()='InstrId']"),
        end_to_end_id=_text(element, "*/*[local-name()='EndToEndId']"),
        amount=Decimal(digits) if _AMOUNT.fullmatch(digits) else None,
        currency=amount.get("Ccy", "") if amount is not None else "",
        debtor_account=_text(block, "*[local-name()='DbtrAcct']/*[local-name()='Id']//*[not(*)]"),
        creditor_account=_text(element, "*[local-name()='CdtrAcct']/*[local-name()='Id']//*[not(*)]"),
        execution_date=_date(_text(block, "*[local-name()='ReqdExctnDt']")),
    )


def _text(element: etree._Element | None, path: str) -> str:
    return "" if element is None else str(element.xpath(f"normalize-space({path})"))


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def decimal_of(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _fault(root: etree._Element, version: str) -> str:
    schema = _schema(version)
    if schema.validate(root):
        return ""
    entries: Any = schema.error_log
    return _BRACED.sub("", str(entries[0].message))


@lru_cache(maxsize=len(REPORT_VERSIONS))
def _schema(version: str) -> etree.XMLSchema:
    """The official schema, which `sepaxml` carries; found without importing the package."""
    spec = find_spec("sepaxml")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package sepaxml is not installed: it carries the official schemas.")
    return etree.XMLSchema(etree.parse(str(Path(spec.submodule_search_locations[0]) / "schemas" / f"{version}.xsd")))
