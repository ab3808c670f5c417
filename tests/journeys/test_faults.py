"""The whole installation, with its servers and workers killed at the worst moment: all ends by itself, and once."""

import os
import signal
from collections.abc import Iterator

import pytest
import redis

from tests.journeys.drill import Drill, wait_until
from tests.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def drill(stack: RunningStack) -> Iterator[Drill]:
    running = Drill.set_up(stack)
    yield running
    running.fault("none")


def wait_for_another(stack: RunningStack, name: str, killed: int) -> None:
    wait_until(lambda: stack.pids()[name] != killed)


def test_worker_killed_while_it_sends(drill: Drill, stack: RunningStack):
    ref = drill.propose("DRILL-1")
    drill.fault("slow", times=1, seconds=3)
    drill.approve(ref)
    drill.wait_for_delivery(ref, "sending")
    wait_for_another(stack, "worker", stack.kill("worker"))
    drill.assert_resolved_once(ref, "DRILL-1")


def test_target_that_books_and_does_not_answer(drill: Drill):
    ref = drill.propose("DRILL-2")
    drill.fault("timeout_after", times=1, seconds=5)
    drill.approve(ref)
    drill.assert_resolved_once(ref, "DRILL-2")
    assert len(drill.ledger("attempts", "DRILL-2")) == 1


def test_target_that_neither_books_nor_answers(drill: Drill):
    ref = drill.propose("DRILL-3")
    drill.fault("timeout_before", times=1, seconds=5)
    drill.approve(ref)
    drill.assert_resolved_once(ref, "DRILL-3")


def test_broker_emptied_with_work_in_it(drill: Drill, stack: RunningStack):
    ref = drill.propose("DRILL-4")
    worker = stack.pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        drill.approve(ref)
        with redis.Redis.from_url(stack.redis_url) as broker:
            broker.flushall()
    finally:
        os.kill(worker, signal.SIGCONT)
    drill.assert_resolved_once(ref, "DRILL-4")


def test_broker_killed_takes_no_message_and_no_approval_with_it(drill: Drill, stack: RunningStack):
    ref = drill.propose("DRILL-5")
    killed = stack.kill("valkey")
    drill.approve(ref)
    message = drill.hand_in("DRILL-6")
    wait_for_another(stack, "valkey", killed)
    drill.assert_resolved_once(ref, "DRILL-5")
    wait_until(lambda: drill.call("clerk", f"/messages/{message}")["exceptions"])


def test_database_killed_while_a_worker_sends(drill: Drill, stack: RunningStack):
    ref = drill.propose("DRILL-7")
    drill.fault("slow", times=1, seconds=3)
    drill.approve(ref)
    drill.wait_for_delivery(ref, "sending")
    wait_for_another(stack, "postgres", stack.kill("postgres"))
    drill.assert_resolved_once(ref, "DRILL-7")
    actions = [event["action"] for event in drill.call("clerk", f"/exceptions/{ref}/events")["results"]]
    assert actions.count("case.approved") == actions.count("case.resolved") == 1
