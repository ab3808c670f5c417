"""Who has which verb where, since when, given by whom and last used: as a page, as a file and by HTTP."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEvent
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import add_to_role, grant_connection, grant_verbs
from exceptions_app.machines import SETUP, SIGN_ON, machine
from exceptions_app.models import Route
from exceptions_app.queries.access import AccessFilter, AccessRow, access_page, all_access
from exceptions_app.queries.access_used import DAYS, VERBS_BY_EVENT
from exceptions_app.queries.keyset import InvalidCursor
from exceptions_app.states import Verb
from exceptions_app.views.audit_words import ACTIONS
from integrations.models import RetryPolicy
from tests import factories
from tests.cast import MORNING, SET_UP_AT, Cast, person
from tests.exceptions_app.api.conftest import Api, api
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def of(username: str) -> dict[tuple[str, str, str], AccessRow]:
    """By place, verb and role."""
    rows = all_access(AccessFilter(person=username), at=MORNING + DAY)
    return {(row.subject, row.verb, row.role): row for row in rows if row.username == username}


def downloaded(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def test_each_way_to_a_verb_says_since_when_by_whom_and_when_it_was_last_used(cast: Cast):
    admin = cast.administrator
    grant_verbs([Verb.SEE, Verb.CORRECT], cast.outsider, [cast.holds], by=admin, at=MORNING)
    grant_verbs([Verb.COMMENT], cast.outsider, [cast.holds], by=admin, at=MORNING + HOUR)
    add_to_role("support", cast.outsider, by=machine(SIGN_ON), at=MORNING + 2 * HOUR, because="By the groups.")
    grant_connection("configure_connection", cast.outsider, cast.connection, by=admin, at=MORNING)
    factories.claim(factories.make_case(cast), cast.clerk)
    rows = of("otto")
    told = {key: (row.since, row.given_by, row.used) for key, row in rows.items()}
    assert told == {
        ("connection:tax-authority", "configure_connection", ""): (MORNING, "ada", None),
        ("queue:policy-holds", "see", ""): (MORNING, "ada", None),
        ("queue:policy-holds", "correct", ""): (MORNING, "ada", None),
        ("queue:policy-holds", "comment", ""): (MORNING + HOUR, "ada", None),
        **{
            (place, "see", "support"): (MORNING + 2 * HOUR, "machine:sign-on", None)
            for place in ("queue:policy-holds", "queue:e-invoicing", "entity:NL01", "entity:DE01")
        },
    }
    # What a role is given later counts since then, and what somebody did counts where they did it.
    clerk = of("clara")
    assert {(row.since, row.given_by) for row in clerk.values()} == {(SET_UP_AT, "machine:setup")}
    used = {(subject, verb) for (subject, verb, _), row in clerk.items() if row.used}
    assert used == {(place, verb) for place in ("queue:e-invoicing", "entity:NL01") for verb in ("correct", "see")}
    # The trail is read back for so many days.
    late = {row.used is None for row in all_access(AccessFilter(person="clara"), at=MORNING + (DAYS + 1) * DAY)}
    assert late == {True}
    # Of an account that was made past the trail, the trail does not say since when it administers; but what it did.
    [(key, administers)] = of("ada").items()
    assert (key, administers.since) == (("workbench:workbench", "administer", ""), None)
    assert administers.used is not None
    assert administers.used.at == MORNING + HOUR
    # The last time counts: taken and given again.
    grant_verbs([Verb.APPROVE], cast.support, [cast.holds], by=admin, at=MORNING)
    assert of("sara")["queue:policy-holds", "approve", ""].since == MORNING


def test_filter_and_pages_keep_one_order_and_ask_twice(cast: Cast):
    everything = [row.key for row in all_access(AccessFilter(), at=MORNING)]
    assert everything == sorted(everything)
    assert len(everything) == len(set(everything)) > 50
    for wanted, ours in (
        (AccessFilter(person="LARS"), lambda row: row.username == "lars"),
        (AccessFilter(person="%"), lambda _: False),
        (AccessFilter(role="auditor"), lambda row: row.role == "auditor"),
        (AccessFilter(role="directly"), lambda row: not row.role),
        (AccessFilter(place="entity:DE01", role="clerk"), lambda row: row.role == "clerk" and row.place == "DE01"),
    ):
        expected = [row.key for row in all_access(AccessFilter(), at=MORNING) if ours(row)]
        assert [row.key for row in all_access(wanted, at=MORNING)] == expected
    for size in (7, 50):
        with CaptureQueriesContext(database) as seen:
            page = access_page(AccessFilter(), at=MORNING, size=size)
        assert (len(seen), page.previous_cursor) == (2, "")
        there = [row.key for row in page.rows]
        while page.next_cursor:
            before = page
            page = access_page(AccessFilter(), at=MORNING, size=size, cursor=page.next_cursor)
            there += [row.key for row in page.rows]
            back = access_page(AccessFilter(), at=MORNING, size=size, cursor=page.previous_cursor, direction="before")
            assert [row.key for row in back.rows] == [row.key for row in before.rows]
        assert there == everything
    for cursor in ("x", "e30", "WzEsMl0", "W1wiXHUwMDAwXCIsXCJcIixcIlwiLFwiXCIsXCJcIl0", "A" * 3000):
        with pytest.raises(InvalidCursor):
            access_page(AccessFilter(), at=MORNING, cursor=cursor)


def test_page_file_and_api_are_for_administrators_and_auditors(
    cast: Cast, signed_in: SignIn, api: Callable[[User], Api], time_machine: Any
):
    time_machine.move_to(MORNING, tick=False)
    factories.claim(factories.make_case(cast), cast.local_clerk)
    address, export = reverse("exceptions:access"), reverse("exceptions:access_export")
    for stranger in (cast.clerk, cast.controller, cast.support, cast.outsider):
        assert signed_in(stranger).get(address).status_code == 403
        assert signed_in(stranger).get(export).status_code == 403
        assert api(stranger).get("access").status_code == 403
    assert not AuditEvent.objects.filter(action="access.exported").exists()
    for reader in (cast.administrator, cast.auditor):
        page = signed_in(reader).get(address, {"person": "lars"}).content.decode()
        for words in ("Lars Local", "work on exceptions", "Meridian Industries NV", "directly", "None in 400 days"):
            assert words in page, words
    neighbour = person("nora", "Nora Neighbour")
    grant_verbs([Verb.EXPORT], neighbour, [cast.holds, cast.germany], by=cast.administrator, at=MORNING)
    places = {row["place"] for row in api(neighbour).get("access", {"page_size": "200"}).json()["results"]}
    assert places == {"policy-holds", "DE01", "workbench"}
    assert signed_in(neighbour).get(address, {"place": "queue:e-invoicing"}).status_code == 422
    assert "Meridian Industries NV" not in downloaded(signed_in(neighbour).get(export))
    ours = api(cast.auditor).get("access", {"person": "lars", "place": "queue:e-invoicing"}).json()
    shown: list[dict[str, Any]] = ours["results"]
    assert [row["verb"] for row in shown] == ["comment", "correct", "propose", "reveal", "see"]
    assert [row["last_use_tells_place"] for row in shown] == [None, True, None, None, True]
    first = api(cast.auditor).get("access", {"page_size": "2"}).json()
    second = api(cast.auditor).get(first["next"].partition("/api/v1/")[2]).json()
    assert api(cast.auditor).get(second["previous"].partition("/api/v1/")[2]).json()["results"] == first["results"]
    assert api(cast.auditor).get("access", {"cursor": "nowhere"}).status_code == 400
    lines = list(csv.DictReader(io.StringIO(downloaded(signed_in(cast.auditor).get(export, {"person": "lars"})))))
    assert [line["username"] for line in lines] == ["lars"] * 10
    event = AuditEvent.objects.get(action="access.exported", actor="anna")
    assert (event.actor, event.data) == ("anna", {"filter": {"person": "lars"}, "rows": 10})
    assert signed_in(cast.auditor).get(export, {"place": "queue:nowhere"}).status_code == 422
    assert signed_in(cast.auditor).get(address, {"role": "nobody"}).status_code == 422
    lost = signed_in(cast.auditor).get(address, {"after": "nowhere"}).content.decode()
    assert "this is the first page" in lost


def test_what_counts_as_a_use_is_in_the_words_of_the_trail(cast: Cast):
    names = {name for group in ACTIONS.values() for name in group}
    assert set(VERBS_BY_EVENT) - names == set()
    person("nina", "Nina Newcomer")
    assert of("nina") == {}
    # Of the configuration, what is about a connection is what the right to configure it is for.
    admin = cast.administrator
    grant_connection("configure_connection", admin, cast.connection, by=machine(SETUP), at=MORNING)
    changed: list[tuple[Any, str, object]] = [
        (cast.connection, "name", "Other"),
        (RetryPolicy(connection=cast.connection, about="asking"), "first_seconds", 9),
        (cast.holds, "name", "Other"), (cast.germany, "name", "Other"), (Route.objects.all()[0], "priority", 2),
    ]  # fmt: skip
    for hours, (item, field, value) in enumerate(changed, start=1):
        setattr(item, field, value)
        save_configuration(item, by=admin, at=MORNING + hours * HOUR, because="For this test.")
    used = {verb: row.used.at if row.used else None for (_, verb, _), row in of("ada").items()}
    assert used == {"configure_connection": MORNING + 2 * HOUR, "administer": MORNING + 5 * HOUR}
