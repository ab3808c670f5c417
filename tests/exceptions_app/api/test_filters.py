"""The lists of the API and of the pages: the same filters and orders, under the same names, with the same result."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from exceptions_app.actions import work
from exceptions_app.actions.snoozing import snooze
from exceptions_app.actions.tagging import tag
from exceptions_app.filters import CaseFilter
from exceptions_app.models import ExceptionCase
from exceptions_app.queries import approvals
from exceptions_app.queries.queue_page import SORTS
from exceptions_app.states import Kind, ProposalKind, State, WakesOn
from integrations.refusals import Category
from tests import factories
from tests.cast import MORNING, PASSWORD, Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]


@pytest.fixture
def mixed(cast: Cast) -> list[ExceptionCase]:
    """Exceptions that differ in everything that a filter asks for."""
    cause = factories.make_cause("BR-CO-15", "The totals do not add up.", field="Total")
    cases = [
        factories.make_case(
            cast, number="INV/77-1", amount="10.00", priority=1, due_at=now() + timedelta(hours=2),
            identifiers={"Seller": "Meridian Industries NV"},
        ),
        factories.make_case(cast, queue=cast.holds, kind=Kind.HELD, category=Category.POLICY_HOLD, amount="99000.00"),
        factories.make_case(cast, entity=cast.germany, amount="-45.10", currency="USD", priority=2),
        factories.make_case(cast, cause=cause, amount=None, opened_at=now() - timedelta(days=1)),
        factories.make_case(cast, counterparty="Süd & Söhne GmbH", opened_at=now(), due_at=now() + timedelta(days=9)),
        factories.make_case(cast, amount="10.00", opened_at=MORNING + timedelta(days=1), object_type="journal"),
    ]  # fmt: skip
    work.claim(cases[0].pk, by=cast.clerk, at=now())
    work.claim(cases[4].pk, by=cast.second_clerk, at=now())
    work.hold(cases[4].pk, by=cast.second_clerk, at=now(), waiting_for="The order number")
    snooze(cases[5].pk, by=cast.clerk, at=now(), wakes_on=WakesOn.ARRIVAL)
    tag(cases[0].pk, add=["vat", "audit"], by=cast.clerk, at=now())
    tag(cases[1].pk, add=["vat"], by=cast.clerk, at=now())
    factories.dismiss(factories.make_case(cast, number="INV-CLOSED"), cast.clerk, approver=cast.controller)
    connection.check_constraints()
    return cases


ASKED: list[dict[str, str]] = [
    {"state": "open"},
    {"state": "any"},
    {"state": "closed"},
    *({"state": state.value} for state in State),
    {"state": "open", "text": "inv 77"},
    {"state": "any", "text": "sud sohne"},
    {"state": "any", "text": "closed"},
    {"state": "open", "queue": "policy-holds"},
    {"state": "any", "entity": "DE01"},
    *({"state": "any", "priority": str(level)} for level in (1, 2, 3, 4)),
    {"state": "open", "assignee": "me"},
    {"state": "open", "assignee": "nobody"},
    {"state": "open", "assignee": "cem"},
    {"state": "any", "category": "policy_hold"},
    {"state": "any", "kind": "held"},
    {"state": "any", "kind": "failed", "currency": "usd"},
    {"state": "any", "object_type": "journal"},
    {"state": "open", "cause": "{cause}"},
    {"state": "any", "code": "br-co-15"},
    {"state": "any", "customer": "sud sohne"},
    {"state": "any", "supplier": "meridian"},
    {"state": "any", "connection": "{connection}"},
    {"state": "open", "due": "overdue"},
    {"state": "open", "due": "today"},
    {"state": "open", "amount_min": "10"},
    {"state": "open", "amount_max": "10.00"},
    {"state": "open", "amount_min": "-50", "amount_max": "0"},
    {"state": "open", "amount_above": "10"},
    {"state": "open", "amount_below": "10.00"},
    *({"state": "open", "snoozed": which} for which in ("no", "only", "any")),
    {"state": "open", "tag": "vat"},
    {"state": "open", "tag": "VAT, audit"},
    {"state": "open", "opened_from": "2026-11-03"},
    {"state": "open", "opened_to": "2026-11-02"},
    {"state": "open", "age": "1"},
    {"state": "open", "age_max": "2"},
    {"state": "open", "age": "0", "priority": "3", "assignee": "nobody"},
    *({"state": state, "sort": sort} for state in ("open", "any") for sort in SORTS),
]


def refs_on_the_page(client: Client, asked: dict[str, str]) -> list[str]:
    return [row.case.ref for row in client.get("/queue/", asked).context["rows"]]


@pytest.mark.alike
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "&".join(f"{name}={value}" for name, value in asked.items()))
def test_same_filters_and_orders_find_the_same_in_the_same_order(
    api: As, cast: Cast, mixed: list[ExceptionCase], client: Client, asked: dict[str, str]
) -> None:
    places = {"cause": str(mixed[3].cause_id), "connection": cast.connection.slug}
    asked = {name: value.format(**places) for name, value in asked.items()}
    client.login(username=cast.clerk.username, password=PASSWORD)
    asked.setdefault("sort", "newest")
    asked.setdefault("snoozed", "any")
    found = api(cast.clerk).get("exceptions", asked)
    assert found.status_code == 200, found.content
    assert [row["ref"] for row in found.json()["results"]] == refs_on_the_page(client, asked)


def test_every_filter_and_order_is_compared() -> None:
    assert {name for asked in ASKED for name in asked} == {*CaseFilter.base_filters, "sort"}


def test_filters_are_not_vacuous(api: As, cast: Cast, mixed: list[ExceptionCase]) -> None:
    """Each filter of the table finds something somewhere, and leaves something out."""
    account = api(cast.clerk)
    places = {"cause": str(mixed[3].cause_id), "connection": cast.connection.slug}
    everything = len(account.get("exceptions").json()["results"])
    for name in set(CaseFilter.base_filters) - {"connection", "state", "kind"}:
        tried = [asked for asked in ASKED if name in asked]
        counts = [
            len(account.get("exceptions", {k: v.format(**places) for k, v in asked.items()}).json()["results"])
            for asked in tried
        ]
        assert 0 < max(counts) < everything, name


def test_without_a_state_the_api_has_closed_ones_too(api: As, cast: Cast, mixed: list[ExceptionCase]) -> None:
    account = api(cast.clerk)
    found = account.get("exceptions").json()["results"]
    assert found == account.get("exceptions", {"state": "any", "sort": "newest"}).json()["results"]
    assert {row["state"] for row in found} >= {"new", "waiting", "dismissed"}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("exceptions", {"sort": "fastest"}),
        ("exceptions", {"status": "open"}),
        ("exceptions", {"priority": "5"}),
        ("exceptions", {"sort": ""}),
        ("proposals", {"sort": "urgency"}),
        ("proposals", {"show": "all"}),
    ],
)
def test_what_is_not_known_is_named(api: As, cast: Cast, path: str, asked: dict[str, str]) -> None:
    response = api(cast.clerk).get(path, asked)
    assert kind_of(response) == (400, "invalid-parameter")
    assert [error["parameter"] for error in response.json()["errors"]] == list(asked)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_in_every_order_lead_through_all_and_back(
    api: As, cast: Cast, mixed: list[ExceptionCase], sort: str
) -> None:
    account = api(cast.clerk)
    whole = [row["ref"] for row in account.get("exceptions", {"sort": sort}).json()["results"]]
    walked, response = [], account.get("exceptions", {"sort": sort, "page_size": "2"})
    while True:
        page = response.json()
        links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers.get("Link", "")))
        assert {rel: url for url, rel in links.items()} == {
            rel: url for rel, url in (("next", page["next"]), ("prev", page["previous"])) if url
        }
        walked += [row["ref"] for row in page["results"]]
        if page["next"] is None:
            break
        factories.make_case(cast, opened_at=MORNING - timedelta(days=400), amount="5.00", queue=cast.holds)
        response = account.get(page["next"])
    assert [ref for ref in walked if ref in whole] == whole
    back = [row["ref"] for row in page["results"]]
    while page["previous"] is not None:
        page = account.get(page["previous"]).json()
        back = [row["ref"] for row in page["results"]] + back
    assert back == [row["ref"] for row in account.get("exceptions", {"sort": sort}).json()["results"]]


def test_cursor_of_another_order_is_refused(api: As, cast: Cast, mixed: list[ExceptionCase]) -> None:
    account = api(cast.clerk)
    following = account.get("exceptions", {"sort": "due", "page_size": "2"}).json()["next"]
    assert kind_of(account.get(following.replace("sort=due", "sort=largest"))) == (400, "invalid-parameter")


@pytest.mark.parametrize("sort", [*SORTS])
def test_list_costs_the_same_for_many(api: As, cast: Cast, sort: str) -> None:
    account = api(cast.clerk)
    counts = []
    for number in (1, 1, 20):  # the first also fills what is read once for each process
        for _ in range(number):
            factories.make_case(cast)
        with CaptureQueriesContext(connection) as captured:
            account.get("exceptions", {"sort": sort})
        counts.append(len(captured))
    assert counts[1] == counts[2]


# Proposals -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def proposed(cast: Cast) -> list[ExceptionCase]:
    amounts = {"10.00": cast.clerk, "-900.00": cast.second_clerk, None: cast.clerk, "50.00": cast.clerk}
    cases = []
    for amount, who in amounts.items():
        cases.append(factories.claim(factories.make_case(cast, amount=amount), who))
        factories.make_proposal(cases[-1], who, kind=ProposalKind.DISMISS)
    return cases


@pytest.mark.parametrize("sort", approvals.SORTS)
@pytest.mark.parametrize(("show", "tab"), [("to_decide", ""), ("prepared", "prepared")])
@pytest.mark.parametrize("who", ["clerk", "controller"])
def test_proposals_are_those_of_the_page_in_the_same_order(
    api: As, cast: Cast, proposed: list[ExceptionCase], client: Client, sort: str, show: str, tab: str, who: str
) -> None:
    if (who, show) == ("clerk", "to_decide"):
        assert api(cast.clerk).get("proposals", {"show": show, "sort": sort}).json()["results"] == []
        return  # whoever decides nowhere is shown what they prepared
    user: User = getattr(cast, who)
    client.login(username=user.username, password=PASSWORD)
    page = client.get("/approvals/", {"show": tab, "sort": sort}).context["waiting"]
    found = api(user).get("proposals", {"show": show, "sort": sort}).json()["results"]
    assert [row["exception"]["ref"] for row in found] == [waiting.case.ref for waiting in page]
    assert (
        len(found)
        == {("controller", "to_decide"): 4, ("clerk", "prepared"): 3, ("controller", "prepared"): 0}[who, show]
    )


def test_proposals_come_oldest_first(api: As, cast: Cast, proposed: list[ExceptionCase]) -> None:
    account = api(cast.controller)
    asked: Any = account.get("proposals").json()
    assert asked == account.get("proposals", {"sort": "oldest", "show": "to_decide"}).json()
    assert [row["exception"]["ref"] for row in asked["results"]] == [case.ref for case in proposed]
