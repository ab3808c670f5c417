import pytest
from django.test import Client


def test_livez_always_answers(client: Client) -> None:
    assert client.get("/livez").content == b"ok\n"


@pytest.mark.django_db
def test_readyz_when_everything_is_up(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "database": "ok", "broker": "ok"})
