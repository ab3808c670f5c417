"""Apache Parquet, written page by page: each page is a row group of its own, and the footer names them all.

Plain encoding, compressed with GZIP: every reader understands it. The little that is needed of Thrift's compact
protocol stands here, so that no library of a hundred megabytes has to be installed for one file.
"""

import gzip
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from audit.export import CSV_COLUMNS
from audit.spreadsheets import Cell

MAGIC = b"PAR1"
SEQUENCE, AT = CSV_COLUMNS.index("sequence"), CSV_COLUMNS.index("at")
_BYTES, _INT64 = 6, 2
_PLAIN, _RLE = 0, 3
_GZIP = 2
_UTF8, _TIMESTAMP_MICROS = 0, 10
_REQUIRED, _OPTIONAL = 0, 1
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_group(rows: Sequence[Sequence[Cell]], *, at_byte: int) -> tuple[bytes, Mapping[str, Any]]:
    """The bytes of these rows, and what the footer has to know of them."""
    chunks: list[bytes] = []
    columns = []
    for place in range(len(CSV_COLUMNS)):
        chunk, size = _chunk(place, [row[place] for row in rows])
        columns.append([at_byte, size, len(chunk)])
        chunks.append(chunk)
        at_byte += len(chunk)
    return b"".join(chunks), {"rows": len(rows), "columns": columns}


def footer(groups: Sequence[Mapping[str, Any]], *, rows: int, about: Mapping[str, str]) -> bytes:
    """The last bytes of the file."""
    groups = [group for group in groups if group.get("rows")]
    told = _struct(
        (1, _I32, 1),
        (2, _LIST, (_STRUCT, [_root(), *map(_column, range(len(CSV_COLUMNS)))])),
        (3, _I64, rows),
        (4, _LIST, (_STRUCT, [_group(group) for group in groups])),
        (5, _LIST, (_STRUCT, [_struct((1, _BINARY, name), (2, _BINARY, text)) for name, text in about.items()])),
        (6, _BINARY, "Exception Workbench"),
    )
    return told + struct.pack("<I", len(told)) + MAGIC


def _chunk(place: int, values: Sequence[Cell]) -> tuple[bytes, int]:
    """One column of a row group: the head of its only page and the page. And how large it is when it is unpacked."""
    plain = b"".join(_plain(place, value) for value in values if value is not None or place != SEQUENCE)
    if place == SEQUENCE:
        there = _levels([value is not None for value in values])
        plain = struct.pack("<I", len(there)) + there + plain
    packed = gzip.compress(plain, compresslevel=6, mtime=0)
    page = _struct((1, _I32, len(values)), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))
    head = _struct((1, _I32, 0), (2, _I32, len(plain)), (3, _I32, len(packed)), (5, _STRUCT, page))
    return head + packed, len(head) + len(plain)


def _plain(place: int, value: Cell) -> bytes:
    if place == SEQUENCE:
        return struct.pack("<q", value)
    if place == AT:
        assert isinstance(value, datetime)  # noqa: S101 - the column is that of the model
        since = value - _EPOCH
        return struct.pack("<q", (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    text = ("" if value is None else str(value)).encode()
    return struct.pack("<I", len(text)) + text


def _levels(there: Sequence[bool]) -> bytes:
    """One bit for each value, whether it is there, packed by eights."""
    bits = bytearray((len(there) + 7) // 8)
    for place, is_there in enumerate(there):
        bits[place // 8] |= is_there << place % 8
    return _varint(len(bits) << 1 | 1) + bytes(bits)


def _root() -> bytes:
    return _struct((4, _BINARY, "events"), (5, _I32, len(CSV_COLUMNS)))


def _column(place: int) -> bytes:
    kind = _INT64 if place in (SEQUENCE, AT) else _BYTES
    meant = {SEQUENCE: None, AT: _TIMESTAMP_MICROS}.get(place, _UTF8)
    fields: list[tuple[int, int, Any]] = [
        (1, _I32, kind), (3, _I32, _OPTIONAL if place == SEQUENCE else _REQUIRED), (4, _BINARY, CSV_COLUMNS[place]),
    ]  # fmt: skip
    return _struct(*fields, *([] if meant is None else [(6, _I32, meant)]))


def _group(group: Mapping[str, Any]) -> bytes:
    columns = [
        _struct((2, _I64, at), (3, _STRUCT, _about_column(place, at, size, packed, rows=group["rows"])))
        for place, (at, size, packed) in enumerate(group["columns"])
    ]
    whole = sum(size for _, size, _ in group["columns"])
    return _struct((1, _LIST, (_STRUCT, columns)), (2, _I64, whole), (3, _I64, group["rows"]))


def _about_column(place: int, at: int, size: int, packed: int, *, rows: int) -> bytes:
    return _struct(
        (1, _I32, _INT64 if place in (SEQUENCE, AT) else _BYTES),
        (2, _LIST, (_I32, [_zigzag(_PLAIN), _zigzag(_RLE)])),
        (3, _LIST, (_BINARY, [_binary(CSV_COLUMNS[place])])),
        (4, _I32, _GZIP),
        (5, _I64, rows),
        (6, _I64, size),
        (7, _I64, packed),
        (9, _I64, at),
    )


def _struct(*fields: tuple[int, int, Any]) -> bytes:
    """A struct of the compact protocol: fields by their number, type and value."""
    out, last = bytearray(), 0
    for number, kind, value in fields:
        out.append((number - last) << 4 | kind)
        last = number
        out += _value(kind, value)
    return bytes(out) + b"\x00"


def _value(kind: int, value: Any) -> bytes:
    if kind in (_I32, _I64):
        return _zigzag(value)
    if kind == _BINARY:
        return _binary(value)
    if kind == _LIST:
        of, parts = value
        head = bytes([len(parts) << 4 | of]) if len(parts) < 15 else bytes([0xF0 | of]) + _varint(len(parts))
        return head + b"".join(parts)
    return bytes(value)


def _binary(text: str) -> bytes:
    return _varint(len(text.encode())) + text.encode()


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
