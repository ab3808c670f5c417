"""Signing in and out: what is recorded, what is refused, and how guessing is slowed down."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.limits import Counted, count, forget, give_back
from tests.cast import MORNING, PASSWORD
from tests.concurrency import at_the_same_time
from workbench.attempts import FAILURES_PER_ADDRESS, FAILURES_PER_NAME_AND_ADDRESS, WINDOW
from workbench.models import User
from workbench.tokens import create_api_token

LOGIN = "/accounts/login/"
HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def valkey(settings: LazySettings) -> None:
    """The cache that serves, instead of the one in memory."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": settings.REDIS_URL}
    }
    cache.clear()


@pytest.fixture
def clara(db: None) -> User:
    return User.objects.create_user("clara", password=PASSWORD, first_name="Clara", last_name="Clerk")


def sign_in(username: str, password: str, *, address: str = HERE, **headers: str) -> Any:
    return Client(REMOTE_ADDR=address).post(LOGIN, {"username": username, "password": password}, headers=headers)


def told() -> list[tuple[str, str, str]]:
    return [(event.action, event.subject, event.actor) for event in AuditEvent.objects.order_by("id")]


# What is recorded ----------------------------------------------------------------------------------------------------


def test_signing_in_and_out_is_recorded(clara: User, client: Client):
    assert client.post(LOGIN, {"username": "clara", "password": PASSWORD}).headers["Location"] == "/"
    assert client.post("/accounts/logout/").status_code == 302
    assert told() == [
        ("person.signed_in", "person:clara", "clara"),
        ("person.signed_out", "person:clara", "clara"),
    ]
    event = AuditEvent.objects.earliest("id")
    assert (event.scope, event.data) == ("configuration", {"address": HERE})
    assert event.summary == "clara signed in from 127.0.0.1."


def test_signing_out_twice_is_recorded_once(clara: User, client: Client):
    client.force_login(clara)
    for _ in range(2):
        assert client.post("/accounts/logout/").status_code == 302
    assert told() == [("person.signed_out", "person:clara", "clara")]


def test_sign_in_refused_is_recorded_without_the_password(clara: User):
    answer = sign_in("clara", "guess-me-not")
    assert answer.status_code == 200
    assert told() == [("person.sign_in_refused", "person:clara", "(unknown)")]
    event = AuditEvent.objects.get()
    assert event.data == {"name": "clara", "address": HERE}
    assert "guess-me-not" not in event.body.decode()


def test_sign_in_of_an_inactive_account_is_refused_and_recorded(clara: User):
    User.objects.update(is_active=False)
    assert sign_in("clara", PASSWORD).status_code == 200
    assert told() == [("person.sign_in_refused", "person:clara", "(unknown)")]


@pytest.mark.parametrize(("typed", "kept"), [("x" * 500, "x" * 150), (" no\x00body ", "nobody"), ("ﬁn\nn", "fin\nn")])
def test_name_as_typed_is_kept_short_and_clean(db: None, typed: str, kept: str):
    assert sign_in(typed, "x").status_code == 200
    assert AuditEvent.objects.get().data["name"] == kept


@pytest.mark.parametrize(("username", "password"), [("", PASSWORD), ("clara", ""), ("", ""), ("  ", "x")])
def test_form_that_is_not_filled_in_is_no_attempt(clara: User, username: str, password: str):
    for _ in range(FAILURES_PER_NAME_AND_ADDRESS + 1):
        assert sign_in(username, password).status_code == 200
    assert told() == []


def test_password_changed_is_recorded_without_it(clara: User, client: Client):
    client.force_login(clara)
    new = "a wholly new passphrase"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/accounts/password/", sent).status_code == 302
    assert told() == [("person.password_changed", "person:clara", "clara")]
    assert new not in AuditEvent.objects.get().body.decode()
    assert client.post("/accounts/password/", sent).status_code == 200
    assert told()[1:] == [("person.sign_in_refused", "person:clara", "(unknown)")]


def test_administration_has_the_same_way_in_and_out(clara: User, client: Client):
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/auth/").headers["Location"] == f"{LOGIN}?next=%2Fadmin%2Fauth%2F"
    assert client.post("/admin/login/", {"username": "clara", "password": PASSWORD}).headers["Location"] == (
        f"{LOGIN}?next=%2Fadmin%2F"
    )
    User.objects.update(is_staff=True)
    answer = client.post(f"{LOGIN}?next=/admin/", {"username": "clara", "password": PASSWORD}, follow=True)
    assert (answer.status_code, answer.request["PATH_INFO"]) == (200, "/admin/")
    assert client.get("/admin/password_change/").headers["Location"] == "/accounts/password/"
    assert client.post("/admin/logout/").status_code == 302
    assert [name for name, _, _ in told()] == ["person.signed_in", "person.signed_out"]


