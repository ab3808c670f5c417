"""What came of a rehearsal, in figures, for its report, its page and the tests."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LaneResult:
    """Of one kind of target. `failed` has each check that failed, with the first few of what is wrong."""

    kind: str
    words: str
    replays: int
    effects: int
    lost: int
    doubled: int
    false_resolved: int
    waiting_for_person: int
    failed: Mapping[str, list[str]] = field(default_factory=dict)
    in_doubt: int = 0  # sent without an answer that told anything, and ended by a machine
    in_doubt_p95: float | None = None  # seconds from then until it was known
    later_than_promised: int = 0  # booked by the target beyond its settle time, after it said that it has it not


@dataclass(frozen=True, slots=True)
class Result:
    """`calm_after_seconds` is from the last blow until nothing was under way any more."""

    began_at: str
    engine: str
    seed: int
    without: str
    workers: int
    storm_seconds: float
    calm_after_seconds: float
    blows: Mapping[str, int]
    machine: Mapping[str, str]
    lanes: tuple[LaneResult, ...]
    scene: str = ""  # played instead of a storm

    def total(self, name: str) -> int:
        return sum(getattr(lane, name) for lane in self.lanes)

    @property
    def failed_checks(self) -> list[tuple[str, str]]:
        """Kind of target and check."""
        return [(lane.kind, check) for lane in self.lanes for check in lane.failed]

    @property
    def passed(self) -> bool:
        return not self.failed_checks

    @property
    def last_line(self) -> str:
        names = ("replays", "lost", "doubled", "false_resolved", "waiting_for_person")
        return " ".join(f"{name}={self.total(name)}" for name in names)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed}


def machine() -> dict[str, str]:
    return {"cores": str(os.cpu_count()), "system": platform.platform(), "python": platform.python_version()}
