"""Leaves alone for a while what just did not answer, so that not every request waits for the same time-out."""

import time


class Breaker:
    """Of one process. Its threads may meet it at once: at worst a few of them wait where one would do."""

    def __init__(self, *, rest: float) -> None:
        """`rest` in seconds from a failure until it is tried again."""
        self._rest = rest
        self._tried_again_at = 0.0

    @property
    def is_resting(self) -> bool:
        return time.monotonic() < self._tried_again_at

    def failed(self) -> None:
        self._tried_again_at = time.monotonic() + self._rest

    def close(self) -> None:
        """Try again at once."""
        self._tried_again_at = 0.0
