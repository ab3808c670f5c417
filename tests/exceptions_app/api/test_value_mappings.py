"""Value mappings through the API: previewed, proposed with what they mend, decided by somebody else, read."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app.models import ExceptionCase, MappingProposal, ReplayBatch
from integrations.models import Connection
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.value_mappings.mapping import WHY, mapped, propose, row
from tests.exceptions_app.value_mappings.refused import refused
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db
As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
ROWS = [{"source_value": "ROBOTICS", "target_value": "800400", "valid_from": "2026-01-01"}]


def body_for(target: Connection, **changes: Any) -> dict[str, Any]:
    scope = {"kind": "product_family", "connection": target.slug, "entity": "NL01", "queue": "e-invoicing"}
    return scope | {"rows": ROWS, "because": WHY} | changes


def preview_for(connection: Connection) -> dict[str, Any]:
    asked = body_for(connection)
    return {name: asked[name] for name in ("kind", "connection", "entity", "rows")}


def test_rows_with_what_they_mend_are_decided_by_one_decision(api: As, cast: Cast, erp: Connection, conforms: Conforms):
    fits, more = refused(erp, "4900000001"), refused(erp, "4900000002", **{"ZFI/001": "header/customer"})
    clerk, controller = api(cast.clerk), api(cast.controller)
    effect = clerk.post("value-mappings/preview", preview_for(erp)).json()
    conforms(effect, "MappingEffectShape")
    assert [(found["exception"], bool(found["refusal"])) for found in effect["exceptions"]] == [
        (fits.ref, False), (more.ref, True),
    ]  # fmt: skip
    assert (effect["sums"][0]["currency"], effect["backtest"]) == ("EUR", {"right": [], "wrongly": [], "otherwise": 0})
    assert not MappingProposal.objects.exists()

    asked = body_for(erp, exceptions=[fits.ref])
    proposed = clerk.post("value-mappings", asked, Idempotency_Key="one")
    assert proposed.status_code == 201, proposed.json()
    shown = proposed.json()
    conforms(shown, "MappingProposalShape")
    assert (shown["state"], shown["count"], shown["batch"][:2]) == ("awaiting_approval", 1, "B-")
    assert proposed["Location"].endswith(f"/api/v1/value-mapping-proposals/{shown['ref']}")
    assert clerk.post("value-mappings", asked, Idempotency_Key="one").json()["ref"] == shown["ref"]
    assert MappingProposal.objects.count() == 1

    decision = {"frozen_sha256": shown["frozen_sha256"]}
    at = f"value-mapping-proposals/{shown['ref']}"
    assert kind_of(clerk.post(f"{at}/approve", decision)) == (403, "not-permitted")
    other = controller.post(f"{at}/approve", {"frozen_sha256": "0" * 64})
    assert kind_of(other) == (409, "approval-no-longer-holds")
    approved = controller.post(f"{at}/approve", decision).json()
    assert (approved["state"], approved["decision"]["decider"]["username"]) == ("approved", "conrad")
    assert ReplayBatch.objects.get().state == "running"
    assert kind_of(controller.post(f"{at}/approve", decision)) == (409, "approval-no-longer-holds")
    assert kind_of(clerk.post(f"{at}/withdraw")) == (409, "not-possible-now")

    [listed] = controller.get("value-mappings", {"contains": "ROBO", "kind": "product_family"}).json()["results"]
    conforms(listed, "ValueMappingShape")
    assert (listed["ref"], listed["version"], listed["rows_holding"]) == (approved["mapping"], 1, 1)
    [entry] = controller.get(f"value-mappings/{listed['ref']}/entries").json()["results"]
    conforms(entry, "MappingEntryShape")
    assert (entry["target_value"], entry["proposer"]["username"], entry["decider"]["username"]) == (
        "800400", "clara", "conrad",
    )  # fmt: skip


def test_rows_alone_take_a_person_with_a_fresh_proof_and_show_what_they_replace(
    api: As, cast: Cast, conforms: Conforms
):
    mapping = mapped(cast, row())
    clerk, controller = api(cast.clerk), api(cast.controller)
    changed = [{"source_value": "ROBOTICS", "target_value": "800500", "valid_from": "2027-01-01"}]
    shown = clerk.post("value-mappings", body_for(cast.connection, rows=changed, queue=None)).json()
    at = f"value-mapping-proposals/{shown['ref']}"
    [proposed] = controller.get(f"{at}/rows").json()["results"]
    conforms(proposed, "MappingRowShape")
    assert proposed["replaces"] == [{"target_value": "800400", "valid_from": None, "valid_to": None}]
    decision = {"frozen_sha256": shown["frozen_sha256"]}
    assert kind_of(controller.post(f"{at}/approve", decision)) == (403, "fresh-proof-needed")
    rejected = controller.post(f"{at}/reject", decision | {"because": "Next year's chart is not final."}).json()
    assert (rejected["state"], rejected["decision"]["because"]) == ("rejected", "Next year's chart is not final.")

    again = clerk.post("value-mappings", body_for(cast.connection, rows=changed)).json()
    withdrawn = clerk.post(f"value-mapping-proposals/{again['ref']}/withdraw", {"because": "One row is wrong."})
    assert withdrawn.json()["state"] == "withdrawn"
    listed = clerk.get(f"value-mappings/{mapping.ref}/proposals").json()["results"]
    assert [one["state"] for one in listed] == ["withdrawn", "rejected", "approved"]
    everywhere = clerk.get("value-mapping-proposals", {"state": "rejected"}).json()["results"]
    assert [one["ref"] for one in everywhere] == [shown["ref"]]
    assert clerk.get(f"value-mappings/{mapping.ref}").json()["rows_holding"] == 1


def test_everything_that_cannot_be_used_is_named_and_nothing_is_proposed(api: As, cast: Cast):
    mapped(cast, row())
    clerk = api(cast.clerk)
    wrong: list[tuple[dict[str, Any], list[str]]] = [
        ({"rows": []}, ["/rows"]),
        ({"rows": [{"target_value": "1"}]}, ["/rows/0/source_value"]),
        ({"rows": [{"source_value": "ROBOTICS", "target_value": "800400"}]}, ["/rows/0/target_value"]),
        (
            {"rows": [{"source_value": "A", "valid_from": "2027-02-01", "valid_to": "2027-01-01"}]},
            ["/rows/0/valid_to", "/rows/0/target_value"],
        ),
        ({"rows": [{"source_value": "A", "target_value": "B", "valid_from": "soon"}]}, ["/rows/0/valid_from"]),
        ({"kind": "colour"}, ["/kind"]),
        ({"connection": "nowhere"}, ["/connection"]),
        ({"entity": "XX99"}, ["/entity"]),
        ({"because": " "}, ["/because"]),
        ({"exceptions": ["EX-1", "nonsense"]}, ["/exceptions/0", "/exceptions/1"]),
    ]
    for changes, pointers in wrong:
        refused_body = clerk.post("value-mappings", body_for(cast.connection, **changes))
        assert refused_body.status_code == 422, refused_body.json()
        assert [error["pointer"] for error in refused_body.json()["errors"]] == pointers, changes
    assert MappingProposal.objects.count() == 1


def test_exception_that_cannot_go_with_the_rows_keeps_them_from_being_proposed(api: As, cast: Cast, erp: Connection):
    more = refused(erp, "4900000002", **{"ZFI/001": "header/customer"})
    answer = api(cast.clerk).post("value-mappings", body_for(erp, exceptions=[more.ref]))
    assert kind_of(answer) == (422, "invalid-content")
    assert answer.json()["errors"][0]["pointer"] == "/exceptions"
    assert not MappingProposal.objects.exists()
    assert ExceptionCase.objects.get().state == "new"


def test_mapping_of_others_is_as_if_it_were_not_there(api: As, cast: Cast):
    mapping = mapped(cast, row())
    waiting = propose(cast, row("DRONES"))
    account = api(cast.outsider)
    at = f"value-mapping-proposals/{waiting.ref}"
    for path in (f"value-mappings/{mapping.ref}", f"value-mappings/{mapping.ref}/entries", at, f"{at}/rows"):
        assert kind_of(account.get(path)) == (404, "not-found"), path
    decision = {"frozen_sha256": waiting.frozen_sha256}
    assert kind_of(account.post(f"{at}/approve", decision)) == (404, "not-found")
    for path in ("value-mappings", "value-mapping-proposals"):
        assert account.get(path).json()["results"] == []
    support = api(cast.support).post("value-mappings", body_for(cast.connection))
    assert support.json()["errors"][0]["pointer"] == "/connection"


@pytest.mark.parametrize(
    "path",
    ["value-mappings?kind=colour", "value-mapping-proposals?state=new", "value-mappings/{ref}/entries?replaced=maybe"],
)
def test_parameter_that_nobody_reads_is_refused(api: As, cast: Cast, path: str):
    ref = mapped(cast, row()).ref
    answer = api(cast.clerk).get(f"/api/v1/{path.format(ref=ref)}")
    assert kind_of(answer) == (400, "invalid-parameter")
