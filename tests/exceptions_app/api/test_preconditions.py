"""If-Match after RFC 9110: every form of it, on every action that changes an exception."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app.api.actions import CaseAction
from exceptions_app.api.bulk import VIEWS
from exceptions_app.api.preconditions import NoEntityTags, Precondition
from exceptions_app.models import Comment, ExceptionCase
from exceptions_app.states import Kind, ProposalKind
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_actions import ACTIONS, WHY, claimed
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
SHOWN = {"frozen_sha256": "0" * 64}


def proposed(cast: Cast) -> ExceptionCase:
    case = claimed(cast)
    factories.make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS)
    return case


# action: (exception at hand, body); every action of the table of moves that a person has, and no other
CHANGING: dict[str, tuple[Callable[[Cast], ExceptionCase], dict[str, Any]]] = {
    **{action: (make, body) for action, (make, body, _) in ACTIONS.items()},
    "correct": (claimed, WHY | {"base_version": 1, "payload": {"text": "<a/>"}}),
    "propose": (claimed, WHY),
    "release": (lambda cast: claimed(cast, kind=Kind.HELD), WHY),
    "approve": (proposed, SHOWN),
    "reject": (proposed, WHY | SHOWN),
    "translate": (claimed, {}),
    "reverse": (claimed, WHY | {"reference": "1000004711"}),
    "report_wrong_booking": (claimed, WHY),
    "ask_again": (claimed, {}),
    "confirm_booked": (claimed, WHY | {"reference": "1000004711"}),
    "declare_absent": (claimed, WHY),
}


def test_every_action_is_tried() -> None:
    assert sorted(CHANGING) == sorted(VIEWS)
    assert all(issubclass(view, CaseAction) for view in VIEWS.values())


@pytest.mark.alike
@pytest.mark.parametrize("action", sorted(CHANGING))
@pytest.mark.parametrize("stale", ['"{before}"', 'W/"{now}"', '"{before}", W/"{now}"', '"", "{now}x"', '"0{now}"'])
def test_action_at_another_revision_does_nothing(api: As, cast: Cast, action: str, stale: str) -> None:
    make, body = CHANGING[action]
    case = ExceptionCase.objects.get(pk=make(cast).pk)
    tag = stale.format(before=case.revision - 1, now=case.revision)
    response = api(cast.clerk).post(f"exceptions/{case.ref}/{action}", body, if_match=tag)
    assert (kind_of(response), response["ETag"]) == ((412, "precondition-failed"), f'"{case.revision}"')
    assert response.json()["revision"] == case.revision
    after = ExceptionCase.objects.get(pk=case.pk)
    assert (after.revision, after.state, Comment.objects.count()) == (case.revision, case.state, 0)


@pytest.mark.alike
@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("tag", ['"{now}"', "*", '"x", "{now}"', '"a,b",,\t"{now}" ,', 'W/"{now}", "{now}"'])
def test_action_at_the_revision_that_was_seen(api: As, cast: Cast, action: str, tag: str) -> None:
    make, body = CHANGING[action]
    case = ExceptionCase.objects.get(pk=make(cast).pk)
    response = api(cast.clerk).post(f"exceptions/{case.ref}/{action}", body, if_match=tag.format(now=case.revision))
    assert response.status_code in (200, 201), response.content
    assert response["ETag"] == f'"{ExceptionCase.objects.get(pk=case.pk).revision}"'


@pytest.mark.parametrize(
    "tag", ["", "  ", ",", "2", "'2'", '"2', '""2""', '"2" "3"', '*, "2"', '"2", *', "**", 'w/"2"', "x" * 5000]
)
def test_if_match_that_is_none(api: As, cast: Cast, tag: str) -> None:
    response = api(cast.clerk).post(f"exceptions/{claimed(cast).ref}/comment", {"text": "Seen."}, if_match=tag)
    assert kind_of(response) == (400, "invalid-parameter")
    assert response.json()["errors"][0]["header"] == "If-Match"
    assert Comment.objects.count() == 0


@pytest.mark.parametrize("text", ['"a" ' + ", ," * 4000 + "x", '"a"' + ", " * 4000 + "\\", '"a",' * 2000 + "b"])
def test_long_list_that_is_none_is_refused_at_once(text: str) -> None:
    with pytest.raises(NoEntityTags):
        Precondition.parse(text)


def test_action_that_names_no_revision(api: As, cast: Cast, settings: Any) -> None:
    case = claimed(cast)
    account, address = api(cast.clerk), f"exceptions/{case.ref}/comment"
    assert account.post(address, {"text": "Any."}).status_code == 201
    settings.API_REQUIRE_IF_MATCH = True
    assert kind_of(account.post(address, {"text": "Any."})) == (428, "precondition-required")
    assert account.post(address, {"text": "Any."}, if_match="*").status_code == 201
    assert kind_of(account.post("exceptions/EX-999999/comment", {"text": "Any."})) == (404, "not-found")
    assert Comment.objects.count() == 2


def test_precondition_comes_after_what_may_be_seen(api: As, cast: Cast) -> None:
    case = claimed(cast)
    hidden = api(cast.outsider).post(f"exceptions/{case.ref}/hold", {}, if_match='"1"')
    assert (kind_of(hidden), "ETag" in hidden) == ((404, "not-found"), False)
