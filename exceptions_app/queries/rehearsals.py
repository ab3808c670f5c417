"""The latest rehearsals: of the whole, of the control, and without each safeguard."""

from collections.abc import Sequence
from dataclasses import dataclass

from exceptions_app.models import Rehearsal
from integrations.delivery.safeguards import WORDS, Safeguard


@dataclass(frozen=True, slots=True)
class WithoutSafeguard:
    """`shown`: the check that the safeguard is for failed without it, as it must; None when nobody tried yet."""

    safeguard: Safeguard
    words: str
    latest: Rehearsal | None

    @property
    def shown(self) -> bool | None:
        return None if self.latest is None else bool(self.latest.figures.get("shown"))


def latest_of(engine: Rehearsal.Engine, *, without: str = "") -> Rehearsal | None:
    return Rehearsal.objects.filter(engine=engine, without=without).order_by("-id").first()


def without_each_safeguard() -> Sequence[WithoutSafeguard]:
    return [
        WithoutSafeguard(safeguard, WORDS[safeguard], latest_of(Rehearsal.Engine.WORKBENCH, without=safeguard))
        for safeguard in Safeguard
    ]
