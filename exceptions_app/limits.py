"""How often something may happen in a time, counted in the cache, so that all processes count together."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.core.cache import cache
from redis.exceptions import RedisError

from integrations.breaker import Breaker

logger = logging.getLogger(__name__)
_CACHE_DOWN = (RedisError, OSError)
breaker = Breaker(rest=5)


@dataclass(frozen=True, slots=True)
class Counted:
    """The how manieth it was since the window opened, and in how many seconds the window closes.

    While the cache is down nothing is counted: `number` is 0, and `key` is empty.
    """

    number: int = 0
    closes_in: int = 0
    key: str = ""


def count(key: str, *, window: timedelta, at: datetime) -> Counted:
    """Count one more. The window opens with the first and closes after its time, however many come."""
    if breaker.is_resting:
        return Counted()
    seconds = ceil(window.total_seconds())
    try:
        opened = float(cache.get_or_set(f"{key}:opened", at.timestamp(), timeout=seconds) or at.timestamp())
        # A counter of its own for each window: one that the cache loses the expiry of cannot count for ever.
        counter = f"{key}:{opened:.6f}"
        number = _increase(counter, seconds=seconds)
    except _CACHE_DOWN as error:
        breaker.failed()
        logger.warning("Not counted, since the cache does not answer: %s", error)
        return Counted()
    return Counted(number, max(1, ceil(opened + seconds - at.timestamp())), counter)


def give_back(counted: Counted) -> None:
    """Uncount it, as if it had not been."""
    if not counted.key or breaker.is_resting:
        return
    try:
        cache.decr(counted.key)
    except ValueError:
        pass  # the window has closed meanwhile
    except _CACHE_DOWN as error:
        breaker.failed()
        logger.warning("Not given back, since the cache does not answer: %s", error)


def forget(key: str) -> None:
    """Close the window: the next one is the first again."""
    if breaker.is_resting:
        return
    try:
        cache.delete(f"{key}:opened")
    except _CACHE_DOWN as error:
        breaker.failed()
        logger.warning("Not forgotten, since the cache does not answer: %s", error)


def _increase(counter: str, *, seconds: int) -> int:
    try:
        return int(cache.incr(counter))
    except ValueError:  # not there yet; of several who find that, one adds it and all increase it
        cache.add(counter, 0, timeout=seconds)
        return int(cache.incr(counter))
