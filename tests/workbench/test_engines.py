"""Which PostgreSQL and which broker the tests run on. Who expects certain ones says so, and is not given others."""

import os

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.stack import RunningStack
from workbench.embedded.valkey import ValkeyUnavailable, find_program


def expected(name: str) -> str:
    wanted = os.environ.get(name, "").strip()
    if not wanted:
        pytest.skip(f"{name} is not set, so any version will do.")
    return wanted


def broker_at(url: str) -> str:
    """Name and major version. Valkey also says which Redis it stands in for; its own version comes first."""
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        said = client.info("server")
    name = "valkey" if "valkey_version" in said else "redis"
    return f"{name} {said[f'{name}_version'].split('.')[0]}"


@pytest.mark.django_db
def test_tests_run_on_the_expected_postgresql() -> None:
    wanted = expected("WB_EXPECT_POSTGRES")
    assert connection.cursor().connection.info.server_version // 10_000 == int(wanted)


@pytest.mark.servers
def test_tests_run_on_the_expected_broker() -> None:
    assert broker_at(settings.REDIS_URL) == expected("WB_EXPECT_BROKER")


def test_installation_runs_on_the_expected_postgresql(stack: RunningStack) -> None:
    wanted = expected("WB_EXPECT_POSTGRES")
    with psycopg.connect(stack.database_url) as opened:
        assert opened.info.server_version // 10_000 == int(wanted)


def test_installation_runs_on_the_expected_broker(stack: RunningStack) -> None:
    assert broker_at(stack.redis_url) == expected("WB_EXPECT_BROKER")


def test_program_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WB_EMBEDDED_VALKEY_BIN", "/usr/share")
    with pytest.raises(ValkeyUnavailable, match=r"^WB_EMBEDDED_VALKEY_BIN=/usr/share is no program\. Write the path"):
        find_program()


def test_browser_tests_can_be_left_out_altogether(request: pytest.FixtureRequest) -> None:
    """Of what was collected, each test that asks for a browser bears the marker by which it is left out."""
    asking = [item for item in request.session.items if "browser" in getattr(item, "fixturenames", ())]
    assert [item.nodeid for item in asking if item.get_closest_marker("browser") is None] == []
