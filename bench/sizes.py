"""How much work a run does. More of it makes the medians steadier, not the figures better."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Size:
    """Counts per round; `open_exceptions` are the lengths of the list, ascending."""

    rounds: int
    messages: int
    batch: int
    large_batch: int
    read: int
    open_exceptions: tuple[int, ...]
    pages: int
    deliveries: int
    events: int
    trail: tuple[int, ...]  # lengths of the log, ascending
    transactions: int  # of each of eight clients
    seconds: int  # of writing at a fixed rate


SIZES = MappingProxyType(
    {
        "tiny": Size(
            1, messages=2, batch=3, large_batch=6, read=2, open_exceptions=(60, 120), pages=1, deliveries=2, events=5,
            trail=(1_000, 2_000), transactions=3, seconds=1,
        ),
        "small": Size(
            3, messages=20, batch=100, large_batch=1_000, read=20, open_exceptions=(1_000, 10_000), pages=5,
            deliveries=16, events=200, trail=(10_000, 20_000), transactions=50, seconds=5,
        ),
        "full": Size(
            5, messages=50, batch=200, large_batch=5_000, read=50, open_exceptions=(1_000, 10_000, 100_000), pages=10,
            deliveries=48, events=1_000, trail=(10_000, 100_000), transactions=200, seconds=20,
        ),
        # Half an hour and 3 GB of disk: `long_trail` alone, now and then.
        "million": Size(
            5, messages=50, batch=200, large_batch=5_000, read=50, open_exceptions=(1_000, 10_000, 100_000), pages=10,
            deliveries=48, events=1_000, trail=(10_000, 100_000, 1_000_000), transactions=200, seconds=20,
        ),
    }
)  # fmt: skip
DEFAULT = "full"
