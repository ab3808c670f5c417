import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings


def test_livez_always_answers(client: Client) -> None:
    assert client.get("/livez").content == b"ok\n"


@pytest.mark.django_db
def test_readyz_when_everything_is_up(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "database": "ok", "broker": "ok"})


@pytest.mark.django_db
def test_readyz_without_the_broker_names_it_and_goes_on(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "database": "ok", "broker": "unreachable"})


@pytest.mark.django_db
def test_readyz_with_a_migration_not_applied(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "1 migrations are not applied")


@pytest.mark.parametrize("offered", ["3f1c-trace", "a" * 128])
def test_request_id_of_the_caller_is_kept(client: Client, offered: str) -> None:
    assert client.get("/livez", headers={"X-Request-ID": offered})["X-Request-ID"] == offered


@pytest.mark.parametrize("offered", ["", "short", "a" * 129, "with blank and more", "line\nforged-entry"])
def test_request_id_that_could_forge_a_log_line_is_replaced(client: Client, offered: str) -> None:
    given = client.get("/livez", headers={"X-Request-ID": offered})["X-Request-ID"]
    assert given != offered
    assert len(given) == len("00000000-0000-0000-0000-000000000000")


def test_content_security_policy_allows_nothing_inline(client: Client) -> None:
    policy = client.get("/livez")["Content-Security-Policy"]
    assert sorted(policy.split("; ")) == [
        "base-uri 'none'",
        "default-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
