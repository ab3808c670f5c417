"""The steps of a clerk, for tests of what comes after them."""

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.actions.propose import propose_replay
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from integrations import inbox
from integrations.connectors.en16931 import connector
from integrations.models import InboxMessage
from tests.arrivals import report_on
from tests.cast import MORNING, Cast
from tests.invoices import valid_invoice, without_issue_date
from workbench.models import User


def take_in(cast: Cast, number: str = "INV-1001", *, message: str = "message-1") -> ExceptionCase:
    """Hand in an invoice without its issue date, as the official validator refused it, and read it."""
    payload = without_issue_date(valid_invoice(number))
    inbox.receive(
        cast.connection,
        inbox.HandedIn(message, payload, "application/xml", report_on(payload), "application/xml"),
        via=InboxMessage.Via.API,
        by="source",
        at=MORNING,
    )
    assert intake.read_messages(limit=10, at=MORNING) == 1
    return ExceptionCase.objects.get(document_number=number)


def mend(case: ExceptionCase, *, by: User, date: str = "2026-11-01", base_version: int = 1) -> PayloadVersion:
    """Write the issue date into the invoice."""
    content = bytes(PayloadVersion.objects.get(case=case, number=base_version).content)
    path = next(field.path for field in connector.read(content).fields if field.term == "BT-2")
    return correct(
        case.pk,
        by=by,
        at=MORNING,
        because="Taken from the order.",
        base_version=base_version,
        operations=connector.operations_for(content, {path: date}),
    )


def mend_and_propose(case: ExceptionCase, *, by: User) -> Proposal:
    mend(case, by=by)
    return propose_replay(case.pk, by=by, at=MORNING, because="Mended.")
