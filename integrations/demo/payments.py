"""The payment files of the demonstration, written by an independent library, and the bank's answers in parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from lxml import etree
from sepaxml import SepaTransfer

from integrations.demo.companies import MERIDIAN_DE, MERIDIAN_NL, Company, iban
from integrations.demo.messages import DemoMessage
from integrations.demo.targets import bank_change, bank_report
from integrations.simulator.bank_accounts import Reason

TREASURY: Final = "house-bank"
# The payment of the README's walk: two digits of the payee's account are exchanged.
MISTYPED_PAYMENT: Final = "ER-2026-20418"
_BICS: Final = {"NL": "INGBNL2A", "DE": "HASPDEHHXXX"}


@dataclass(frozen=True, slots=True)
class _Payee:
    name: str
    country: str
    account: str

    @property
    def iban(self) -> str:
        return iban(self.country, self.account)


_PAYEES: Final = {
    payee.name: payee
    for payee in (
        _Payee("Maas Transport B.V.", "NL", "RABO0310245817"),
        _Payee("De Rijk Staalbouw B.V.", "NL", "ABNA0524419062"),
        _Payee("Hoogendoorn Energie N.V.", "NL", "INGB0006617204"),
        _Payee("Verbeek Onderhoud B.V.", "NL", "RABO0159903348"),
        _Payee("Stichting Havenpensioen", "NL", "ABNA0418826630"),
        _Payee("Kugelfischer Lager GmbH", "DE", "370400440611277003"),
        _Payee("Nordsee Spedition GmbH", "DE", "290500001402881760"),
        _Payee("Lindner Schaltanlagen GmbH", "DE", "700202700015880341"),
        _Payee("Fonderies du Hainaut SA", "BE", "310177284451"),
        _Payee("Tiroler Hydraulik GmbH", "AT", "2060400811775503"),
    )
}
# What payees have confirmed since, by telephone under a number that was known before.
_MOVED_TO: Final = {
    "Verbeek Onderhoud B.V.": iban("NL", "INGB0009104471"),
    "Lindner Schaltanlagen GmbH": iban("DE", "500105170648489890"),
    "Tiroler Hydraulik GmbH": iban("AT", "3225000000704957"),
}


def account_of(payee: str, *, moved: bool = False) -> str:
    """The IBAN of a payee of the demonstration; with `moved` the one that it has confirmed since."""
    return _MOVED_TO[payee] if moved else _PAYEES[payee].iban


_CLOSED: Final = tuple(_PAYEES[name].iban for name in _MOVED_TO)
_BLOCKED: Final = (_PAYEES["Nordsee Spedition GmbH"].iban,)


@dataclass(frozen=True, slots=True)
class _Payment:
    end_to_end_id: str
    payee: str
    amount: str
    text: str
    days_before: int = 0  # of the execution date before the day of the file
    account: str = ""  # as it was typed, when not as it is

    @property
    def iban(self) -> str:
        return self.account or _PAYEES[self.payee].iban


@dataclass(frozen=True, slots=True)
class _File:
    message_id: str
    days_ago: int
    debtor: Company
    payments: tuple[_Payment, ...]
    version: str = "pain.001.001.09"


def _with_digits_exchanged(account: str) -> str:
    """The first two neighbours from the right that differ, exchanged."""
    place = next(index for index in range(len(account) - 1, 0, -1) if account[index] != account[index - 1])
    return f"{account[: place - 1]}{account[place]}{account[place - 1]}{account[place + 1 :]}"


_RIGHT_ACCOUNT: Final = _PAYEES["Kugelfischer Lager GmbH"].iban
_FILES: Final = (
    _File(
        "PAY-NL-2026-0291", 5, MERIDIAN_NL,
        (
            _Payment("ER-2026-20371", "Maas Transport B.V.", "8914.20", "Invoice 20371 freight"),
            _Payment("ER-2026-20374", "Verbeek Onderhoud B.V.", "4260.00", "Invoice VO-8812 maintenance"),
            _Payment("ER-2026-20377", "Hoogendoorn Energie N.V.", "31870.45", "Invoice 2026-10 electricity"),
            _Payment("ER-2026-20380", "Tiroler Hydraulik GmbH", "12640.00", "Rechnung 77120"),
            _Payment("ER-2026-20382", "De Rijk Staalbouw B.V.", "19250.00", "Invoice 4471 steel frames"),
        ),
    ),
    _File(
        "PAY-DE-2026-0117", 2, MERIDIAN_DE,
        (
            _Payment("ER-2026-51106", "Kugelfischer Lager GmbH", "6218.75", "Rechnung KL-30991"),
            _Payment("ER-2026-51107", "Lindner Schaltanlagen GmbH", "17430.00", "Rechnung 2026-0884"),
            _Payment("ER-2026-51109", "Nordsee Spedition GmbH", "2984.60", "Frachtrechnung 55120"),
            _Payment("ER-2026-51112", "Tiroler Hydraulik GmbH", "9075.00", "Rechnung 77131"),
            _Payment("ER-2026-51113", "Fonderies du Hainaut SA", "14300.00", "Facture 26/1187"),
        ),
        "pain.001.001.03",
    ),
    _File(
        "PAY-NL-2026-0298", 0, MERIDIAN_NL,
        (
            _Payment("ER-2026-20411", "Maas Transport B.V.", "7406.10", "Invoice 20411 freight"),
            _Payment("ER-2026-20412", "De Rijk Staalbouw B.V.", "22140.00", "Invoice 4502 steel frames"),
            _Payment("ER-2026-20413", "Verbeek Onderhoud B.V.", "5115.00", "Invoice VO-8860 maintenance"),
            _Payment("ER-2026-20414", "Hoogendoorn Energie N.V.", "28390.15", "Invoice 2026-11 electricity"),
            _Payment("ER-2026-20415", "Stichting Havenpensioen", "312000.00", "Pension contributions"),
            _Payment("ER-2026-20416", "Fonderies du Hainaut SA", "9860.00", "Facture 26/1204"),
            _Payment("ER-2026-20417", "Nordsee Spedition GmbH", "3310.40", "Frachtrechnung 55163", days_before=1),
            _Payment(
                MISTYPED_PAYMENT, "Kugelfischer Lager GmbH", "11482.50", "Rechnung KL-31022",
                account=_with_digits_exchanged(_RIGHT_ACCOUNT),
            ),
            _Payment("ER-2026-20419", "De Rijk Staalbouw B.V.", "18075.00", "Invoice 4503 steel frames", days_before=1),
            _Payment("ER-2026-20420", "Hoogendoorn Energie N.V.", "4120.80", "Invoice 2026-11 gas"),
            _Payment("ER-2026-20421", "Maas Transport B.V.", "2290.00", "Invoice 20421 storage"),
            _Payment("ER-2026-20422", "Fonderies du Hainaut SA", "6740.00", "Facture 26/1209"),
        ),
    ),
)  # fmt: skip
# What the bank says for reasons of its own.
_AT_BANK: Final = {"ER-2026-51113": Reason("RR04", "Regulatory reason")}
_PENDING: Final = frozenset({"ER-2026-20422"})
_ACCOUNT_LABEL: Final = "Payee's account (IBAN)"
_DATE_LABEL: Final = "Execution date"


def mends(*, today: date) -> Mapping[str, Mapping[str, str]]:
    """What mends a payment, by end-to-end identifier: label of a field → value. What is late gets a new date too."""
    found = {MISTYPED_PAYMENT: {_ACCOUNT_LABEL: _RIGHT_ACCOUNT}}
    for file in _FILES:
        late = {_DATE_LABEL: today.isoformat()} if file.days_ago else {}
        for payment in file.payments:
            if payment.payee in _MOVED_TO:
                found[payment.end_to_end_id] = {_ACCOUNT_LABEL: _MOVED_TO[payment.payee], **late}
    return found


def setup_of_bank(today: date) -> dict[str, Any]:
    """The control call that sets the simulated bank up."""
    return bank_change(today, closed=_CLOSED, blocked=_BLOCKED)


def demo_payments(*, today: date) -> list[DemoMessage]:
    """Three payment files, each accepted in part. The same day gives the same bytes."""
    return [_message(file, today=today, position=position) for position, file in enumerate(_FILES)]


def _message(file: _File, *, today: date, position: int) -> DemoMessage:
    sent_on = today - timedelta(days=file.days_ago)
    payload = _written(file, sent_on)
    report = bank_report(payload, setup=setup_of_bank(sent_on), today=sent_on, at_bank=_AT_BANK, pending=_PENDING)
    return DemoMessage(
        id=f"treasury:{file.message_id}",
        connection_slug=TREASURY,
        number=file.message_id,
        payload=payload,
        refusal=report,
        refusal_media_type="application/xml",
        received_days_ago=file.days_ago,
        position=position,
        refusal_status=200,
    )


def _written(file: _File, sent_on: date) -> bytes:
    debtor = file.debtor
    config = {"name": debtor.name, "IBAN": debtor.iban, "BIC": _BICS[debtor.country], "batch": True, "currency": "EUR"}
    transfer = SepaTransfer(config, schema=file.version)
    for payment in file.payments:
        transfer.add_payment(
            {
                "name": payment.payee,
                "IBAN": payment.iban,
                "amount": int(Decimal(payment.amount) * 100),
                "execution_date": sent_on - timedelta(days=payment.days_before),
                "description": payment.text,
                "endtoend_id": payment.end_to_end_id,
            }
        )
    return _named(transfer.export(validate=False), file.message_id, sent_on)


def _named(content: bytes, message_id: str, sent_on: date) -> bytes:
    """The library numbers its files at random; these have the numbers of the payer's own system, and its clock."""
    root = etree.fromstring(content)
    for element in root.iter("{*}GrpHdr"):
        element.find("{*}MsgId").text = message_id  # type: ignore[union-attr]
        element.find("{*}CreDtTm").text = f"{sent_on.isoformat()}T15:40:00"  # type: ignore[union-attr]
    for number, element in enumerate(root.iter("{*}PmtInfId"), start=1):
        element.text = f"{message_id}-{number}"
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
