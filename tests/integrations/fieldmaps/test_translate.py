"""A payload on its whole way: source → canonical → target, faults said once with all the places that they concern."""

import json
from typing import Any

from integrations.connectors.erp.connector import ErpConnector
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from integrations.fieldmaps.active import MapVersion, Translation, Versioned, translate_by
from integrations.fieldmaps.declaration import Known
from integrations.fieldmaps.trail import Stage

JSON = "application/json"
CONTEXT = {Known.RECEIVED_DATE: "2026-11-21"}


def versioned(direction: str, declared: str, object_type: str = "invoice", number: int = 1) -> Versioned:
    return Versioned(MapVersion(direction, object_type, number), declared)


DEAL_MAPS = [versioned(found.direction, found.declared) for found in maps_of_the_deal()]


def translated(payload: bytes, maps: list[Versioned] | None = None, media_type: str = JSON) -> Translation:
    return translate_by(DEAL_MAPS if maps is None else maps, payload=payload, media_type=media_type, context=CONTEXT)


def declared(*rules: dict[str, Any], **more: Any) -> str:
    return json.dumps({"rules": rules, **more})


def test_deal_becomes_a_customer_invoice_that_the_check_of_the_erp_passes():
    found = translated(deal())
    assert found.faults == ()
    assert found.versions == [
        {"direction": "inbound", "object_type": "invoice", "number": 1},
        {"direction": "outbound", "object_type": "invoice", "number": 1},
    ]
    canonical, target = json.loads(found.canonical), json.loads(found.payload)
    assert canonical["version"] == "invoice/1"
    assert canonical["posting_date"] == "2026-11-21"
    assert (target["net_amount"], target["tax_amount"], target["total"]) == ("17450.00", "3664.50", "21114.50")
    assert [(line["tax_code"], line["account"], line["cost_center"]) for line in target["lines"]] == [
        ("V21", "800000", "CC-1000"),
        ("V21", "800100", "CC-1000"),
    ]
    report = ErpConnector().check(found.payload)
    assert (report.errors, report.warnings) == ((), ())


def test_unmapped_product_family_is_one_fault_that_names_family_and_table_and_every_place():
    found = translated(deal(family=UNMAPPED_FAMILY))
    (fault,) = found.faults
    assert fault.problem == "The table “product families” has no entry for “Leasing”."
    assert (fault.stage, fault.rule, fault.was) == (Stage.INBOUND, "/rules/10/rules/2", "Leasing")
    assert (fault.source, fault.canonical, fault.target) == (
        "/items/1/family",
        "/lines/1/product_family",
        "/lines/1/product_family",
    )
    line = json.loads(found.payload)["lines"][1]
    assert ("product_family" in line, line["net_amount"], line["tax_code"]) == (False, "2450.00", "V21")


def test_connection_without_maps_leaves_the_payload_as_it_is():
    assert translated(b"\xffanything", [], "application/octet-stream") == Translation(
        b"\xffanything", "application/octet-stream"
    )
