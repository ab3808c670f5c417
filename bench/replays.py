"""Sustained replays of the whole engine by worker processes, against bare calls and against one Celery task per item.

Each worker has a connection's documents to send, since of one connection no more are under way than one claim takes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

from bench import celery_per_item
from bench.deliveries import approved, bare_calls, instant_target
from bench.figures import Figure, compare
from bench.scene import Scene, held_invoice, make_scene
from bench.servers import ROOT
from bench.sizes import Size
from exceptions_app import replays
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from workbench.environment import celery_broker

LATENCIES = (0.02, 0.2)  # seconds that the target takes
MOST_WORKERS = 2
MOST_ROUNDS = 3  # each has to prepare as many approved exceptions as it replays


def measure(size: Size) -> list[Figure]:
    """Two figures for each latency and number of workers: against bare calls, and against a task per item."""
    figures: list[Figure] = []
    crew: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        for workers in range(1, MOST_WORKERS + 1):
            crew.append(stack.enter_context(_worker()))
            stack.enter_context(_celery(workers))
            for latency in LATENCIES:
                figures += _measure(size, latency, crew)
    return figures


def _measure(size: Size, latency: float, crew: "Sequence[subprocess.Popen[str]]") -> list[Figure]:
    number, workers = size.deliveries, len(crew)
    what = f"{latency * 1000:.0f} ms, {workers} worker{'s' if workers > 1 else ''}"
    at_once = workers * replays.THREADS
    with instant_target(latency) as port:
        name = f"replays-{latency * 1000:.0f}-{workers}"
        scenes = [make_scene(f"{name}-{turn}", target_url=f"http://127.0.0.1:{port}") for turn in range(workers)]

        def against(floor: Callable[[int], Callable[[], object]], *, words: str, floor_is: str) -> Figure:
            return compare(
                "replays", words, items=number, rounds=min(size.rounds, MOST_ROUNDS), unit="per second",
                ours=lambda _: _replay(scenes, crew, number), floor=floor, floor_is=f"{floor_is}, {at_once} threads",
                counts_statements=False,
            )  # fmt: skip

        return [
            against(lambda _: bare_calls(port, number, at_once=at_once), words=what, floor_is="bare HTTP calls"),
            against(lambda _: _tasks(port, number), words=f"{what}, against Celery", floor_is="a Celery task per item"),
        ]


@contextmanager
def _worker() -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "bench.replay_worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process
        finally:
            process.stdin.close()


def _replay(scenes: Sequence[Scene], crew: "Sequence[subprocess.Popen[str]]", number: int) -> Callable[[], None]:
    shares = [number // len(scenes) + (turn < number % len(scenes)) for turn in range(len(scenes))]
    case_ids = [case for scene, share in zip(scenes, shares, strict=True) for case in approved(scene, share)]

    def replay() -> None:
        while ExceptionCase.objects.filter(pk__in=case_ids).exclude(state=State.RESOLVED).exists():
            for worker in crew:
                _say(worker, "go")
            for worker in crew:
                assert worker.stdout is not None
                if not worker.stdout.readline():
                    raise RuntimeError("A worker ended.")

    return replay


def _say(worker: "subprocess.Popen[str]", word: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


@contextmanager
def _celery(number: int) -> Iterator[None]:
    """One more worker of Celery, with as many threads as one of ours, on the run's own broker."""
    broker = celery_broker(os.environ["REDIS_URL"])
    celery_per_item.app.conf.update(broker_url=broker)
    command = [sys.executable, "-m", "celery", "-A", "bench.celery_per_item", "worker", "--pool", "threads"]
    command += ["--concurrency", str(replays.THREADS), "--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
    environment = os.environ | {"BENCH_BROKER": broker}
    with subprocess.Popen(
        [*command, "--hostname", f"bench{number}@%h"], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield
        finally:
            process.terminate()


def _tasks(port: int, number: int) -> Callable[[], None]:
    bodies = [held_invoice().payload.decode() for _ in range(number)]
    wanted = _accepted(port) + number

    def run() -> None:
        for body in bodies:
            celery_per_item.send.delay(port, body)
        while _accepted(port) < wanted:
            time.sleep(0.002)

    return run


def _accepted(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/accepted")
        return int(json.loads(connection.getresponse().read())["accepted"])
    finally:
        connection.close()
