"""`./run manage import_exchange_rates FILE`: the rates by which money in other currencies is compared."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.actions.exchange_rates import import_rates
from exceptions_app.management.operators import OperatorCommand


class Command(OperatorCommand):
    help = "Import exchange rates from a CSV file in the layout of the ECB's euro foreign exchange reference rates."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="such as eurofxref-hist.csv")

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        imported = import_rates(content, source=options["file"].name, **signed)
        return [f"{imported.new} rates imported; {imported.known} were known already."]
