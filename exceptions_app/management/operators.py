"""What commands have in common that give or take access: who does it, why, and to what."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.timezone import now

from exceptions_app.actions.grants import ROLES, require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.refused import Refused, record_refused
from exceptions_app.emergency_marks import marked_as_running
from exceptions_app.models import LegalEntity, Queue
from exceptions_app.policies import NotPermitted
from integrations.models import Connection, PullSource

LONGEST_REASON = 500


class OperatorCommand(BaseCommand):
    """A command that acts for a named administrator, who says why. It is done whole or not at all.

    One that says `in_one = False` opens its own transactions, because it takes long and goes on where it was.
    """

    in_one = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the administrator who does this")
        parser.add_argument("--because", required=True, metavar="REASON", help="why; the auditor reads it")

    def handle(self, *_: Any, **options: Any) -> None:
        because = str(options["because"]).strip()
        if not because or len(because) > LONGEST_REASON:
            raise CommandError(f"--because: write a reason of 1 to {LONGEST_REASON} characters.")
        operator = person(options["by"], option="--by")
        try:
            with marked_as_running(), transaction.atomic() if self.in_one else nullcontext():
                require_administrator(operator)
                lines = self.act(options, {"by": operator, "at": now(), "because": because})
        except (Invalid, NotPermitted) as refused:
            if isinstance(refused, NotPermitted):
                self._leave_event(refused, operator)
            raise CommandError(str(refused)) from refused
        for line in lines:
            self.stdout.write(line)

    def _leave_event(self, refused: NotPermitted, operator: AbstractUser) -> None:
        """After what was begun is undone."""
        name = type(self).__module__.rpartition(".")[2]
        record_refused([Refused(what=f"command {name}", via="command", reason=refused.reason)], by=operator, at=now())

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        """Do it; returns what to print. `signed` holds by, at and because for the actions."""
        raise TypeError(f"{type(self).__name__} does nothing.")


def add_places(parser: CommandParser) -> None:
    """A verb counts only where queue and legal entity both grant it, so both can be named at once."""
    parser.add_argument("--queue", nargs="+", default=[], metavar="SLUG", help="queues")
    parser.add_argument("--entity", nargs="+", default=[], metavar="CODE", help="legal entities")


def places(options: dict[str, Any]) -> list[Queue | LegalEntity]:
    """The queues and legal entities that the options name."""
    queues = {queue.slug: queue for queue in Queue.objects.filter(slug__in=options["queue"])}
    entities = {entity.code: entity for entity in LegalEntity.objects.filter(code__in=options["entity"])}
    _all_found("queue", options["queue"], queues, Queue.objects.values_list("slug", flat=True))
    _all_found("entity", options["entity"], entities, LegalEntity.objects.values_list("code", flat=True))
    return [*queues.values(), *entities.values()]


def _all_found(option: str, asked: Sequence[str], found: Iterable[str], known: Iterable[str]) -> None:
    missing = sorted(set(asked) - set(found))
    if missing:
        raise CommandError(
            f"--{option}: there is no {missing[0]!r}. There is: {', '.join(sorted(known)) or 'nothing'}."
        )


def person(username: str, *, option: str = "username") -> AbstractUser:
    """The account of that name."""
    found = get_user_model().objects.filter(username=username).first()
    if found is None:
        raise CommandError(f"{option}: there is no account {username!r}.")
    return found


def holder(name: str) -> AbstractUser | Group:
    """The account or the role of that name; a name that is both must say which, as user:NAME or role:NAME."""
    kind, _, plain = name.rpartition(":")
    users = get_user_model().objects.filter(username=plain)
    found: list[AbstractUser | Group] = [] if kind == "role" else list(users)
    found += [] if kind == "user" else list(Group.objects.filter(name=plain))
    if kind not in ("", "user", "role") or not found:
        raise CommandError(f"There is neither an account nor a role {name!r}.")
    if len(found) > 1:
        raise CommandError(f"{plain!r} is an account and a role. Write user:{plain} or role:{plain}.")
    return found[0]


def connection(slug: str) -> Connection:
    """The connection of that name."""
    found = Connection.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Connection.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"There is no connection {slug!r}. There is: {known or 'nothing'}.")
    return found


def pull_source(slug: str) -> PullSource:
    """The source of that name."""
    found = PullSource.objects.defer("secret").filter(slug=slug).first()
    if found is None:
        known = ", ".join(PullSource.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"There is no pull source {slug!r}. There is: {known or 'nothing'}.")
    return found


def add_role(parser: CommandParser) -> None:
    parser.add_argument("role", choices=sorted(ROLES), help="the role")
