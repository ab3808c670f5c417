"""Payment files written by an independent library, and status reports written by hand from the published structure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from sepaxml import SepaTransfer

from integrations.connectors.base import IncomingMessage

VERSIONS = ("pain.001.001.03", "pain.001.001.09", "pain.001.001.10", "pain.001.001.11")
DEBTOR_IBAN = "NL91ABNA0417164300"
EXECUTION_DATE = date(2026, 11, 30)
# IBANs of the registry's own examples.
IBANS = (
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "AT611904300234573201",
    "BE68539007547034",
    "ES9121000418450200051332",
    "IT60X0542811101000000123456",
)


@dataclass(frozen=True)
class Wire:
    """One payment to be written. `cents` in the minor unit."""

    end_to_end_id: str
    cents: int = 125_00
    name: str = "Muster GmbH"
    iban: str = IBANS[0]
    bic: str = "COBADEFFXXX"
    text: str = "Invoice 4711"
    on: date = EXECUTION_DATE


def payment_file(
    *wires: Wire, version: str = "pain.001.001.09", batch: bool = True, debtor: str = DEBTOR_IBAN
) -> bytes:
    """As `sepaxml` writes it: with `batch` one block for each date, without it one block for each payment."""
    config = {"name": "Noord BV", "IBAN": debtor, "BIC": "ABNANL2A", "batch": batch, "currency": "EUR"}
    transfer = SepaTransfer(config, schema=version)
    for wire in wires:
        payment: dict[str, Any] = {
            "name": wire.name,
            "IBAN": wire.iban,
            "BIC": wire.bic,
            "amount": wire.cents,
            "execution_date": wire.on,
            "description": wire.text,
            "endtoend_id": wire.end_to_end_id,
        }
        transfer.add_payment(payment)
    # Its own validation reads the schema anew each time; test_check.py holds its files against the schema.
    return bytes(transfer.export(validate=False))


def value_of(content: bytes, name: str) -> str:
    """The first text of an element with this local name."""
    opened = content.index(f"<{name}>".encode()) + len(name) + 2
    return content[opened : content.index(b"<", opened)].decode()


def message_id(content: bytes) -> str:
    return value_of(content, "MsgId")


def reason(code: str = "", text: Iterable[str] = (), *, proprietary: str = "") -> str:
    rsn = f"<Rsn><Cd>{code}</Cd></Rsn>" if code else ""
    rsn = f"<Rsn><Prtry>{escape(proprietary)}</Prtry></Rsn>" if proprietary else rsn
    return f"<StsRsnInf>{rsn}{''.join(f'<AddtlInf>{escape(line)}</AddtlInf>' for line in text)}</StsRsnInf>"


def transaction(
    end_to_end_id: str = "", *, status: str = "RJCT", reasons: str = "", instruction_id: str = "", more: str = ""
) -> str:
    named = f"<OrgnlInstrId>{instruction_id}</OrgnlInstrId>" if instruction_id else ""
    named += f"<OrgnlEndToEndId>{end_to_end_id}</OrgnlEndToEndId>" if end_to_end_id else ""
    said = f"<TxSts>{status}</TxSts>" if status else ""
    return f"<TxInfAndSts>{named}{said}{reasons}{more}</TxInfAndSts>"


def block(block_id: str, *transactions: str, status: str = "", reasons: str = "", counted: str = "") -> str:
    said = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{block_id}</OrgnlPmtInfId>{said}{reasons}{counted}"
        f"{''.join(transactions)}</OrgnlPmtInfAndSts>"
    )


def status_report(
    original: str,
    *blocks: str,
    status: str = "",
    reasons: str = "",
    counted: str = "",
    count: int | None = None,
    total: Decimal | None = None,
    version: str = "pain.002.001.10",
    name: str = "pain.001.001.09",
) -> bytes:
    stated = f"<OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>" if count is not None else ""
    stated += f"<OrgnlCtrlSum>{total}</OrgnlCtrlSum>" if total is not None else ""
    group = f"<GrpSts>{status}</GrpSts>" if status else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{version}"><CstmrPmtStsRpt>
<GrpHdr><MsgId>STS-1</MsgId><CreDtTm>2026-11-21T10:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>{original}</OrgnlMsgId><OrgnlMsgNmId>{name}</OrgnlMsgNmId>{stated}{group}{reasons}{counted}
</OrgnlGrpInfAndSts>{"".join(blocks)}</CstmrPmtStsRpt></Document>""".encode()


def with_prefix(content: bytes, prefix: str) -> bytes:
    """The same document with a prefix on every element."""
    text = content.decode()
    text = text.replace("xmlns=", f"xmlns:{prefix}=").replace("</", f"\x00/{prefix}:")
    text = "".join(
        f"<{prefix}:{piece}" if index and piece[0] not in "?!" else (f"<{piece}" if index else piece)
        for index, piece in enumerate(text.split("<"))
    )
    return text.replace("\x00", "<").encode()


def incoming(payload: bytes, refusal: bytes, *, status: int | None = None) -> IncomingMessage:
    return IncomingMessage(
        payload=payload,
        payload_media_type="application/xml",
        refusal=refusal,
        refusal_media_type="application/xml",
        refusal_status=status,
    )


def wires(count: int) -> Sequence[Wire]:
    return [
        Wire(f"INV-{number}", cents=number * 100_00, iban=IBANS[number % len(IBANS)], name=f"Supplier {number}")
        for number in range(1, count + 1)
    ]
