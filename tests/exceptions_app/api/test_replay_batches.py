"""Batches through the API: proposed, decided by somebody else, carried out, halted."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app import replays
from exceptions_app.models import ReplayBatch
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, target
from workbench.models import User

__all__ = ["target"]

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
WHY = {"because": "The service is back."}


@pytest.mark.django_db(transaction=True)
def test_batch_is_proposed_approved_and_read_to_its_end(api: As, cast: Cast, target: Target, conforms: Conforms):
    refs = [case.ref for case in refused_cases(cast, 7)]
    proposed = api(cast.clerk).post("batches", {"exceptions": refs, **WHY}, Idempotency_Key="one")
    assert proposed.status_code == 201
    body = proposed.json()
    conforms(body, "ReplayBatchShape")
    assert (body["state"], body["count"], body["sums"]) == (
        "awaiting_approval", 7, [{"amount": "73.50", "currency": "EUR"}],
    )  # fmt: skip
    assert proposed["Location"].endswith(f"/api/v1/batches/{body['ref']}")
    again = api(cast.clerk).post("batches", {"exceptions": refs, **WHY}, Idempotency_Key="one")
    assert (again.status_code, again.json()["ref"]) == (201, body["ref"])

    target.refuses["INV-0007"] = "NEW-1"
    account = api(cast.controller)
    approved = account.post(f"batches/{body['ref']}/approve", {"frozen_sha256": body["frozen_sha256"]})
    assert (approved.json()["state"], approved.json()["decision"]["decider"]["username"]) == ("running", "conrad")
    replays.carry_out_due()
    stopped = account.get(f"batches/{body['ref']}").json()
    assert (stopped["state"], stopped["items"]["proven"], stopped["items"]["failed"]) == ("stopped", 6, 1)
    [failed] = account.get(f"batches/{body['ref']}/items", {"state": "failed"}).json()["results"]
    conforms(failed, "BatchItemShape")
    assert (failed["position"], failed["exception"], failed["code"]) == (7, refs[6], "NEW-1")
    assert [found["ref"] for found in account.get("batches", {"state": "stopped"}).json()["results"]] == [body["ref"]]

    assert account.post(f"batches/{body['ref']}/resume", WHY).json()["state"] == "running"
    replays.carry_out_due()
    assert account.get(f"batches/{body['ref']}").json()["state"] == "ended"
    assert kind_of(account.post(f"batches/{body['ref']}/suspend", WHY)) == (409, "not-possible-now")


@pytest.mark.django_db
def test_each_exception_that_cannot_be_in_it_is_named(api: As, cast: Cast, target: Target):
    good, wrong = *refused_cases(cast, 1), *refused_cases(cast, 1, first=5, wrong="It is.")
    account = api(cast.clerk)
    refused = account.post("batches", {"exceptions": [good.ref, wrong.ref], **WHY})
    assert kind_of(refused) == (422, "invalid-content")
    [error] = refused.json()["errors"]
    assert (error["pointer"], error["detail"][:27]) == ("/exceptions/1", "This version does not pass ")
    missing = account.post("batches", {"exceptions": ["EX-1", good.ref, "nonsense"], **WHY})
    assert [error["pointer"] for error in missing.json()["errors"]] == ["/exceptions/0", "/exceptions/2"]
    assert not ReplayBatch.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"exceptions": [], **WHY}, "/exceptions"),
        ({"exceptions": ["EX-1"]}, "/because"),
        ({"exceptions": ["EX-1"], **WHY, "failure_limit": 101}, "/failure_limit"),
    ],
)
def test_request_that_cannot_be_understood_names_the_member(api: As, cast: Cast, body: dict[str, Any], pointer: str):
    refused = api(cast.clerk).post("batches", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.django_db
def test_proposer_does_not_decide_and_the_other_list_is_not_approved(api: As, cast: Cast, target: Target):
    batch = propose_all(cast, refused_cases(cast, 1))
    shown = {"frozen_sha256": batch.frozen_sha256}
    assert kind_of(api(cast.clerk).post(f"batches/{batch.ref}/approve", shown)) == (403, "not-permitted")
    other = api(cast.controller).post(f"batches/{batch.ref}/approve", {"frozen_sha256": "0" * 64})
    assert kind_of(other) == (409, "approval-no-longer-holds")
    rejected = api(cast.controller).post(f"batches/{batch.ref}/reject", shown | WHY)
    assert rejected.json()["state"] == "rejected"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["batches/{ref}", "batches/{ref}/items"])
def test_batch_of_others_is_as_if_it_were_not_there(api: As, cast: Cast, target: Target, path: str):
    batch = propose_all(cast, refused_cases(cast, 1, entity=cast.germany))
    account = api(cast.local_clerk)
    assert kind_of(account.get(path.format(ref=batch.ref))) == (404, "not-found")
    assert account.post(f"batches/{batch.ref}/cancel", WHY).status_code == 404
    assert account.get("batches").json()["results"] == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["batches", "batches/{ref}/items"])
def test_unknown_state_is_refused(api: As, cast: Cast, target: Target, path: str):
    batch = propose_all(cast, refused_cases(cast, 1))
    assert kind_of(api(cast.clerk).get(path.format(ref=batch.ref), {"state": "new"})) == (400, "invalid-parameter")
