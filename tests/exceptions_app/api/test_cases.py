"""Reading exceptions: scope, shape, paging, filters, bytes."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.case_history import PAGE_SIZE
from exceptions_app.states import Kind, ProposalKind
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

Conforms = Callable[[Any, str], None]
As = Callable[[User], Api]


def test_exception_is_read_with_its_context(
    api: As, cast: Cast, refused_invoice: ExceptionCase, conforms: Conforms
) -> None:
    response = api(cast.clerk).get(f"exceptions/{refused_invoice.ref}")
    body = response.json()
    conforms(body, "ExceptionDetail")
    assert (response.status_code, response["ETag"], response["Cache-Control"]) == (200, '"1"', "no-store")
    assert (body["ref"], body["state"], body["kind"]) == (refused_invoice.ref, "new", "failed")
    assert body["money"] == {"amount": f"{refused_invoice.amount:.2f}", "currency": "EUR"}
    assert (body["errors_from"], body["errors"][0]["code"], body["errors"][0]["term"]) == ("source", "BR-03", "BT-2")
    assert body["record"]["number"] == "INV-1001"
    assert [field["value"] for field in body["record"]["fields"] if field["term"] == "BT-2"] == [None]
    assert [version["number"] for version in body["versions"]] == [1]
    assert body["proposal"] is None


@pytest.mark.parametrize(
    ("kind", "own"), [(Kind.FAILED, {"propose"}), (Kind.HELD, {"release", "decline"})], ids=["failed", "held"]
)
def test_actions_say_what_is_possible_and_why_not(api: As, cast: Cast, kind: Kind, own: set[str]) -> None:
    case = factories.make_case(cast, kind=kind)
    actions = {
        found["action"]: (found["allowed"], found["reason"])
        for found in api(cast.clerk).get(f"exceptions/{case.ref}").json()["actions"]
    }
    assert actions["claim"] == (True, "")
    assert actions["resume"] == (False, "“Resume” is not possible while the exception is new.")
    assert actions["approve"][0] is False
    assert set(actions) - own == {
        "claim",
        "assign",
        "hold",
        "resume",
        "snooze",
        "tag",
        "wake",
        "correct",
        "dismiss",
        "withdraw",
        "approve",
        "reject",
        "reopen",
        "comment",
    }
    assert own <= set(actions)


def test_proposal_of_what_does_not_pass_the_check_is_not_offered(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk, passed=False)
    [propose] = [
        found for found in api(cast.clerk).get(f"exceptions/{case.ref}").json()["actions"]
        if found["action"] == "propose"
    ]  # fmt: skip
    assert (propose["allowed"], propose["reason"]) == (
        False, "Version 2 does not pass the check yet: 1 problem left.",
    )  # fmt: skip


def test_lists_hold_the_newest_and_say_how_many_there_are(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast)
    for _ in range(PAGE_SIZE):
        factories.make_version(case, cast.clerk)
    body = api(cast.clerk).get(f"exceptions/{case.ref}").json()
    conforms(body, "ExceptionDetail")
    assert body["versions_count"] == PAGE_SIZE + 1
    assert [version["number"] for version in body["versions"]] == list(range(2, PAGE_SIZE + 2))
    assert "operations" not in body["versions"][0]


def test_proposal_is_shown_with_the_hash_to_decide_on(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk)
    proposal = factories.make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS)
    body = api(cast.controller).get(f"exceptions/{case.ref}").json()
    conforms(body, "ExceptionDetail")
    assert body["proposal"]["frozen_sha256"] == proposal.frozen_sha256
    assert body["proposal"]["target_url"] == ""
    assert [found["allowed"] for found in body["actions"] if found["action"] == "approve"] == [True]
    assert body["errors_from"] == "check"


def test_closed_exception_shows_who_decided(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    body = api(cast.auditor).get(f"exceptions/{case.ref}").json()
    conforms(body, "ExceptionDetail")
    assert (body["outcome"], body["proposal"]["decision"]["decider"]["username"]) == ("fixed_at_source", "conrad")


def test_what_holds_a_held_transaction_stands_after_a_correction(api: As, cast: Cast) -> None:
    case = factories.make_case(cast, kind=Kind.HELD, errors=[factories.error("LIMIT", "Above the limit.")])
    factories.make_version(case, cast.clerk)
    assert [error["code"] for error in api(cast.clerk).get(f"exceptions/{case.ref}").json()["errors"]] == ["LIMIT"]


@pytest.mark.parametrize("path", ["", "/versions/1", "/versions/1/content", "/events"])
def test_invisible_exception_is_the_same_as_none(api: As, cast: Cast, path: str) -> None:
    case = factories.make_case(cast, queue=cast.holds)
    outsider, local = api(cast.outsider), api(cast.local_clerk)
    missing = outsider.get(f"exceptions/EX-999999{path}")
    assert missing.status_code == 404
    for account in (outsider, local):
        hidden = account.get(f"exceptions/{case.ref}{path}")
        assert hidden.status_code == 404
        told = {name: value for name, value in hidden.json().items() if name not in ("instance", "trace_id")}
        assert told == {k: v for k, v in missing.json().items() if k not in ("instance", "trace_id")}


@pytest.mark.parametrize(
    "ref", ["EX-", "EX-0", "1e5", "EX-٣", "%00", "EX-99999999999999999999", "EX-1%27--", "a" * 300]
)
def test_reference_that_is_none_is_not_found(api: As, cast: Cast, ref: str) -> None:
    assert api(cast.clerk).get(f"exceptions/{ref}").status_code == 404


def test_list_holds_what_is_visible(api: As, cast: Cast, conforms: Conforms) -> None:
    first, second = factories.make_case(cast), factories.make_case(cast, queue=cast.holds, entity=cast.germany)
    response = api(cast.clerk).get("exceptions")
    conforms(response.json(), "ExceptionPage")
    assert [found["ref"] for found in response.json()["results"]] == [second.ref, first.ref]
    assert [found["ref"] for found in api(cast.local_clerk).get("exceptions").json()["results"]] == [first.ref]
    assert api(cast.outsider).get("exceptions").json() == {"next": None, "previous": None, "results": []}
    assert api(cast.administrator).get("exceptions").json()["results"] == []


def test_list_is_paged_by_cursor_in_both_directions(api: As, cast: Cast) -> None:
    cases = [factories.make_case(cast).ref for _ in range(5)][::-1]
    account = api(cast.clerk)
    first = account.get("exceptions", {"page_size": "2"})
    assert first["Link"] == f'<{first.json()["next"]}>; rel="next"'
    factories.make_case(cast)  # shifts nothing
    second = account.get(first.json()["next"])
    third = account.get(second.json()["next"])
    pages = [[found["ref"] for found in page.json()["results"]] for page in (first, second, third)]
    assert pages == [cases[:2], cases[2:4], cases[4:]]
    assert third.json()["next"] is None
    back = account.get(third.json()["previous"])
    assert [found["ref"] for found in back.json()["results"]] == cases[2:4]
    assert 'rel="next"' in back["Link"]
    assert 'rel="prev"' in back["Link"]


def test_filters_are_those_of_the_pages(api: As, cast: Cast) -> None:
    held = factories.make_case(cast, kind=Kind.HELD, number="H-1")
    mine = factories.claim(factories.make_case(cast, number="INV-2026/77"), cast.clerk)
    account = api(cast.clerk)

    def refs(**parameters: str) -> list[str]:
        return [found["ref"] for found in account.get("exceptions", parameters).json()["results"]]

    assert refs(kind="held") == [held.ref]
    assert refs(state="in_progress", assignee="me") == [mine.ref]
    assert refs(text="inv 2026 77") == [mine.ref]
    assert refs(queue="e-invoicing", entity="NL01", priority="3") == [mine.ref, held.ref]
    assert refs(state="resolved") == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"stat": "new"}, "stat"),
        ({"state": "gone"}, "state"),
        ({"queue": "no-such-queue"}, "queue"),
        ({"amount_min": "a lot"}, "amount_min"),
        ({"opened_from": "2026-13-01"}, "opened_from"),
        ({"text": "\x00"}, "text"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "ten"}, "page_size"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "after.x"}, "cursor"),
        ({"cursor": "beside.WyJuZXdlc3QiLDFd"}, "cursor"),
        ({"cursor": "after.WyJuZXdlc3QiLDFlOTldCg"}, "cursor"),
        ({"cursor": "after." + "A" * 5000}, "cursor"),
    ],
)
def test_parameter_that_cannot_be_used_is_named(api: As, cast: Cast, parameters: dict[str, str], named: str) -> None:
    response = api(cast.clerk).get("exceptions", parameters)
    body = response.json()
    assert (response.status_code, body["type"]) == (400, "/api/problems/#invalid-parameter")
    assert [error["parameter"] for error in body["errors"]] == [named]
    assert body["errors"][0]["remedy"]


def test_parameter_given_twice_is_refused(api: As, cast: Cast) -> None:
    response = api(cast.clerk).get("exceptions?state=new&state=waiting")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (400, "state")


def test_list_asks_the_database_as_often_for_three_as_for_one(
    api: As, cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = api(cast.clerk)
    factories.claim(factories.make_case(cast), cast.clerk)
    account.get("exceptions")
    with django_assert_max_num_queries(6) as one:
        account.get("exceptions")
    factories.make_case(cast, queue=cast.holds)
    factories.make_case(cast, entity=cast.germany)
    with django_assert_max_num_queries(len(one)):
        assert len(account.get("exceptions").json()["results"]) == 3


def test_detail_asks_the_database_as_often_for_three_versions_as_for_two(
    api: As, cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = api(cast.clerk)
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk)
    with django_assert_max_num_queries(40) as before:
        account.get(f"exceptions/{case.ref}")
    factories.make_version(case, cast.clerk)
    with django_assert_max_num_queries(len(before)):
        assert len(account.get(f"exceptions/{case.ref}").json()["versions"]) == 3


def test_version_is_read_with_its_exact_bytes(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk, because="Taken from the order.")
    account = api(cast.auditor)
    body = account.get(f"exceptions/{case.ref}/versions/2").json()
    conforms(body, "Version")
    assert (body["author"]["username"], body["reason"], body["check"]["passed"]) == (
        "clara", "Taken from the order.", True,
    )  # fmt: skip
    content = account.get(body["content_url"])
    stored = PayloadVersion.objects.get(case=case, number=2)
    assert content.content == bytes(stored.content)
    assert (content["Content-Type"], content["ETag"]) == ("application/xml", f'"{stored.sha256}"')
    assert content["Content-Disposition"] == f'attachment; filename="{case.ref}-version-2.xml"'
    assert content["X-Content-Type-Options"] == "nosniff"


def test_bytes_of_a_type_that_a_browser_would_run_are_not_called_so(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk)
    version = PayloadVersion.objects.get(case=case, number=2)
    version.pk, version.number, version.media_type = None, 3, "text/html"
    version.save()
    response = api(cast.clerk).get(f"exceptions/{case.ref}/versions/3/content", accept="text/html")
    assert (response.status_code, response["Content-Type"]) == (200, "application/octet-stream")
    assert response["Content-Disposition"].startswith("attachment;")


def test_version_that_is_not_there(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    assert api(cast.clerk).get(f"exceptions/{case.ref}/versions/2").status_code == 404
    assert api(cast.clerk).get(f"exceptions/{case.ref}/versions/{10**30}").status_code == 404


def test_timeline_is_paged_newest_first(api: As, cast: Cast, conforms: Conforms) -> None:
    case = factories.make_case(cast)
    factories.claim(case, cast.clerk)
    account = api(cast.auditor)
    first = account.get(f"exceptions/{case.ref}/events", {"page_size": "1"}).json()
    second = account.get(first["next"]).json()
    conforms(first, "EventPage")
    assert [page["results"][0]["action"] for page in (first, second)] == ["case.claimed", "case.opened"]
    assert (first["results"][0]["actor"], second["next"]) == ("clara", None)
    assert account.get(f"exceptions/{case.ref}/events", {"cursor": "yesterday"}).status_code == 400
