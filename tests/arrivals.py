"""Refused invoices as a source hands them in, and an exception on its way through the hands of the cast."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db.models import Model

from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.correct import correct
from exceptions_app.actions.decide import approve
from exceptions_app.actions.propose import propose_replay
from exceptions_app.actions.retyping import waiting_to_be_retyped
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from integrations import inbox
from integrations.connectors.en16931 import connector
from integrations.demo.report import official_report
from integrations.models import Connection, InboxMessage
from tests.cast import MORNING, Cast
from tests.invoices import valid_invoice, without_issue_date
from workbench.models import User

ISSUE_DATE = "2026-11-01"
Configured = TypeVar("Configured", bound=Model)


@cache
def refused_invoice(number: str = "INV-1001", *, seed: int = 1) -> bytes:
    return without_issue_date(valid_invoice(number, seed=seed))


@cache
def report_on(payload: bytes) -> bytes:
    """What the official validator says; asked once, since it takes a moment, and in a fork it answers nothing."""
    return official_report(payload)


def handed_in(external_id: str = "message-1", *, number: str = "INV-1001", **changes: Any) -> inbox.HandedIn:
    """A refused invoice with its report, unless `changes` say otherwise."""
    payload = changes.pop("payload", None) or refused_invoice(number)
    given: Mapping[str, Any] = {
        "payload_media_type": "application/xml",
        "refusal": b"" if "refusal" in changes else report_on(refused_invoice(number)),
        "refusal_media_type": "application/xml",
        **changes,
    }
    return inbox.HandedIn(external_id, payload, **given)


def hold_notice(code: str = "AMOUNT_LIMIT") -> bytes:
    """What a policy engine says when it stops a document before it is sent."""
    return json.dumps({"hold": {"code": code, "text": "Stopped.", "limit": "1000", "currency": "EUR"}}).encode()


def receive(
    connection: Connection, message: inbox.HandedIn | None = None, *, at: datetime = MORNING, by: str = "source"
) -> inbox.Receipt:
    return inbox.receive(connection, message or handed_in(), via=InboxMessage.Via.API, by=by, at=at)


def configure(item: Configured, **changes: Any) -> Configured:
    """A connection, a route … with other settings, changed as an administrator changes them."""
    for name, value in changes.items():
        setattr(item, name, value)
    save_configuration(item, by=machine(SETUP), at=MORNING, because="For this test.")
    return item


def take_in(cast: Cast, number: str = "INV-1001", *, external_id: str = "") -> ExceptionCase:
    """The exception that comes of one refused invoice."""
    receive(cast.connection, handed_in(external_id or f"message-{number}", number=number))
    intake.read_messages(limit=1, at=MORNING)
    return ExceptionCase.objects.open().get(document_number=number)


def mend(case: ExceptionCase, *, by: User, date: str = ISSUE_DATE) -> PayloadVersion:
    """The next version, with an issue date."""
    latest = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    content = bytes(latest.content)
    path = next(field.path for field in connector.read(content).fields if field.term == "BT-2")
    return correct(
        case.pk,
        by=by,
        at=MORNING,
        because="Taken from the order.",
        base_version=latest.number,
        operations=connector.operations_for(content, {path: date}),
    )


def propose(case: ExceptionCase, *, by: User) -> Proposal:
    return propose_replay(case.pk, by=by, at=MORNING, because="Mended.")


def approve_open(case: ExceptionCase, *, by: User) -> ExceptionCase:
    """Agree to what is proposed; a payee's account that it changes is typed again, rightly."""
    proposal = Proposal.objects.get(case=case, state=Proposal.State.OPEN)
    retyped = [detail.value for detail in waiting_to_be_retyped(case.pk)]
    approve(case.pk, by=by, at=MORNING, frozen_sha256=proposal.frozen_sha256, retyped=retyped)
    case.refresh_from_db()
    return case


def replay(cast: Cast, number: str = "INV-1001", *, date: str = ISSUE_DATE) -> ExceptionCase:
    """An exception whose correction is approved and waits in the outbox."""
    case = take_in(cast, number)
    mend(case, by=cast.clerk, date=date)
    propose(case, by=cast.clerk)
    return approve_open(case, by=cast.controller)
