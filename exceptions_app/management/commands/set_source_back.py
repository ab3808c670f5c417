from typing import Any

from django.core.management.base import CommandParser

from exceptions_app.actions.pull_sources import set_back
from exceptions_app.management.operators import OperatorCommand, pull_source


class Command(OperatorCommand):
    help = "Read a source again from a cursor, or from its start; what came before is recognised."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help="the source, by its name in commands")
        parser.add_argument("--cursor", default="", metavar="TEXT", help="where to begin; without it at the start")
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        source = set_back(pull_source(options["source"]).pk, cursor=options["cursor"], **signed)
        return [f"{source} is read again from {options['cursor'] or 'its start'}."]
