from typing import Any

from django.core.management.base import CommandParser

from exceptions_app.actions.grants import CONNECTION_PERMISSIONS, grant_connection
from exceptions_app.management.operators import OperatorCommand, connection, holder


class Command(OperatorCommand):
    help = "Let an account or a role hand messages in for a connection, or pause and resume it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("permission", choices=CONNECTION_PERMISSIONS)
        parser.add_argument("holder", metavar="USERNAME|ROLE", help="the account or role; user:NAME or role:NAME")
        parser.add_argument("connection", metavar="CONNECTION", help="the connection's slug")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        to, where = holder(options["holder"]), connection(options["connection"])
        is_new = grant_connection(options["permission"], to, where, **signed)
        return [f"{to} {'has' if is_new else 'had'} {options['permission']} on {where}{'' if is_new else ' already'}."]
