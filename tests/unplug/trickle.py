"""A steady trickle: every way in at its own pace, and whoever has to come again comes again."""

import heapq
import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tests.unplug.site import PATIENCE
from tests.unplug.told import Item
from tests.unplug.ways import Way

AT_ONCE = 48  # senders; while nothing answers each of them waits for its time-out
TICK = 0.02  # seconds
LONGEST_WAIT = 8  # seconds until a sender comes again, twice as long each time


class Trickle:
    """Runs between `with` and its end; at the end every sender knows what became of what it handed over."""

    def __init__(self, ways: list[Way]) -> None:
        self.items: list[Item] = []
        self._ways = ways
        self._due: list[tuple[float, int, Item]] = []  # items that come again, by when
        self._order = itertools.count()
        self._under_way: dict[Future[None], Item] = {}
        self._lock = threading.Lock()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trickle")
        self._failure: BaseException | None = None

    def __enter__(self) -> "Trickle":
        self._running.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.clear()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                self._hand_over_new(pool)
                self._hand_over_the_rest(pool)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the end
            self._failure = error

    def _hand_over_new(self, pool: ThreadPoolExecutor) -> None:
        turns = {way: time.monotonic() for way in self._ways}
        while self._running.is_set():
            now = time.monotonic()
            for way, turn in turns.items():
                if turn <= now and len(self._under_way) < AT_ONCE:
                    turns[way] = max(turn, now - 1) + 1 / way.per_second
                    if (item := way.next_item()) is not None:
                        self.items.append(item)
                        self._start(pool, item)
            self._go_on(pool)

    def _hand_over_the_rest(self, pool: ThreadPoolExecutor) -> None:
        ends_at = time.monotonic() + PATIENCE
        while self._due or self._under_way:
            if time.monotonic() > ends_at:
                left = [item.identifiers for item in self.items if not item.is_settled]
                raise AssertionError(f"Still without an answer that settles it after {PATIENCE} s: {left}")
            self._go_on(pool)

    def _go_on(self, pool: ThreadPoolExecutor) -> None:
        """Start what is due again, and see what has ended."""
        for done in [future for future in self._under_way if future.done()]:
            item = self._under_way.pop(done)
            done.result()
            if not item.is_settled:
                patience = min(2 ** (len(item.history) - 1), LONGEST_WAIT)
                due = time.monotonic() + min(item.history[-1].again_in * patience, LONGEST_WAIT)
                heapq.heappush(self._due, (due, next(self._order), item))
        while self._due and self._due[0][0] <= time.monotonic() and len(self._under_way) < AT_ONCE:
            self._start(pool, heapq.heappop(self._due)[2])
        time.sleep(TICK)

    def _start(self, pool: ThreadPoolExecutor, item: Item) -> None:
        self._under_way[pool.submit(_hand_over, item)] = item


def _hand_over(item: Item) -> None:
    item.history.append(item.way.hand_over(item))
