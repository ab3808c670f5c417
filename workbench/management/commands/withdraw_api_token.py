from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.management.operators import OperatorCommand
from workbench.models import User
from workbench.tokens import withdraw_api_token


class Command(OperatorCommand):
    help = "Withdraw a bearer token of the API. It is refused from the next request on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the user as whom the program acts")
        parser.add_argument("name", help="the token's name, from list_api_tokens")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        if not withdraw_api_token(user, name=options["name"], **signed):
            raise CommandError(f"{user} has no token named {options['name']!r}.")
        return [f"The token {options['name']} of {user} is withdrawn."]
