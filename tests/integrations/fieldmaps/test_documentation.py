"""The examples of docs/field-maps.md do what it says."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from integrations.fieldmaps.active import MapVersion, Translation, Versioned, translate_by
from integrations.fieldmaps.declaration import SCHEMA, Known, read_text
from integrations.fieldmaps.fit import require_fit

PAGE = (Path(__file__).parents[3] / "docs" / "field-maps.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- tested: (\w+) -->\n```json\n(.*?)\n```", PAGE, re.DOTALL))


def translated(source: str) -> Translation:
    maps = [Versioned(MapVersion("inbound", "invoice", 1), EXAMPLES["map"])]
    context = {Known.RECEIVED_DATE: "2026-11-21"}
    return translate_by(maps, payload=source.encode(), media_type="application/json", context=context)


def test_map_of_the_page_makes_of_the_payload_what_the_page_says():
    require_fit(read_text(EXAMPLES["map"]), direction="inbound", object_type="invoice")
    found = translated(EXAMPLES["source"])
    assert found.faults == ()
    assert json.loads(found.canonical) == json.loads(EXAMPLES["canonical"])


def test_fault_of_the_page_is_the_one_that_comes():
    said: dict[str, Any] = json.loads(EXAMPLES["fault"])
    first, _ = translated(EXAMPLES["source"].replace('"tax": "NL-STD"', '"tax": "NL-OLD"')).faults
    assert json.loads(json.dumps({name: value for name, value in asdict(first).items() if value})) == said


def test_every_word_of_a_map_is_described():
    words = {*SCHEMA["properties"], *SCHEMA["$defs"]["rule"]["properties"], *(known.value for known in Known)}
    assert sorted(word for word in words if f"`{word}`" not in PAGE) == []
