"""Keeping what a rehearsal showed, where whoever answers for replay finds it."""

from datetime import datetime

from exceptions_app.models import Rehearsal
from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.plan import PROOFS
from workbench.rehearsal.result import Result


def keep(result: Result, *, at: datetime) -> Rehearsal:
    return Rehearsal.objects.create(
        began_at=datetime.fromisoformat(result.began_at),
        engine=result.engine,
        seed=result.seed,
        without=result.without,
        passed=result.passed,
        replays=result.total("replays"),
        lost=result.total("lost"),
        doubled=result.total("doubled"),
        false_resolved=result.total("false_resolved"),
        waiting_for_person=result.total("waiting_for_person"),
        figures=result.as_json() | _shown(result),
        kept_at=at,
    )


def _shown(result: Result) -> dict[str, object]:
    """Of a rehearsal without a safeguard: which check it is for, and whether that failed, as it must."""
    if not result.without:
        return {}
    proof = PROOFS[Safeguard(result.without)]
    return {
        "proof": {"kind": proof.kind, "check": proof.check},
        "shown": (proof.kind, proof.check) in result.failed_checks,
    }
