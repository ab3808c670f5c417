"""What other pages show, through the API: the same rows, for the same people."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exceptions_app.models import ExceptionCase
from integrations.models import Connection, InboxMessage
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.views.test_connections import deliver
from tests.exceptions_app.views.test_intake_failures import elsewhere, fail
from tests.exceptions_app.views.test_quarantine import quarantined
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
SignedIn = Callable[[User], Client]
STATUS = {"": "failed", "set-aside": "set_aside"}


# Intake failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"connection": "bank"}, {"contains": "47"}, {"contains": "no such"}])
@pytest.mark.parametrize("show", ["", "set-aside"])
def test_intake_failures_are_those_of_the_page(
    api: As, cast: Cast, signed_in: SignedIn, asked: dict[str, str], show: str
) -> None:
    bank = elsewhere(cast)
    fail(cast, "4711")
    fail(replace(cast, connection=bank), "4712")
    set_aside = fail(cast, "4713")
    account = api(cast.clerk)
    assert account.post(f"messages/{set_aside.pk}/set-aside", {"because": "A test."}).status_code == 200
    page = signed_in(cast.clerk).get("/intake-failures/", asked | {"show": show}).context["rows"]
    found = account.get("messages", asked | {"status": STATUS[show]}).json()["results"]
    assert [row["id"] for row in found] == [message.external_id for message in page]


def test_original_is_read_by_who_may_correct_there(api: As, cast: Cast) -> None:
    message = fail(cast)
    response = api(cast.clerk).get(f"messages/{message.pk}/payload")
    assert (response.status_code, response.content) == (200, factories.PAYLOAD)
    assert response["Content-Disposition"].startswith("attachment;")
    for user in (cast.controller, cast.administrator, cast.outsider):
        assert kind_of(api(user).get(f"messages/{message.pk}/payload")) == (404, "not-found")
    assert kind_of(api(cast.clerk).get(f"messages/{message.pk}/context")) == (404, "not-found")
    InboxMessage.objects.filter(pk=message.pk).update(status="processed")
    assert kind_of(api(cast.clerk).get(f"messages/{message.pk}/payload")) == (404, "not-found")


def test_files_in_quarantine_are_listed_and_set_aside(api: As, cast: Cast, conforms: Conforms) -> None:
    files = [quarantined(cast, name) for name in ("one.xml", "two.xml")]
    account = api(cast.clerk)
    listed = account.get("quarantine").json()
    conforms(listed, "QuarantinePage")
    assert [row["file_name"] for row in listed["results"]] == ["two.xml", "one.xml"]
    assert account.get("quarantine", {"connection": "nowhere"}).json()["results"] == []
    address = f"quarantine/{files[0].pk}/set-aside"
    assert kind_of(account.post(address)) == (422, "invalid-content")
    assert account.post(address, {"because": "Sent again."}).json()["set_aside_at"]
    twice = account.post(address, {"because": "Sent again."})
    assert (kind_of(twice), twice.json()["state"]) == ((409, "not-possible-now"), "set_aside")
    for status, names in (("to_do", ["two.xml"]), ("set_aside", ["one.xml"])):
        found = account.get("quarantine", {"status": status}).json()["results"]
        assert [row["file_name"] for row in found] == names
    assert kind_of(account.get("quarantine", {"status": "all"})) == (400, "invalid-parameter")
    assert account.get(f"quarantine/{files[1].pk}").json()["file_name"] == "two.xml"


def test_files_in_quarantine_are_not_for_everybody(api: As, cast: Cast) -> None:
    file = quarantined(cast)
    account = api(cast.outsider)
    assert account.get("quarantine").json()["results"] == []
    assert kind_of(account.get(f"quarantine/{file.pk}")) == (404, "not-found")
    assert kind_of(account.post(f"quarantine/{file.pk}/set-aside", {"because": "x"})) == (404, "not-found")
    file.refresh_from_db()
    assert file.set_aside_at is None


# Connections ---------------------------------------------------------------------------------------------------------


def test_connection_shows_what_its_page_shows(api: As, cast: Cast, signed_in: SignedIn, conforms: Conforms) -> None:
    Connection.objects.update(
        target_token="secret-1", write_back_secret="secret-2", target_url="https://user:secret-3@target.example/x"
    )
    fail(cast)
    quarantined(cast)
    case, hidden = factories.make_case(cast), factories.make_case(cast, entity=cast.germany)
    for found in (case, hidden):
        deliver(cast, found.subject, key=found.business_key)
    path = f"connections/{cast.connection.slug}"
    response = api(cast.clerk).get(path)
    shown, page = response.json(), signed_in(cast.clerk).get(f"/{path}/").context
    conforms(shown, "ConnectionDetail")
    assert shown["counts"] == {
        name: getattr(page["connection"], name)
        for name in ("waiting", "unknown", "refused", "untold", "unread", "failures", "quarantined")
    }
    assert (shown["counts"]["waiting"], shown["counts"]["failures"], shown["counts"]["quarantined"]) == (2, 1, 1)
    assert (shown["target_url"], "secret" in response.content.decode()) == (page["target"], False)
    assert [route["queue"] for route in shown["routes"]] == [route.queue.slug for route in page["routes"]]
    assert (shown["promises"]["target_kind"], shown["promises"]["resends_by_itself"]) == ("deduplicates", True)
    recent = api(cast.local_clerk).get(f"{path}/deliveries").json()
    conforms(recent, "RecentDeliveryList")
    page = signed_in(cast.local_clerk).get(f"/{path}/").context
    assert [row["business_key"] for row in recent["results"]] == [
        row.business_key for row in page["deliveries"].shown
    ] == [case.business_key]  # fmt: skip
    assert (recent["hidden"], recent["results"][0]["exception"]) == (1, case.ref)


def test_failures_of_a_connection_are_not_counted_for_everybody(api: As, cast: Cast) -> None:
    counts = api(cast.controller).get(f"connections/{cast.connection.slug}").json()["counts"]
    assert (counts["failures"], counts["quarantined"], counts["unread"]) == (None, None, 0)


@pytest.mark.parametrize("path", ["connections/tax-authority", "connections/tax-authority/deliveries"])
def test_connection_is_not_for_everybody(api: As, cast: Cast, path: str) -> None:
    assert kind_of(api(cast.outsider).get(path)) == (404, "not-found")
    assert kind_of(api(cast.clerk).get(path.replace("tax-authority", "no-such-one"))) == (404, "not-found")


# Search --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["van loon", "1250.00", "1.250,00 EUR", "no such thing", "in", "-"])
def test_search_finds_what_the_page_finds(api: As, cast: Cast, signed_in: SignedIn, text: str) -> None:
    for entity in (cast.netherlands, cast.netherlands, cast.germany):
        factories.make_case(cast, entity=entity)
    found = signed_in(cast.local_clerk).get("/search/", {"q": text}).context["found"]
    body = api(cast.local_clerk).get("search", {"q": text}).json()
    assert [(row["exception"]["ref"], row["found_by"]["label"]) for row in body["results"]] == [
        (match.case.ref, match.label) for match in found.matches
    ]
    assert (body["only"], body["is_capped"]) == (None, False)


def test_search_for_a_whole_number(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast, number="INV-2026-0042")
    body = api(cast.clerk).get("search", {"q": "inv 2026/0042"}).json()
    conforms(body, "SearchResult")
    assert (body["only"], body["results"][0]["found_by"]["value"]) == (case.ref, "INV-2026-0042")
    hidden = api(cast.outsider).get("search", {"q": "inv 2026/0042"}).json()
    assert hidden == {"only": None, "filters": {}, "notices": [], "is_capped": False, "results": []}


def test_search_by_tokens(api: As, cast: Cast, conforms: Conforms) -> None:
    factories.make_case(cast, counterparty="Ateliers Roussel SAS", amount="999")
    case = factories.make_case(cast, counterparty="Ateliers Roussel SAS", amount="1000.01")
    body = api(cast.clerk).get("search", {"q": "roussel amount:>1000 colour:red"}).json()
    conforms(body, "SearchResult")
    assert [row["exception"]["ref"] for row in body["results"]] == [case.ref]
    assert body["filters"] == {"amount_above": "1000"}
    assert [notice.partition(".")[0] for notice in body["notices"]] == ["“colour:red” was left out"]


@pytest.mark.parametrize("text", ["", "  ", "x" * 201])
def test_search_for_nothing_is_refused(api: As, cast: Cast, text: str) -> None:
    response = api(cast.clerk).get("search", {"q": text})
    assert kind_of(response) == (400, "invalid-parameter")


@pytest.mark.parametrize(
    "path", ["messages?status=failed", "quarantine", "search?q=van loon", "proposals?show=prepared"]
)
def test_lists_cost_the_same_for_many(api: As, cast: Cast, path: str) -> None:
    account = api(cast.clerk)
    counts = []
    for number in (1, 1, 12):  # the first also fills what is read once for each process
        for _ in range(number):
            fail(cast, f"message-{InboxMessage.objects.count()}")
            quarantined(cast)
            case: ExceptionCase = factories.claim(factories.make_case(cast), cast.clerk)
            factories.make_proposal(case, cast.clerk)
        with CaptureQueriesContext(connection) as captured:
            assert account.get(path).status_code == 200
        counts.append(len(captured))
    assert counts[1] == counts[2]
