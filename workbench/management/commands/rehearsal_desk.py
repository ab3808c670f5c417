import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.delivery.safeguards import NotARehearsal, require_rehearsal
from workbench.rehearsal.desk import decide_all
from workbench.rehearsal.documents import Document
from workbench.rehearsal.lanes import LANES
from workbench.rehearsal.stage import Waiting, bring_in, set_up


class Command(BaseCommand):
    """Prints `ready` once everything waits for a decision, and decides when a line with the seconds comes in."""

    help = "The people of a rehearsal. Started by `rehearse` inside its private installation; refuses anywhere else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "plan", type=Path, help="JSON: targets and documents by lane, seed, and the file to note in"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            require_rehearsal("play its people")
        except NotARehearsal as refused:
            raise CommandError(str(refused)) from None
        plan = json.loads(options["plan"].read_text(encoding="utf-8"))
        scene = set_up([LANES[kind] for kind in plan["documents"]], plan["targets"], timeout=plan["timeout"])
        waiting: list[Waiting] = []
        for kind, documents in plan["documents"].items():
            waiting += bring_in(scene, kind, [Document(**document) for document in documents])
        print("ready", flush=True)
        seconds = float(sys.stdin.readline())
        with Path(plan["notes"]).open("a", encoding="utf-8") as notes:

            def note(word: str, item: Waiting) -> None:
                notes.write(
                    json.dumps({"word": word, "case": item.case_id, "reference": item.document.reference}) + "\n"
                )
                notes.flush()

            decide_all(waiting, scene, seconds=seconds, seed=plan["seed"], note=note)
        print("decided", flush=True)
