"""A workbook of Excel (ECMA-376), written page by page: a ZIP file whose sheets are compressed in pieces.

Each piece ends where a byte does (Z_FULL_FLUSH), so the pieces of a sheet, made at different times and by different
processes, are one compressed stream (RFC 1951). Texts are inline and never formulas.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from audit.canonical import timestamp
from audit.formats.limits import TooLarge
from audit.spreadsheets import Cell

MOST_ROWS = 1_048_576  # of a sheet, its heading among them
MOST_CHARACTERS = 32_767  # of a cell
TOO_LARGE = "It is larger than a workbook may be. Ask for Parquet or JSON Lines, or a shorter period."
CUT = " … (cut here; the other formats have it whole)"
_MOST_XML = 3 << 30  # bytes of one sheet: the sizes in a ZIP file of this form have 32 bits
_MOST_FILE = (4 << 30) - (1 << 20)
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>'
    '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    "</sheetView></sheetViews><sheetData>"
)
_TAIL = "</sheetData></worksheet>"
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_FLAGS = 0x0808  # sizes follow the content; names are UTF-8
_DATE = 0x21  # 1980-01-01: a time of the file's own making would differ each time

State = Mapping[str, Any]


def page(rows: Iterable[Sequence[Cell]], last: State, *, columns: Sequence[str], at_byte: int) -> tuple[bytes, State]:
    """The next rows. The state it returns is for the next page. Raises TooLarge."""
    sheet = _Sheet(last, columns=columns, at_byte=at_byte)
    for row in rows:
        sheet.add(row)
    return sheet.taken(), sheet.state()


def end(last: State, *, columns: Sequence[str], at_byte: int) -> bytes:
    """The end of the last sheet, the files that name the sheets, and the directory of the container."""
    sheet = _Sheet(last, columns=columns, at_byte=at_byte)
    sheet.close()
    for name, content in _about(sum(1 for member in sheet.members if "sheet" in member["name"])):
        sheet.write_whole(name, content.encode())
    return sheet.taken() + _directory(sheet.members, at=sheet.at)


class _Sheet:
    """The sheet that is being written, and the members of the container before it."""

    def __init__(self, last: State, *, columns: Sequence[str], at_byte: int) -> None:
        self.columns = columns
        self.members: list[dict[str, Any]] = [dict(member) for member in last.get("members", ())]
        self.rows: int = last.get("rows", 0)  # of the sheet that is open; 0 when none is
        self.at = at_byte
        self._out: list[bytes] = []
        self._xml: list[str] = []
        if not self.rows:
            self._open()

    def _open(self) -> None:
        self._begin_member(f"xl/worksheets/sheet{len(self.members) + 1}.xml")
        self._xml.append(_HEAD)
        self.rows = 0
        self._row(self.columns)

    def add(self, row: Sequence[Cell]) -> None:
        if self.rows == MOST_ROWS or self.members[-1]["size"] > _MOST_XML:
            self.close()
            self._open()
        self._row(row)

    def _row(self, row: Sequence[Cell]) -> None:
        self.rows += 1
        self._xml.append(f'<row r="{self.rows}">{"".join(map(_cell, row))}</row>')
        if len(self._xml) > 1_000:
            self._pack(zlib.Z_FULL_FLUSH)

    def close(self) -> None:
        self._xml.append(_TAIL)
        self._pack(zlib.Z_FINISH)
        member = self.members[-1]
        self._emit(struct.pack("<IIII", 0x08074B50, member["crc"], member["packed"], member["size"]))

    def taken(self) -> bytes:
        if self._xml:
            self._pack(zlib.Z_FULL_FLUSH)
        return b"".join(self._out)

    def state(self) -> State:
        return {"members": self.members, "rows": self.rows}

    def write_whole(self, name: str, content: bytes) -> None:
        self._begin_member(name)
        self._deflate(content, zlib.Z_FINISH)
        member = self.members[-1]
        self._emit(struct.pack("<IIII", 0x08074B50, member["crc"], member["packed"], member["size"]))

    def _begin_member(self, name: str) -> None:
        if self.at > _MOST_FILE:
            raise TooLarge(TOO_LARGE)
        self.members.append({"name": name, "crc": 0, "packed": 0, "size": 0, "at": self.at})
        local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, _FLAGS, 8, 0, _DATE, 0, 0, 0, len(name), 0)
        self._emit(local + name.encode())

    def _pack(self, flush: int) -> None:
        content, self._xml = "".join(self._xml).encode(), []
        self._deflate(content, flush)

    def _deflate(self, content: bytes, flush: int) -> None:
        member = self.members[-1]
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(content) + packer.flush(flush)
        member["crc"] = zlib.crc32(content, member["crc"])
        member["size"] += len(content)
        member["packed"] += len(packed)
        self._emit(packed)

    def _emit(self, content: bytes) -> None:
        self.at += len(content)
        self._out.append(content)


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<c><v>{int(value)}</v></c>"
    text = timestamp(value) if isinstance(value, datetime) else str(value)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{_text(text)}</t></is></c>'


def _text(text: str) -> str:
    """As XML; what XML has no sign for as Excel writes it, `_x0001_`."""
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS - len(CUT)] + CUT
    text = _ESCAPED.sub("_x005F_", text)
    return escape(_NO_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text))


def _about(sheets: int) -> list[tuple[str, str]]:
    numbers = range(1, sheets + 1)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    to_workbook = f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
    spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return [
        (
            "[Content_Types].xml",
            f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{spreadsheet}.sheet.main+xml"/>'
            + "".join(
                f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{spreadsheet}.worksheet+xml"/>'
                for n in numbers
            )
            + "</Types>",
        ),
        (
            "_rels/.rels",
            f'{head}<Relationships xmlns="{package}/relationships">{to_workbook}</Relationships>',
        ),
        (
            "xl/workbook.xml",
            f'{head}<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{office}">'
            "<sheets>"
            + "".join(f'<sheet name="Audit trail {n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
            + "</sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            f'{head}<Relationships xmlns="{package}/relationships">'
            + "".join(
                f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
                for n in numbers
            )
            + "</Relationships>",
        ),
    ]


def _directory(members: Sequence[Mapping[str, Any]], *, at: int) -> bytes:
    entries = b"".join(
        struct.pack(
            "<IHHHHHHIIIHHHHHII",
            0x02014B50, 20, 20, _FLAGS, 8, 0, _DATE, member["crc"], member["packed"], member["size"],
            len(member["name"]), 0, 0, 0, 0, 0, member["at"],
        )
        + member["name"].encode()
        for member in members
    )  # fmt: skip
    return entries + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(members), len(members), len(entries), at, 0)
