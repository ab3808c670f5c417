"""How long things took beside what is aimed at: told at the end, and no reason to fail on a busy machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    drill: str
    what: str
    seconds: float
    aim: float

    def line(self) -> str:
        word = "within" if self.seconds <= self.aim else "beyond"
        return f"{self.drill}: {self.what}: {self.seconds:.2f} s, {word} the {self.aim:g} s that are aimed at"


def percentile(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
