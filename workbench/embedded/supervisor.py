"""Keeps processes alive: what ends without being asked is started again, after a pause that grows."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from workbench.embedded.process import Process

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A process that ran this long has recovered, so its next end is a first one again.
RECOVERED_SECONDS = 60.0


@dataclass(slots=True)
class _Watched:
    process: Process
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float | None = None
    failures: int = 0


class Supervisor:
    """Watches processes that somebody else has started."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.say = say
        self._watched: list[_Watched] = []

    def watch(self, processes: Iterable[Process]) -> None:
        self._watched += [_Watched(process) for process in processes]

    def tick(self) -> bool:
        """Start again what is due; return whether a process ended or started."""
        changed = False
        for watched in self._watched:
            changed |= self._restart_when_due(watched) if watched.restart_at else self._notice_end(watched)
        return changed

    def _notice_end(self, watched: _Watched) -> bool:
        status = watched.process.exit_status()
        if status is None:
            return False
        watched.process.end_group()
        ran = time.monotonic() - watched.started_at
        watched.failures = 1 if ran >= RECOVERED_SECONDS else watched.failures + 1
        pause = _pause(watched)
        watched.restart_at = time.monotonic() + pause
        ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        name, log = watched.process.name, watched.process.log
        self.say(f"{name} {ended} after {ran:.0f} s; it starts again in {pause:g} s; see {log}")
        return True

    def _restart_when_due(self, watched: _Watched) -> bool:
        if watched.restart_at is None or time.monotonic() < watched.restart_at:
            return False
        try:
            watched.process.start()
        except OSError as error:  # such as a full disk, which holds its log
            watched.failures += 1
            watched.restart_at = time.monotonic() + _pause(watched)
            self.say(f"{watched.process.name} cannot be started and is tried again in {_pause(watched):g} s: {error}")
            return False
        watched.started_at, watched.restart_at = time.monotonic(), None
        self.say(f"{watched.process.name} started again as process {watched.process.pid}")
        return True

    def stop(self, *, seconds: float) -> list[str]:
        """Stop everything at once; return the names of those that had to be forced."""
        processes = [watched.process for watched in self._watched]
        self._watched = []
        for process in processes:
            process.ask_to_stop()
        deadline = time.monotonic() + seconds
        return [
            process.name
            for process in processes
            if not process.wait_stopped(seconds=max(0.0, deadline - time.monotonic()))
        ]


def _pause(watched: _Watched) -> float:
    """Seconds until it is started again, longer with each failure in a row."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (watched.failures - 1))
