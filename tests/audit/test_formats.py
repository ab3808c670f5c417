"""Workbooks, Parquet and OCSF, page by page. The bytes are those that other programs were seen to read."""

import gzip
import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from audit.export import CSV_COLUMNS
from audit.formats import TooLarge, ocsf, parquet, xlsx
from audit.log import Entry, record_many
from audit.spreadsheets import Cell

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ODD = ("=1+1", "\x01_x000D_<&>", "Łódź 東京 \U0001f600", "", "a" * 40_000)


def cells(number: int) -> list[Cell]:
    text = ODD[number % len(ODD)]
    return [
        number if number % 3 else None, NOON + timedelta(seconds=number, microseconds=7), "case.commented", "clara",
        "person", f"case:EX-{number}", "NL01/e-invoicing", text, "", "", "{}", UUID(int=number), "ab" * 32,
    ]  # fmt: skip


def workbook(pages: list[list[list[Cell]]]) -> bytes:
    content = b""
    state: Mapping[str, Any] = {}
    for page in pages:
        body, state = xlsx.page(page, state, columns=CSV_COLUMNS, at_byte=len(content))
        content += body
    return content + xlsx.end(state, columns=CSV_COLUMNS, at_byte=len(content))


def rows_of(content: bytes, sheet: int = 1) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        assert container.testzip() is None
        tree = etree.fromstring(container.read(f"xl/worksheets/sheet{sheet}.xml"))
        types = container.read("[Content_Types].xml")
    assert types.count(b"worksheet+xml") == sum("sheet" in name for name in container.namelist())
    return [["".join(map(str, cell.itertext())) for cell in row] for row in tree.find("{*}sheetData")]


def test_workbook_is_the_same_however_it_is_cut_into_pages_and_holds_every_text_as_text(monkeypatch):
    many = [cells(number) for number in range(12)]
    header, *lines = rows_of(whole := workbook([many[:5], many[5:6], many[6:]]))
    assert tuple(header) == CSV_COLUMNS
    assert [line[5] for line in lines] == [f"case:EX-{number}" for number in range(12)]
    assert [line[0] for line in lines[:4]] == ["", "1", "2", ""]
    assert (lines[0][1], lines[0][7], lines[1][7]) == ("2026-03-02T12:00:00.000007Z", "=1+1", "_x0001__x005F_x000D_<&>")
    assert lines[4][7].endswith(xlsx.CUT)
    assert len(lines[4][7]) == xlsx.MOST_CHARACTERS
    assert b"<f>" not in whole
    assert rows_of(workbook([many])) == [header, *lines]
    assert rows_of(workbook([])) == [header]

    monkeypatch.setattr(xlsx, "MOST_ROWS", 5)
    split = workbook([many[:7], many[7:]])
    assert [len(rows_of(split, sheet)) for sheet in (1, 2, 3)] == [5, 5, 5]
    assert rows_of(split, 3)[1:] == lines[8:]
    monkeypatch.setattr(xlsx, "_MOST_FILE", 100)
    with pytest.raises(TooLarge, match="larger than a workbook may be"):
        workbook([many])


def test_parquet_has_the_bytes_that_pyarrow_and_duckdb_read():
    content, told = parquet.MAGIC, list[Any]()
    for page in (range(5), range(5, 6), range(6, 23)):
        body, group = parquet.row_group([cells(number) for number in page], at_byte=len(content))
        content, told = content + body, [*told, group]
    footer = parquet.footer([*told, {}], rows=23, about={"exception-workbench": "{}"})
    content += footer
    # pyarrow 26 and DuckDB 2 read these bytes as 23 rows in three groups, with the first, fourth, … number null.
    assert hashlib.sha256(gzipless(content, told)).hexdigest() == PARQUET
    assert struct.unpack("<I", content[-8:-4])[0] == len(footer) - 8
    at, _, size = told[1]["columns"][5]
    page_of_one = content[at : at + size]
    assert gzip.decompress(page_of_one[page_of_one.index(b"\x1f\x8b") :]) == struct.pack("<I", 9) + b"case:EX-5"


PARQUET = "34bb52bdf94bf9d7f475d0c64b71ca0feb925f53cfe1dcb9c0dc10224336c03b"


def gzipless(content: bytes, told: list[Any]) -> bytes:
    """What the columns hold and the footer's shape; how hard zlib packs differs between its versions."""
    held = b""
    for group in told:
        for at, size, packed in group["columns"]:
            page = content[at : at + packed]
            begins = page.index(b"\x1f\x8b")
            plain = gzip.decompress(page[begins:])
            assert size == begins + len(plain)
            held += plain
    return held


@pytest.mark.django_db
def test_ocsf_has_what_its_classes_require():
    def entry(action: str, subject: str, **more: Any) -> Entry:
        summary = "Something NL91ABNA0417164300."
        given: dict[str, Any] = {"actor": "clara", "scope": "", "at": NOON, "summary": summary} | more
        return Entry(action=action, subject=subject, **given)

    events = record_many(
        [
            entry("person.signed_in", "person:clara"),
            entry("person.sign_in_refused", "person:clara"),
            entry("person.added", "person:dora", actor="machine:setup", actor_kind="machine"),
            entry("case.approved", "case:EX-1", data={"by": "clara"}, because="It is right.", correlation_id="r-1"),
        ]
    )
    found = [ocsf.as_ocsf(event) for event in events]
    told = [(one["class_uid"], one["activity_id"], one["type_uid"], one["status_id"]) for one in found]
    assert told == [(3002, 1, 300201, 1), (3002, 1, 300201, 2), (3001, 1, 300101, 1), (3004, 99, 300499, 1)]
    assert [(one.get("user") or one["entity"])["name"] for one in found] == ["clara", "clara", "dora", "EX-1"]
    assert found[2]["actor"]["user"] == {"name": "machine:setup", "type_id": 3}
    assert found[3]["time"] == 1772452800000
    assert "NL91ABNA0417164300" not in str(found)
    assert found[3]["unmapped"]["because"] == "It is right."
    assert found[3]["metadata"]["correlation_uid"] == "r-1"
    required = {"category_uid", "class_uid", "activity_id", "type_uid", "time", "severity_id", "metadata", "actor"}
    assert all(required <= set(one) and {"version", "product"} <= set(one["metadata"]) for one in found)
