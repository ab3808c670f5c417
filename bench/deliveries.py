"""Approved documents sent by the worker's loop, confirmed by the target and settled with their exceptions."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

from django.utils.timezone import now

from bench.figures import Figure, compare
from bench.scene import Scene, hand_in, held_invoice, make_scene
from bench.servers import ROOT
from bench.sizes import Size
from exceptions_app import replays
from exceptions_app.actions import work
from exceptions_app.actions.decide import approve
from exceptions_app.actions.propose import propose_release
from exceptions_app.intake import read_messages
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State


def measure(size: Size) -> list[Figure]:
    """The floor makes as many HTTP calls with the same bodies and as many threads, and knows nothing of a database."""
    with instant_target() as port:
        scene = make_scene("deliveries", target_url=f"http://127.0.0.1:{port}")
        return [
            compare(
                "deliveries", "confirmed", items=size.deliveries, rounds=size.rounds, unit="per second",
                ours=lambda _: _carry_out(scene, size.deliveries),
                floor=lambda _: bare_calls(port, size.deliveries),
                floor_is=f"bare HTTP calls, {replays.THREADS} threads",
                counts_statements=False,  # they are in other threads
            )
        ]  # fmt: skip


@contextmanager
def instant_target(latency: float = 0.0) -> Iterator[int]:
    """The port of a target in a process of its own, so that its work is not taken from ours. `latency` in seconds."""
    command = [sys.executable, "-m", "bench.instant_target", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def _carry_out(scene: Scene, number: int) -> Callable[[], None]:
    case_ids = approved(scene, number)

    def carry_out() -> None:
        replays.carry_out_due()
        resolved = ExceptionCase.objects.filter(pk__in=case_ids, state=State.RESOLVED).count()
        if resolved != number:
            raise RuntimeError(f"{resolved} of {number} deliveries were confirmed.")

    return carry_out


def approved(scene: Scene, number: int) -> list[int]:
    """Held invoices, released by a clerk and approved by a controller; they wait in the outbox."""
    for _ in range(number):
        hand_in(scene, held_invoice())
    while read_messages(limit=100, at=now()):
        pass
    case_ids = list(ExceptionCase.objects.filter(queue=scene.queue, state=State.NEW).values_list("pk", flat=True))
    for case_id in case_ids:
        work.claim(case_id, by=scene.clerk, at=now())
        proposal = propose_release(case_id, by=scene.clerk, at=now(), because="Within the limit agreed.")
        approve(case_id, by=scene.controller, at=now(), frozen_sha256=proposal.frozen_sha256)
    return case_ids


def bare_calls(port: int, number: int, *, at_once: int = replays.THREADS) -> Callable[[], object]:
    bodies = [held_invoice().payload for _ in range(number)]

    def call(body: bytes) -> bytes:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/documents", body, {"Content-Type": "application/xml"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def calls() -> object:
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            return list(pool.map(call, bodies))

    return calls
