"""What the simulator has done, on disk before it answers: a restart, or a kill, forgets nothing that was booked."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_FIRST_SYSTEM = "tax-authority"  # whose the lines are that were written when it was alone


class LedgerInUse(Exception):
    pass


class Ledger:
    """JSON Lines, appended and synced. Callers hold a lock.

    `record` tells apart what was booked (effect), what was tried (attempt), what the source was told (event) and how a
    system was set up by a control call (setting); `system` says whose it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.effects: list[Record] = []
        self.attempts: list[Record] = []
        self.events: list[Record] = []
        self.settings: list[Record] = []
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LedgerInUse(f"Another simulator writes {path}. End it, or choose another --ledger.") from None
        self._reload()

    def _reload(self) -> None:
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # a kill in the middle of a write: it was never answered, so it never was
            self._remember(json.loads(line))
            whole += len(line)
        self._file.truncate(whole)

    def _remember(self, record: Record) -> None:
        kinds = {
            "effect": self.effects,
            "attempt": self.attempts,
            "event": self.events,
            "setting": self.settings,
        }
        kinds[record["record"]].append(record)

    def effects_of(self, system: str) -> list[Record]:
        return [effect for effect in self.effects if effect.get("system", _FIRST_SYSTEM) == system]

    def append(self, *records: Record) -> None:
        """Write and sync, then remember. One sync for all records given."""
        self._file.write(b"".join(json.dumps(record, sort_keys=True).encode() + b"\n" for record in records))
        self._file.flush()
        os.fsync(self._file.fileno())
        for record in records:
            self._remember(record)

    def reset(self) -> None:
        self._file.truncate(0)
        os.fsync(self._file.fileno())
        for kept in (self.effects, self.attempts, self.events, self.settings):
            kept.clear()

    def close(self) -> None:
        self._file.close()
