"""The administration of people: by staff, through the actions, with events that say what became of whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.delegations import delegate
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Delegation, Emergency
from exceptions_app.states import Verb
from tests import factories
from tests.cast import MORNING, PASSWORD, Cast, cast, grant, signed_in
from workbench.models import User
from workbench.tokens import create_api_token

__all__ = ["cast", "signed_in"]
CONSOLE = "/admin/workbench/user/"
# What a form of a person always sends.
PLAIN = {"time_zone": "UTC", "because": "Otto joins the tax team."}


@pytest.fixture
def ada(cast: Cast, signed_in: Any) -> Client:
    return signed_in(cast.administrator)


def change(client: Client, person: User, **entered: Any) -> Any:
    """Send the form of a person as it stands, with these changes; an empty text unticks a box."""
    sent: dict[str, Any] = {"username": person.username, "is_active": "on" if person.is_active else ""}
    sent |= {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
    sent |= {"is_staff": "on" if person.is_staff else "", "groups": [group.pk for group in person.groups.all()]}
    sent |= PLAIN | entered
    sent = {name: value for name, value in sent.items() if value != ""}
    return client.post(f"{CONSOLE}{person.pk}/change/", sent)


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(actor="ada").order_by("id"))


def test_groups_changed_by_staff_leave_events_with_their_names(cast: Cast, ada: Client):
    clerk, support = (Group.objects.get(name=name) for name in ("clerk", "support"))
    assert change(ada, cast.outsider, groups=[clerk.pk, support.pk]).status_code == 302
    assert change(ada, cast.outsider, groups=[support.pk], because="Moved on.").status_code == 302
    assert [(event.action, event.data.get("role")) for event in events()] == [
        ("role.given", "clerk"), ("role.given", "support"), ("person.changed", None),
        ("role.taken", "clerk"), ("person.changed", None),
    ]  # fmt: skip
    assert {event.subject for event in events()} == {"person:otto"}
    assert {event.because for event in events()} == {PLAIN["because"], "Moved on."}
    assert [event.data["changes"] for event in events() if event.action == "person.changed"] == [
        {"groups": {"added": ["clerk", "support"], "removed": []}},
        {"groups": {"added": [], "removed": ["clerk"]}},
    ]
    assert list(cast.outsider.groups.values_list("name", flat=True)) == ["support"]


def test_status_is_told_with_its_values_and_other_fields_by_name(cast: Cast, ada: Client):
    assert change(ada, cast.outsider, is_active="", is_staff="on", email="new@example.test").status_code == 302
    left, event = events()
    for told in (left, event):
        assert (told.action, told.subject, told.because) == ("person.changed", "person:otto", PLAIN["because"])
    assert left.data == {"fields": ["Active"], "changes": {"is_active": {"was": True, "will_be": False}}}
    assert sorted(event.data["fields"]) == ["Email address", "Staff status"]
    assert event.data["changes"] == {"is_staff": {"was": False, "will_be": True}}
    assert "new@example.test" not in f"{event.data} {event.summary}"


def test_account_that_is_made_inactive_ends_as_by_the_directory(cast: Cast, ada: Client, signed_in: Any):
    conrad, clerk = cast.controller, Group.objects.get(name="clerk")
    browser = signed_in(conrad)
    create_api_token(conrad, name="own", at=now())
    today: dict[str, Any] = {"first_day": now().date(), "last_day": now().date(), "at": now(), "because": "Away."}
    delegate(cast.support, by=conrad, **today)
    grant(conrad, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    take_emergency(
        cast.einvoicing, cast.netherlands, role="clerk", minutes=30, by=conrad, at=now(), because="It cannot wait."
    )
    assert browser.get("/approvals/").status_code == 200
    assert change(ada, conrad, is_active="", because="Left.").status_code == 302
    conrad.refresh_from_db()
    assert (conrad.is_active, conrad.api_tokens.count(), conrad.sessions.count()) == (False, 0, 0)
    assert Delegation.objects.get().ended_at is not None
    assert Emergency.objects.get().ended_at is not None
    assert browser.get("/approvals/").status_code == 302
    ended = {event.action for event in events()}
    assert ended == {
        "person.sessions_ended", "token.withdrawn", "delegation.ended", "grant.taken", "emergency.ended",
        "person.changed",
    }  # fmt: skip
    assert {event.because for event in events()} == {"Left."}
    count = len(events())
    assert change(ada, conrad).status_code == 302  # who has left stays so, without another event
    assert len(events()) == count
    # Who comes back has the roles that they are given with it: what kept them from it may go in the same step.
    grant_connection("ingest_messages", conrad, cast.connection, by=machine(SETUP), at=now())
    assert "is_active" in change(ada, conrad, is_active="on").context["adminform"].form.errors
    assert change(ada, conrad, is_active="on", groups=[clerk.pk], because="Back.").status_code == 302
    conrad.refresh_from_db()
    assert (conrad.is_active, [group.name for group in conrad.groups.all()]) == (True, ["clerk"])
    back = [event for event in events() if event.because == "Back."]
    assert [(event.action, event.data.get("fields")) for event in back] == [
        ("role.taken", None), ("role.given", None), ("person.changed", ["Active"]), ("person.changed", ["Groups"]),
    ]  # fmt: skip
    root = User.objects.create_superuser("root")
    other = User.objects.create_superuser("other")
    for is_active in ("", "on"):
        assert change(signed_in(root), other, is_active=is_active, is_superuser="on").status_code == 302
        assert User.objects.get(pk=other.pk).is_active is bool(is_active)
        other.refresh_from_db()


def test_form_sent_without_a_change_leaves_no_event(cast: Cast, ada: Client):
    assert change(ada, cast.outsider).status_code == 302
    assert events() == []


def test_change_wants_a_reason(cast: Cast, ada: Client):
    answer = change(ada, cast.outsider, is_staff="on", because=" ")
    assert (answer.status_code, "because" in answer.context["adminform"].form.errors) == (200, True)
    cast.outsider.refresh_from_db()
    assert (cast.outsider.is_staff, events()) == (False, [])


def test_password_given_by_an_administrator_is_told_without_it(cast: Cast, ada: Client):
    secret = "a wholly new passphrase"
    answer = ada.post(
        f"{CONSOLE}{cast.outsider.pk}/password/",
        {"password1": secret, "password2": secret, "usable_password": "true"},
    )
    assert answer.status_code == 302
    cast.outsider.refresh_from_db()
    assert cast.outsider.check_password(secret)
    (event,) = events()
    assert (event.action, event.subject, event.data["fields"]) == ("person.changed", "person:otto", ["password"])
    assert secret not in f"{event.data} {event.summary}"
    assert cast.outsider.password not in f"{event.data} {event.summary}"


def test_person_added_sees_nothing(cast: Cast, ada: Client):
    answer = ada.post(
        f"{CONSOLE}add/",
        {"username": "nina", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"},
    )
    assert answer.status_code == 302
    assert [(event.action, event.subject) for event in events()] == [("person.added", "person:nina")]
    nina = User.objects.get(username="nina")
    assert (nina.is_staff, nina.is_superuser, nina.groups.count()) == (False, False, 0)
    client = Client()
    client.force_login(nina)
    assert client.get(f"/exceptions/{factories.make_case(cast).ref}/").status_code == 404
    assert client.get("/audit/").status_code == 403
    assert client.get("/admin/").status_code == 302


def test_nobody_changes_their_own_status(cast: Cast, ada: Client):
    controllers = Group.objects.get(name="controller")
    answer = change(ada, cast.administrator, groups=[controllers.pk], is_superuser="on", is_staff="")
    assert answer.status_code == 302
    cast.administrator.refresh_from_db()
    assert (cast.administrator.is_staff, cast.administrator.is_superuser) == (True, False)
    assert (cast.administrator.groups.count(), events()) == (0, [])


def test_nobody_is_renamed_and_nobody_changes_the_address_that_tells_who_they_are(cast: Cast, ada: Client):
    """The trail names people by their username, and a second account is known by its address."""
    own = cast.administrator.email
    assert change(ada, cast.outsider, username="somebody", email="moved@example.test").status_code == 302
    assert change(ada, cast.administrator, username="nobody", email="other@example.test").status_code == 302
    for one, name, email in ((cast.outsider, "otto", "moved@example.test"), (cast.administrator, "ada", own)):
        one.refresh_from_db()
        assert (one.username, one.email) == (name, email)
    with pytest.raises(IntegrityError, match="username is never changed once written"), transaction.atomic():
        User.objects.filter(pk=cast.outsider.pk).update(username="somebody")


def test_only_superusers_make_or_change_superusers(cast: Cast, ada: Client, signed_in: Any):
    assert change(ada, cast.outsider, is_superuser="on").status_code == 302
    cast.outsider.refresh_from_db()
    assert cast.outsider.is_superuser is False
    root = User.objects.create_superuser("root")
    assert change(ada, root, is_active="").status_code == 403
    assert ada.post(f"{CONSOLE}{root.pk}/password/", {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert change(signed_in(root), cast.outsider, is_superuser="on").status_code == 302
    event = AuditEvent.objects.get(actor="root")
    assert event.data["changes"] == {"is_superuser": {"was": False, "will_be": True}}


def test_accounts_of_the_machine_are_shown_and_never_changed(cast: Cast, ada: Client):
    setup = User.objects.get(pk=machine(SETUP).pk)
    assert ada.get(f"{CONSOLE}{setup.pk}/change/").status_code == 200
    assert change(ada, setup, is_active="on").status_code == 403
    assert ada.post(f"{CONSOLE}{setup.pk}/password/", {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert ada.post(f"{CONSOLE}{cast.outsider.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("who", ["clerk", "controller", "auditor", "outsider"])
def test_administration_is_refused_to_others_with_words(cast: Cast, signed_in: Any, who: str):
    client = signed_in(getattr(cast, who))
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "for accounts with staff status" in answer.content.decode()
    assert change(client, cast.outsider, is_staff="on").status_code == 302
    cast.outsider.refresh_from_db()
    assert cast.outsider.is_staff is False


def test_permissions_without_effect_are_not_offered(cast: Cast, ada: Client):
    page = ada.get(f"{CONSOLE}{cast.outsider.pk}/change/")
    assert page.status_code == 200
    offered = page.context["adminform"].form.fields
    assert "groups" in offered
    assert {"user_permissions", "permissions", "is_superuser"}.isdisjoint(offered)
    role = Group.objects.get(name="clerk")
    assert "permissions" not in ada.get("/admin/auth/group/add/").context["adminform"].form.fields
    assert ada.get(f"/admin/auth/group/{role.pk}/change/").status_code == 200
    assert ada.post(f"/admin/auth/group/{role.pk}/change/", {"name": "boss"}).status_code == 403


def test_role_added_is_told(cast: Cast, ada: Client):
    assert ada.post("/admin/auth/group/add/", {"name": "sources"}).status_code == 302
    assert [(event.action, event.subject) for event in events()] == [("role.added", "role:sources")]
    assert Group.objects.get(name="sources").permissions.count() == 0


def test_accounts_are_changed_with_a_fresh_proof(cast: Cast, signed_in: Any, time_machine: Any):
    """A session that an administrator left open gives nobody a way in."""
    time_machine.move_to(MORNING, tick=False)
    cache.clear()
    ada, otto = signed_in(cast.administrator), cast.outsider
    address, new = f"{CONSOLE}{otto.pk}/change/", "a wholly new passphrase"
    roles = [Group.objects.get(name=name).pk for name in ("clerk", "support")]
    time_machine.shift(timedelta(minutes=5))
    asked = change(ada, otto, groups=roles, remove_second_factor="on", end_sessions="on", because="Two\nlines.")
    html = asked.content.decode()
    assert (asked.status_code, f'action="{address}?proof=1"' in html) == (403, True)
    assert "Nothing is changed yet" in html
    kept: dict[str, Any] = {}
    for name, value in asked.context["kept"]:
        kept.setdefault(name, []).append(value)
    assert (kept["groups"], kept["because"]) == ([str(role) for role in roles], ["Two\nlines."])
    assert (otto.groups.count(), events()) == (0, [])
    wrong = ada.post(f"{address}?proof=1", kept | {"proof-password": "not it"})
    assert (wrong.status_code, "Nothing is changed yet" in wrong.content.decode(), otto.groups.count()) == (
        422,
        True,
        0,
    )
    assert ada.post(f"{address}?proof=1", kept | {"proof-password": PASSWORD}).status_code == 302
    assert (otto.groups.count(), events()[0].action) == (2, "person.proved_again")

    time_machine.shift(timedelta(minutes=6))
    assert change(ada, otto, because=" ").status_code == 403
    proof = {"username": "otto", "time_zone": "UTC", "because": " ", "proof-password": PASSWORD}
    again = ada.post(f"{address}?proof=1", proof)
    assert "because" in again.context["adminform"].form.errors
    # The form of the administration goes to the address that it was shown at.
    assert ada.post(f"{address}?proof=1", PLAIN | {"username": "otto"}).status_code == 302
    otto.refresh_from_db()
    assert otto.is_active is False

    time_machine.shift(timedelta(minutes=6))
    set_password = {"password1": new, "password2": new, "usable_password": "true"}
    for page, more in ((f"{CONSOLE}{otto.pk}/password/", {}), (f"{CONSOLE}add/", {"username": "nina"})):
        # What is typed there is kept nowhere, so the proof comes first.
        assert ada.get(page).headers["Location"] == f"/accounts/prove/?next={page.replace('/', '%2F')}"
        late = ada.post(page, set_password | more)
        assert (late.status_code, new in late.content.decode()) == (403, False)
        assert dict(late.context["kept"]) == {"usable_password": "true", **more}
    otto.refresh_from_db()
    assert (otto.check_password(new), User.objects.filter(username="nina").exists()) == (False, False)
    assert ada.get(address).status_code == 200  # to look is free
    assert ada.post("/accounts/prove/", {"password": PASSWORD}).status_code == 302
    assert ada.get(f"{CONSOLE}{otto.pk}/password/").status_code == 200
    assert ada.post(f"{CONSOLE}{otto.pk}/password/", set_password).status_code == 302
    # One's own is changed where the old one is asked for, however the number is written.
    for own in (str(cast.administrator.pk), f"%20{cast.administrator.pk}"):
        for answer in (ada.get(f"{CONSOLE}{own}/password/"), ada.post(f"{CONSOLE}{own}/password/", set_password)):
            assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/password/")
    otto.refresh_from_db()
    cast.administrator.refresh_from_db()
    assert [person.check_password(new) for person in (otto, cast.administrator)] == [True, False]
