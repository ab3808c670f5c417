from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now

from exceptions_app.management.operators import pull_source
from integrations.models import PullSource
from integrations.pull import sources


class Command(BaseCommand):
    help = "Fetch from one source now, whether it is due or not, and say what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", required=True, metavar="SLUG", help="the source, by its name in commands")

    def handle(self, *_: Any, **options: Any) -> None:
        source = pull_source(options["source"])
        if source.is_paused:
            raise CommandError(f"{source} is paused: {source.paused_because} Resume it on its page first.")
        pulled = sources.pull(source.pk, at=now())
        after = PullSource.objects.defer("secret").get(pk=source.pk)
        if pulled is None:
            raise CommandError(after.last_problem or "Another puller is at work; try again in a moment.")
        self.stdout.write(f"{pulled.taken} new, {pulled.repeats} again, {pulled.unusable} could not be taken in.")
        if after.last_problem:
            self.stdout.write(after.last_problem)
