"""Whether every field map in use still reads and fits its canonical document; to be run after an upgrade."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.fieldmaps.declaration import MapNotUnderstood, read_text
from integrations.fieldmaps.fit import require_fit
from integrations.fieldmaps.lines import line_of
from integrations.models import ActiveFieldMap, FieldMap


class Command(BaseCommand):
    help = "Check that every field map in use can be read and fits its canonical document. Ends with 1 when not."

    def handle(self, *args: Any, **options: Any) -> None:
        used = ActiveFieldMap.objects.filter(version__isnull=False).select_related("version", "connection")
        found = [(row.connection.slug, row.version) for row in used.order_by("connection__slug", "pk") if row.version]
        faulty = 0
        for slug, version in found:
            problem = problem_of(version)
            faulty += bool(problem)
            self.stdout.write(f"{slug}: {version}: {problem or 'reads and fits'}")
        if faulty:
            raise CommandError(f"{faulty} of {len(found)} field maps in use translate nothing until they are mended.")
        self.stdout.write(f"{len(found)} field maps in use, all of them read.")


def problem_of(version: FieldMap) -> str:
    """What is wrong with a version, with its line; empty when nothing is."""
    try:
        require_fit(read_text(version.declared), direction=version.direction, object_type=version.object_type)
    except MapNotUnderstood as error:
        line = line_of(version.declared, error.place) if error.place else None
        return f"line {line}, {error.place}: {error}" if line else str(error)
    return ""
