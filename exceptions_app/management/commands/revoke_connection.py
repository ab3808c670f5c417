from typing import Any

from django.core.management.base import CommandParser

from exceptions_app.actions.grants import CONNECTION_PERMISSIONS, revoke_connection
from exceptions_app.management.operators import OperatorCommand, connection, holder


class Command(OperatorCommand):
    help = "Take a permission on a connection away from an account or a role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("permission", choices=CONNECTION_PERMISSIONS)
        parser.add_argument("holder", metavar="USERNAME|ROLE", help="the account or role; user:NAME or role:NAME")
        parser.add_argument("connection", metavar="CONNECTION", help="the connection's slug")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        of, where = holder(options["holder"]), connection(options["connection"])
        had = revoke_connection(options["permission"], of, where, **signed)
        return [f"{of} {'no longer has' if had else 'did not have'} {options['permission']} on {where}."]