def test_sign_in_leads_to_no_other_site(clara: User, client: Client):
    answer = client.get("/admin/login/?next=https://elsewhere.test/")
    signed = client.post(answer.headers["Location"], {"username": "clara", "password": PASSWORD})
    assert signed.headers["Location"] == "/"


# How guessing is slowed down -----------------------------------------------------------------------------------------


def fail(times: int, username: str = "clara", **more: str) -> list[int]:
    return [sign_in(username, "wrong", **more).status_code for _ in range(times)]


def test_old_password_cannot_be_guessed_by_whoever_finds_a_session_open(clara: User, client: Client):
    client.force_login(clara)
    new = {"new_password1": "9 green Bottles", "new_password2": "9 green Bottles"}
    tries = [client.post("/accounts/password/", {"old_password": f"guess {n}", **new}).status_code for n in range(6)]
    assert tries == [200] * FAILURES_PER_NAME_AND_ADDRESS + [429]
    assert client.post("/accounts/password/", {"old_password": PASSWORD, **new}).status_code == 429
    refused = ("person.sign_in_refused", "person:clara", "(unknown)")
    assert told() == [refused] * (FAILURES_PER_NAME_AND_ADDRESS + 1)
    clara.refresh_from_db()
    assert clara.check_password(PASSWORD)


