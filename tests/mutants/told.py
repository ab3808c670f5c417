"""What was found of each change, and of all of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.mutants.changes import Mutant

DEMANDED = 90
"""Of a hundred changes, how many a test has to notice."""


class Verdict(StrEnum):
    KILLED = "noticed"
    SURVIVED = "SURVIVED"
    ERROR = "ERROR"  # a test could not begin, and none failed: nothing was noticed
    TIME_OUT = "TIME-OUT"
    EQUIVALENT = "no other outcome"
    ILL_FORMED = "ill-formed"
    NO_CHANGE = "nothing changed"


_JUDGED = (Verdict.KILLED, Verdict.SURVIVED, Verdict.ERROR, Verdict.TIME_OUT)
"""The others are no change of what is decided, and count neither way."""


@dataclass(frozen=True, slots=True)
class Told:
    mutant: Mutant
    verdict: Verdict
    words: str = ""

    def __str__(self) -> str:
        said = f"{self.verdict:16} {self.mutant.where}: {self.mutant.what}"
        if self.verdict is Verdict.KILLED:
            return f"{said} [{self.words.rpartition('/')[2]}]"
        return f"{said} [{self.mutant.was}]" + (f" {self.words}" if self.words else "")


def share(told: Sequence[Told]) -> float:
    """Of a hundred that were judged, how many were noticed."""
    counts = Counter(one.verdict for one in told)
    judged = sum(counts[verdict] for verdict in _JUDGED)
    return 100 * counts[Verdict.KILLED] / judged if judged else 0.0


def summary(told: Sequence[Told], *, of: int, seed: int) -> list[str]:
    counts = Counter(one.verdict for one in told)
    lines = [str(one) for one in told if one.verdict in _JUDGED and one.verdict is not Verdict.KILLED]
    judged = sum(counts[verdict] for verdict in _JUDGED)
    others = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if verdict not in _JUDGED)
    lines.append(
        f"{len(told)} of {of} changes, seed {seed}: {counts[Verdict.KILLED]} of {judged} noticed, {share(told):.1f} %"
        f" where {DEMANDED} % are demanded; besides {others}"
    )
    return lines
