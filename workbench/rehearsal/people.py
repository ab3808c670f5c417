"""The process in which the people of a rehearsal are: it prepares everything, and decides when it is told to."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from workbench.embedded.servers import python
from workbench.embedded.stack import ROOT
from workbench.rehearsal.documents import Document
from workbench.rehearsal.plant import CannotRehearse, Plant

_AS_MUCH_OF_A_LOG_AS_HELPS = 3000  # characters
_ENDED = "\0"  # no line that it prints


class People:
    def __init__(self, process: "subprocess.Popen[str]", told: IO[str], said: IO[str], log: Path) -> None:
        self._process = process
        self._told = told
        self._log = log
        self._heard: SimpleQueue[str] = SimpleQueue()
        # Heard all the time: what nobody reads would fill the pipe, and then they could not go on.
        threading.Thread(target=self._listen, args=[said], name="people", daemon=True).start()

    def expect(self, word: str) -> None:
        while (heard := self._heard.get()) not in (word, _ENDED):
            pass  # what it logs
        if heard == _ENDED:
            why = self._log.read_text(encoding="utf-8", errors="replace")[-_AS_MUCH_OF_A_LOG_AS_HELPS:]
            raise CannotRehearse(f"The people of the rehearsal broke off:\n{why}")

    def _listen(self, said: IO[str]) -> None:
        with suppress(ValueError):  # closed while it was read: they were sent home
            for line in said:
                self._heard.put(line.strip())
        self._heard.put(_ENDED)

    def begin_to_decide(self, *, seconds: float) -> None:
        self._told.write(f"{seconds}\n")
        self._told.flush()

    @property
    def is_under_way(self) -> bool:
        return self._process.poll() is None

    def wait_until_decided(self) -> None:
        self.expect("decided")


def notes_of(plant: Plant) -> Path:
    """Where they note what was acknowledged to them."""
    return plant.home.path / f"notes-{plant.run}.jsonl"


@contextmanager
def people(plant: Plant, documents: Mapping[str, list[Document]], *, seed: int) -> Iterator[People]:
    """With everything proposed that waits for a decision. Raises CannotRehearse."""
    plan, log = plant.home.path / "plan.json", plant.home.logs / "people.log"
    content = {
        "seed": seed,
        "notes": str(notes_of(plant)),
        "targets": {
            kind: {"url": target.url, "token": target.token}
            for kind, target in plant.targets.items()
            if kind in documents
        },
        "documents": {kind: [asdict(document) for document in found] for kind, found in documents.items()},
    }
    plan.write_text(json.dumps(content), encoding="utf-8")
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - a command of our own
            python("manage.py", "rehearsal_desk", str(plan)),
            cwd=ROOT,
            env=plant.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise CannotRehearse("The people of the rehearsal cannot be spoken to.")
        try:
            found = People(process, process.stdin, process.stdout, log)
            found.expect("ready")
            yield found
        finally:
            process.kill()
