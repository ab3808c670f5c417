"""A payload on its whole way: source → canonical → target, faults said once with all the places that they concern."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.erp.connector import ErpConnector
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from integrations.fieldmaps.active import MapVersion, Translation, Versioned, translate_by
from integrations.fieldmaps.declaration import Known
from integrations.fieldmaps.trail import Stage

JSON = "application/json"
CONTEXT = {Known.RECEIVED_DATE: "2026-11-21"}


def versioned(direction: str, declared: str, object_type: str = "invoice", number: int = 1) -> Versioned:
    return Versioned(MapVersion(direction, object_type, number), declared)


TABLES = json.loads(maps_of_the_deal()[0].declared)["tables"]
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


def test_source_that_sends_canonical_documents_needs_no_inbound_map():
    canonical = translated(deal()).canonical
    found = translated(canonical, [DEAL_MAPS[1]])
    assert (found.faults, [str(used) for used in found.maps]) == ((), ["outbound invoice 1"])
    assert found.payload == translated(deal()).payload


def test_target_that_takes_canonical_documents_needs_no_outbound_map():
    found = translated(deal(), [DEAL_MAPS[0]])
    assert (found.faults, found.payload == found.canonical) == ((), True)


@pytest.mark.parametrize(
    ("payload", "media_type", "maps", "words"),
    [
        (b"{", JSON, DEAL_MAPS, "is not valid JSON"),
        (b"x", "text/plain", DEAL_MAPS, "A field map reads JSON, XML and CSV"),
        (b"{}", JSON, DEAL_MAPS, "No field map in use is for this payload"),
        (b"{}", JSON, DEAL_MAPS[1:], "the payload is no canonical document"),
        (b"<a/>", "application/xml", DEAL_MAPS[1:], "the payload is no canonical document"),
    ],
)
def test_payload_that_no_map_can_read_is_one_fault_and_stays_as_it_is(payload, media_type, maps, words):
    found = translated(payload, maps, media_type)
    (fault,) = found.faults
    assert words in fault.problem
    assert fault.remedy
    assert (found.payload, found.canonical) == (payload, b"")


def test_maps_are_told_apart_by_what_they_are_for():
    journal = {"to": "/reference", "value": "J"}
    maps = [
        *DEAL_MAPS,
        versioned("inbound", declared(journal, when={"from": "/object", "is": ["entry"]}), "journal"),
    ]
    assert translated(b'{"object": "entry"}', maps).object_type == "journal"
    assert translated(deal(), maps).object_type == "invoice"
    (fault,) = translated(deal(), [*maps, versioned("inbound", declared(journal), "journal", 2)]).faults
    assert "More than one field map is for this payload" in fault.problem


def test_map_that_can_no_longer_be_read_is_a_fault_and_nothing_passes_by_it():
    found = translated(deal(), [versioned("inbound", '{"old": []}'), DEAL_MAPS[1]])
    (fault,) = found.faults
    assert "“Invoice from the source” (version 1) can no longer be read" in fault.problem
    assert found.payload == deal()


def test_field_that_no_rule_writes_is_a_fault_in_words_with_its_place_in_the_target():
    rules = [rule for rule in json.loads(DEAL_MAPS[0].declared)["rules"] if rule["to"] != "/buyer/identifier"]
    found = translated(deal(), [versioned("inbound", declared(*rules[1:], tables=TABLES)), DEAL_MAPS[1]])
    assert [(fault.stage, fault.problem, fault.target) for fault in found.faults] == [
        (Stage.CANONICAL, "Invoice number is missing.", "/number"),
        (Stage.OUTBOUND, "The value is not there in the canonical document.", "/customer"),
    ]


def test_value_of_the_wrong_form_is_named_as_it_stood():
    payload = deal().replace(b'"2.450,00"', b'"2450.00 EUR"')
    faults = translated(payload).faults
    assert (faults[0].source, faults[0].was) == ("/items/1/amount", "2450.00 EUR")
    assert faults[0].problem == "“2450.00 EUR” is not a number with “,” as decimal mark."


def test_number_that_only_the_context_knows_is_missing_without_it():
    found = translate_by(DEAL_MAPS, payload=deal(), media_type=JSON)
    assert [fault.problem for fault in found.faults] == ["The value is not known of this message (received_date)."]


def test_journal_comes_from_a_csv_file_with_its_sums_at_the_top():
    payload = "Ref;Date;Account;Debit;Credit\r\nJ-1;01.11.2026;400000;100,00;\r\nJ-1;01.11.2026;170000;;100,00\r\n"
    rules: list[dict[str, Any]] = [
        {"to": "/company", "value": "NL01"},
        {"to": "/reference", "from": "/rows/0/Ref"},
        {"to": "/posting_date", "from": "/rows/0/Date", "as": "date", "date_format": "%d.%m.%Y"},
        {"to": "/currency", "value": "EUR"},
        {
            "to": "/lines",
            "each": "/rows",
            "rules": [
                {"to": "/account", "from": "/Account"},
                {"to": "/text", "from": "/rows/0/Ref", "top": True},
                {"to": "/debit", "from": "/Debit", "as": "decimal", "decimal_mark": ","},
                {"to": "/credit", "from": "/Credit", "as": "decimal", "decimal_mark": ","},
            ],
        },
    ]
    maps = [versioned("inbound", declared(*rules), "journal")]
    found = translated(payload.encode(), maps, "text/csv; charset=utf-8")
    assert found.faults == ()
    assert json.loads(found.canonical)["lines"] == [
        {"account": "400000", "text": "J-1", "debit": "100.00"},
        {"account": "170000", "text": "J-1", "credit": "100.00"},
    ]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"a;b\n1", "Line 2 has 1 fields"),
        (b"a;a\n1;2", "occurs twice"),
        (b"", "names no column"),
        (b"a;b\n\xff;1", "is not UTF-8"),
        (b'a;b\n"1";"2"x', "is not CSV"),
        (b"a;b\n\x00;1", "NUL"),
    ],
)
def test_file_that_is_no_table_is_refused_with_its_line(payload, words):
    (fault,) = translated(payload, DEAL_MAPS, "text/csv").faults
    assert words in fault.problem


AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


@given(amounts=st.lists(AMOUNTS, min_size=1, max_size=6), texts=st.lists(st.text(max_size=20), max_size=4))
def test_same_payload_gives_the_same_bytes_and_exact_sums(amounts, texts):
    source = json.loads(deal())
    item = source["items"][0]
    source["items"] = [item | {"amount": f"{amount:f}".replace(".", ",")} for amount in amounts]
    source["account"] |= {f"extra{index}": text for index, text in enumerate(texts)}
    payload = json.dumps(source).encode()
    first, second = translated(payload), translated(payload)
    assert first == second
    assert json.loads(first.canonical)["total_without_vat"] == f"{sum(amounts):f}"
    assert not any(isinstance(value, float) for value in values_of(json.loads(first.payload)))


def values_of(value: Any) -> Iterator[Any]:
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list):
            yield from values_of(one)
        else:
            yield one


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_translating_raises_nothing_whatever_comes(value):
    found = translated(json.dumps(value).encode())
    assert not found.is_whole
