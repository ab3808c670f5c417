"""`./run manage restored`: what has to be done once after a restore, before anything is sent again."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from exceptions_app.actions.restoration import Restored, StillAtWork, note_restoration
from exceptions_app.management.operators import OperatorCommand
from integrations.delivery import Doubted

HOURS = 24
NEXT = (
    "Next: start the workers, compare with the targets (./run manage compare), look at what it finds, and only then "
    "let sending go on, under Connections."
)


class Command(OperatorCommand):
    help = "Stop all sending after a restore, and have all that may have been sent since asked about before it is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sources-repeat-for",
            type=int,
            default=HOURS,
            metavar="HOURS",
            help=f"how long sources may hand in again what the backup does not have ({HOURS})",
        )
        super().add_arguments(parser)

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        try:
            done = note_restoration(sources_repeat_for=timedelta(hours=options["sources_repeat_for"]), **signed)
        except StillAtWork as refused:
            raise CommandError(str(refused)) from refused
        return _told(done)


def _told(done: Restored) -> list[str]:
    lines = [_told_of(one) for one in done.doubted] or ["Nothing was under way in the backup."]
    until = f"{done.restoration.repeats_until:%Y-%m-%d %H:%M} UTC"
    also = f"So is whatever else is in the backup or comes in until {until}, once it is to be sent."
    return ["All sending is stopped.", *lines, also, NEXT]


def _told_of(one: Doubted) -> str:
    sent = f" ({one.was_sent} of them sent before the backup)" if one.was_sent else ""
    if one.can_be_asked:
        return f"{one.connection.slug}: {one.number} under way{sent}; the target is asked before anything is sent."
    return (
        f"{one.connection.slug}: {one.number} under way{sent}; the target cannot be asked, so they are of unknown"
        " outcome until people have found out and stated it."
    )
