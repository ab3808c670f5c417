"""From correction to approval through the API: who, what exactly, and never alone."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app.models import Decision, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.states import Kind, ProposalKind
from integrations.models import Delivery
from tests import factories
from tests.cast import Cast, give_role
from tests.exceptions_app.actions.mending import mend_and_propose
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
PATH = "/ubl:Invoice/cbc:IssueDate"


def correction(**way: Any) -> dict[str, Any]:
    return {"base_version": 1, "because": "Taken from the order.", **(way or {"fields": {"BT-2": "2026-11-02"}})}


def test_the_whole_path(api: As, cast: Cast, refused_invoice: ExceptionCase, conforms: Conforms) -> None:
    clerk, controller = api(cast.clerk), api(cast.controller)
    address = f"exceptions/{refused_invoice.ref}"
    clerk.post(f"{address}/claim")
    corrected = clerk.post(f"{address}/correct", correction()).json()
    conforms(corrected, "Corrected")
    assert (corrected["version"], corrected["check"]["passed"], corrected["check"]["errors"]) == (2, True, [])
    assert [(found["term"], found["was"], found["will_be"]) for found in corrected["changes"]] == [
        ("BT-2", "", "2026-11-02")
    ]
    proposed = clerk.post(f"{address}/propose", {"because": "Mended."}).json()
    conforms(proposed, "ExceptionDetail")
    frozen = proposed["proposal"]["frozen_sha256"]
    waiting = controller.get("proposals").json()
    conforms(waiting, "ProposalPage")
    assert [(found["exception"]["ref"], found["frozen_sha256"]) for found in waiting["results"]] == [
        (refused_invoice.ref, frozen)
    ]
    approved = controller.post(f"{address}/approve", {"frozen_sha256": frozen}).json()
    conforms(approved, "ExceptionDetail")
    assert (approved["state"], approved["proposal"]["decision"]["decider"]["username"]) == ("replaying", "conrad")
    assert [delivery["state"] for delivery in approved["deliveries"]] == ["queued"]
    assert controller.get("proposals").json()["results"] == []


@pytest.mark.parametrize(
    "way",
    [
        {"fields": {"BT-2": "2026-11-02"}},
        {"fields": {PATH: "2026-11-02"}},
        {"operations": [{"op": "test", "path": PATH, "value": ""}, {"op": "add", "path": PATH, "value": "2026-11-02"}]},
    ],
)
def test_correction_in_every_way_leads_to_the_same(
    api: As, cast: Cast, refused_invoice: ExceptionCase, way: dict[str, Any]
) -> None:
    response = api(cast.clerk).post(f"exceptions/{refused_invoice.ref}/correct", correction(**way))
    assert (response.status_code, response.json()["check"]["passed"]) == (201, True)
    version = PayloadVersion.objects.get(number=2)
    assert (version.author, version.reason) == (cast.clerk, "Taken from the order.")
    assert b"<cbc:IssueDate>2026-11-02</cbc:IssueDate>" in bytes(version.content)
    assert response["ETag"] == '"2"'


def test_correction_by_the_whole_document(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    account, address = api(cast.clerk), f"exceptions/{refused_invoice.ref}"
    shown = account.post(f"{address}/reveal", {"purpose": "correct", "because": "Exported anew."})
    assert shown.json()["masked"]["shown_until"] is not None
    text = account.get(f"{address}/versions/1/content").content.decode()
    mended = text.replace("<cbc:DueDate>", "<cbc:IssueDate>2026-11-02</cbc:IssueDate><cbc:DueDate>", 1)
    body = account.post(f"{address}/correct", correction(payload={"text": mended})).json()
    assert (body["version"], body["check"]["passed"]) == (2, True)
    assert account.get(f"{address}/versions/2/content").content.decode() == mended


def test_correction_that_does_not_pass_is_stored_and_cannot_be_proposed(
    api: As, cast: Cast, refused_invoice: ExceptionCase, conforms: Conforms
) -> None:
    account, address = api(cast.clerk), f"exceptions/{refused_invoice.ref}"
    response = account.post(f"{address}/correct", correction(fields={"BT-5": "EUX"}))
    body = response.json()
    conforms(body, "Corrected")
    assert (response.status_code, body["version"], body["check"]["passed"]) == (201, 2, False)
    assert "BR-03" in [error["code"] for error in body["check"]["errors"]]
    refused = account.post(f"{address}/propose", {"because": "Try."})
    assert kind_of(refused) == (422, "check-failed")
    named = {error["code"]: error["term"] for error in refused.json()["errors"]}
    assert named["BR-03"] == "BT-2"
    conforms(refused.json(), "ProblemDocument")


def test_what_was_received_cannot_be_proposed_unmended(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    response = api(cast.clerk).post(f"exceptions/{refused_invoice.ref}/propose", {"because": "Try."})
    assert kind_of(response) == (422, "check-failed")
    assert Proposal.objects.count() == 0


UNUSABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "no way": ({"payload": None}, "invalid-content", "/payload"),
    "two ways": ({"fields": {"BT-2": "x"}, "payload": {"text": "<a/>"}}, "invalid-content", ""),
    "unknown term": ({"fields": {"BT-999": "x"}}, "invalid-content", "/fields/BT-999"),
    "term of several lines": ({"fields": {"BT-131": "1.00"}}, "invalid-content", "/fields/BT-131"),
    "number for a text": ({"fields": {"BT-2": 20261102}}, "invalid-content", "/fields/BT-2"),
    "no fields": ({"fields": {}}, "invalid-content", "/fields"),
    "no operations": ({"operations": []}, "invalid-content", "/operations"),
    "unknown operation": ({"operations": [{"op": "move", "path": PATH}]}, "invalid-content", "/operations/0/op"),
    "nothing changed": ({"operations": [{"op": "test", "path": PATH, "value": ""}]}, "invalid-content", "/operations"),
    "path that leads nowhere": (
        {"operations": [
            {"op": "test", "path": PATH, "value": ""}, {"op": "replace", "path": "/ubl:Invoice/cbc:Nope", "value": "x"},
        ]},
        "correction-not-applicable", "/operations/1",
    ),
    "path that is none": (
        {"operations": [{"op": "add", "path": "document('file:///etc/passwd')", "value": "x"}]},
        "correction-not-applicable", "/operations/0",
    ),
    "test that fails": (
        {"operations": [{"op": "test", "path": PATH, "value": "2020-01-01"}]},
        "correction-not-applicable", "/operations/0",
    ),
    "payload that is no invoice": ({"payload": {"text": "hello"}}, "correction-not-applicable", "/payload"),
    "payload with a DOCTYPE": (
        {"payload": {"text": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}}, "correction-not-applicable", "/payload",
    ),
    "version that is not there": ({"base_version": 7}, "invalid-content", "/base_version"),
    "base version as text": ({"base_version": "1"}, "invalid-content", "/base_version"),
}  # fmt: skip


@pytest.mark.parametrize(("way", "kind", "pointer"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_correction_that_cannot_be_used_names_the_place(
    api: As, cast: Cast, refused_invoice: ExceptionCase, way: dict[str, Any], kind: str, pointer: str
) -> None:
    body = correction() | way if "base_version" in way else correction(**way)
    response = api(cast.clerk).post(f"exceptions/{refused_invoice.ref}/correct", body)
    assert kind_of(response) == (422, kind)
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert PayloadVersion.objects.count() == 1


def test_correction_with_a_very_long_text(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    body = correction(fields={"BT-22": "x" * 300_000})
    response = api(cast.clerk).post(f"exceptions/{refused_invoice.ref}/correct", body)
    assert (response.status_code, len(response.json()["changes"][0]["will_be"])) == (201, 300_000)


def test_correction_of_a_version_that_is_no_longer_the_latest(
    api: As, cast: Cast, refused_invoice: ExceptionCase
) -> None:
    account, address = api(cast.clerk), f"exceptions/{refused_invoice.ref}/correct"
    account.post(address, correction())
    response = account.post(address, correction(fields={"BT-2": "2026-11-03"}))
    assert kind_of(response) == (409, "changed-meanwhile")
    assert response.json()["revision"] == 2
    assert "Clara Clerk saved version 2" in response.json()["detail"]


@pytest.mark.parametrize("who", ["auditor", "controller"])
def test_correction_by_a_person_without_the_right(
    api: As, cast: Cast, refused_invoice: ExceptionCase, who: str
) -> None:
    account = api(getattr(cast, who))
    assert kind_of(account.post(f"exceptions/{refused_invoice.ref}/correct", correction())) == (403, "not-permitted")


def test_clerk_cannot_approve_their_own_work(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    from_api = api(cast.clerk).post(
        f"exceptions/{refused_invoice.ref}/approve", {"frozen_sha256": proposal.frozen_sha256}
    )
    assert kind_of(from_api) == (403, "not-permitted")
    assert Decision.objects.count() == 0
    assert Delivery.objects.count() == 0


def test_contributor_with_the_verb_cannot_decide(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    give_role(cast.clerk, "controller")
    proposal = factories.make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS)
    account = api(cast.clerk)
    for action in ("approve", "reject"):
        body = {"frozen_sha256": proposal.frozen_sha256, "because": "Mine."}
        response = account.post(f"exceptions/{case.ref}/{action}", body)
        assert (kind_of(response), response.json()["detail"]) == (
            (403, "not-permitted"), "You proposed this; someone else must decide. Conrad Controller can.",
        )  # fmt: skip
    assert account.get("proposals").json()["results"] == []


def test_approval_dies_with_the_content_and_says_so(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    address = f"exceptions/{refused_invoice.ref}"
    changed = correction(fields={"BT-2": "2026-11-03"}) | {"base_version": 2}
    assert api(cast.clerk).post(f"{address}/correct", changed).status_code == 201
    api(cast.clerk).post(f"{address}/propose", {"because": "Again."})
    response = api(cast.controller).post(f"{address}/approve", {"frozen_sha256": proposal.frozen_sha256})
    assert kind_of(response) == (409, "approval-no-longer-holds")
    assert "This approval no longer holds" in response.json()["detail"]
    assert Decision.objects.count() == 0


def test_approving_twice(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    frozen = {"frozen_sha256": mend_and_propose(refused_invoice, by=cast.clerk).frozen_sha256}
    account, address = api(cast.controller), f"exceptions/{refused_invoice.ref}/approve"
    assert account.post(address, frozen).status_code == 200
    assert account.post(address, frozen).status_code == 409
    assert Delivery.objects.count() == 1


def test_rejecting_needs_a_reason_and_leads_back_to_work(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    frozen = {"frozen_sha256": mend_and_propose(refused_invoice, by=cast.clerk).frozen_sha256}
    account, address = api(cast.controller), f"exceptions/{refused_invoice.ref}/reject"
    assert kind_of(account.post(address, frozen)) == (422, "invalid-content")
    body = account.post(address, frozen | {"because": "That is the delivery date."}).json()
    assert (body["state"], body["proposal"]["state"]) == ("in_progress", "rejected")
    assert body["proposal"]["decision"]["because"] == "That is the delivery date."
    assert Delivery.objects.count() == 0


def test_closure_is_approved_at_the_same_address(api: As, cast: Cast) -> None:
    case = factories.make_case(cast, kind=Kind.HELD)
    address = f"exceptions/{case.ref}"
    proposed = api(cast.clerk).post(f"{address}/decline", {"because": "Not in the contract."}).json()
    frozen = proposed["proposal"]["frozen_sha256"]
    body = api(cast.controller).post(f"{address}/approve", {"frozen_sha256": frozen, "because": "Right."}).json()
    assert (body["state"], body["outcome"]) == ("dismissed", "declined")


def test_proposals_list_asks_the_database_as_often_for_three_as_for_one(
    api: As, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    account = api(cast.controller)
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    account.get("proposals")
    with django_assert_max_num_queries(5) as one:
        account.get("proposals")
    for _ in range(2):
        factories.make_proposal(factories.make_case(cast), cast.clerk)
    with django_assert_max_num_queries(len(one)):
        assert len(account.get("proposals").json()["results"]) == 3


def test_proposals_where_approval_is_not_granted_are_not_listed(api: As, cast: Cast) -> None:
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    for person in (cast.second_clerk, cast.auditor, cast.outsider, cast.administrator):
        assert api(person).get("proposals").json()["results"] == []
