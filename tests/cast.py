"""The people, queues and legal entities of the tests, always the same.

A test folder that needs them imports the fixtures in its conftest:

    from tests.cast import cast, signed_in

Everybody but the outsider, the administrator and the local clerk has their role on both queues and both entities.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.test import Client

from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import ROLES, add_to_role, grant_role, grant_verbs
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Queue, Route
from exceptions_app.states import Verb
from integrations.models import Connection
from workbench.models import User

SET_UP_AT = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""When exceptions of the factories open, unless a test says otherwise: a Monday."""
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays, and where."""

    clerk: User
    second_clerk: User
    local_clerk: User  # a clerk of the first queue for the first entity only
    controller: User
    support: User
    auditor: User
    outsider: User  # signs in and is granted nothing
    administrator: User  # configures, is granted nothing, sees no payload

    einvoicing: Queue
    holds: Queue
    netherlands: LegalEntity
    germany: LegalEntity
    connection: Connection
    route: Route  # leads everything of the connection to the first queue and entity


def person(username: str, full_name: str, *, role: str = "", is_staff: bool = False) -> User:
    """An account that can sign in with PASSWORD, in the group of its role."""
    first, _, last = full_name.partition(" ")
    user = User(
        username=username, first_name=first, last_name=last, email=f"{username}@example.test", is_staff=is_staff
    )
    user.set_password(PASSWORD)
    user.save()
    if role:
        give_role(user, role)
    return user


def give_role(user: User, role: str) -> None:
    """A further role, with its audit event, as the database asks."""
    add_to_role(role, user, by=machine(SETUP), at=SET_UP_AT)


def grant(user: User, verbs: Iterable[Verb], *places: Queue | LegalEntity) -> None:
    """Give one person verbs on queues and entities, beside their role; with its audit event, as the database asks."""
    grant_verbs(verbs, user, places, by=machine(SETUP), at=SET_UP_AT, because="Set up for a test.")


def grant_every_verb_abroad(user: User, cast: Cast) -> None:
    """In Germany, and none where the others work. Whoever approves in a queue reads the trail of another one."""
    elsewhere = Queue(slug="elsewhere", name="Elsewhere", purpose="Of a company abroad.")
    save_configuration(elsewhere, by=machine(SETUP), at=SET_UP_AT, because="Set up for a test.")
    grant(user, [verb for verb in Verb if verb is not Verb.EXPORT], cast.holds)
    grant(user, Verb, cast.germany)
    grant(user, [Verb.SEE, Verb.EXPORT], elsewhere)


def make_cast() -> Cast:
    setup = machine(SETUP)
    einvoicing = Queue(slug="e-invoicing", name="E-invoicing", purpose="Invoices refused by a tax authority.")
    holds = Queue(slug="policy-holds", name="Policy holds", purpose="Held for a second look.")
    netherlands = LegalEntity(
        code="NL01", name="Meridian Industries NV", country="NL", currency="EUR", time_zone="Europe/Amsterdam"
    )
    germany = LegalEntity(
        code="DE01", name="Meridian Deutschland GmbH", country="DE", currency="EUR", time_zone="Europe/Berlin"
    )
    connection = Connection(slug="tax-authority", name="Tax authority", connector="en16931", owner="Tax team")
    route = Route(position=1, connection=connection, queue=einvoicing, entity=netherlands, priority=3)
    for item in (einvoicing, holds, netherlands, germany, connection, route):
        save_configuration(item, by=setup, at=SET_UP_AT, because="Set up for a test.")
    for role in ROLES:
        grant_role(role, [einvoicing, holds, netherlands, germany], by=setup, at=SET_UP_AT)
    local_clerk = person("lars", "Lars Local")
    grant(local_clerk, ROLES["clerk"], einvoicing, netherlands)
    return Cast(
        clerk=person("clara", "Clara Clerk", role="clerk"),
        second_clerk=person("cem", "Cem Clerk", role="clerk"),
        local_clerk=local_clerk,
        controller=person("conrad", "Conrad Controller", role="controller"),
        support=person("sara", "Sara Support", role="support"),
        auditor=person("anna", "Anna Auditor", role="auditor"),
        outsider=person("otto", "Otto Outsider"),
        administrator=person("ada", "Ada Administrator", is_staff=True),
        einvoicing=einvoicing,
        holds=holds,
        netherlands=netherlands,
        germany=germany,
        connection=connection,
        route=route,
    )


@pytest.fixture
def cast(db: None, new_cast: Callable[[], Cast]) -> Cast:
    return new_cast()


@pytest.fixture
def signed_in(db: None) -> Callable[[User], Client]:
    """A browser without JavaScript, signed in as that person."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
