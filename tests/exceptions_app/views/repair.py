"""A refused invoice taken in by the real intake, and what a browser sends from its page."""

from datetime import datetime
from html.parser import HTMLParser

from django.test import Client

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.form_names import field_name
from exceptions_app.models import ExceptionCase, PayloadVersion
from integrations import inbox
from integrations.connectors.en16931 import connector
from integrations.models import InboxMessage
from integrations.records.record import RecordField
from tests.arrivals import report_on
from tests.cast import MORNING, Cast
from tests.invoices import valid_invoice, without_issue_date
from workbench.models import User

BROKEN = without_issue_date(valid_invoice())


def take_in(
    cast: Cast, payload: bytes = BROKEN, refusal: bytes = b"", *, external_id: str = "message-1", at: datetime = MORNING
) -> ExceptionCase:
    """Hand a document in as it was refused, by the official validator unless said otherwise, and read it."""
    media_type = "application/json" if refusal.startswith(b"{") else "application/xml"
    handed_in = inbox.HandedIn(external_id, payload, "application/xml", refusal or report_on(payload), media_type)
    inbox.receive(cast.connection, handed_in, via=InboxMessage.Via.API, by="source", at=at)
    assert intake.read_messages(limit=10, at=at) == 1
    return ExceptionCase.objects.latest("pk")


def latest(case: ExceptionCase) -> PayloadVersion:
    return PayloadVersion.objects.filter(case=case).order_by("-number")[0]


def field(case: ExceptionCase, term: str) -> RecordField:
    """A business field of the latest version."""
    return next(found for found in connector.read(bytes(latest(case).content)).fields if found.term == term)


def correction(case: ExceptionCase, because: str = "Taken from the order.", **values: str) -> dict[str, str]:
    """What the form sends: every business field as it stands, but for those given as BT_2="2026-11-01"."""
    content = bytes(latest(case).content)
    sent = {field_name(found.path): found.value or "" for found in connector.read(content).fields}
    typed = {field_name(field(case, term.replace("_", "-")).path): value for term, value in values.items()}
    return {"base_version": str(latest(case).number), "because": because, **sent, **typed}


def address(case: ExceptionCase, verb: str = "") -> str:
    return f"/exceptions/{case.ref}/{verb}/" if verb else f"/exceptions/{case.ref}/"


def text_of(html: str) -> str:
    """What a reader of the page reads, in one line."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.words: list[str] = []

        def handle_data(self, data: str) -> None:
            self.words += data.split()

    reader = Reader()
    reader.feed(html)
    return " ".join(reader.words)


def page(client: Client, case: ExceptionCase, query: str = "") -> str:
    answer = client.get(address(case) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def mend(case: ExceptionCase, *, by: User, date: str = "2026-11-01", at: datetime = MORNING) -> PayloadVersion:
    """Write the issue date into the latest version."""
    version = latest(case)
    operations = connector.operations_for(bytes(version.content), {field(case, "BT-2").path: date})
    return correct(
        case.pk, by=by, at=at, because="Taken from the order.", base_version=version.number, operations=operations
    )


def with_value(content: bytes, term: str, value: str) -> bytes:
    """A document with another value in one business field."""
    path = next(found.path for found in connector.read(content).fields if found.term == term)
    return connector.correct(content, connector.operations_for(content, {path: value}))


def typed_in(html: str, name: str) -> str | None:
    """What stands in the input of that name; None when the page has none."""

    class Reader(HTMLParser):
        found: str | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag == "input" and given.get("name") == name:
                self.found = given.get("value") or ""

    reader = Reader()
    reader.feed(html)
    return reader.found
