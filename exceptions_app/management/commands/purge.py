"""Erase what policies of retention say, now; or only tell what would go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.timezone import now

from exceptions_app.actions.purge import Due, purge_due, what_is_due

_AT_ONCE = 1000


class Command(BaseCommand):
    help = "Erase what closed exceptions hold and policies of retention no longer keep; --dry-run tells what would go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="tell what would go, and erase nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["dry_run"]:
            found = what_is_due()
            for due in found:
                self.stdout.write(_words(due))
            if not found:
                self.stdout.write("No policy of retention is in force: nothing is erased.")
            return
        runs = purge_due(at=now(), most=_AT_ONCE)
        for run in runs:
            money = ", ".join(f"{total} {currency}" for currency, total in run.money.items()) or "no amount"
            self.stdout.write(f"{run.ref}: {run.count} exceptions, {money}, {run.under}.")
        if not runs:
            self.stdout.write("Nothing is due.")


def _words(due: Due) -> str:
    money = ", ".join(f"{total} {currency}" for currency, total in sorted(due.money.items())) or "no amount"
    kept = f" {due.kept_back} more stay: under a legal hold, needed still, or not sealed." if due.kept_back else ""
    return f"{due.policy}. Would go: {due.count} exceptions, {money}.{kept}"
