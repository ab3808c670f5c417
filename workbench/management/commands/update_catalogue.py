from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workbench.catalogue import faults_of, messages_of, read_catalogue, statistics, updated, write_catalogue
from workbench.languages import ENGLISH, compile_catalogues


class Command(BaseCommand):
    help = (
        "Bring the catalogue of a language up to date with what templates and Python say: translations are kept, new "
        "messages are added empty, and what is said nowhere any more is left out. Sorted, and without line numbers."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        languages = [code for code, _ in settings.LANGUAGES if code != ENGLISH]
        parser.add_argument("--language", choices=languages, default=languages[0])
        parser.add_argument("--check", action="store_true", help="Change nothing; fail, and say what is missing.")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.CATALOGUES / options["language"] / "LC_MESSAGES" / "django.po"
        found = messages_of(settings.BASE_DIR)
        before = read_catalogue(path)
        if options["check"]:
            faults = faults_of(before, found)
            if faults:
                raise CommandError("\n".join([*faults, f"{len(faults)} faults in {path}"]))
            return
        after = updated(before, found)
        write_catalogue(path, after)
        compile_catalogues(settings.CATALOGUES, settings.LOCALE_PATHS[0])
        most, translated = statistics(after, found)
        self.stdout.write(f"{most} messages, {translated} of them translated: {path}")
