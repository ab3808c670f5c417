"""How a pull ends."""

from dataclasses import dataclass
from datetime import timedelta

ENOUGH = 90.0  # seconds after which a pull that goes well makes room for others, and goes on soon
_LONGEST = 500  # characters of what another system says


class PullFailed(Exception):
    """Nothing more could be fetched; what was stored stays stored.

    `retry_after` in seconds, when the other side said when to come again. `pauses`: to try again is of no use, or
    would do harm, until a person has changed something.
    """

    def __init__(self, problem: str, *, retry_after: float | None = None, pauses: bool = False) -> None:
        super().__init__(problem)
        self.problem = fit_to_show(problem)
        self.retry_after = retry_after
        self.pauses = pauses


class NoRoom(Exception):
    """The connection takes no more for now: what is left waits at the source. `retry_after` in seconds."""

    def __init__(self, problem: str, *, retry_after: float) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after = retry_after


class Overtaken(Exception):
    """The source was paused or set to another place while it was read; what was read last was not stored."""


@dataclass(slots=True)
class Pulled:
    """What a pull brought. `again_in`: there is more, or something is not ready yet; `notice`: what a person shall
    know although it went well."""

    taken: int = 0
    repeats: int = 0
    unusable: int = 0
    again_in: timedelta | None = None
    notice: str = ""


def fit_to_show(text: str) -> str:
    """What another system said, as one line without control characters."""
    plain = "".join(character if character.isprintable() else " " for character in text[: 2 * _LONGEST])
    return " ".join(plain.split())[:_LONGEST]
