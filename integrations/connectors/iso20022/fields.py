"""The fields of a payment as a form shows them, and where each one stands or would stand in the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from integrations.connectors.iso20022.initiation import Payment, PaymentFile
from integrations.connectors.iso20022.names import child, children
from integrations.connectors.iso20022.reason_groups import About
from integrations.connectors.iso20022.schema import is_field
from integrations.connectors.xml_document import paths
from integrations.records.record import RecordField, ValueKind

_PAYMENT, _BLOCK, _HEADER = "payment", "block", "header"
_ALWAYS: Final = True  # offered although it is absent


@dataclass(frozen=True, slots=True)
class _Spec:
    """One field. `paths` are alternatives, of which a version of pain.001 knows one and a file uses one."""

    holder: str
    paths: tuple[str, ...]
    label: str
    group: str
    kind: ValueKind = ValueKind.TEXT
    about: About | None = None
    offered: bool = False
    hint: str = ""


_IBAN_HINT: Final = "International account number, without spaces."
_BIC_HINT: Final = "8 or 11 letters and digits."
SPECS: Final = (
    _Spec(_PAYMENT, ("Amt/InstdAmt", "Amt/EqvtAmt/Amt"), "Amount", "Payment", ValueKind.AMOUNT, About.AMOUNT, _ALWAYS),
    _Spec(_PAYMENT, ("Amt/InstdAmt/@Ccy", "Amt/EqvtAmt/Amt/@Ccy"), "Currency", "Payment", ValueKind.CODE),
    _Spec(
        _BLOCK,
        ("ReqdExctnDt/Dt", "ReqdExctnDt/DtTm", "ReqdExctnDt"),
        "Execution date",
        "Payment",
        ValueKind.DATE,
        About.DATE,
        _ALWAYS,
        "The day on which the bank shall execute it, such as 2026-03-31.",
    ),
    _Spec(
        _PAYMENT,
        ("PmtId/EndToEndId",),
        "End-to-end identifier",
        "Payment",
        ValueKind.IDENTIFIER,
        About.END_TO_END_ID,
        _ALWAYS,
        "Goes with the payment to the payee; at most 35 characters.",
    ),
    _Spec(
        _PAYMENT, ("PmtId/InstrId",), "Instruction identifier", "Payment", ValueKind.IDENTIFIER, About.INSTRUCTION_ID
    ),
    _Spec(_PAYMENT, ("PmtId/UETR",), "Unique transaction reference (UETR)", "Payment", ValueKind.IDENTIFIER),
    _Spec(_PAYMENT, ("ChrgBr",), "Who bears the charges", "Payment", ValueKind.CODE),
    _Spec(_PAYMENT, ("Purp/Cd", "Purp/Prtry"), "Purpose", "Payment", ValueKind.CODE),
    _Spec(_PAYMENT, ("Cdtr/Nm",), "Payee", "Payee", about=About.CREDITOR, offered=_ALWAYS),
    _Spec(
        _PAYMENT,
        ("CdtrAcct/Id/IBAN", "CdtrAcct/Id/Othr/Id"),
        "Payee's account (IBAN)",
        "Payee",
        ValueKind.IDENTIFIER,
        About.CREDITOR_ACCOUNT,
        _ALWAYS,
        _IBAN_HINT,
    ),
    _Spec(
        _PAYMENT,
        ("CdtrAgt/FinInstnId/BICFI", "CdtrAgt/FinInstnId/BIC"),
        "Payee's bank (BIC)",
        "Payee",
        ValueKind.IDENTIFIER,
        About.CREDITOR_AGENT,
        _ALWAYS,
        _BIC_HINT,
    ),
    _Spec(_PAYMENT, ("CdtrAgt/FinInstnId/ClrSysMmbId/MmbId",), "Payee's bank (clearing code)", "Payee"),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/StrtNm",), "Street", "Payee", offered=_ALWAYS),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/BldgNb",), "House number", "Payee"),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/PstCd",), "Postcode", "Payee", offered=_ALWAYS),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/TwnNm",), "Town", "Payee", offered=_ALWAYS),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/Ctry",), "Country", "Payee", ValueKind.CODE, offered=_ALWAYS),
    _Spec(_PAYMENT, ("Cdtr/PstlAdr/AdrLine",), "Address line", "Payee"),
    _Spec(
        _PAYMENT,
        ("RmtInf/Ustrd",),
        "Remittance information",
        "Remittance",
        about=About.REMITTANCE,
        offered=_ALWAYS,
        hint="What the payee reads on the statement; at most 140 characters.",
    ),
    _Spec(_PAYMENT, ("RmtInf/Strd/CdtrRefInf/Ref",), "Payee's reference", "Remittance", ValueKind.IDENTIFIER),
    _Spec(_BLOCK, ("Dbtr/Nm",), "Payer", "Payer", about=About.DEBTOR, offered=_ALWAYS),
    _Spec(
        _BLOCK,
        ("DbtrAcct/Id/IBAN", "DbtrAcct/Id/Othr/Id"),
        "Our account (IBAN)",
        "Payer",
        ValueKind.IDENTIFIER,
        About.DEBTOR_ACCOUNT,
        _ALWAYS,
        _IBAN_HINT,
    ),
    _Spec(
        _BLOCK,
        ("DbtrAgt/FinInstnId/BICFI", "DbtrAgt/FinInstnId/BIC"),
        "Our bank (BIC)",
        "Payer",
        ValueKind.IDENTIFIER,
        About.DEBTOR_AGENT,
        _ALWAYS,
        _BIC_HINT,
    ),
    _Spec(_BLOCK, ("ChrgBr",), "Who bears the charges", "Payer", ValueKind.CODE),
    _Spec(_BLOCK, ("PmtTpInf/SvcLvl/Cd",), "Service level", "Payer", ValueKind.CODE),
    _Spec(_HEADER, ("MsgId",), "Message identifier", "File", ValueKind.IDENTIFIER, About.MESSAGE_ID),
    _Spec(_HEADER, ("CreDtTm",), "Created", "File", about=About.CREATED),
    _Spec(_HEADER, ("NbOfTxs",), "Number of payments", "File", ValueKind.QUANTITY, About.NUMBER_OF_PAYMENTS),
    _Spec(_HEADER, ("CtrlSum",), "Control sum", "File", ValueKind.AMOUNT, About.CONTROL_SUM),
    _Spec(_BLOCK, ("PmtInfId",), "Block identifier", "File", ValueKind.IDENTIFIER, About.BLOCK_ID),
    _Spec(_BLOCK, ("NbOfTxs",), "Number of payments in the block", "File", ValueKind.QUANTITY),
    _Spec(_BLOCK, ("CtrlSum",), "Control sum of the block", "File", ValueKind.AMOUNT),
)


def fields_of(file: PaymentFile, payment: Payment) -> tuple[RecordField, ...]:
    """Every field of a payment, those that are absent but usual among them."""
    return tuple(field for spec in SPECS for field in _fields(spec, file, payment))


def field_about(about: About, file: PaymentFile, payment: Payment) -> RecordField | None:
    """The field that a reason speaks of; None for the payment as a whole."""
    spec = next((spec for spec in SPECS if spec.about is about), None)
    return next(_fields(spec, file, payment), None) if spec is not None else None


def _fields(spec: _Spec, file: PaymentFile, payment: Payment) -> Iterator[RecordField]:
    holder = {_PAYMENT: payment.element, _BLOCK: payment.block, _HEADER: file.header}[spec.holder]
    if holder is None:
        return
    found = [(path, *place) for path in spec.paths for place in _places(holder, path)]
    if not found and spec.offered:
        usual = next((path for path in spec.paths if is_field(holder, path)), spec.paths[0])
        found = [(usual, f"{paths.canonical(holder)}/{usual}", None)]
    money = payment.money
    for number, (term, path, value) in enumerate(found, start=1):
        yield RecordField(
            term=term,
            label=spec.label if len(found) == 1 else f"{spec.label} {number}",
            group=spec.group,
            kind=spec.kind,
            path=path,
            value=value,
            hint=spec.hint,
            currency=money.currency if money is not None and spec.kind is ValueKind.AMOUNT else "",
        )


def _places(holder: etree._Element, path: str) -> Iterator[tuple[str, str | None]]:
    """Path and text of each place; a group of elements is no place."""
    steps, _, attribute = path.partition("/@")
    above, _, last = steps.rpartition("/")
    parent = child(holder, above) if above else holder
    for element in children(parent, last):
        if next(element.iterchildren("*"), None) is not None:
            continue
        value = element.get(attribute) if attribute else paths.text_of(element).strip()
        if value is not None or not attribute:
            yield paths.canonical(element, attribute), value
