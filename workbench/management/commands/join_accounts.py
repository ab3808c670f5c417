from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.management.operators import OperatorCommand
from workbench.identities import join
from workbench.models import User


class Command(OperatorCommand):
    help = "Let a person come in by single sign-on as the account that they had before, and end the one that it made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the account that stays")
        parser.add_argument("made", help="the account that the first sign-in by the provider made; it ends")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        kept, made = (_account(options[name]) for name in ("username", "made"))
        join(kept, made, **signed)
        return [f"{made.get_username()} is inactive. Its person comes in as {kept.get_username()} from now on."]


def _account(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise CommandError(f"There is no account {username!r}.")
    return found
