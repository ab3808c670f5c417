"""How a cause stands: derived from what arrived and what was closed, by rules that a person can check with a pencil.

Days are those of the reader's time zone, the last of them today.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

PERIOD = 28  # days that are looked at
NEW_FOR = 7  # days after the first arrival
AT_REST = 7  # days without an open exception and without an arrival; what comes after them is a return
COMPARED = 7  # days of arrivals against as many days before
ESCALATING_FACTOR = 2
ESCALATING_LEAST = 5  # arrivals; fewer than that may double by chance


class CauseState(StrEnum):
    NEW = "new"
    ONGOING = "ongoing"
    ESCALATING = "escalating"
    REGRESSED = "regressed"
    RESOLVED = "resolved"


RULES = {
    CauseState.RESOLVED: "Nothing of it is open.",
    CauseState.NEW: f"Seen for the first time within the last {NEW_FOR} days.",
    CauseState.REGRESSED: f"It came back within the last {PERIOD} days, after {AT_REST} days or more in which none was "
    "open and none arrived.",
    CauseState.ESCALATING: f"At least {ESCALATING_LEAST} arrived in the last {COMPARED} days, and at least "
    f"{ESCALATING_FACTOR} times as many as in the {COMPARED} days before.",
    CauseState.ONGOING: "Some are open, and none of the others holds.",
}
"""In the order in which they are tried: the first that holds is the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Arrivals and closures on each of the days that are looked at, the oldest first; as many as PERIOD."""

    last_day: date
    arrived: Sequence[int]
    closed: Sequence[int]

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=len(self.arrived) - 1)

    def open_after(self, open_now: int) -> list[int]:
        """How many were open at the end of each day, reckoned back from now."""
        ends = [open_now]
        for arrived, closed in zip(self.arrived[:0:-1], self.closed[:0:-1], strict=True):
            ends.append(ends[-1] - arrived + closed)
        return ends[::-1]


def state_of(course: Course, *, open_now: int, first_seen: date) -> CauseState:
    """The first rule that holds, in the order of RULES."""
    if not open_now:
        return CauseState.RESOLVED
    if course.last_day - first_seen < timedelta(days=NEW_FOR):
        return CauseState.NEW
    if _has_come_back(course, open_now=open_now, first_seen=first_seen):
        return CauseState.REGRESSED
    return CauseState.ESCALATING if _escalates(course.arrived) else CauseState.ONGOING


def _has_come_back(course: Course, *, open_now: int, first_seen: date) -> bool:
    """Whether a rest that was long enough lies between an earlier arrival and now."""
    resting = 0
    for position, end in enumerate(course.open_after(open_now)):
        day = course.first_day + timedelta(days=position)
        rests = not end and not course.arrived[position] and day > first_seen
        resting = resting + 1 if rests else 0
        if resting == AT_REST:  # and it is open now, so something came afterwards
            return True
    return False


def _escalates(arrived: Sequence[int]) -> bool:
    lately, before = sum(arrived[-COMPARED:]), sum(arrived[-2 * COMPARED : -COMPARED])
    return lately >= ESCALATING_LEAST and lately >= ESCALATING_FACTOR * before
