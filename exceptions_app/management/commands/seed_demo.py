"""The demonstration: four people and an administrator, two legal entities, two queues, some thirty exceptions."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.timezone import now

from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import ROLES, add_to_role, grant_connection, grant_role
from exceptions_app.demo_people import PEOPLE
from exceptions_app.demo_story import tell
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, LegalEntity, Queue, Route
from integrations import inbox
from integrations.demo.messages import DemoMessage, demo_messages
from integrations.models import Connection, InboxMessage

# The sources' own account: it hands messages in by the API and can do nothing else.
SOURCE = "billing"
SEED = 1


class Command(BaseCommand):
    help = "Fill an empty workbench with the demonstration. Does nothing when it is there already."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--print-logins", action="store_true", help="Print who can sign in.")

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.PROFILE == "production":
            raise CommandError("The demonstration has known passwords; it is not for production.")
        with transaction.atomic():
            if not Connection.objects.exists():
                _set_up(at=now() - timedelta(days=20))
                _take_messages_in(at=now())
            _point_to_simulator(at=now())
        # One transaction each from here on, as in daily work.
        if not ExceptionCase.objects.exists():
            _read_each_when_it_came()
            tell(clerk=_person("clerk"), controller=_person("controller"), at=now())
        if options["print_logins"]:
            self._print_logins()

    def _print_logins(self) -> None:
        for who in PEOPLE:
            name = f"{who.given_name} {who.family_name}"
            self.stdout.write(f"  {who.username:<14} password {who.password:<26} {name}, {who.role}")


def _person(username: str) -> AbstractUser:
    return get_user_model().objects.get(username=username)


def _set_up(*, at: datetime) -> None:
    setup = machine(SETUP)
    for who in PEOPLE:
        administrator = who.username == "administrator"
        person = get_user_model().objects.create_user(
            who.username,
            password=who.password,
            first_name=who.given_name,
            last_name=who.family_name,
            is_staff=administrator,
            is_superuser=administrator,
            time_zone="Europe/Amsterdam",
            email=f"{who.username}@meridian.example",
        )
        if not administrator:
            grant_role(who.username, (), by=setup, at=at)
            add_to_role(who.username, person, by=setup, at=at)
    get_user_model().objects.create_user(SOURCE, first_name="Billing platform")
    places = _organisation(setup, at=at)
    for role in ROLES:
        grant_role(role, places, by=setup, at=at, because="Demonstration")


def _organisation(setup: AbstractUser, *, at: datetime) -> list[Queue | LegalEntity]:
    compliance = Queue(slug="e-invoicing", name="E-invoicing", purpose="Invoices that a tax authority refused.")
    holds = Queue(slug="holds", name="Holds", purpose="Transactions held before sending by a policy or a screening.")
    dutch = LegalEntity(
        code="NL01", name="Meridian Industries NV", country="NL", currency="EUR", time_zone="Europe/Amsterdam"
    )
    german = LegalEntity(
        code="DE01", name="Meridian Deutschland GmbH", country="DE", currency="EUR", time_zone="Europe/Berlin"
    )
    for place in (compliance, holds, dutch, german):
        save_configuration(place, by=setup, at=at, because="Demonstration")
    administrator, source = _person("administrator"), _person(SOURCE)
    for entity, slug, name in (
        (dutch, "billing-nl", "Billing Netherlands"),
        (german, "billing-de", "Billing Germany"),
    ):
        connection = Connection(
            slug=slug, name=name, connector="en16931", owner="Billing platform team", watched_folder=slug
        )
        save_configuration(connection, by=setup, at=at, because="Demonstration")
        for permission, account in (("ingest_messages", source), ("configure_connection", administrator)):
            grant_connection(permission, account, connection, by=setup, at=at, because="Demonstration")
        _routes(connection, entity, compliance, holds, setup, at=at)
    return [compliance, holds, dutch, german]


def _routes(
    connection: Connection, entity: LegalEntity, compliance: Queue, holds: Queue, setup: AbstractUser, *, at: datetime
) -> None:
    position = 10 * (Route.objects.count() + 1)
    for step, (category, queue, priority) in enumerate((("policy_hold", holds, 2), ("", compliance, 3))):
        route = Route(
            position=position + step,
            connection=connection,
            category=category,
            queue=queue,
            entity=entity,
            priority=priority,
        )
        save_configuration(route, by=setup, at=at, because="Demonstration")


def _take_messages_in(*, at: datetime) -> None:
    connections = {connection.slug: connection for connection in Connection.objects.all()}
    messages = demo_messages(seed=SEED, today=at.date())
    for message in sorted(messages, key=lambda message: -_hours_ago(message)):
        inbox.receive(
            connections[message.connection_slug],
            inbox.HandedIn(
                external_id=message.id,
                payload=message.payload,
                payload_media_type="application/xml",
                refusal=message.refusal,
                refusal_media_type=message.refusal_media_type,
            ),
            via=InboxMessage.Via.API,
            by=message.connection_slug,
            at=at - timedelta(hours=_hours_ago(message)),
        )


def _hours_ago(message: DemoMessage) -> float:
    """The generator spreads the messages over weeks; a team that keeps up has a few days' work before it."""
    return message.received_days_ago * 4.5 + message.position * 0.1


def _read_each_when_it_came() -> None:
    for received_at in InboxMessage.objects.order_by("pk").values_list("received_at", flat=True):
        intake.read_messages(limit=1, at=received_at + timedelta(seconds=4))


def _point_to_simulator(*, at: datetime) -> None:
    """The simulator may have another port than last time."""
    if not settings.SIMULATOR_URL:
        return
    for connection in Connection.objects.all():
        wanted = {
            "target_url": f"{settings.SIMULATOR_URL}/tax-authority",
            "target_token": settings.SIMULATOR_TOKEN,
            "write_back_url": f"{settings.SIMULATOR_URL}/source/webhook",
            "write_back_secret": settings.SIMULATOR_WEBHOOK_SECRET,
        }
        if any(getattr(connection, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(connection, name, value)
            save_configuration(connection, by=machine(SETUP), at=at, because="The simulator's address")
