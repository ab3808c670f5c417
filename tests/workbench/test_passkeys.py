"""Passkeys: added, taken once in place of a code, alone in place of both factors, and removed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from audit.models import AuditEvent
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from tests.soft_passkey import SoftPasskey
from workbench import passkeys, second_factor
from workbench.models import User

__all__ = ["cast", "signed_in"]
LOGIN, CODE, ALONE, PROVE = "/accounts/login/", "/accounts/login/code/", "/accounts/login/passkey/", "/accounts/prove/"
HERE = "/accounts/second-factor/"
ADD = f"{HERE}passkey/"


@pytest.fixture(autouse=True)
def nothing_counted(time_machine: Any) -> Iterator[None]:
    time_machine.move_to(MORNING)
    cache.clear()
    yield
    cache.clear()


def add(client: Client, key: SoftPasskey, **changes: str) -> Any:
    offer = client.get(ADD).context["passkey"]
    sent = {"name": "Laptop", "passkey": key.create(offer.options), "passkey_state": offer.state}
    return client.post(ADD, sent | changes)


def answer_to(page: Any, key: SoftPasskey, **changes: Any) -> dict[str, str]:
    offer = page.context["passkey"]
    return {"passkey": key.get(offer.options, **changes), "passkey_state": offer.state}


def password(person: User) -> Any:
    return Client().post(LOGIN, {"username": person.username, "password": PASSWORD})


def second(page: Any, answer: dict[str, str]) -> Any:
    return Client().post(CODE, {"half_way": page.context["half_way"], "next": "/queue/", **answer})


def alone(key: SoftPasskey, **changes: Any) -> Any:
    page = Client().get(LOGIN)
    return Client().post(ALONE, {"next": "/queue/", **answer_to(page, key, **changes)})


def is_in(answer: Any) -> bool:
    return "_auth_user_id" in answer.client.session


def told() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="person.").order_by("id").values_list("action", flat=True))


def test_passkey_takes_the_place_of_a_code_and_of_both(cast: Cast, signed_in: Any, time_machine: Any):
    clara, client, key = cast.clerk, signed_in(cast.clerk), SoftPasskey()
    html = client.get(ADD).content.decode()
    assert "data-passkey-options" in html
    stolen = signed_in(cast.controller).get(ADD).context["passkey"]
    for changes in ({"passkey": ""}, {"passkey": "[]"}, {"passkey_state": stolen.state}, {"name": ""}):
        assert add(client, SoftPasskey(), **changes).context["form"].errors["name"]
    assert add(client, SoftPasskey("https://elsewhere.test")).context["form"].errors["name"]
    assert not second_factor.has_second_factor(clara)
    assert len(add(client, key).context["codes"]) == 10
    assert add(client, other := SoftPasskey())["Location"] == HERE  # recovery codes are there already
    assert "Laptop" in client.get(HERE).content.decode()

    page = password(clara)
    assert (page.status_code, is_in(page)) == (200, False)
    answer = answer_to(page, key)
    assert second(page, answer)["Location"] == "/queue/"
    assert second(page, answer).context["form"].errors["code"]  # taken once
    assert second(page, answer_to(page, key)).context["form"].errors["code"]  # and signed anew it is the same challenge
    assert second(page, answer_to(page, other)).status_code == 302
    fresh = password(clara)
    others = password(clara)
    cache.clear()
    for wrong in (
        answer_to(fresh, SoftPasskey()), answer_to(fresh, key, challenge="AAAA"), answer_to(fresh, key, rpId="x.test"),
        {"passkey": "null", "passkey_state": fresh.context["passkey"].state},
    ):  # fmt: skip
        assert second(fresh, wrong).context["form"].errors["code"] == [passkeys.NOT_TAKEN]
        cache.clear()
    time_machine.shift(timedelta(seconds=passkeys.SECONDS + 1))
    assert second(password(clara), answer_to(others, key)).context["form"].errors["code"]

    cache.clear()
    assert not is_in(alone(SoftPasskey()))
    signed = alone(key)
    assert (signed["Location"], is_in(signed)) == ("/queue/", True)
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.summary) == ("person.signed_in", "clara signed in with a passkey from 127.0.0.1.")
    page = Client().get(LOGIN)
    answer = answer_to(page, key)
    assert is_in(Client().post(ALONE, answer))
    assert not is_in(Client().post(ALONE, answer))
    assert client.get(ADD)["Location"].startswith(PROVE)  # the proof of that session is too old by now
    assert not is_in(alone(key, rpId="x.test"))


def test_passkey_proves_again_and_is_removed(cast: Cast, signed_in: Any, time_machine: Any, settings: LazySettings):
    clara, client, key, touched = cast.clerk, signed_in(cast.clerk), SoftPasskey(), SoftPasskey(verifies=False)
    codes = add(client, touched).context["codes"]
    assert add(client, key)["Location"] == HERE
    time_machine.shift(timedelta(minutes=6))
    assert client.get(ADD)["Location"].startswith(PROVE)
    page = client.get(PROVE)
    assert client.post(PROVE, answer_to(page, SoftPasskey())).context["form"].errors["code"] == [passkeys.NOT_TAKEN]
    assert client.post(PROVE, {**answer_to(page, touched), "next": ADD})["Location"] == ADD
    assert client.get(ADD).status_code == 200
    # After the password a touch will do. Alone it has to be unlocked.
    assert second(password(clara), answer_to(password(clara), touched)).status_code == 302
    assert not is_in(alone(touched))
    settings.LOCAL_PASSWORDS = False
    assert not is_in(alone(key))
    settings.LOCAL_PASSWORDS = True
    User.objects.filter(pk=clara.pk).update(email="changed@example.test")
    assert is_in(alone(key))
    # Whose account has no password comes in by the provider alone, which knows when they left; a superuser always.
    for is_superuser in (False, True):
        User.objects.filter(pk=clara.pk).update(password="!", is_superuser=is_superuser)
        assert is_in(alone(key)) is is_superuser
        assert AuditEvent.objects.latest("id").action == (
            "person.signed_in" if is_superuser else "person.sign_in_refused"
        )
    User.objects.filter(pk=clara.pk).update(password=clara.password, is_superuser=False)

    first, last = Authenticator.objects.filter(type="webauthn").order_by("pk").values_list("pk", flat=True)
    stranger = signed_in(cast.controller)
    for number in (str(first), "nonsense", "0"):
        assert stranger.post(f"{ADD}remove/", {"number": number})["Location"] == HERE
    assert Authenticator.objects.count() == 3
    client.post(f"{ADD}remove/", {"number": str(first)})
    assert (second_factor.has_second_factor(clara), second_factor.recovery_codes_left(clara)) == (True, 10)
    assert second(password(clara), {"code": codes[0]}).status_code == 302
    settings.SECOND_FACTOR_FOR = ["staff"]
    User.objects.filter(pk=clara.pk).update(first_name="Clara")
    client.post(f"{ADD}remove/", {"number": str(last)})
    assert Authenticator.objects.count() == 0
    assert password(clara).status_code == 302
    assert told()[:2] == ["person.second_factor_added"] * 2
    assert told().count("person.second_factor_removed") == 2
