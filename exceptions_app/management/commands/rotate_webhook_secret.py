from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.actions.connections import rotate_webhook_secret
from exceptions_app.management.operators import OperatorCommand, connection

MOST_HOURS = 24 * 30


class Command(OperatorCommand):
    help = "Make a new secret for the webhooks of a connection and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connection", help="the name of the connection")
        parser.add_argument(
            "--hours", type=int, default=24, help=f"how long the old secret is taken too; 0 to {MOST_HOURS}"
        )
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        hours: int = options["hours"]
        if not 0 <= hours <= MOST_HOURS:
            raise CommandError(f"--hours must be between 0 and {MOST_HOURS}.")
        found = connection(options["connection"])
        return [rotate_webhook_secret(found.pk, old_until=signed["at"] + timedelta(hours=hours), **signed)]