def test_new_password_that_is_not_good_enough_is_no_guess(clara: User, client: Client):
    client.force_login(clara)
    weak = {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"}
    assert [client.post("/accounts/password/", weak).status_code for _ in range(7)] == [200] * 7
    assert told() == []


def test_attempts_on_one_name_are_refused_after_five_even_with_the_right_password(clara: User):
    assert fail(FAILURES_PER_NAME_AND_ADDRESS) == [200] * FAILURES_PER_NAME_AND_ADDRESS
    answer = sign_in("clara", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= WINDOW.total_seconds()
    text = answer.content.decode()
    assert "Too many attempts to sign in" in text
    assert "for up to 5 minutes, not even with the right password" in text
    assert "sessionid" not in answer.cookies
    assert fail(3) == [429] * 3


def test_refusal_for_too_many_is_recorded_once(clara: User):
    fail(FAILURES_PER_NAME_AND_ADDRESS + 4)
    summaries = AuditEvent.objects.order_by("id").values_list("summary", flat=True)
    assert len(summaries) == FAILURES_PER_NAME_AND_ADDRESS + 1
    assert "Too many attempts" in summaries[FAILURES_PER_NAME_AND_ADDRESS]


def test_spelling_of_the_name_makes_no_new_attempts(clara: User):
    assert fail(3) + fail(2, " CLARA ") == [200] * 5
    assert fail(1, "Clara") == [429]


def test_person_is_not_shut_out_from_another_address_or_under_another_name(clara: User):
    fail(FAILURES_PER_NAME_AND_ADDRESS + 1)
    User.objects.create_user("cem", password=PASSWORD)
    assert sign_in("clara", PASSWORD, address="192.0.2.7").status_code == 302
    assert sign_in("cem", PASSWORD).status_code == 302


def test_success_ends_the_count_of_the_name(clara: User):
    for _ in range(3):
        assert fail(FAILURES_PER_NAME_AND_ADDRESS - 1) == [200] * (FAILURES_PER_NAME_AND_ADDRESS - 1)
        assert sign_in("clara", PASSWORD).status_code == 302


def test_signing_in_often_is_no_guessing(clara: User):
    assert [sign_in("clara", PASSWORD).status_code for _ in range(FAILURES_PER_ADDRESS + 5)] == [302] * 35


def test_address_that_tries_many_names_is_refused_after_thirty(clara: User):
    answers = [sign_in(f"name-{number}", "wrong").status_code for number in range(FAILURES_PER_ADDRESS + 1)]
    assert answers == [200] * FAILURES_PER_ADDRESS + [429]
    assert sign_in("clara", PASSWORD).status_code == 429
    assert sign_in("clara", PASSWORD, address="192.0.2.7").status_code == 302


def test_hammering_one_name_does_not_shut_out_the_address(clara: User):
    fail(FAILURES_PER_ADDRESS + 5, "someone")
    assert sign_in("clara", PASSWORD).status_code == 302


def test_addresses_of_one_network_of_ipv6_count_as_one(clara: User):
    assert [fail(1, address=f"2001:db8::{number}") for number in range(1, 6)] == [[200]] * 5
    assert fail(1, address="2001:db8::ffff") == [429]
    assert fail(1, address="2001:db8:0:1::1") == [200]


def test_address_is_what_the_nearest_proxy_says_when_there_is_one(clara: User, settings: LazySettings):
    sign_in("clara", "wrong", **{"x-forwarded-for": "192.0.2.9"})
    settings.CLIENT_ADDRESS_HEADER = "X-Forwarded-For"
    sign_in("clara", "wrong", **{"x-forwarded-for": "198.51.100.1, 192.0.2.9"})
    sign_in("clara", "wrong", **{"x-forwarded-for": "nonsense"})
    sign_in("clara", "wrong")
    addresses = [event.data["address"] for event in AuditEvent.objects.order_by("id")]
    assert addresses == [HERE, "192.0.2.9", "unknown", "unknown"]


@pytest.mark.django_db(transaction=True)
def test_attempts_at_the_same_time_are_all_counted(clara: User, valkey: None):
    answers = at_the_same_time([lambda: sign_in("clara", "wrong").status_code] * 16)
    assert sorted(answers) == [200] * FAILURES_PER_NAME_AND_ADDRESS + [429] * 11


@pytest.mark.django_db(transaction=True)
def test_throttle_lets_people_in_while_the_cache_is_down(
    clara: User, settings: LazySettings, caplog: pytest.LogCaptureFixture
):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert fail(FAILURES_PER_NAME_AND_ADDRESS + 1) == [200] * 6
    assert sign_in("clara", PASSWORD).status_code == 302
    assert "Not counted, since the cache does not answer" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_cache_that_failed_is_left_alone_for_a_while(settings: LazySettings, caplog: pytest.LogCaptureFixture):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert [count("k", window=WINDOW, at=MORNING) for _ in range(3)] == [Counted()] * 3
    assert caplog.text.count("since the cache does not answer") == 1


# Counting ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("valkey")
def test_count_holds_for_its_window_and_can_be_given_back():
    minute = timedelta(minutes=1)
    first, second = (count("k", window=minute, at=MORNING) for _ in range(2))
    third = count("k", window=minute, at=MORNING + timedelta(seconds=45))
    assert [(one.number, one.closes_in) for one in (first, second, third)] == [(1, 60), (2, 60), (3, 15)]
    assert count("other", window=minute, at=MORNING).number == 1
    give_back(third)
    assert count("k", window=minute, at=MORNING).number == 3
    forget("k")
    assert count("k", window=minute, at=MORNING + timedelta(seconds=1)).number == 1
    give_back(Counted())
    give_back(Counted(number=1, closes_in=1, key="gone"))


@pytest.mark.usefixtures("valkey")
def test_count_is_exact_for_many_at_once():
    at = now()
    counted = at_the_same_time([lambda: count("k", window=WINDOW, at=at).number] * 40)
    assert sorted(counted) == list(range(1, 41))


# The API -------------------------------------------------------------------------------------------------------------


def test_api_answers_too_many_requests_of_one_account_with_a_problem(clara: User, settings: LazySettings):
    settings.API_REQUESTS_PER_MINUTE = 3
    cem = User.objects.create_user("cem")
    tokens = [create_api_token(clara, name=name, at=now())[1] for name in ("one", "two")]

    def ask(token: str) -> Any:
        return Client().get("/api/v1/me", headers={"authorization": f"Bearer {token}"})

    assert [ask(token).status_code for token in (*tokens, *tokens)] == [200, 200, 200, 429]
    answer = ask(tokens[0])
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("#too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert ask(create_api_token(cem, name="one", at=now())[1]).status_code == 200
    assert ask("wb_unknown").status_code == 401


def test_api_answers_while_the_cache_is_down(clara: User, settings: LazySettings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    settings.API_REQUESTS_PER_MINUTE = 1
    _, token = create_api_token(clara, name="one", at=now())
    answers = [Client().get("/api/v1/me", headers={"authorization": f"Bearer {token}"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
