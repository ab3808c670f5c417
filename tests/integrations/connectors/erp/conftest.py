import pytest
from pytest_django.fixtures import Settings

from tests.simulator_process import simulator, simulator_process

__all__ = ["simulator", "simulator_process"]


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
