"""The demonstration: a few people, two legal entities, and the exceptions of billing, an ERP and a bank."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.timezone import now

from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.demo_emergency import tell_of_an_emergency
from exceptions_app.demo_front_door import hand_deals_over
from exceptions_app.demo_organisation import TARGETS, set_up_organisation
from exceptions_app.demo_other_kinds import tell_of_postings_and_payments
from exceptions_app.demo_people import PEOPLE
from exceptions_app.demo_story import tell
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase
from integrations import inbox
from integrations.demo.messages import DemoMessage, demo_messages
from integrations.demo.partners import demo_partners
from integrations.demo.payments import demo_payments, setup_of_bank
from integrations.demo.postings import demo_postings, unreadable_posting
from integrations.demo.targets import erp_change
from integrations.http import exchange
from integrations.models import Connection, InboxMessage

SEED = 1
CONTROL_TIMEOUT = 10.0  # seconds


class Command(BaseCommand):
    help = "Fill an empty workbench with the demonstration. Does nothing when it is there already."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--print-logins", action="store_true", help="Print who can sign in.")

    def handle(self, *_: Any, **options: Any) -> None:
        if settings.PROFILE == "production":
            raise CommandError("The demonstration has known passwords; it is not for production.")
        with transaction.atomic():
            if not Connection.objects.exists():
                set_up_organisation(by=machine(SETUP), at=now() - timedelta(days=20))
                _take_messages_in(at=now())
                hand_deals_over(by=machine(SETUP), at=now())
                _set_up_simulator(today=now().date())
            _point_to_simulator(at=now())
        # One transaction each from here on, as in daily work.
        if not ExceptionCase.objects.exists():
            _read_each_when_it_came()
            controller = _person("controller")
            tell(clerk=_person("clerk"), controller=controller, at=now())
            accountant, treasurer = _person("accountant"), _person("treasurer")
            tell_of_postings_and_payments(accountant=accountant, treasurer=treasurer, controller=controller, at=now())
            tell_of_an_emergency(standby=_person("standby"), controller=controller, at=now())
        if options["print_logins"]:
            self._print_logins()

    def _print_logins(self) -> None:
        for who in PEOPLE:
            name = f"{who.given_name} {who.family_name}"
            self.stdout.write(f"  {who.username:<14} password {who.password:<26} {name}, {who.role}")


def _person(username: str) -> AbstractUser:
    return get_user_model().objects.get(username=username)


def _take_messages_in(*, at: datetime) -> None:
    connections = {connection.slug: connection for connection in Connection.objects.all()}
    today = at.date()
    messages = demo_messages(seed=SEED, today=today)
    messages += [*demo_postings(today=today), *demo_payments(today=today), *demo_partners(today=today)]
    messages.append(unreadable_posting(today=today))
    for message in sorted(messages, key=lambda message: -_hours_ago(message)):
        inbox.receive(
            connections[message.connection_slug],
            inbox.HandedIn(
                external_id=message.id,
                payload=message.payload,
                payload_media_type=message.payload_media_type,
                refusal=message.refusal,
                refusal_media_type=message.refusal_media_type,
                refusal_status=message.refusal_status,
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


def _set_up_simulator(*, today: date) -> None:
    """The ERP and the bank as they were when they refused what comes in now."""
    if not settings.SIMULATOR_URL:
        return
    for system, change in (("erp", erp_change(today)), ("bank", setup_of_bank(today))):
        with _quietly("integrations.http"):
            answer = exchange(
                "POST",
                f"{settings.SIMULATOR_URL}/control/{system}",
                headers={"Content-Type": "application/json"},
                body=json.dumps(change).encode(),
                timeout=CONTROL_TIMEOUT,
            )
        if answer.status != 200:
            raise CommandError(f"The simulated {system} could not be set up: {answer.detail or answer.status}.")


@contextmanager
def _quietly(name: str) -> Iterator[None]:
    """What this command prints are the logins; a log line of a call that went well does not belong among them."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _point_to_simulator(*, at: datetime) -> None:
    """The simulator may have another port than last time."""
    if not settings.SIMULATOR_URL:
        return
    for connection in Connection.objects.all():
        wanted = {
            "target_url": f"{settings.SIMULATOR_URL}/{TARGETS[connection.connector]}",
            "target_token": settings.SIMULATOR_TOKEN,
            "write_back_url": f"{settings.SIMULATOR_URL}/source/webhook",
            "write_back_secret": settings.SIMULATOR_WEBHOOK_SECRET,
        }
        if any(getattr(connection, name) != value for name, value in wanted.items()):
            for name, value in wanted.items():
                setattr(connection, name, value)
            save_configuration(connection, by=machine(SETUP), at=at, because="The simulator's address")
