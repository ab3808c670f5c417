"""Payments of a file that a bank rejects in part, on their way through the hands of the cast and the engine."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sepaxml
from django.db.models.functions import Now
from lxml import etree

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.models import ExceptionCase, PayloadVersion
from integrations import inbox
from integrations.connectors.iso20022 import connector
from integrations.models import Delivery, DeliveryEnvelope
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission
from tests.gates import gates_open
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file, wires
from tests.simulator_process import RunningSimulator

OPEN_IBANS = (
    "GB29NWBK60161331926819",
    "CH9300762011623852957",
    "PL61109010140000071219812874",
    "SE4550000000058398257466",
)
REJECTED = ("INV-1", "INV-3", "INV-7")  # of eight payments, by the accounts that are closed


def change_bank(simulator: RunningSimulator, **change: object) -> None:
    answer = simulator.post("/control/bank", json.dumps(change).encode(), Content_Type="application/json")
    assert answer.status_code == 200, answer.text


def lead_to_the_bank(cast: Cast, simulator: RunningSimulator, *, collect_seconds: int = 30) -> None:
    configure(cast.connection, connector="iso20022", target_url=simulator.bank_url, collect_seconds=collect_seconds)


def hand_in(cast: Cast, simulator: RunningSimulator, payload: bytes, *, number: int = 1) -> list[ExceptionCase]:
    """The source sends a file to the bank, and the bank's answer to us."""
    key = f"source-{number}"
    answer = simulator.post("/bank/payments", payload, Content_Type="application/xml", Idempotency_Key=key)
    message = inbox.HandedIn(
        f"file-{number}",
        payload,
        payload_media_type="application/xml",
        refusal=answer.content,
        refusal_media_type="application/xml",
        refusal_status=answer.status_code,
    )
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    opened = ExceptionCase.objects.filter(occurrences__inbox_message__external_id=f"file-{number}")
    return list(opened.order_by("document_number"))


def rejected_payments(cast: Cast, simulator: RunningSimulator, *more: Wire) -> list[ExceptionCase]:
    """The exceptions of a file of eight payments, of which the bank rejects three."""
    change_bank(simulator, accounts={IBANS[1]: "closed", IBANS[3]: "blocked"})
    return hand_in(cast, simulator, payment_file(*wires(8), *more))


def give_account(case: ExceptionCase, iban: str, *, cast: Cast) -> PayloadVersion:
    latest = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    content = bytes(latest.content)
    path = next(field.path for field in connector.read(content).fields if field.term == "CdtrAcct/Id/IBAN")
    steps = connector.operations_for(content, {path: iban})
    return correct(
        case.pk, by=cast.clerk, at=MORNING, because="By telephone.", base_version=latest.number, operations=steps
    )


def approve_each(cases: Sequence[ExceptionCase], *, cast: Cast) -> None:
    """As they are: proposed by the clerk, approved by the controller."""
    for case in cases:
        propose(case, by=cast.clerk)
        approve_open(case, by=cast.controller)


def correct_and_approve(cases: Sequence[ExceptionCase], *, cast: Cast, ibans: Sequence[str] = OPEN_IBANS) -> None:
    for case, iban in zip(cases, ibans, strict=False):
        give_account(case, iban, cast=cast)
    approve_each(cases, cast=cast)


def all_are_due() -> None:
    """What is collected has waited long enough."""
    Delivery.objects.filter(state__in=Delivery.LIVE).update(due_at=Now() - timedelta(seconds=1))
    gates_open()


def files() -> list[DeliveryEnvelope]:
    return list(DeliveryEnvelope.objects.order_by("pk"))


def held_in(content: bytes) -> dict[str, Any]:
    """What a payment file says of itself, read with nothing of ours."""
    root = etree.fromstring(content)
    amounts = [str(node.text) for node in root.iterfind(".//{*}InstdAmt")]
    return {
        "payments": sorted(str(node.text) for node in root.iterfind(".//{*}EndToEndId")),
        "amounts": sorted(amounts),
        "NbOfTxs": root.findtext(".//{*}GrpHdr/{*}NbOfTxs"),
        "CtrlSum": root.findtext(".//{*}GrpHdr/{*}CtrlSum"),
        "MsgId": root.findtext(".//{*}GrpHdr/{*}MsgId"),
    }


def schema_faults(content: bytes) -> list[str]:
    """What the official schema, as the library carries it, says against a file."""
    root = etree.fromstring(content)
    version = str(etree.QName(root).namespace).rpartition(":")[2]
    schema = etree.XMLSchema(etree.parse(Path(sepaxml.__file__).parent / "schemas" / f"{version}.xsd"))
    return [] if schema.validate(root) else str(schema.error_log).splitlines()


def replayed(simulator: RunningSimulator) -> list[tuple[str, str, str]]:
    """What the bank booked beyond the file of the source: payment, amount and account."""
    own = [effect for effect in simulator.effects if not effect["key"].startswith("source-")]
    return sorted((effect["end_to_end_id"], effect["amount"], effect["creditor_account"]) for effect in own)


def phases_of(case: ExceptionCase) -> list[str]:
    return [attempt.phase for attempt in submission(case).attempts.order_by("pk")]
