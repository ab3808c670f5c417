"""Workers that pause at the worst moments, as one does that is swapped out or collects its garbage.

Between the intent to send and the first byte, so long that a freeze is likely to hit it there; and after a look-up,
for longer than the lease, so that another worker takes the delivery over meanwhile.
"""

import time
from random import Random
from typing import Final

from integrations import crash_points
from integrations.crash_points import Point
from workbench.rehearsal.plan import TIMEOUT

LONGER_THAN_THE_LEASE: Final = 4.0 * TIMEOUT + 1.5  # seconds
_UNTIL_ANOTHER_IS_AT_WORK: Final = LONGER_THAN_THE_LEASE + 2.0  # a sweep finds what is due within two seconds


class Pauses:
    """Both in this process and in those that it forks; each draws for itself, as their pauses differ."""

    def __init__(self, *, before_sending: float, after_asking: float) -> None:
        """`before_sending` in seconds, at most; `after_asking` is the share of look-ups."""
        self._before_sending = before_sending
        self._after_asking = after_asking

    def arm(self) -> None:
        crash_points.arm(self._pause)

    def _pause(self, point: Point) -> None:
        draw = Random()  # noqa: S311 - nothing secret
        if point is Point.SEND_INTENDED:
            time.sleep(draw.random() * self._before_sending)
        elif point is Point.PROBE_NOTED and draw.random() < self._after_asking:
            time.sleep(_UNTIL_ANOTHER_IS_AT_WORK)
