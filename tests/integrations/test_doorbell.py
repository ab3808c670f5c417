from uuid import uuid4

import pytest
import redis
from django.conf import settings as configured
from django.db import transaction
from pytest_django.fixtures import Settings

from integrations import doorbell
from tests.broker import broker_at
from tests.scripted_server import scripted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def name(settings: Settings) -> str:
    """A task of this test alone, since others ring too."""
    settings.DOORBELL_TASK = f"test.{uuid4()}"
    return str(settings.DOORBELL_TASK)


def rings(name: str) -> int:
    with redis.Redis.from_url(configured.REDIS_URL) as client:
        return sum(name.encode() in message for message in client.lrange("celery", 0, -1))


def ring() -> None:
    with transaction.atomic():
        doorbell.ring_on_commit()


def test_ring_is_heard_after_the_commit_and_not_before(name: str):
    with transaction.atomic():
        doorbell.ring_on_commit()
        assert rings(name) == 0
    assert rings(name) == 1


def test_nothing_rings_when_the_work_was_rolled_back(name: str):
    with transaction.atomic():
        doorbell.ring_on_commit()
        transaction.set_rollback(True)
    assert rings(name) == 0


def test_broker_that_is_down_changes_nothing(name: str, caplog: pytest.LogCaptureFixture):
    with broker_at("redis://127.0.0.1:1/0"):
        ring()
    assert "The doorbell is out of order" in caplog.text
    assert rings(name) == 0


def test_broker_that_hangs_up_changes_nothing(caplog: pytest.LogCaptureFixture):
    with scripted(lambda _: None) as server, broker_at(f"redis://127.0.0.1:{server.port}/0"):
        ring()
    assert "The doorbell is out of order" in caplog.text


def test_many_rings_of_one_transaction_are_one(name: str):
    with transaction.atomic():
        for _ in range(50):
            doorbell.ring_on_commit()
    assert rings(name) == 1


def test_broker_that_failed_is_left_alone_for_a_while(name: str, caplog: pytest.LogCaptureFixture):
    with broker_at("redis://127.0.0.1:1/0"):
        for _ in range(3):
            ring()
    assert caplog.text.count("The doorbell is out of order") == 1
    ring()
    assert rings(name) == 0
    doorbell.breaker.close()
    ring()
    assert rings(name) == 1
