"""Rules of a field map that ask a value mapping."""

import json
from datetime import date
from typing import Any

import pytest

from integrations.fieldmaps.active import MapVersion, Translation, Versioned, translate_by
from integrations.fieldmaps.declaration import Known, MapNotUnderstood, read_map
from integrations.fieldmaps.fit import require_fit
from integrations.fieldmaps.words import in_words
from integrations.mapped_values import MappedValue, Unmapped
from integrations.value_kinds import ValueKind

MAPPING: dict[str, Any] = {"kind": "tax_code", "on": "/issue_date", "entity": "/seller/identifier"}


class Kept:
    """What it was asked, and what it knows."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[tuple[str, str, str, str]] = []

    def find(self, kind: ValueKind, value: str, *, on: date, entity: str) -> MappedValue | None:
        self.asked.append((kind.value, value, on.isoformat(), entity))
        target = self.known.get(value)
        return MappedValue(kind, value, target, "VM-1", 3) if target is not None else None


def translated(kept: Kept, *, received: str = "2026-11-21", **rule: Any) -> Translation:
    rules = [
        {"to": "/number", "from": "/number"},
        {"to": "/tax", "from": "/order_reference", "mapping": MAPPING, **rule},
    ]
    declared = json.dumps({"rules": rules})
    source = {
        "version": "invoice/1", "number": "1", "issue_date": "2026-11-20", "order_reference": "V20",
        "seller": {"identifier": "NL01"},
    }  # fmt: skip
    context = {Known.RECEIVED_DATE: received} if received else {}
    return translate_by(
        [Versioned(MapVersion("outbound", "invoice", 1), declared)],
        payload=json.dumps(source).encode(), media_type="application/json", context=context, values=kept,
    )  # fmt: skip


def fault_of(found: Translation) -> Any:
    [fault] = [fault for fault in found.faults if fault.stage == "outbound"]
    return fault


def test_value_is_looked_up_for_the_day_and_the_legal_entity_of_the_document():
    kept = Kept({"V20": "V21"})
    found = translated(kept)
    assert json.loads(found.payload)["tax"] == "V21"
    assert kept.asked == [("tax_code", "V20", "2026-11-20", "NL01")]
    assert [value.in_words for value in found.mapped_values] == ["VM-1 (version 3): tax code “V20” is “V21”"]


def test_day_is_the_one_of_receipt_where_the_rule_names_none():
    kept = Kept({"V20": "V21"})
    translated(kept, mapping="tax_code")
    assert kept.asked == [("tax_code", "V20", "2026-11-21", "")]


def test_value_that_nobody_mapped_is_a_fault_that_says_what_is_missing_and_where():
    fault = fault_of(translated(Kept({})))
    assert fault.problem == "The tax code “V20” is not mapped to a tax code of the target."
    assert fault.remedy.startswith("Propose a mapping of it, or have the inbound map or the source write")
    assert fault.unmapped == Unmapped("tax_code", "V20", "2026-11-20", "/tax")


def test_mapping_goes_before_the_table_and_the_table_is_what_is_left():
    table = {"V20": "FROM-TABLE"}
    assert json.loads(translated(Kept({"V20": "V21"}), table=table).payload)["tax"] == "V21"
    assert json.loads(translated(Kept({}), table=table).payload)["tax"] == "FROM-TABLE"
    assert json.loads(translated(Kept({}), table={}, otherwise="keep").payload)["tax"] == "V20"


def test_without_a_day_only_the_table_answers():
    kept = Kept({"V20": "V21"})
    by_table = translated(kept, mapping="tax_code", received="", table={"V20": "X"})
    assert (json.loads(by_table.payload)["tax"], kept.asked) == ("X", [])


@pytest.mark.parametrize("mapping", ["colour", {"on": "/issue_date"}, {"kind": "tax_code", "at": "/x"}, 3])
def test_mapping_that_is_none_is_refused(mapping: object):
    with pytest.raises(MapNotUnderstood):
        read_map({"rules": [{"to": "/a", "from": "/b", "mapping": mapping}]})


def test_day_that_is_no_field_of_the_canonical_document_is_refused():
    declared = read_map({"rules": [{"to": "/a", "from": "/number", "mapping": {"kind": "tax_code", "on": "/day"}}]})
    with pytest.raises(MapNotUnderstood, match="“/day” is no field of a canonical invoice") as refused:
        require_fit(declared, direction="outbound", object_type="invoice")
    assert refused.value.place == "/rules/0/mapping"


def test_rule_is_read_out_with_its_mapping():
    [rule] = read_map({"rules": [{"to": "/a", "from": "/number", "mapping": MAPPING, "table": {}}]}).rules
    assert "by the value mapping of tax codes on /issue_date, which goes before the table" in in_words(rule)
