from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError

from exceptions_app.management.operators import OperatorCommand
from workbench.models import User
from workbench.tokens import DEFAULT_DAYS, MOST_DAYS, create_api_token


class Command(OperatorCommand):
    help = "Create a bearer token for the API and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the user as whom the program acts")
        parser.add_argument("name", help="what uses the token")
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help=f"when it expires; at most {MOST_DAYS}")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        days: int = options["days"]
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days must be between 1 and {MOST_DAYS}.")
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        if not user.is_active:
            raise CommandError(f"{user} is not active, so no token of theirs would work.")
        try:
            _, text = create_api_token(
                user, name=options["name"], expires_at=signed["at"] + timedelta(days=days), **signed
            )
        except IntegrityError as error:
            raise CommandError(f"{user} has a token named {options['name']!r} already. Choose another name.") from error
        return [text]
