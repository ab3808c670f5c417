"""Every address of pages and API, asked by everybody: who gets what is in `access_table`, and a new address is red.

Whoever is granted nothing where a thing is, finds the same there as at an address where nothing is.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.grants import CONNECTION_PERMISSIONS, grant_connection
from exceptions_app.machines import SETUP, machine
from tests.cast import SET_UP_AT, Cast, grant_every_verb_abroad, person
from tests.exceptions_app.access_table import PEOPLE, STATUSES
from tests.exceptions_app.everything import MARK, Arguments, Everything, connected, make_everything, scripted
from tests.exceptions_app.routes import Route, routes
from workbench.models import User
from workbench.tokens import create_api_token

# What people may is the same on any engine, and this asks it at length.
pytestmark = [pytest.mark.django_db, pytest.mark.one_engine, pytest.mark.timeout(900)]
STRANGERS = ("outsider", "neighbour", "administrator")
"""To whom nothing of what is asked for is granted: nobody, somebody with every right elsewhere, who gives access."""
# What is different in each answer, whatever was asked for.
PASSING = re.compile(
    rb'(csrfmiddlewaretoken"|csrf-token"|"X-CSRFToken": ?"?)[^>]*?>|nonce="[^"]+"|"instance": ?"[^"]+"'
)

SAME = {"x-request-id": "the-same"}
# Who decides in whose place, who has which access and who is in an emergency is seen by administrators too; and which
# connections there are, by their names, where they keep the rules of what goes where.
OVERSEEN = {"api:delegations", "api:end-delegation", "exceptions:approvals", "exceptions:delegation_end",
            "exceptions:delegation_give", "exceptions:access", "exceptions:access_export", "api:access",
            "exceptions:access_reviews", "exceptions:access_review_open", "exceptions:access_review",
            "exceptions:access_review_close", "exceptions:access_review_confirm", "exceptions:access_review_end",
            "exceptions:access_review_cancel", "api:cancel-access-review", "api:access-reviews", "api:access-review",
            "api:access-review-items", "api:close-access-review", "api:confirm-access", "api:end-access",
            "exceptions:routing_rules", "exceptions:routing_rule_propose", "exceptions:routing_rule_move",
            "exceptions:emergencies", "exceptions:emergency", "exceptions:emergency_end", "exceptions:emergency_review",
            "exceptions:emergency_take", "exceptions:archive_delivery", "exceptions:archive_deliver_again",
            "api:emergencies", "api:emergency", "api:end-emergency", "api:review-emergency"}  # fmt: skip
WHOLE = {"exceptions:audit": {"configuration"}}
"""Who reads the trail anywhere reads of configuration everywhere, such as a connection, who decides in whose place and
a maintenance: it is of the whole workbench. What is read of anything else is tried there and in `views/test_audit.py`.
"""
ABOUT_NOTHING = {"canonical"}
"""What is written in the program, for everybody."""

Ask = Callable[[str, Route, Arguments], Any]


@pytest.fixture
def world(cast: Cast) -> Iterator[Everything]:
    with scripted():
        yield make_everything(cast)


@pytest.fixture
def ask(cast: Cast, world: Everything, signed_in: Callable[[User], Client]) -> Callable[[str], Ask]:
    """Requests of one person, of which nothing stays."""

    def asking(who: str) -> Ask:
        user = neighbour(cast) if who == "neighbour" else getattr(cast, who, None)
        browser = signed_in(user) if user else Client()
        browser.raise_request_exception = False
        token = f"Bearer {create_api_token(user, name='matrix', at=now())[1]}" if user else ""
        headers = SAME | ({"authorization": token, "if-match": "*"} if user else {})

        def ask(method: str, route: Route, arguments: Arguments) -> Any:
            address = route.address(arguments)
            browser.cookies.pop("messages", None)  # what the last answer had to say is shown with the next page
            answer: Any
            with transaction.atomic():
                if route.is_api:
                    body = None if method == "GET" else "{}"
                    answer = Client(raise_request_exception=False).generic(
                        method, address, body or "", content_type="application/json", headers=headers
                    )
                else:
                    answer = browser.generic(
                        method, address, "", content_type="application/x-www-form-urlencoded", headers=SAME
                    )
                read(answer)
                answer.refused = (
                    AuditEvent.objects.filter(actor=user.username, action="person.refused").count() if user else 0
                )
                transaction.set_rollback(True)
            return answer

        return ask

    return asking


def neighbour(cast: Cast) -> User:
    """Every verb on the other queue for the other legal entity, and every right on a connection of their own."""
    user = person("nora", "Nora Neighbour")
    grant_every_verb_abroad(user, cast)
    own = connected(cast, "elsewhere", "en16931", 50, name="Elsewhere").connection
    for permission in CONNECTION_PERMISSIONS:
        grant_connection(permission, user, own, by=machine(SETUP), at=SET_UP_AT)
    return user


def read(answer: Any) -> bytes:
    """The whole body, also of what is sent bit by bit: within the transaction."""
    if getattr(answer, "streaming", False):
        answer.read_body = b"".join(answer.streaming_content)
    return bytes(answer.read_body if hasattr(answer, "read_body") else answer.content)


def asked_for() -> list[Route]:
    """All but those about the person who asks, which `tests/workbench` tries."""
    return [route for route in routes() if not route.pattern.startswith("accounts/")]


def test_every_address_is_in_the_table():
    known = {f"{method} {route.name}" for route in asked_for() for method in route.methods}
    assert known ^ set(STATUSES) == set()


def test_everybody_gets_what_the_table_says_and_strangers_find_nothing(ask: Callable[[str], Ask], world: Everything):
    found: dict[str, list[str]] = {}
    leaks: list[str] = []
    for who in PEOPLE:
        asking = ask(who)
        for route in asked_for():
            there = world.there.get(route.about, {})
            assert set(route.takes) <= set(there), f"nothing is made for {route.pattern}"
            for method in route.methods:
                answer = asking(method, route, there)
                found.setdefault(f"{method} {route.name}", []).append(status(answer))
                if who in STRANGERS and not (who == "administrator" and route.name in OVERSEEN):
                    other = asking(method, route, world.missing[route.about]) if route.takes else answer
                    leaks += [f"{who} {told}: {method} {route.name}" for told in learned(answer, other, route, world)]
                if answer.status_code == 403 and not reason(answer, route):
                    leaks.append(f"{who} is not told why: {method} {route.name}")
                # A refusal of one person leaves one event, whether the thing is there or not; an answer leaves none.
                if answer.refused != (who != "anonymous" and answer.status_code in (403, 404)):
                    leaks.append(f"{answer.refused} events tell that {who} was refused: {method} {route.name}")
    assert leaks == []
    answered = {name: " ".join(statuses)[: len(STATUSES[name])] for name, statuses in found.items()}
    assert {name: got for name, got in answered.items() if got != STATUSES[name]} == {}


def learned(answer: HttpResponse, other: HttpResponse, route: Route, world: Everything) -> Iterator[str]:
    """What a stranger learns from an answer that they should not, beside the one about what is not there."""
    there = world.there.get(route.about, {})
    if MARK.encode() in read(answer) and not any(MARK in str(there[name]) for name in route.takes):
        scopes = {row.entry.scope for row in rows_with_mark(answer, route)} or {"it"}
        yield from (f"reads of {scope}" for scope in scopes - WHOLE.get(route.name, set()))
    if route.about not in ABOUT_NOTHING and told(answer, route, there) != told(
        other, route, world.missing[route.about] if route.takes else there
    ):
        yield "can tell that it is there"


def rows_with_mark(answer: Any, route: Route) -> list[Any]:
    """The events that speak of it, of a page that shows events of the whole workbench."""
    if route.name not in WHOLE:
        return []
    return [row for row in answer.context["rows"] if MARK in f"{row.entry}{row.data}"]


def status(answer: HttpResponse) -> str:
    """Of who is not signed in: that they are led to sign in."""
    leads = str(answer.headers.get("Location", ""))
    return "in" if answer.status_code == 302 and leads.startswith("/accounts/login/") else str(answer.status_code)


def told(answer: HttpResponse, route: Route, arguments: Arguments) -> tuple[int, bytes, str]:
    """What can be told from an answer, without what was asked for and what is another with each answer."""
    body, leads = PASSING.sub(b"", read(answer)), str(answer.headers.get("Location", ""))
    written = [
        route.address(arguments),
        *(value for value in map(arguments.get, route.takes) if isinstance(value, str)),
    ]
    for one in written:
        body, leads = body.replace(one.encode(), b"..."), leads.replace(one, "...")
    return answer.status_code, body, leads


def reason(answer: HttpResponse, route: Route) -> str:
    """The sentence by which it is refused."""
    if route.is_api:
        return str(answer.json()["detail"])  # type: ignore[attr-defined]
    said = re.search(rb"(You|Only|Nobody|An administrator|It |Someone|You proposed)[^<]{10,}\.", read(answer))
    return said[0].decode() if said else ""
