"""Bulk runs through the API: started, followed, halted; nobody sees those of another."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app.actions import bulk_carry, bulk_start
from exceptions_app.models import BulkRun
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.bulk_runs.runs import field_of
from tests.factories import assign, make_case
from tests.invoices import valid_invoice
from workbench.models import User

pytestmark = pytest.mark.django_db
As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]


def test_run_is_started_once_carried_out_and_read_to_its_end(api: As, cast: Cast, conforms: Conforms):
    free, has_it = make_case(cast, amount="10.00"), assign(make_case(cast), cast.second_clerk, by=cast.clerk)
    asked = {"kind": "assign", "to": "cem", "because": "Yours.", "exceptions": [has_it.ref, free.ref]}
    account = api(cast.clerk)
    started = account.post("bulk-runs", asked, Idempotency_Key="one")
    assert started.status_code == 201
    body = started.json()
    conforms(body, "BulkRunShape")
    assert (body["state"], body["count"], body["items"]["left"]) == ("running", 2, 2)
    assert started["Location"].endswith(f"/api/v1/bulk-runs/{body['ref']}")
    assert account.post("bulk-runs", asked, Idempotency_Key="one").json()["ref"] == body["ref"]
    assert BulkRun.objects.count() == 1

    bulk_carry.carry_on_due()
    read = account.get(f"bulk-runs/{body['ref']}").json()
    assert (read["state"], read["items"]) == ("finished", {"done": 1, "failed": 0, "skipped": 1, "left": 0})
    [skipped] = account.get(f"bulk-runs/{body['ref']}/items", {"state": "skipped"}).json()["results"]
    conforms(skipped, "BulkItemShape")
    assert (skipped["exception"], skipped["detail"]) == (has_it.ref, "Cem Clerk has it already.")
    assert [found["ref"] for found in account.get("bulk-runs").json()["results"]] == [body["ref"]]


def test_run_of_another_account_does_not_exist(api: As, cast: Cast):
    case = make_case(cast)
    ref = api(cast.clerk).post("bulk-runs", {"kind": "comment", "text": "x", "exceptions": [case.ref]}).json()["ref"]
    others = api(cast.second_clerk)
    assert [others.get(f"bulk-runs/{ref}{more}").status_code for more in ("", "/items")] == [404, 404]
    assert others.post(f"bulk-runs/{ref}/cancel", {}).status_code == 404
    assert others.get("bulk-runs").json()["results"] == []


def test_run_is_paused_resumed_and_cancelled(api: As, cast: Cast):
    account, case = api(cast.clerk), make_case(cast)
    ref = account.post("bulk-runs", {"kind": "comment", "text": "x", "exceptions": [case.ref]}).json()["ref"]
    states = [account.post(f"bulk-runs/{ref}/{move}", {}).json()["state"] for move in ("pause", "resume", "cancel")]
    assert states == ["paused", "running", "cancelled"]
    assert kind_of(account.post(f"bulk-runs/{ref}/resume", {})) == (409, "not-possible-now")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "comment", "exceptions": []}, "/exceptions"),
        ({"kind": "approve", "exceptions": ["EX-1"]}, "/kind"),
        ({"kind": "comment", "text": "x", "exceptions": ["EX-1"]}, "/exceptions/0"),
        ({"kind": "comment", "exceptions": None}, "/text"),
        ({"kind": "write_off", "exceptions": None}, "/because"),
        ({"kind": "assign", "to": "nobody", "exceptions": None}, "/to"),
        ({"kind": "set_value", "because": "x", "exceptions": None}, "/label"),
    ],
)
def test_request_that_cannot_be_meant_names_the_member(api: As, cast: Cast, body: dict[str, Any], pointer: str):
    body = {**body, "exceptions": [make_case(cast).ref] if body["exceptions"] is None else body["exceptions"]}
    refused = api(cast.clerk).post("bulk-runs", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert not BulkRun.objects.exists()


def test_list_that_is_too_long_for_the_workbench_names_the_member(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk_start, "MOST_ITEMS", 1)
    body = {"kind": "comment", "text": "x", "exceptions": [make_case(cast).ref, make_case(cast).ref]}
    refused = api(cast.clerk).post("bulk-runs", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/exceptions")


def test_blanks_around_values_are_none_of_them(api: As, cast: Cast):
    case = make_case(cast, payload=valid_invoice("INV-1"))
    field = field_of(case, "BT-10")
    asked = {
        "kind": "set_value", "term": "BT-10", "label": field.label, "was": f" {field.value} ", "will_be": " NL-7\n",
        "because": "Moved.", "exceptions": [case.ref],
    }  # fmt: skip
    started = api(cast.clerk).post("bulk-runs", asked)
    assert (started.json()["parameters"]["was"], started.json()["parameters"]["will_be"]) == (field.value, "NL-7")
    bulk_carry.carry_on_due()
    assert field_of(case, "BT-10").value == "NL-7"
