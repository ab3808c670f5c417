import signal
import sys
from argparse import ArgumentParser
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.keep import keep
from workbench.rehearsal.lanes import BY_DEFAULT, LANES
from workbench.rehearsal.plan import MINUTES, REPLAYS, Plan, plan_without
from workbench.rehearsal.plant import CannotRehearse
from workbench.rehearsal.rehearse import rehearse
from workbench.rehearsal.report import lines_of

MOST_REPLAYS = 20_000
MOST_MINUTES = 60.0


class Command(BaseCommand):
    """Exits with 1 when a check fails, so that a pipeline can stop there."""

    help = (
        "Replay invented exceptions while workers are killed and frozen, servers restarted and connections cut, in a "
        "private installation that is thrown away, and count what the targets booked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--replays", type=int, default=REPLAYS, help=f"how many, by default {REPLAYS}")
        parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of storm, by default {MINUTES:g}")
        parser.add_argument("--seed", type=int, default=1, help="decides the faults and the moments, by default 1")
        parser.add_argument(
            "--kind", action="append", choices=LANES, help="of target; several times for several; by default all"
        )
        parser.add_argument("--engine", choices=("workbench", "naive"), default="workbench")
        parser.add_argument(
            "--without", choices=[safeguard.value for safeguard in Safeguard], help="leave one safeguard out"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_configured_database()
        plan = _plan(options)
        signal.signal(signal.SIGTERM, _stop)
        try:
            result = rehearse(plan, say=self._say)
        except CannotRehearse as error:
            raise CommandError(str(error)) from None
        if settings.APPLICATION_DATABASE:
            keep(result, at=now())
        self.stdout.write("\n".join(lines_of(result)))
        if not result.passed:
            sys.exit(1)

    def _say(self, words: str) -> None:
        self.stdout.write(f"[{datetime.now().astimezone():%H:%M:%S}] {words}")
        self.stdout.flush()


def _refuse_configured_database() -> None:
    """It never comes near one, and a machine on which business is done is no place for a storm."""
    if settings.APPLICATION_DATABASE and "postgres" not in settings.EMBEDDED_SERVERS:
        raise CommandError(
            "DATABASE_URL names a database. A rehearsal makes a private installation and kills its processes at will; "
            "run it on a machine where none is configured."
        )


def _plan(options: dict[str, Any]) -> Plan:
    replays, minutes, seed = options["replays"], options["minutes"], options["seed"]
    if not 1 <= replays <= MOST_REPLAYS:
        raise CommandError(f"--replays: write a number from 1 to {MOST_REPLAYS}.")
    if not 0 < minutes <= MOST_MINUTES:
        raise CommandError(f"--minutes: write a number above 0, up to {MOST_MINUTES:g}.")
    if options["without"]:
        if options["kind"] or options["engine"] == "naive":
            raise CommandError("--without: it decides the kind of target and the engine, so leave those out.")
        return plan_without(Safeguard(options["without"]), seed=seed)
    naive = options["engine"] == "naive"
    kinds = tuple(dict.fromkeys(options["kind"] or (BY_DEFAULT[:1] if naive else BY_DEFAULT)))
    if replays < len(kinds):
        raise CommandError("--replays: write at least one for each kind of target.")
    return Plan(replays=replays, minutes=minutes, seed=seed, kinds=kinds, naive=naive)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Everything private ends, and is removed, on the way out."""
    del frame
    sys.exit(128 + number)
