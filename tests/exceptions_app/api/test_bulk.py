"""One action on many exceptions: each by its own rules, each with an outcome of its own, none half done."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from exceptions_app.actions.grants import revoke_role
from exceptions_app.api import actions, bulk
from exceptions_app.api.bulk_shapes import ACTIONS, MOST_CHECKED, MOST_ITEMS
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ApiRequest, Comment, Decision, ExceptionCase, PayloadVersion, RefusedMinute
from exceptions_app.states import Kind, ProposalKind
from integrations.models import Delivery
from tests import factories
from tests.cast import SET_UP_AT, Cast
from tests.exceptions_app.actions.mending import mend_and_propose, take_in
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_actions import ACTIONS as SINGLE
from tests.exceptions_app.api.test_actions import NEXT_YEAR
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
HOLD = {"waiting_for": "The order number"}


def items_of(cases: Iterable[ExceptionCase], **more: Any) -> list[dict[str, Any]]:
    return [{"ref": case.ref, "if_match": f'"{fresh(case).revision}"', **more} for case in cases]


def fresh(case: ExceptionCase) -> ExceptionCase:
    return ExceptionCase.objects.get(pk=case.pk)


def told(outcome: dict[str, Any]) -> tuple[str, int, str]:
    problem = outcome["problem"]
    return outcome["outcome"], outcome["status"], problem["type"].partition("#")[2] if problem else ""


@pytest.mark.parametrize(("action", "row"), SINGLE.items(), ids=SINGLE.keys())
def test_action_on_many_does_what_it_does_on_one(
    api: As, cast: Cast, conforms: Conforms, action: str, row: tuple[Any, dict[str, Any], str]
) -> None:
    make, body, state = row
    cases = [make(cast), make(cast)]
    response = api(cast.clerk).post(
        "exceptions/bulk", {"action": action, "body": body, "items": items_of(reversed(cases))}
    )
    answer = response.json()
    conforms(answer, "BulkOutcomes")
    assert (response.status_code, answer["done"], answer["refused"]) == (200, 2, 0)
    assert [outcome["ref"] for outcome in answer["outcomes"]] == [cases[1].ref, cases[0].ref]
    status = 201 if action == "comment" else 200
    assert {told(outcome) for outcome in answer["outcomes"]} == {("done", status, "")}
    assert [outcome["state"] for outcome in answer["outcomes"]] == [state, state]
    assert [outcome["etag"] for outcome in answer["outcomes"]] == [f'"{fresh(case).revision}"' for case in cases[::-1]]
    assert [fresh(case).state for case in cases] == [state, state]


def test_every_action_has_its_form_and_function() -> None:
    assert tuple(bulk.VIEWS) == tuple(bulk.FORMS) == ACTIONS
    assert all(view.carry_out is not actions.CaseAction.carry_out for view in bulk.VIEWS.values())


def test_each_item_has_its_own_outcome_in_order(api: As, cast: Cast, conforms: Conforms) -> None:
    held, moved, hidden, workable = (factories.make_case(cast) for _ in range(4))
    factories.claim(held, cast.clerk)
    account = api(cast.local_clerk)
    api(cast.clerk).post(f"exceptions/{held.ref}/hold", HOLD)
    elsewhere = factories.make_case(cast, entity=cast.germany)
    items = [
        *items_of([workable]),
        {"ref": elsewhere.ref, "if_match": "*"},
        {"ref": "EX-999999999", "if_match": "*"},
        {"ref": "nonsense", "if_match": "*"},
        {"ref": moved.ref, "if_match": '"7"'},
        {"ref": hidden.ref},
        {"ref": held.ref, "if_match": "*"},
    ]
    answer = account.post("exceptions/bulk", {"action": "hold", "body": HOLD, "items": items}).json()
    conforms(answer, "BulkOutcomes")
    assert [told(outcome) for outcome in answer["outcomes"]] == [
        ("done", 200, ""),
        ("refused", 404, "not-found"),
        ("refused", 404, "not-found"),
        ("refused", 404, "not-found"),
        ("refused", 412, "precondition-failed"),
        ("refused", 428, "precondition-required"),
        ("refused", 409, "not-possible-now"),
    ]
    assert (answer["done"], answer["refused"], [outcome["etag"] for outcome in answer["outcomes"]]) == (
        1, 6, ['"2"', None, None, None, '"1"', None, None],
    )  # fmt: skip
    assert answer["outcomes"][5]["problem"]["errors"][0]["pointer"] == "/items/5/if_match"
    assert [fresh(case).state for case in (workable, moved, hidden)] == ["waiting", "new", "new"]


def test_what_is_not_granted_is_told_like_what_is_not_there(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    items = [{"ref": case.ref, "if_match": "*"}, {"ref": "EX-999999999", "if_match": "*"}]
    body = {"action": "comment", "body": {"text": "Hello."}, "items": items}
    hidden, missing = api(cast.outsider).post("exceptions/bulk", body).json()["outcomes"]
    for outcome in (hidden, missing):
        outcome.pop("ref")
    assert hidden == missing
    assert Comment.objects.count() == 0


def test_right_that_is_missing_is_told_for_each(api: As, cast: Cast) -> None:
    cases = [factories.make_case(cast), factories.make_case(cast)]
    answer = api(cast.auditor).post("exceptions/bulk", {"action": "claim", "items": items_of(cases)}).json()
    assert [told(outcome) for outcome in answer["outcomes"]] == [("refused", 403, "not-permitted")] * 2
    assert [fresh(case).assignee for case in cases] == [None, None]


def test_members_of_an_item_go_before_those_of_the_request(api: As, cast: Cast) -> None:
    first, second = (factories.claim(factories.make_case(cast), cast.clerk) for _ in range(2))
    items = items_of([first]) + items_of([second], body={"to": None})
    answer = api(cast.clerk).post(
        "exceptions/bulk", {"action": "assign", "body": {"to": "cem", "because": "Leave."}, "items": items}
    )
    assert answer.json()["done"] == 2
    assert [fresh(case).assignee for case in (first, second)] == [cast.second_clerk, None]


@pytest.mark.parametrize(
    ("body", "own", "pointer"),
    [
        ({"waiting_for": " "}, {}, "/body/waiting_for"),
        ({"waiting_for": "x"}, {"until": "tomorrow"}, "/items/0/body/until"),
        ({"until": f"{NEXT_YEAR}-01-01T09:00:00Z"}, {}, "/body/waiting_for"),
        ({}, {"until": f"{NEXT_YEAR}-01-01T09:00:00Z"}, "/items/0/body/waiting_for"),
        ({"waiting_for": "x", "force": True}, {}, "/body/force"),
        ({"waiting_for": 5}, {}, "/body/waiting_for"),
    ],
)
def test_value_that_cannot_be_used_is_named_where_it_stands(
    api: As, cast: Cast, body: dict[str, Any], own: dict[str, Any], pointer: str
) -> None:
    case = factories.make_case(cast)
    sent = {"action": "hold", "body": body, "items": items_of([case], body=own)}
    outcome = api(cast.clerk).post("exceptions/bulk", sent).json()["outcomes"][0]
    assert told(outcome) == ("refused", 422, "invalid-content")
    assert [error["pointer"] for error in outcome["problem"]["errors"]] == [pointer]


@pytest.mark.parametrize("tag", ["", "2", '"2', "W/", '*, "1"'])
def test_if_match_that_is_none_is_named(api: As, cast: Cast, tag: str) -> None:
    items = [{"ref": factories.make_case(cast).ref, "if_match": tag}]
    response = api(cast.clerk).post("exceptions/bulk", {"action": "claim", "items": items})
    errors = (
        response.json()["errors"]
        if response.status_code == 422
        else response.json()["outcomes"][0]["problem"]["errors"]
    )
    assert [error["pointer"] for error in errors] == ["/items/0/if_match"]
    assert Comment.objects.count() == 0


def case_item(number: int = 1) -> dict[str, Any]:
    return {"ref": f"EX-{number}", "if_match": "*"}


@pytest.mark.parametrize(
    ("sent", "pointers"),
    [
        ({"items": [case_item()]}, ["/action"]),
        ({"action": "destroy", "items": [case_item()]}, ["/action"]),
        ({"action": "resolve", "items": [case_item()]}, ["/action"]),
        ({"action": "claim"}, ["/items"]),
        ({"action": "claim", "items": []}, ["/items"]),
        ({"action": "claim", "items": {}}, ["/items"]),
        ({"action": "claim", "items": [5]}, ["/items/0"]),
        ({"action": "claim", "items": [{"ref": 5}]}, ["/items/0/ref"]),
        ({"action": "claim", "items": [{"ref": "EX-1", "etag": "*"}]}, ["/items/0/etag"]),
        ({"action": "claim", "items": [case_item()], "body": []}, ["/body"]),
        ({"action": "claim", "items": [case_item() | {"body": None}]}, ["/items/0/body"]),
        ({"action": "claim", "items": [case_item(1), case_item(2), {"ref": "ex-01"}]},
         ["/items/0/ref", "/items/2/ref"]),
        ({"action": "claim", "items": [case_item(number) for number in range(MOST_ITEMS + 1)]}, ["/items"]),
        ({"action": "correct", "items": [case_item(number) for number in range(MOST_CHECKED + 1)]}, ["/items"]),
    ],
)  # fmt: skip
def test_request_that_is_none_is_refused_as_a_whole(api: As, cast: Cast, sent: Any, pointers: list[str]) -> None:
    response = api(cast.clerk).post("exceptions/bulk", sent)
    assert kind_of(response) == (422, "invalid-content")
    assert [error["pointer"] for error in response.json()["errors"]] == pointers


# Once ----------------------------------------------------------------------------------------------------------------


def test_repeat_of_the_request_receives_the_first_answer(api: As, cast: Cast) -> None:
    cases = [factories.make_case(cast), factories.make_case(cast)]
    sent = {"action": "comment", "body": {"text": "Asked them."}, "items": [*items_of(cases), case_item(10**9)]}
    account = api(cast.clerk)
    first = account.post("exceptions/bulk", sent, idempotency_key="k-1")
    second = account.post("exceptions/bulk", sent, idempotency_key="k-1")
    assert (first.json()["done"], first.json()["refused"]) == (2, 1)
    assert (second.content, second["Idempotency-Replayed"]) == (first.content, "true")
    assert Comment.objects.count() == 2


def test_first_answer_leaves_out_what_is_not_granted_any_more(api: As, cast: Cast) -> None:
    cases = [factories.make_case(cast), factories.make_case(cast, entity=cast.germany)]
    sent = {"action": "claim", "items": items_of(cases)}
    account = api(cast.clerk)
    assert account.post("exceptions/bulk", sent, idempotency_key="k-1").json()["done"] == 2
    revoke_role("clerk", [cast.germany], by=machine(SETUP), at=SET_UP_AT)
    answer = account.post("exceptions/bulk", sent, idempotency_key="k-1").json()
    assert [told(outcome) for outcome in answer["outcomes"]] == [("done", 200, ""), ("refused", 404, "not-found")]
    assert (answer["done"], answer["refused"], answer["outcomes"][1]["state"]) == (1, 1, None)


def test_repeat_of_an_item_receives_the_first_outcome(api: As, cast: Cast) -> None:
    first, second = factories.make_case(cast), factories.make_case(cast)
    account = api(cast.clerk)
    body = {"text": "Asked them."}
    once = account.post(
        "exceptions/bulk", {"action": "comment", "body": body, "items": items_of([first], idempotency_key="i-1")}
    ).json()["outcomes"]
    items = items_of([second], idempotency_key="i-2") + items_of([first], idempotency_key="i-1")
    again = account.post("exceptions/bulk", {"action": "comment", "items": items, "body": body}).json()["outcomes"]
    assert [outcome["replayed"] for outcome in (*once, *again)] == [False, False, True]
    assert again[1] == once[0] | {"replayed": True}
    assert Comment.objects.count() == 2


def test_key_of_an_item_for_another_item(api: As, cast: Cast) -> None:
    first, second = factories.make_case(cast), factories.make_case(cast)
    account = api(cast.clerk)
    items = items_of([first, second], idempotency_key="i-1")
    outcomes = account.post("exceptions/bulk", {"action": "claim", "items": items}).json()["outcomes"]
    assert [told(outcome) for outcome in outcomes] == [("done", 200, ""), ("refused", 422, "key-reused")]
    blank = account.post("exceptions/bulk", {"action": "claim", "items": items_of([second], idempotency_key="a b")})
    assert [error["pointer"] for error in blank.json()["outcomes"][0]["problem"]["errors"]] == [
        "/items/0/idempotency_key"
    ]
    assert fresh(second).assignee is None


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k-1"}])
def test_fault_of_ours_in_one_item_undoes_them_all(
    api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    cases = [factories.make_case(cast), factories.make_case(cast)]
    carry_out = actions.Claim.carry_out

    def broken(view: Any, case: ExceptionCase, *args: Any, **more: Any) -> None:
        carry_out(view, case, *args, **more)
        if case == cases[1]:
            raise RuntimeError

    monkeypatch.setattr(actions.Claim, "carry_out", broken)
    response = api(cast.clerk).post("exceptions/bulk", {"action": "claim", "items": items_of(cases)}, **key)
    assert kind_of(response) == (500, "server-error")
    assert [fresh(case).assignee for case in cases] == [None, None]
    assert ApiRequest.objects.count() == 0


def test_database_that_breaks_off_undoes_them_all(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [factories.make_case(cast), factories.make_case(cast)]

    def broken(view: Any, case: ExceptionCase, *args: Any, **more: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(actions.Claim, "carry_out", broken)
    response = api(cast.clerk).post("exceptions/bulk", {"action": "claim", "items": items_of(cases)})
    assert kind_of(response) == (503, "unavailable")
    assert [fresh(case).assignee for case in cases] == [None, None]


# Correcting and deciding ---------------------------------------------------------------------------------------------


def test_same_field_of_many_is_corrected_and_proposed_and_approved(api: As, cast: Cast) -> None:
    cases = [take_in(cast), take_in(cast, "INV-1002", message="message-2")]
    clerk, controller = api(cast.clerk), api(cast.controller)
    body = {"because": "From the orders.", "changes": [{"field": "BT-2", "was": None, "will_be": "2026-11-02"}]}
    corrected = clerk.post("exceptions/bulk", {"action": "correct", "body": body, "items": items_of(cases)}).json()
    assert [told(outcome) for outcome in corrected["outcomes"]] == [("done", 201, "")] * 2
    again = clerk.post("exceptions/bulk", {"action": "correct", "body": body, "items": items_of(cases)}).json()
    assert [told(outcome) for outcome in again["outcomes"]] == [("refused", 422, "correction-not-applicable")] * 2
    assert again["outcomes"][0]["problem"]["errors"][0] | {"path": ""} == {
        "pointer": "/body/changes/0/was", "detail": "The field holds “2026-11-02”.", "remedy": "Look at it again.",
        "path": "",
    }  # fmt: skip
    why = {"because": "Mended."}
    proposed = clerk.post("exceptions/bulk", {"action": "propose", "body": why, "items": items_of(cases)}).json()
    assert [outcome["state"] for outcome in proposed["outcomes"]] == ["awaiting_approval"] * 2
    shown = [clerk.get(f"exceptions/{case.ref}").json()["proposal"]["frozen_sha256"] for case in cases]
    items = [
        {**item, "body": {"frozen_sha256": frozen}}
        for item, frozen in zip(items_of(cases), [shown[0], "0" * 64], strict=True)
    ]
    own = clerk.post("exceptions/bulk", {"action": "approve", "items": items}).json()
    assert [told(outcome)[1] for outcome in own["outcomes"]] == [403, 403]
    decided = controller.post("exceptions/bulk", {"action": "approve", "items": items}).json()
    assert [told(outcome) for outcome in decided["outcomes"]] == [
        ("done", 200, ""), ("refused", 409, "approval-no-longer-holds"),
    ]  # fmt: skip
    assert (Decision.objects.count(), Delivery.objects.filter(operation="submit").count()) == (1, 1)


def test_whoever_proposed_cannot_approve_among_many(api: As, cast: Cast) -> None:
    case = take_in(cast)
    proposal = mend_and_propose(case, by=cast.clerk)
    items = items_of([case], body={"frozen_sha256": proposal.frozen_sha256})
    outcome = api(cast.clerk).post("exceptions/bulk", {"action": "approve", "items": items}).json()["outcomes"][0]
    assert told(outcome) == ("refused", 403, "not-permitted")


def test_many_are_rejected_and_withdrawn(api: As, cast: Cast) -> None:
    cases = [factories.claim(factories.make_case(cast, kind=Kind.FAILED), cast.clerk) for _ in range(2)]
    proposals = [factories.make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS) for case in cases]
    frozen = items_of(cases[:1], body={"frozen_sha256": proposals[0].frozen_sha256})
    no = api(cast.controller).post("exceptions/bulk", {"action": "reject", "body": {"because": "No."}, "items": frozen})
    back = api(cast.clerk).post("exceptions/bulk", {"action": "withdraw", "items": items_of(cases[1:])})
    assert (no.json()["done"], back.json()["done"]) == (1, 1)
    assert [fresh(case).state for case in cases] == ["in_progress", "in_progress"]


def test_correction_without_the_version_is_of_the_newest(api: As, cast: Cast) -> None:
    case = take_in(cast)
    items = items_of([case], body={"fields": {"BT-2": "2026-11-02"}, "because": "Order."})
    assert api(cast.clerk).post("exceptions/bulk", {"action": "correct", "items": items}).json()["done"] == 1
    items = items_of([case], body={"fields": {"BT-2": "2026-11-03"}, "because": "Order.", "base_version": 1})
    outcome = api(cast.clerk).post("exceptions/bulk", {"action": "correct", "items": items}).json()["outcomes"][0]
    assert told(outcome) == ("refused", 409, "changed-meanwhile")
    assert PayloadVersion.objects.filter(case=case).count() == 2


# Cost ----------------------------------------------------------------------------------------------------------------


def queries_for(account: Api, action: str, body: dict[str, Any], cases: list[ExceptionCase], **more: str) -> int:
    sent = {"action": action, "body": body, "items": items_of(cases)}
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = account.post("exceptions/bulk", sent, **more)
    assert (response.status_code, response.json()["done"]) == (200, len(cases))
    return len(captured)


def test_fifty_cost_fifty_times_what_one_more_costs(api: As, cast: Cast) -> None:
    account = api(cast.clerk)
    _, one, two, fifty = (
        queries_for(account, "hold", HOLD, [factories.make_case(cast) for _ in range(number)])
        for number in (1, 1, 2, 50)  # the first also fills what is read once for each process
    )
    each = two - one
    assert (each, fifty) == (14, one + 49 * each)


THE_EVENTS = 8
"""That of all that was refused in one request is told or counted: so many queries, whatever their number."""


def test_what_is_refused_unseen_costs_no_more_for_many(api: As, cast: Cast) -> None:
    account = api(cast.outsider)
    counts = []
    for number in (1, 1, 50):
        items = [{"ref": factories.make_case(cast).ref, "if_match": "*"} for _ in range(number)]
        RefusedMinute.objects.all().delete()  # else it hangs on the clock whether there is one
        with CaptureQueriesContext(connection) as captured:
            account.post("exceptions/bulk", {"action": "claim", "items": items})
        counts.append(len(captured))
    assert counts[1] == counts[2] == 5 + THE_EVENTS
