"""Field maps through the API: as on the pages, with ETags, and problems that point into the declaration."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from integrations.models import ActiveFieldMap, FieldMap, InboxMessage
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
MAPS = "connections/tax-authority/field-maps"
INBOUND = json.loads(maps_of_the_deal()[0].declared)


@pytest.fixture
def mapping(cast: Cast) -> Cast:
    """The outsider configures the connection and sees no payload."""
    configure(cast.connection, connector="erp")
    assign_perm("configure_connection", cast.outsider, cast.connection)
    seed_field_maps(cast.connection, by=machine(SETUP), at=MORNING)
    return cast


def changed(**changes: Any) -> dict[str, Any]:
    return {"map": INBOUND | changes, "note": "Changed."}


def payload(**more: str) -> dict[str, str]:
    return {"media_type": "application/json", "text": deal(**more).decode()}


def test_maps_and_versions_are_read(api: As, mapping: Cast, conforms: Conforms) -> None:
    account = api(mapping.support)
    found = account.get(MAPS).json()
    conforms(found, "FieldMapPage")
    assert [(row["name"], row["version_in_use"]) for row in found["results"]] == [
        ("inbound-invoice", 1),
        ("outbound-invoice", 1),
    ]
    versions = account.get(f"{MAPS}/inbound-invoice/versions").json()
    conforms(versions, "FieldMapVersionPage")
    one = account.get(versions["results"][0]["url"]).json()
    conforms(one, "FieldMapVersion")
    assert (one["number"], one["map"]) == (1, INBOUND)
    assert account.get(f"{MAPS}/inbound-invoice")["ETag"] == '"1.1"'
    assert account.get("canonical/invoice").json()["title"] == "Invoice"


@pytest.mark.parametrize(
    "path", [f"{MAPS}/inbound-order", f"{MAPS}/invoice", f"{MAPS}/inbound-invoice/versions/9", "canonical/order"]
)
def test_what_is_not_there_is_not_found(api: As, mapping: Cast, path: str) -> None:
    assert kind_of(api(mapping.support).get(path)) == (404, "not-found")


def test_version_is_saved_and_put_to_use_as_it_was_seen(api: As, mapping: Cast, conforms: Conforms) -> None:
    account = api(mapping.outsider)
    saved = account.post(f"{MAPS}/inbound-invoice/versions", changed(note="Other."), if_match='"1.1"')
    assert (saved.status_code, saved.json()["number"]) == (201, 2)
    stale = account.put(f"{MAPS}/inbound-invoice/active", {"version": 2, "because": "Tried."}, if_match='"1.1"')
    assert (kind_of(stale), stale["ETag"]) == ((412, "precondition-failed"), '"2.1"')
    used = account.put(f"{MAPS}/inbound-invoice/active", {"version": 2, "because": "Tried."}, if_match='"2.1"')
    conforms(used.json(), "FieldMapShape")
    assert (used["ETag"], used.json()["version_in_use"]) == ('"2.2"', 2)
    assert used.json()["changed_by"]["username"] == "otto"
    off = account.put(f"{MAPS}/inbound-invoice/active", {"version": None, "because": "Broken."})
    assert off.json()["version_in_use"] is None
    active = ActiveFieldMap.objects.get(direction="inbound")
    assert (active.revision, active.because) == (3, "Broken.")


def test_repeat_with_the_same_key_saves_once(api: As, mapping: Cast) -> None:
    account = api(mapping.outsider)
    answers = [
        account.post(f"{MAPS}/inbound-invoice/versions", changed(note="Other."), idempotency_key="once")
        for _ in range(2)
    ]
    assert [answer.json()["number"] for answer in answers] == [2, 2]
    assert FieldMap.objects.filter(direction="inbound").count() == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"map": {}, "note": "x"}, "/map"),
        ({"map": {"rules": [{"to": "/numbr", "from": "/a"}]}, "note": "x"}, "/map/rules/0/to"),
        ({"map": [], "note": "x"}, "/map"),
        ({"map": INBOUND, "note": ""}, "/note"),
    ],
)
def test_map_that_is_refused_names_the_place(api: As, mapping: Cast, body: Any, pointer: str) -> None:
    refused = api(mapping.outsider).post(f"{MAPS}/inbound-invoice/versions", body)
    assert kind_of(refused) == (422, "invalid-content")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert FieldMap.objects.filter(direction="inbound").count() == 1


def test_version_that_is_not_there_is_not_put_to_use(api: As, mapping: Cast) -> None:
    refused = api(mapping.outsider).put(f"{MAPS}/inbound-invoice/active", {"version": 9, "because": "Why not."})
    assert kind_of(refused) == (422, "invalid-content")
    assert refused.json()["errors"][0]["pointer"] == "/version"


def test_preview_names_every_fault_and_saves_nothing(api: As, mapping: Cast, conforms: Conforms) -> None:
    account, address = api(mapping.outsider), f"{MAPS}/inbound-invoice/preview"
    whole = account.post(address, {"payload": payload()}).json()
    conforms(whole, "FieldMapPreview")
    assert (whole["faults"], whole["check"]["passed"]) == ([], True)
    assert whole["maps"] == ["inbound invoice 1", "outbound invoice 1"]
    draft = account.post(address, {"map": INBOUND, "payload": payload(family=UNMAPPED_FAMILY)}).json()
    assert draft["maps"] == ["inbound invoice (draft)", "outbound invoice 1"]
    (fault,) = draft["faults"]
    assert (fault["was"], fault["source"], fault["target"]) == ("Leasing", "/items/1/family", "/lines/1/product_family")
    assert (draft["check"], FieldMap.objects.count()) == (None, 2)


def test_stored_message_is_for_who_may_see_its_payload(api: As, mapping: Cast) -> None:
    message = factories.make_message(
        mapping, payload=deal(), media_type="application/json", status=InboxMessage.Status.FAILED
    )
    body, address = {"message": message.pk}, f"{MAPS}/inbound-invoice/preview"
    assert api(mapping.clerk).post(address, body).json()["check"]["passed"] is True
    refused = api(mapping.outsider).post(address, body)
    assert (kind_of(refused), refused.json()["errors"][0]["pointer"]) == ((422, "invalid-content"), "/message")


@pytest.mark.parametrize(
    "body", [{}, {"payload": payload(), "message": 1}, {"map": INBOUND, "version": 1, "payload": payload()}]
)
def test_preview_takes_one_payload_and_one_map(api: As, mapping: Cast, body: Any) -> None:
    refused = api(mapping.outsider).post(f"{MAPS}/inbound-invoice/preview", body)
    assert kind_of(refused) == (422, "invalid-content")


def test_who_may_not_configure_changes_nothing(api: As, mapping: Cast) -> None:
    account = api(mapping.support)
    answers = [
        account.post(f"{MAPS}/inbound-invoice/versions", changed(note="Other.")),
        account.put(f"{MAPS}/inbound-invoice/active", {"version": None, "because": "x"}),
        account.post(f"{MAPS}/inbound-invoice/preview", {"payload": payload()}),
    ]
    assert [kind_of(answer) for answer in answers] == [(403, "not-permitted")] * 3
    assert kind_of(api(mapping.administrator).get(MAPS)) == (404, "not-found")
    assert (FieldMap.objects.count(), ActiveFieldMap.objects.filter(version=None).count()) == (2, 0)
