from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.timezone import now

from exceptions_app.management.operators import person
from workbench.models import ApiToken


class Command(BaseCommand):
    help = "Print the bearer tokens of the API: whose, for what, until when, and when each was last used (UTC)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="USERNAME", help="only the tokens of this account")

    def handle(self, *_: Any, **options: Any) -> None:
        tokens = ApiToken.objects.select_related("user").order_by("user__username", "name")
        if options["user"]:
            tokens = tokens.filter(user=person(options["user"], option="--user").pk)
        for token in tokens:
            self.stdout.write(f"{token.user.get_username()} {token.name}: {_state(token, at=now())}")


def _state(token: ApiToken, *, at: datetime) -> str:
    until = _time(token.expires_at)
    words = [f"expired {until}" if token.expires_at and token.expires_at <= at else f"expires {until}"]
    words += [] if token.user.is_active else ["its account is not active"]
    words.append(f"last used {_time(token.last_used_at)}")
    return ", ".join(words)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"
