"""The pieces that are unplugged, and what the installation says of itself meanwhile."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests

from tests.unplug.plant import DISK_BYTES, Plant
from tests.unplug.site import PATIENCE, POLL_SECONDS

PROCESSES = ("web", "worker", "beat", "valkey", "simulator", "postgres")
DISK = "disk"
LOOK_SECONDS = 60
NO_ANSWER_SECONDS = 1  # where none can come


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody sees who looks while a piece is away; empty where nothing answers."""

    live: int
    ready: dict[str, Any]
    page: int
    page_text: str


def look(plant: Plant, cookies: dict[str, str], *, seconds: float) -> Look:
    """As a probe of a load balancer looks, and as a person who is signed in."""
    live = _get(plant, "/livez", {}, seconds=seconds)
    ready = _get(plant, "/readyz", {}, seconds=seconds)
    page = _get(plant, "/", cookies, seconds=seconds)
    answered = ready is not None and "json" in ready.headers["Content-Type"]
    return Look(
        live=live.status_code if live is not None else 0,
        ready=ready.json() if ready is not None and answered else {},
        page=page.status_code if page is not None else 0,
        page_text=page.text if page is not None else "",
    )


def _get(plant: Plant, path: str, cookies: dict[str, str], *, seconds: float) -> requests.Response | None:
    try:
        return requests.get(plant.url + path, cookies=cookies, timeout=seconds)
    except requests.RequestException:
        return None


@dataclass(slots=True)
class Outage:
    """`ended_at` by the clock of `time.monotonic`, when the piece was given back."""

    ended_at: float = 0.0


@contextmanager
def unplugged(plant: Plant, piece: str, *, seconds: float) -> Iterator[Outage]:
    """Frozen for the first half of the time, so that it takes and does not answer; killed for the second.

    The body runs in the second half. Afterwards the supervisor starts it again, as it does after any crash.
    """
    outage = Outage()
    if piece == DISK:
        with _disk_full(plant, seconds=seconds):
            yield outage
        outage.ended_at = time.monotonic()
        return
    pid = plant.pids()[piece]
    with plant.nobody_watching():
        plant.signal_family(pid, signal.SIGSTOP)
        time.sleep(seconds / 2)
        plant.signal_family(pid, signal.SIGKILL)
        ends_at = time.monotonic() + seconds / 2
        yield outage
        time.sleep(max(0.0, ends_at - time.monotonic()))
    outage.ended_at = time.monotonic()
    plant.wait_until(lambda: plant.pids()[piece] != pid, seconds=PATIENCE)


@contextmanager
def _disk_full(plant: Plant, *, seconds: float) -> Iterator[None]:
    ends_at = time.monotonic() + seconds
    plant.fill_disk()
    try:
        time.sleep(seconds / 2)
        plant.fill_disk()
        yield
        while time.monotonic() < ends_at:
            plant.fill_disk()
            time.sleep(POLL_SECONDS)
    finally:
        plant.resize_disk(DISK_BYTES)


def is_ready(plant: Plant) -> bool:
    """Whether it serves, and misses nothing."""
    with suppress(requests.RequestException):
        answer = requests.get(f"{plant.url}/readyz", timeout=LOOK_SECONDS)
        return answer.ok and {*answer.json().values()} == {True, "ok"}
    return False
