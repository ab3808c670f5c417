"""A second factor: set up, asked for before there is a session, lost, removed, demanded, and never stored in clear."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import LazySettings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.mover import Invalid
from exceptions_app.policies import NotPermitted
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from tests.concurrency import at_the_same_time
from workbench import second_factor
from workbench.attempts import CODES_PER_PERSON, FAILURES_PER_NAME_AND_ADDRESS
from workbench.models import User

__all__ = ["cast", "signed_in"]
LOGIN, CODE, PROVE = "/accounts/login/", "/accounts/login/code/", "/accounts/prove/"
HERE = "/accounts/second-factor/"
SET_UP = f"{HERE}set-up/"


@pytest.fixture(autouse=True)
def nothing_counted(time_machine: Any) -> Iterator[None]:
    """From the beginning of a step on, so that it is known which code an app shows."""
    time_machine.move_to(MORNING)
    cache.clear()
    yield
    cache.clear()


def shown(secret: str, steps: int = 0) -> str:
    """What the app shows now, or some steps of thirty seconds later."""
    return str(format_hotp_value(hotp_value(secret.replace(" ", ""), int(now().timestamp()) // 30 + steps)))


def password(client: Client, person: User, *, to: str = "/") -> Any:
    return client.post(LOGIN, {"username": person.username, "password": PASSWORD, "next": to})


def code(client: Client, page: Any, typed: str, **more: Any) -> Any:
    sent = {"half_way": page.context["half_way"], "next": page.context["next"], "code": typed}
    return client.post(CODE, sent, **more)


def with_app(person: User) -> str:
    """Give the person an app; returns its secret. The code of the step before this one counts as used."""
    setup = second_factor.begin_setup(person)
    secret = second_factor.secret_in(setup, person)
    second_factor.add(person, setup=setup, code=shown(secret, -1), at=now())
    return secret


def told() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="person.").order_by("id").values_list("action", flat=True))


def test_app_is_set_up_and_its_code_asked_for_before_there_is_a_session(cast: Cast):
    clara, client = cast.clerk, Client()
    assert password(client, clara).status_code == 302
    assert "Set up" in client.get(HERE).content.decode()
    page = client.get(SET_UP)
    secret, setup = page.context["secret"], page.context["setup"]
    html = page.content.decode()
    assert secret in html
    assert "<svg" in html
    assert " style=" not in html
    assert "no-store" in page.headers["Cache-Control"]
    wrong = client.post(SET_UP, {"setup": setup, "code": "000000"})
    assert (wrong.context["secret"], wrong.context["form"].errors["code"][0][:15]) == (secret, "This is not the")
    others = second_factor.begin_setup(cast.controller)
    assert client.post(SET_UP, {"setup": others, "code": shown(secret)}).context["form"].errors
    done = client.post(SET_UP, {"setup": setup, "code": shown(secret, -1)})
    codes = done.context["codes"]
    assert (len(codes), "no-store" in done.headers["Cache-Control"]) == (10, True)
    assert client.get(SET_UP).headers["Location"] == HERE
    assert codes[0] not in client.get(HERE).content.decode()
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert [text for text in (secret, *codes) if text.replace(" ", "") in stored] == []

    browser = Client()
    page = password(browser, clara, to="/queue/")
    assert (page.status_code, "sessionid" in browser.cookies) == (200, False)
    assert code(browser, page, "").context["form"].errors["code"]
    assert code(browser, page, "123456").context["form"].errors["code"] == [
        "This code is not right, or it was used already. Wait for the next one."
    ]
    assert "sessionid" not in browser.cookies
    assert code(browser, page, shown(secret)).headers["Location"] == "/queue/"
    assert browser.get("/queue/").status_code == 200
    for again in (shown(secret), shown(secret, -1)):  # used, and older than what was used
        assert code(Client(), page, again).status_code == 200
    assert code(Client(), page, codes[3]).status_code == 302
    assert code(Client(), page, codes[3]).status_code == 200
    assert told() == [
        "person.signed_in", "person.second_factor_added", "person.sign_in_refused", "person.signed_in",
        "person.sign_in_refused", "person.sign_in_refused", "person.recovery_code_used", "person.signed_in",
        "person.sign_in_refused",
    ]  # fmt: skip
    event = AuditEvent.objects.filter(action="person.signed_in").latest("id")
    assert (event.data["second_factor"], event.summary) == (
        "recovery code",
        "clara signed in with a password and a second factor (recovery code) from 127.0.0.1.",
    )
    assert AuditEvent.objects.get(action="person.recovery_code_used").data == {"left": 9}
    assert [text for event in AuditEvent.objects.all() for text in codes if text in event.body.decode()] == []


def test_password_that_was_right_is_no_way_in_by_itself(cast: Cast, time_machine: Any):
    clara = cast.clerk
    secret = with_app(clara)
    page = password(Client(), clara)
    assert Client().get(CODE).headers["Location"] == LOGIN
    for forged in ("", "nonsense", second_factor.begin_setup(clara)):
        assert Client().post(CODE, {"half_way": forged, "code": shown(secret)}).headers["Location"].startswith(LOGIN)
    User.objects.filter(pk=clara.pk).update(password="changed")
    assert code(Client(), page, shown(secret)).headers["Location"].startswith(LOGIN)
    User.objects.filter(pk=clara.pk).update(password=clara.password)
    time_machine.shift(timedelta(minutes=6))
    assert code(Client(), page, shown(secret)).headers["Location"].startswith(LOGIN)
    page = password(Client(), clara)
    elsewhere = {"half_way": page.context["half_way"], "next": "https://elsewhere.test/", "code": shown(secret)}
    assert Client().post(CODE, elsewhere).headers["Location"] == "/"


def test_codes_are_not_guessed(cast: Cast, time_machine: Any):
    clara = cast.clerk
    secret = with_app(clara)
    page = password(Client(), clara)
    assert code(Client(), page, "000000").status_code == 200
    for _ in range(FAILURES_PER_NAME_AND_ADDRESS - 1):
        page = password(Client(), clara)  # forgets no failure
        assert code(Client(), page, "000000").status_code == 200
    shut = code(Client(), page, shown(secret))
    assert (shut.status_code, "Retry-After" in shut.headers) == (429, True)
    assert password(Client(), clara).status_code == 429
    refused = AuditEvent.objects.filter(action="person.sign_in_refused")
    assert refused.count() == FAILURES_PER_NAME_AND_ADDRESS + 1
    statuses = [
        code(Client(), page, "000000", REMOTE_ADDR=f"192.0.2.{number}").status_code
        for number in range(CODES_PER_PERSON - FAILURES_PER_NAME_AND_ADDRESS + 1)
    ]
    assert statuses == [200] * (CODES_PER_PERSON - FAILURES_PER_NAME_AND_ADDRESS) + [429]
    time_machine.shift(timedelta(minutes=5, seconds=1))
    assert code(Client(), password(Client(), clara), shown(secret)).status_code == 302


def test_changing_the_password_forgets_no_wrong_code(cast: Cast):
    """Whoever has a session and the password, and not the factor, does not guess at it by changing the password."""
    clara, client = cast.clerk, Client()
    secret = with_app(clara)
    assert code(client, password(client, clara), shown(secret)).status_code == 302

    def guess(**more: Any) -> int:
        return int(client.post(PROVE, {"code": "000000"}, **more).status_code)

    old = PASSWORD
    for new in ("the second passphrase", "the third passphrase"):
        assert [guess(), guess()] == [200, 200]
        change = {"old_password": old, "new_password1": new, "new_password2": new}
        assert client.post("/accounts/password/", change | {"new_password2": "another"}).status_code == 200
        assert client.post("/accounts/password/", change).status_code == 302
        old = new
    assert [guess(), guess()] == [200, 429]
    left = CODES_PER_PERSON - FAILURES_PER_NAME_AND_ADDRESS
    elsewhere = [guess(REMOTE_ADDR=f"192.0.2.{number}") for number in range(left + 1)]
    assert elsewhere == [200] * left + [429]


@pytest.mark.django_db(transaction=True)
def test_code_sent_many_times_at_once_is_taken_once(cast: Cast):
    secret = with_app(cast.clerk)
    page = password(Client(), cast.clerk)
    answers = at_the_same_time([lambda: code(Client(), page, shown(secret)).status_code] * 4)
    assert sorted(answers) == [200, 200, 200, 302]
    assert told().count("person.signed_in") == 1


def test_what_changes_a_second_factor_wants_a_fresh_proof(cast: Cast, time_machine: Any):
    clara, client = cast.clerk, Client()
    secret = with_app(clara)
    assert code(client, password(client, clara), shown(secret)).status_code == 302
    time_machine.shift(timedelta(minutes=5, seconds=1))
    for address in (f"{HERE}codes/", f"{HERE}remove/"):
        assert client.post(address).headers["Location"] == f"{PROVE}?next=%2Faccounts%2Fsecond-factor%2F"
    page = client.get(f"{PROVE}?next={HERE}")
    assert list(page.context["form"].fields) == ["code"]
    assert client.post(PROVE, {"code": "000000", "next": HERE}).context["form"].errors["code"]
    assert client.post(PROVE, {"code": shown(secret), "next": HERE}).headers["Location"] == HERE
    codes = client.post(f"{HERE}codes/").context["codes"]
    assert second_factor.recovery_codes_left(clara) == len(set(codes)) == 10
    assert client.post(f"{HERE}remove/").headers["Location"] == HERE
    assert (second_factor.has_second_factor(clara), Authenticator.objects.count()) == (False, 0)
    assert password(Client(), clara).status_code == 302
    assert client.post(f"{HERE}codes/").headers["Location"] == HERE
    assert told()[2:] == [
        "person.sign_in_refused", "person.proved_again", "person.recovery_codes_renewed",
        "person.second_factor_removed", "person.signed_in",
    ]  # fmt: skip
    time_machine.shift(timedelta(minutes=6))
    assert client.get(SET_UP).headers["Location"].startswith(PROVE)
    assert client.post(PROVE, {"password": "wrong"}).context["form"].errors["password"]
    assert client.post(PROVE, {"password": PASSWORD, "next": SET_UP}).headers["Location"] == SET_UP
    assert client.get(SET_UP).status_code == 200
    guesses = [client.post(PROVE, {"password": "wrong"}).status_code for _ in range(6)]
    assert guesses == [200] * 5 + [429]


def test_second_factor_is_demanded_before_anything_else(cast: Cast, settings: LazySettings):
    settings.SECOND_FACTOR_FOR = ["everybody"]
    assert second_factor.is_demanded_of(cast.clerk)
    settings.SECOND_FACTOR_FOR = ["staff", "approvers"]
    free, client = Client(), Client()
    assert password(free, cast.clerk).status_code == 302
    assert free.get("/queue/").status_code == 200
    assert password(Client(), cast.administrator).status_code == 302
    assert second_factor.is_demanded_of(cast.administrator)
    assert password(client, cast.controller).status_code == 302
    for address in ("/queue/", "/", HERE, "/admin/", "/accounts/password/"):
        assert client.get(address).headers["Location"] == SET_UP, address
    problem = client.get("/api/v1/me")
    assert (problem.status_code, problem.headers["Content-Type"]) == (403, "application/problem+json")
    assert "Set one up" in problem.json()["detail"]
    page = client.get(SET_UP)
    assert (
        client.post(SET_UP, {"setup": page.context["setup"], "code": shown(page.context["secret"])}).status_code == 200
    )
    assert client.get("/queue/").status_code == 200
    refused = client.post(f"{HERE}remove/")
    assert (refused.status_code, second_factor.has_second_factor(cast.controller)) == (403, True)
    assert "remove/" not in client.get(HERE).content.decode()


def test_administrator_removes_what_somebody_else_lost(cast: Cast, signed_in: Any):
    for person in (cast.clerk, cast.administrator):
        with_app(person)
    ada, lost = signed_in(cast.administrator), signed_in(cast.clerk)
    form: dict[str, Any] = {
        "username": "clara",
        "is_active": "on",
        "time_zone": "UTC",
        "first_name": "Clara",
        "last_name": "Clerk",
    }
    form |= {"groups": [group.pk for group in cast.clerk.groups.all()], "email": cast.clerk.email}
    address = f"/admin/workbench/user/{cast.clerk.pk}/change/"
    assert "Remove the second factor" in ada.get(address).content.decode()
    assert ada.post(address, form | {"remove_second_factor": "on"}).context["adminform"].form.errors["because"]
    assert ada.post(address, form | {"remove_second_factor": "on", "because": "Called her back."}).status_code == 302
    event = AuditEvent.objects.get(action="person.second_factor_removed")
    assert (event.actor, event.subject, event.because) == ("ada", "person:clara", "Called her back.")
    assert not AuditEvent.objects.filter(action="person.changed").exists()
    assert not second_factor.has_second_factor(cast.clerk)
    assert lost.get(HERE).headers["Location"].startswith(LOGIN)  # whoever has the telephone may be signed in on it
    ended = AuditEvent.objects.get(action="person.sessions_ended")
    assert (ended.actor, ended.subject, ended.because) == ("ada", "person:clara", "Called her back.")

    own = f"/admin/workbench/user/{cast.administrator.pk}/change/"
    assert "Remove the second factor" not in ada.get(own).content.decode()
    ada.post(own, {"username": "ada", "time_zone": "UTC", "remove_second_factor": "on", "because": "Mine."})
    assert second_factor.has_second_factor(cast.administrator)
    for by, because, refusal in (
        (cast.administrator, "Mine.", NotPermitted),
        (cast.clerk, "No administrator.", NotPermitted),
    ):
        with pytest.raises(refusal):
            second_factor.remove_of_another(cast.administrator, by=by, at=now(), because=because)
    with pytest.raises(Invalid):
        second_factor.remove_of_another(cast.clerk, by=cast.administrator, at=now(), because=" ")
    assert ada.get("/admin/mfa/authenticator/").status_code == 404
    connection.check_constraints()
    with pytest.raises(IntegrityError, match="no audit event about person:otto"), transaction.atomic():
        add_without_event(cast.outsider)


def add_without_event(person: User) -> None:
    Authenticator.objects.create(user=person, type="totp", data={})
    connection.check_constraints()  # as at the end of a transaction
