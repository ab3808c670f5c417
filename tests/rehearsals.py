"""Rehearsals as one would have kept them, for tests of who reads them."""

from datetime import datetime
from typing import Any

from exceptions_app.models import Rehearsal
from tests.cast import MORNING
from workbench.rehearsal.keep import keep
from workbench.rehearsal.result import LaneResult, Result

BLOWS = {"kill": 25, "freeze": 15, "database_restart": 2, "flush": 2, "broker_restart": 1, "toxic": 8}


def lane(kind: str = "deduplicates", **changes: Any) -> LaneResult:
    figures: dict[str, Any] = {
        "replays": 700,
        "effects": 700,
        "lost": 0,
        "doubled": 0,
        "false_resolved": 0,
        "waiting_for_person": 0,
        "failed": {},
    }
    return LaneResult(kind=kind, words=f"a target that {kind}", **(figures | changes))


def result(*lanes: LaneResult, **changes: Any) -> Result:
    told: dict[str, Any] = {
        "began_at": MORNING.isoformat(),
        "engine": "workbench",
        "seed": 1,
        "without": "",
        "workers": 4,
        "storm_seconds": 60.0,
        "calm_after_seconds": 12.5,
        "blows": BLOWS,
        "machine": {"cores": "2", "system": "Linux", "python": "3.11.2"},
    }
    return Result(lanes=lanes or (lane(),), **(told | changes))


def make_rehearsal(*lanes: LaneResult, at: datetime = MORNING, **changes: Any) -> Rehearsal:
    return keep(result(*lanes, **changes), at=at)
