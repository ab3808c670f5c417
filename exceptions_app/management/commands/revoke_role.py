from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.actions.grants import remove_from_role, revoke_role
from exceptions_app.management.operators import OperatorCommand, add_places, add_role, person, places


class Command(OperatorCommand):
    help = "Take a role's verbs on queues and legal entities away, or take the role from a person."

    def add_arguments(self, parser: CommandParser) -> None:
        add_role(parser)
        add_places(parser)
        parser.add_argument("--from", dest="person", metavar="USERNAME", help="the person who loses the role")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        role, where = options["role"], places(options)
        if bool(where) is bool(options["person"]):
            raise CommandError("Say where with --queue and --entity, or from whom with --from; not both.")
        if options["person"]:
            account = person(options["person"], option="--from")
            was_there = remove_from_role(role, account, **signed)
            return [f"{account} {'no longer has' if was_there else 'did not have'} the role {role}."]
        taken = revoke_role(role, where, **signed)
        return [
            f"The role {role} {'no longer holds' if place in taken else 'did not hold'} anything on {place}."
            for place in where
        ]
