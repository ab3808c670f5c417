from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.actions.grants import add_to_role, grant_role
from exceptions_app.management.operators import OperatorCommand, add_places, add_role, person, places


class Command(OperatorCommand):
    help = "Give a role its verbs on queues and legal entities, give a person the role, or both."

    def add_arguments(self, parser: CommandParser) -> None:
        add_role(parser)
        add_places(parser)
        parser.add_argument("--to", metavar="USERNAME", help="the person who gets the role")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        role, where = options["role"], places(options)
        if not where and not options["to"]:
            raise CommandError("Say where with --queue and --entity, or to whom with --to.")
        lines = []
        if where:
            grant_role(role, where, **signed)
            lines.append(f"The role {role} holds its verbs on {', '.join(map(str, where))}.")
        if options["to"]:
            account = person(options["to"], option="--to")
            is_new = add_to_role(role, account, **signed)
            lines.append(f"{account} {'has' if is_new else 'had'} the role {role}{'' if is_new else ' already'}.")
        return lines
