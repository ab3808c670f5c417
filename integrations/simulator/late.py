"""What is to take effect later: after so many seconds, or as soon as somebody asks for it."""

import threading
from collections.abc import Callable


class Late:
    """Everything once, in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_once = threading.Event()
        self._waiting: list[threading.Thread] = []

    def begin(self, seconds: float, do: Callable[[], None]) -> None:
        with self._lock:
            waiting = threading.Thread(target=_wait_and_do, args=(self._at_once, seconds, do), daemon=True)
            self._waiting = [thread for thread in self._waiting if thread.is_alive()]
            self._waiting.append(waiting)
            waiting.start()

    def hurry(self) -> None:
        """Return when all that waits is done, at once instead of when its time comes."""
        with self._lock:
            due, self._waiting = self._waiting, []
            self._at_once.set()
            self._at_once = threading.Event()
        for thread in due:
            thread.join()


def _wait_and_do(at_once: threading.Event, seconds: float, do: Callable[[], None]) -> None:
    at_once.wait(seconds)
    do()
