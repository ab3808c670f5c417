"""A process of the rehearsal that is spoken to, and speaks, line by line."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from workbench.embedded.servers import python
from workbench.embedded.stack import ROOT
from workbench.rehearsal.plant import CannotRehearse, Plant

_AS_MUCH_OF_A_LOG_AS_HELPS = 3000  # characters
_ENDED = "\0"  # no line that it prints


class Spoken:
    """`name` says in an error who broke off; `log` is where its process writes its errors."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", told: IO[str], said: IO[str], log: Path) -> None:
        self._name, self._process, self._told, self._log = name, process, told, log
        self._heard: SimpleQueue[str] = SimpleQueue()
        # Heard all the time: what nobody reads would fill the pipe, and then it could not go on.
        threading.Thread(target=self._listen, args=[said], name=name, daemon=True).start()

    def _listen(self, said: IO[str]) -> None:
        with suppress(ValueError):  # closed while it was read: the rehearsal is over
            for line in said:
                self._heard.put(line.strip())
        self._heard.put(_ENDED)

    def tell(self, line: str) -> None:
        self._told.write(f"{line}\n")
        self._told.flush()

    def expect(self, *words: str) -> None:
        """Return when it said one of them, past all else that it says. Raises CannotRehearse once it ended."""
        while (heard := self._heard.get()) not in words:
            if heard == _ENDED:
                why = self._log.read_text(encoding="utf-8", errors="replace")[-_AS_MUCH_OF_A_LOG_AS_HELPS:]
                raise CannotRehearse(f"The {self._name} broke off where “{words[0]}” was expected:\n{why}")

    @property
    def is_under_way(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Returns when it is dead."""
        self._process.kill()
        self._process.wait()


@contextmanager
def spoken_to(plant: Plant, *command: str, name: str, log: str) -> Iterator[Spoken]:
    """The management command in a process of its own, killed at the end. Raises CannotRehearse."""
    where = plant.home.logs / log
    with (
        where.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - a command of our own
            python("manage.py", *command),
            cwd=ROOT,
            env=plant.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            if process.stdin is None or process.stdout is None:
                raise CannotRehearse(f"The {name} cannot be spoken to.")
            yield Spoken(name, process, process.stdin, process.stdout, where)
        finally:
            process.kill()
