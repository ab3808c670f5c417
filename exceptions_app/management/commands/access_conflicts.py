from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exceptions_app.queries.access_conflicts import held_together


class Command(BaseCommand):
    help = "Print who holds rights that no person may hold together. Ends with 1 when somebody does, for a timer."

    def handle(self, *_: Any, **__: Any) -> None:
        found = held_together()
        for held in found:
            self.stdout.write(held.in_words)
        if found:
            people = len({held.username for held in found})
            who = "1 person holds" if people == 1 else f"{people} people hold"
            raise CommandError(f"{who} rights that no person may hold together.")
        self.stdout.write("Nobody holds rights that no person may hold together.")
