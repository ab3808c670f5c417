"""What a drill does inside the installation, by `./run manage shell`: each function is one command."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.utils.timezone import now

from audit.log import Entry, record_many
from audit.seal import seal
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.decide import approve
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.propose import propose_replay
from exceptions_app.actions.sending import resume_all, stop_all
from exceptions_app.intake import read_messages
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, LegalEntity, Queue, Route
from integrations.inbox import HandedIn
from integrations.models import Connection, InboxMessage
from integrations.receiving import receive
from tests.integrations.connectors.erp.postings import customer_invoice, detail, gateway_error, journal
from tests.nightly.site import CONNECTION
from workbench.tokens import create_api_token

PERIOD_CLOSED = gateway_error(detail("F5/201", "Posting period 011 2026 is not open", "posting_date"))
_BECAUSE = "Set up for a drill."
_EVENTS_AT_ONCE = 10_000
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def _account(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def set_up() -> None:
    """A connection to the simulated ERP; prints a token of the source and a session of a clerk."""
    setup, at = machine(SETUP), now()
    connection = Connection(
        slug=CONNECTION, name="Drill", connector="erp", target_url=f"{settings.SIMULATOR_URL}/erp",
        target_token=settings.SIMULATOR_TOKEN,
    )  # fmt: skip
    save_configuration(connection, by=setup, at=at, because=_BECAUSE)
    route = Route(
        position=9200, connection=connection, queue=Queue.objects.earliest("pk"),
        entity=LegalEntity.objects.get(code="NL01"),
    )  # fmt: skip
    save_configuration(route, by=setup, at=at, because=_BECAUSE)
    grant_connection("ingest_messages", _account("clerk"), connection, by=setup, at=at, because=_BECAUSE)
    _, token = create_api_token(_account("clerk"), name="drill", at=at)
    print(json.dumps({"token": token, "cookie": _session_of("clerk")}))


def _session_of(username: str) -> str:
    """The cookie of a new session."""
    client = Client()
    client.force_login(_account(username), backend="django.contrib.auth.backends.ModelBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def sign_in(username: str) -> None:
    print(_session_of(username))


def approve_replays(number: int) -> None:
    """So many journals that the ERP refused for a closed period, approved; all sending is stopped and stays so."""
    stop_all(by=machine(SETUP), at=now(), because=_BECAUSE)
    connection = Connection.objects.get(slug=CONNECTION)
    for place in range(number):
        reference = f"DRILL-{place:06}"
        refused = HandedIn(
            reference, journal(reference=reference), "application/json", PERIOD_CLOSED, "application/json", 400
        )
        receive(connection, refused, via=InboxMessage.Via.API, by="clerk", at=now())
    cases = ExceptionCase.objects.filter(connection=connection)
    while cases.count() < number:  # the installation's own workers read them too
        read_messages(limit=100, at=now())
    clerk, controller = _account("clerk"), _account("controller")
    for case in cases.order_by("pk"):
        proposal = propose_replay(case.pk, by=clerk, at=now(), because="The period is open again.")
        approve(case.pk, by=controller, at=now(), frozen_sha256=proposal.frozen_sha256)


def refuse_for_a_family(number: int) -> None:
    """So many customer invoices that the ERP refused for a product family that has no revenue account."""
    connection = Connection.objects.get(slug=CONNECTION)
    refusal = gateway_error(detail("ZFI/050", place="lines/0/product_family"), code="ZFI/050")
    lines = json.loads(customer_invoice())["lines"]
    lines[0] |= {"product_family": "DRILLS", "account": ""}
    for place in range(number):
        name = f"DRILL-{place:06}"
        refused = HandedIn(
            name, customer_invoice(number=name, lines=lines), "application/json", refusal, "application/json", 400
        )
        receive(connection, refused, via=InboxMessage.Via.API, by="clerk", at=now())


def resume() -> None:
    resume_all(by=_account("administrator"), at=now(), because="The drill begins.")


def fill_audit_trail(number: int) -> None:
    """At least so many sealed events."""
    for first in range(0, number, _EVENTS_AT_ONCE):
        with transaction.atomic():
            record_many(_entry(place) for place in range(first, min(first + _EVENTS_AT_ONCE, number)))
    while seal(limit=_EVENTS_AT_ONCE, at=now()):
        pass


def _entry(place: int) -> Entry:
    return Entry(
        action="case.corrected", subject=f"case:EX-{place}", scope="NL01/e-invoicing", actor="clerk", at=_LONG_AGO,
        summary=f"clerk corrected EX-{place}.", because="The date is on the order.", correlation_id=f"EX-{place}",
        data={"from": "in_progress", "to": "in_progress", "version": 2, "fields": ["BT-2"]},
    )  # fmt: skip
