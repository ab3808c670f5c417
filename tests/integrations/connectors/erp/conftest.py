import pytest
from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
