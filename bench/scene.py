"""What a benchmark plays with: a connection, where its messages lead, people of three roles, and invoices."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import count
from random import Random

from django.utils.timezone import now

from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import ROLES, grant_connection, grant_verbs
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Queue, Route
from integrations.connectors.base import IncomingMessage
from integrations.demo.companies import MERIDIAN_NL, customer
from integrations.demo.invoices import build_invoice
from integrations.demo.plans import plan_invoice
from integrations.demo.report import official_report
from integrations.inbox import HandedIn, receive
from integrations.models import Connection, InboxMessage
from workbench.models import User

_BECAUSE = "Set up for a benchmark."
_ISSUE_DATE = date(2026, 11, 2)
_XML, _JSON = "application/xml", "application/json"
_PATTERN = "INV-PATTERN"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """Each benchmark has its own, so that none meets the exceptions of another."""

    connection: Connection
    queue: Queue
    entity: LegalEntity
    clerk: User
    controller: User
    source: User


def make_scene(name: str, *, connector: str = "en16931", target_url: str = "") -> Scene:
    setup, at, slug = machine(SETUP), now(), name.replace("_", "-")
    queue = Queue(slug=slug, name=f"Queue of {name}")
    entity = LegalEntity(code=slug, name=f"Entity of {name}", country="NL", currency="EUR")
    connection = Connection(slug=slug, name=f"Connection of {name}", connector=connector, target_url=target_url)
    route = Route(position=Route.objects.count() + 1, connection=connection, queue=queue, entity=entity, priority=3)
    for item in (queue, entity, connection, route):
        save_configuration(item, by=setup, at=at, because=_BECAUSE)
    clerk, controller, source = (
        User.objects.create(username=f"{role}-of-{slug}") for role in ("clerk", "controller", "source")
    )
    for role, person in (("clerk", clerk), ("controller", controller)):
        grant_verbs(ROLES[role], person, [queue, entity], by=setup, at=at, because=_BECAUSE)
    grant_connection("ingest_messages", source, connection, by=setup, at=at, because=_BECAUSE)
    return Scene(connection, queue, entity, clerk, controller, source)


def refused_invoice() -> HandedIn:
    """A refused invoice with the official validator's report; each has a number of its own and else the same bytes."""
    number = f"INV-BENCH-{next(_numbers):07}"
    payload = _pattern().replace(_ISSUE_DATE_LINE, b"", 1)
    return HandedIn(number, payload.replace(_PATTERN.encode(), number.encode()), _XML, _report(), _XML)


def held_invoice() -> HandedIn:
    """A valid invoice that a policy engine stopped: it can be released as it is."""
    number = f"INV-BENCH-{next(_numbers):07}"
    notice = {"hold": {"code": "AMOUNT_LIMIT", "text": "Stopped.", "limit": "1000", "currency": "EUR"}}
    payload = _pattern().replace(_PATTERN.encode(), number.encode())
    return HandedIn(number, payload, _XML, json.dumps(notice).encode(), _JSON)


_ISSUE_DATE_LINE = f"  <cbc:IssueDate>{_ISSUE_DATE}</cbc:IssueDate>\n".encode()


@cache
def _pattern() -> bytes:
    buyer = customer("Van Loon")
    plan = plan_invoice(
        Random(1),  # noqa: S311 - repeatable, not secret
        number=_PATTERN, seller=MERIDIAN_NL, buyer=buyer, issue_date=_ISSUE_DATE,
    )  # fmt: skip
    return build_invoice(plan)


@cache
def _report() -> bytes:
    """What it says does not depend on the number, so one serves all."""
    return official_report(_pattern().replace(_ISSUE_DATE_LINE, b"", 1))


def as_incoming(message: HandedIn) -> IncomingMessage:
    """The message as a connector is given it."""
    return IncomingMessage(
        payload=message.payload,
        payload_media_type=message.payload_media_type,
        refusal=message.refusal,
        refusal_media_type=message.refusal_media_type,
    )


def hand_in(scene: Scene, message: HandedIn) -> None:
    receive(scene.connection, message, via=InboxMessage.Via.API, by=scene.source.username, at=now())
