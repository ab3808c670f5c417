from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone

from workbench.models import User
from workbench.tokens import create_api_token


class Command(BaseCommand):
    help = "Create a bearer token for the API and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the user as whom the program acts")
        parser.add_argument("name", help="what uses the token")
        parser.add_argument("--days", type=int, help="after how many days it expires; without it, never")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        days: int | None = options["days"]
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1.")
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        try:
            _, text = create_api_token(
                user, name=options["name"], expires_at=now + timedelta(days=days) if days else None, at=now
            )
        except IntegrityError as error:
            raise CommandError(f"{user} has a token named {options['name']!r} already. Choose another name.") from error
        self.stdout.write(text)
