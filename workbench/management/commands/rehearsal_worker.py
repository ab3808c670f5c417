import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection as database

from integrations.delivery.safeguards import NotARehearsal, Safeguard, remove, require_rehearsal
from workbench.celery import app
from workbench.rehearsal.orders import Ordered
from workbench.rehearsal.pauses import Pauses


class Command(BaseCommand):
    """The product's own worker. What differs is said here: a safeguard may be missing, and it may pause to think."""

    help = "A worker of a rehearsal. Started by `rehearse` inside its private installation; refuses anywhere else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--without", choices=[safeguard.value for safeguard in Safeguard], default="")
        parser.add_argument("--pause-before-sending", type=float, default=0.0, help="seconds, at most")
        parser.add_argument("--pause-after-asking", type=float, default=0.0, help="the share of look-ups")
        parser.add_argument("--by-orders", action="store_true", help="work step by step, as standard input says")
        parser.add_argument("--processes", type=int, default=2)
        parser.add_argument("--name", default="worker")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            require_rehearsal("play its workers")
            if options["without"]:
                remove(Safeguard(options["without"]))
        except NotARehearsal as refused:
            raise CommandError(str(refused)) from None
        database.close()
        if options["by_orders"]:
            Ordered().obey(sys.stdin)
            return
        Pauses(before_sending=options["pause_before_sending"], after_asking=options["pause_after_asking"]).arm()
        app.worker_main(
            [
                "worker",
                *("--loglevel", "WARNING", "--concurrency", str(options["processes"])),
                *("--hostname", f"{options['name']}@rehearsal"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ]
        )
