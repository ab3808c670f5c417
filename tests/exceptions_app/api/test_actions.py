"""Every action through the API: it works, not for everybody, not in every state, not twice."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now

from exceptions_app.actions import work
from exceptions_app.actions.snoozing import snooze
from exceptions_app.models import Comment, ExceptionCase
from exceptions_app.states import Kind, ProposalKind, WakesOn
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
WHY = {"because": "Agreed with billing."}
NEXT_YEAR = datetime.now(UTC).year + 1


def claimed(cast: Cast, **more: Any) -> ExceptionCase:
    return factories.claim(factories.make_case(cast, **more), cast.clerk)


def waiting(cast: Cast) -> ExceptionCase:
    case = claimed(cast)
    factories.make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS)
    return case


def held(cast: Cast) -> ExceptionCase:
    return claimed(cast, kind=Kind.HELD)


def on_hold(cast: Cast) -> ExceptionCase:
    case = claimed(cast)
    work.hold(case.pk, by=cast.clerk, at=now(), waiting_for="The order number")
    return case


def snoozed(cast: Cast) -> ExceptionCase:
    return snooze(claimed(cast).pk, by=cast.clerk, at=now(), wakes_on=WakesOn.COMMENT)


def dismissed(cast: Cast) -> ExceptionCase:
    case = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    connection.check_constraints()  # as at the end of the transaction of the approval
    return case


# action: (exception at hand, body, state afterwards)
ACTIONS: dict[str, tuple[Callable[[Cast], ExceptionCase], dict[str, Any], str]] = {
    "claim": (factories.make_case, {}, "in_progress"),
    "assign": (claimed, {"to": "cem", "because": "He knows them."}, "in_progress"),
    "hold": (claimed, {"waiting_for": "The order number", "until": f"{NEXT_YEAR}-01-01T09:00:00+01:00"}, "waiting"),
    "resume": (on_hold, {}, "in_progress"),
    "snooze": (claimed, {"until": f"{NEXT_YEAR}-01-01T09:00:00+01:00", "event": "arrival"}, "in_progress"),
    "wake": (snoozed, {}, "in_progress"),
    "tag": (claimed, {"add": ["VAT", "month-end"], "because": "Asked by the controller."}, "in_progress"),
    "decline": (held, WHY, "awaiting_approval"),
    "dismiss": (claimed, WHY | {"outcome": "written_off"}, "awaiting_approval"),
    "withdraw": (waiting, {}, "in_progress"),
    "reopen": (dismissed, WHY, "in_progress"),
    "comment": (claimed, {"text": "Asked them."}, "in_progress"),
}


@pytest.mark.parametrize(("action", "row"), ACTIONS.items(), ids=ACTIONS.keys())
def test_action_does_what_its_button_does(
    api: As, cast: Cast, conforms: Conforms, action: str, row: tuple[Any, dict[str, Any], str]
) -> None:
    make, body, state = row
    case = make(cast)
    response = api(cast.clerk).post(f"exceptions/{case.ref}/{action}", body)
    assert response.status_code == (201 if action == "comment" else 200), response.content
    conforms(response.json(), "ExceptionDetail")
    case.refresh_from_db()
    assert (response.json()["state"], case.state) == (state, state)
    assert response["ETag"] == f'"{case.revision}"'


@pytest.mark.parametrize(("action", "row"), ACTIONS.items(), ids=ACTIONS.keys())
def test_action_of_a_person_without_the_right(
    api: As, cast: Cast, action: str, row: tuple[Any, dict[str, Any], str]
) -> None:
    make, body, _ = row
    case = make(cast)
    revision = ExceptionCase.objects.get(pk=case.pk).revision
    refused = api(cast.auditor).post(f"exceptions/{case.ref}/{action}", body)
    assert kind_of(refused) == (403, "not-permitted")
    assert "An administrator can grant it" in refused.json()["detail"]
    hidden = api(cast.outsider).post(f"exceptions/{case.ref}/{action}", body)
    missing = api(cast.outsider).post(f"exceptions/EX-999999/{action}", body)
    assert kind_of(hidden) == kind_of(missing) == (404, "not-found")
    assert hidden.json()["detail"] == missing.json()["detail"]
    assert ExceptionCase.objects.get(pk=case.pk).revision == revision


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"assign", "comment", "withdraw"}))
def test_action_in_the_wrong_state(api: As, cast: Cast, action: str) -> None:
    case = claimed(cast) if action in ("resume", "reopen", "decline") else dismissed(cast)
    response = api(cast.clerk).post(f"exceptions/{case.ref}/{action}", ACTIONS[action][1])
    assert kind_of(response) == (409, "not-possible-now")
    assert response.json()["state"] == ("in_progress" if case.closed_at is None else "dismissed")


@pytest.mark.parametrize("action", ["hold", "decline", "dismiss", "reopen"])
def test_action_twice(api: As, cast: Cast, action: str) -> None:
    make, body, _ = ACTIONS[action]
    case = make(cast)
    account = api(cast.clerk)
    assert account.post(f"exceptions/{case.ref}/{action}", body).status_code == 200
    assert kind_of(account.post(f"exceptions/{case.ref}/{action}", body)) == (409, "not-possible-now")


def test_withdrawing_twice(api: As, cast: Cast) -> None:
    case = waiting(cast)
    account = api(cast.clerk)
    assert account.post(f"exceptions/{case.ref}/withdraw").status_code == 200
    assert kind_of(account.post(f"exceptions/{case.ref}/withdraw")) == (409, "changed-meanwhile")


MISSING = {
    "assign": "/to", "hold": "/waiting_for", "propose": "/because", "release": "/because", "decline": "/because",
    "dismiss": "/outcome", "approve": "/frozen_sha256", "reject": "/frozen_sha256", "reopen": "/because",
    "comment": "/text", "correct": "/base_version",
}  # fmt: skip


@pytest.mark.parametrize(("action", "pointer"), MISSING.items())
def test_missing_field_is_named(api: As, cast: Cast, action: str, pointer: str) -> None:
    response = api(cast.clerk).post(f"exceptions/{claimed(cast).ref}/{action}", {})
    assert kind_of(response) == (422, "invalid-content")
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("claim", {"force": True}, "/force"),
        ("assign", {"to": "nobody-of-that-name"}, "/to"),
        ("assign", {"to": "otto"}, "/to"),
        ("assign", {"to": "cem\u0001" * 30}, "/to"),
        ("hold", {"waiting_for": "   "}, "/waiting_for"),
        ("hold", {"waiting_for": "x", "until": "tomorrow"}, "/until"),
        ("hold", {"waiting_for": "x", "until": f"{NEXT_YEAR}-01-01T09:00:00"}, "/until"),
        ("hold", {"waiting_for": "x", "until": f"{NEXT_YEAR}-02-30T09:00:00Z"}, "/until"),
        ("hold", {"waiting_for": "x", "until": "2001-01-01T09:00:00Z"}, "/until"),
        ("hold", {"waiting_for": "x", "until": "9999-12-31T23:59:59-12:00"}, "/until"),
        ("hold", {"waiting_for": "x" * 301}, "/waiting_for"),
        ("dismiss", {"because": "x", "outcome": "replayed"}, "/outcome"),
        ("dismiss", {"because": "", "outcome": "written_off"}, "/because"),
        ("dismiss", {"because": " ", "outcome": "written_off"}, "/because"),
        ("dismiss", {"because": "x" * 501, "outcome": "written_off"}, "/because"),
        ("approve", {"frozen_sha256": "short"}, "/frozen_sha256"),
        ("comment", {"text": "x" * 5001}, "/text"),
    ],
)
def test_value_that_cannot_be_used_is_named(
    api: As, cast: Cast, action: str, body: dict[str, Any], pointer: str
) -> None:
    case = claimed(cast)
    response = api(cast.clerk).post(f"exceptions/{case.ref}/{action}", body)
    assert kind_of(response) == (422, "invalid-content")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_assigning_to_nobody_gives_it_back(api: As, cast: Cast) -> None:
    case = claimed(cast)
    assert api(cast.clerk).post(f"exceptions/{case.ref}/assign", {"to": None}).json()["assignee"] is None


def test_claiming_what_a_colleague_has(api: As, cast: Cast) -> None:
    case = claimed(cast)
    response = api(cast.second_clerk).post(f"exceptions/{case.ref}/claim")
    assert kind_of(response) == (403, "not-permitted")
    assert "Assign it to yourself" in response.json()["detail"]


def test_body_may_be_left_out_where_nothing_is_asked(api: As, cast: Cast) -> None:
    assert api(cast.clerk).post(f"exceptions/{factories.make_case(cast).ref}/claim", b"").status_code == 200


def test_comment_is_shown(api: As, cast: Cast) -> None:
    case = claimed(cast)
    body = api(cast.clerk).post(f"exceptions/{case.ref}/comment", {"text": "Asked them."}).json()
    assert [(found["author"]["username"], found["text"]) for found in body["comments"]] == [("clara", "Asked them.")]
    assert Comment.objects.get().text == "Asked them."
