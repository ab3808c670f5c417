from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exceptions_app.management.operators import person
from exceptions_app.queries.grants import Holder, grants_of


class Command(BaseCommand):
    help = "Print who may do what where: everybody and every role, or one of them."

    def add_arguments(self, parser: CommandParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--user", metavar="USERNAME", help="this person, with their roles")
        only.add_argument("--role", metavar="ROLE", help="this role, with the people who have it")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["user"]:
            account = person(options["user"], option="--user")
            self._write(_lines_of_person(account))
            for role in account.groups.order_by("name"):
                self._write(_lines_of_role(role))
        elif options["role"]:
            found = Group.objects.filter(name=options["role"]).first()
            if found is None:
                raise CommandError(f"--role: there is no role {options['role']!r}.")
            self._write(_lines_of_role(found))
        else:
            for role in Group.objects.order_by("name"):
                self._write(_lines_of_role(role))
            for account in get_user_model().objects.order_by("username"):
                self._write(_lines_of_person(account))

    def _write(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _lines_of_role(role: Group) -> Iterator[str]:
    people = get_user_model().objects.filter(groups=role).order_by("username").values_list("username", flat=True)
    yield f"role {role.name}: {', '.join(people) or 'nobody'}"
    yield from _lines_of_grants(role)


def _lines_of_person(account: AbstractUser) -> Iterator[str]:
    roles = ", ".join(account.groups.order_by("name").values_list("name", flat=True))
    words = [f"roles: {roles or 'none'}"]
    words += ["staff"] if account.is_staff else []
    words += [] if account.is_active else ["not active"]
    yield f"person {account.get_username()} ({'; '.join(words)})"
    yield from _lines_of_grants(account)


def _lines_of_grants(holder: Holder) -> Iterator[str]:
    for granted in grants_of(holder):
        yield f"  {granted.kind} {granted.place}: {', '.join(granted.permissions)}"
