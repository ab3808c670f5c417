"""Another broker than the one that the tests have, such as one that is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workbench.celery import app


@contextmanager
def broker_at(url: str) -> Iterator[None]:
    """Another broker for this process, with connections of its own."""
    celery: Any = app
    before = celery.conf.broker_url
    try:
        celery.conf.broker_url = celery.conf.broker_write_url = url
        celery._pool = celery.amqp._producer_pool = None
        yield
    finally:
        celery.conf.broker_url = celery.conf.broker_write_url = before
        celery._pool = celery.amqp._producer_pool = None
