"""Django's own command, with the event without which the database refuses another password."""

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.management.commands import changepassword
from django.db import transaction
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.machines import SETUP


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        with transaction.atomic():
            answer = super().handle(*args, **options)
            person = get_user_model().objects.get_by_natural_key(options["username"] or getpass.getuser())
            log.record(
                "person.changed",
                subject=f"person:{person.get_username()}",
                scope=SCOPE,
                actor=SETUP,
                actor_kind="machine",
                at=now(),
                summary=f"The password of {person} was set by a command on the server.",
                data={"fields": ["password"]},
            )
        return answer
