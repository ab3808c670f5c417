"""Where people are signed in: listed, ended by themselves and by administrators, and hardly ever written."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.mover import Invalid
from exceptions_app.policies import NotPermitted
from tests.cast import MORNING, PASSWORD, Cast, cast, signed_in
from workbench.celery import BEAT_SCHEDULE
from workbench.models import Session, User
from workbench.session_store import SessionStore, stored_key
from workbench.sessions import browser_in_words, end_all, end_own, name_of

__all__ = ["cast", "signed_in"]
HERE = "/accounts/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0"
TELEPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1 Version/18.5 Mobile Safari/604.1"


def sign_in(person: User, user_agent: str = FIREFOX, address: str = "192.0.2.7") -> Client:
    cache.clear()  # while the time stands still, all attempts are at once
    client = Client(headers={"user-agent": user_agent}, REMOTE_ADDR=address)
    answer = client.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return bool(client.get(HERE).status_code == 200)


def listed(client: Client) -> list[tuple[str, str, bool]]:
    return [(one.browser, one.address, one.is_this) for one in client.get(HERE).context["sessions"]]


def ended() -> list[tuple[str, str, int]]:
    found = AuditEvent.objects.filter(action="person.sessions_ended").order_by("id")
    return [(event.actor, event.subject, event.data["sessions"]) for event in found]


def test_sessions_are_listed_and_ended_by_their_person(cast: Cast, time_machine: Any):
    time_machine.move_to(MORNING, tick=False)
    clara = cast.clerk
    here = sign_in(clara)
    time_machine.shift(timedelta(minutes=1))
    office, telephone = sign_in(clara, EDGE, "198.51.100.1"), sign_in(clara, TELEPHONE, "2001:db8::1")
    other = sign_in(cast.controller)
    assert sorted(listed(here)) == [
        ("Edge on Windows", "198.51.100.1", False),
        ("Firefox on Linux", "192.0.2.7", True),
        ("Safari on iOS", "2001:db8::1", False),
    ]
    html = here.get(HERE).content.decode()
    keys = list(Session.objects.values_list("session_key", flat=True))
    cookies = [client.cookies["sessionid"].value for client in (here, office, telephone, other)]
    assert sorted(keys) == sorted(map(stored_key, cookies))
    assert [key for key in (*keys, *cookies) if key in html] == []
    copied = Client()
    copied.cookies["sessionid"] = keys[0]
    assert not is_in(copied)  # what stands in the database opens nothing
    assert listed(other) == [("Firefox on Linux", "192.0.2.7", True)]

    named = name_of(stored_key(office.session.session_key or ""))
    assert end_own(cast.controller, named=named, at=now()) == 0  # it is not theirs
    for _ in range(2):  # the second time it has ended already
        assert here.post(f"{HERE}end/", {"session": named}).headers["Location"] == HERE
    assert [is_in(client) for client in (here, office, telephone, other)] == [True, False, True, True]
    assert here.post(f"{HERE}end/").status_code == 302
    assert here.post(f"{HERE}end/").status_code == 302
    assert [is_in(client) for client in (here, telephone, other)] == [True, False, True]
    assert ended() == [("clara", "person:clara", 1)] * 2

    left = sign_in(clara, EDGE)
    new = "a wholly new passphrase"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/accounts/password/", sent).status_code == 302
    assert [is_in(client) for client in (here, left)] == [True, False]
    assert len(ended()) == 3
    assert (Client().get(HERE).status_code, Client().post(f"{HERE}end/").status_code) == (302, 302)


def test_key_that_somebody_else_chose_is_worth_nothing_once_one_signed_in(cast: Cast):
    """Whatever key is planted in a browser before: made up, of a session without a person, of one that was ended."""
    nobody, left, cookie = SessionStore(), sign_in(cast.clerk), settings.SESSION_COOKIE_NAME
    nobody.create()
    over = left.session.session_key
    left.post("/accounts/logout/")
    for key in ("made0up0by0somebody0else00000000", str(nobody.session_key), str(over)):
        victim, attacker = Client(), Client()
        victim.cookies[cookie] = attacker.cookies[cookie] = key
        answer = victim.post("/accounts/login/", {"username": "clara", "password": PASSWORD})
        assert (answer.status_code, answer.cookies[cookie].value != key) == (302, True)
        assert (is_in(victim), is_in(attacker), Session.objects.filter(pk__in=[key, stored_key(key)]).exists()) == (
            True,
            False,
            False,
        )
    # In a session of somebody else nobody signs in: whoever knows its key goes on as who it is of.
    planted = sign_in(cast.controller)
    assert cookie not in planted.post("/accounts/login/", {"username": "clara", "password": PASSWORD}).cookies
    assert planted.get(HERE).context["user"] == cast.controller


def test_session_from_before_keys_were_hashed_goes_on(cast: Cast):
    client, nobody = sign_in(cast.clerk), Client()
    nobody.session.save()
    cookies = [one.cookies["sessionid"].value for one in (client, nobody)]
    for cookie in cookies:
        Session.objects.filter(pk=stored_key(cookie)).update(session_key=cookie)
    assert not is_in(client)
    client.cookies["sessionid"] = cookies[0]  # which the answer has deleted
    [hashing] = import_module("workbench.migrations.0011_session_keys_hashed").Migration.operations
    with connection.cursor() as cursor:
        cursor.execute(hashing.sql)
    assert is_in(client)
    assert sorted(Session.objects.values_list("pk", flat=True)) == sorted(map(stored_key, cookies))


def test_session_is_written_once_in_a_while_and_asked_for_never(cast: Cast, time_machine: Any):
    time_machine.move_to(MORNING, tick=False)
    client = sign_in(cast.clerk)

    def statements() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get("/keys/").status_code == 200
        return [query["sql"] for query in captured.captured_queries if "workbench_session" in query["sql"]]

    def seen() -> Any:
        return Session.objects.get(user=cast.clerk).seen_at

    assert [sql.split()[0] for sql in statements()] == ["SELECT"]
    time_machine.shift(timedelta(minutes=5))
    assert [sql.split()[0] for sql in statements()] == ["SELECT", "UPDATE"]
    assert seen() == MORNING + timedelta(minutes=5)
    assert [sql.split()[0] for sql in statements()] == ["SELECT"]
    for _ in range(3):
        sign_in(cast.clerk)
    with CaptureQueriesContext(connection) as few:
        client.get(HERE)
    for _ in range(9):
        sign_in(cast.clerk)
    with CaptureQueriesContext(connection) as many:
        client.get(HERE)
    assert len(few) == len(many)


def test_sessions_that_are_over_are_cleared_by_the_beat(cast: Cast, time_machine: Any, settings: Any):
    time_machine.move_to(MORNING, tick=False)
    sign_in(cast.clerk)
    nobody = Client()
    nobody.session.save()
    time_machine.shift(timedelta(seconds=settings.SESSION_COOKIE_AGE - 60))
    late = sign_in(cast.clerk)
    [task] = [str(entry["task"]) for entry in BEAT_SCHEDULE.values() if "sessions" in str(entry["task"])]
    for seconds, left in ((0, 3), (60, 1), (0, 1)):
        time_machine.shift(timedelta(seconds=seconds))
        import_string(task)()
        assert Session.objects.count() == left
    assert (is_in(late), ended()) == (True, [])  # what ends by itself is no event


def test_session_ends_at_its_time_whatever_is_done_with_it(cast: Cast, time_machine: Any, settings: Any):
    time_machine.move_to(MORNING, tick=False)
    client = sign_in(cast.clerk)
    until = Session.objects.get(user=cast.clerk).expire_date
    assert until == MORNING + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    time_machine.shift(timedelta(seconds=settings.SESSION_COOKIE_AGE - 60))
    cache.clear()
    answer = client.post("/accounts/prove/", {"password": PASSWORD})  # which is written into the session
    assert (answer.status_code, answer.cookies["sessionid"]["max-age"]) == (302, 60)
    new = "a wholly new passphrase"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/accounts/password/", sent).status_code == 302  # which makes it another row
    assert (is_in(client), Session.objects.get(user=cast.clerk).expire_date) == (True, until)
    time_machine.shift(timedelta(seconds=60))
    assert not is_in(client)


def test_administrator_ends_sessions(cast: Cast, signed_in: Any):
    ada = signed_in(cast.administrator)
    form = {"is_active": "on", "time_zone": "UTC", "because": "A lost laptop."}

    def change(person: User, **entered: Any) -> int:
        sent = form | {"username": person.username, "email": person.email, "first_name": person.first_name}
        sent |= {"last_name": person.last_name, "groups": [group.pk for group in person.groups.all()]} | entered
        sent = {name: value for name, value in sent.items() if value != ""}
        return int(ada.post(f"/admin/workbench/user/{person.pk}/change/", sent).status_code)

    clara, otto, nora = sign_in(cast.clerk), sign_in(cast.outsider), sign_in(cast.controller)
    assert change(cast.clerk, end_sessions="on") == 302
    assert change(cast.clerk, end_sessions="on") == 302  # nothing is left to end
    assert change(cast.outsider, is_active="") == 302
    password = {"password1": "9 green Bottles!", "password2": "9 green Bottles!", "usable_password": "true"}
    assert ada.post(f"/admin/workbench/user/{cast.controller.pk}/password/", password).status_code == 302
    assert [is_in(client) for client in (clara, otto, nora, ada)] == [False, False, False, True]
    assert ended() == [
        ("ada", f"person:{person.username}", 1) for person in (cast.clerk, cast.outsider, cast.controller)
    ]
    assert not Session.objects.filter(user=cast.outsider).exists()
    for by, because, refusal in ((cast.clerk, "x", NotPermitted), (cast.administrator, " ", Invalid)):
        with pytest.raises(refusal):
            end_all(cast.clerk, by=by, at=now(), because=because)
    with pytest.raises(IntegrityError, match="session_of_a_person_says_when"), transaction.atomic():
        Session.objects.create(session_key="x" * 32, session_data="", expire_date=now(), user=cast.clerk)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (TELEPHONE, "Safari on iOS"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
            "Chrome on macOS",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.0", "Another program"),
        ("", "Another program"),
    ],
)
def test_browsers_are_called_as_people_call_them(said: str, words: str):
    assert browser_in_words(said) == words
