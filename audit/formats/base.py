"""What every format has in common: a beginning, pages, an end, and what is told from one to the next."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from audit import export
from audit.canonical import canonical_bytes
from audit.formats import ocsf, parquet, xlsx
from audit.formats.limits import TooLarge
from audit.keys import origin
from audit.models import AuditEvent
from audit.spreadsheets import BOM, csv_row

__all__ = ["ENDINGS", "EVIDENCE", "FORMATS", "MEDIA_TYPES", "Asked", "Told", "TooLarge", "Writer", "writer_of"]

CSV, JSON_LINES, XLSX, PARQUET, OCSF, EVIDENCE = "csv", "jsonl", "xlsx", "parquet", "ocsf", "evidence"
FORMATS: Mapping[str, str] = {
    CSV: "CSV",
    JSON_LINES: "JSON Lines",
    XLSX: "Excel (XLSX)",
    PARQUET: "Parquet",
    OCSF: "OCSF, for a SIEM",
    EVIDENCE: "Evidence pack",
}
ENDINGS: Mapping[str, str] = {OCSF: "ocsf.jsonl", EVIDENCE: "evidence.zip"}
"""Of a file, where it is not the name of the format."""
MEDIA_TYPES: Mapping[str, str] = {
    CSV: "text/csv; charset=utf-8",
    JSON_LINES: "application/jsonl",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PARQUET: "application/vnd.apache.parquet",
    OCSF: "application/jsonl",
    EVIDENCE: "application/zip",
}
Told = Mapping[str, Any]
"""What a page tells the next ones: of JSON, a few hundred bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an export is of: it stands in the file where the format has a place for it."""

    at: datetime
    by: str
    filters: Mapping[str, object]


class Writer(Protocol):
    """One format. `at_byte` is how many bytes of the file there are."""

    def begin(self, asked: Asked) -> tuple[bytes, Told]: ...

    def page(self, events: Sequence[AuditEvent], last: Told, *, at_byte: int) -> tuple[bytes, Told]: ...

    def end(
        self, asked: Asked, told: Sequence[Told], *, rows: int, at_byte: int, so_far: Callable[[], Iterable[bytes]]
    ) -> bytes:
        """The last bytes. `told` is what each page told; `so_far` reads all bytes before."""


class _Lines(ABC):
    """A format in which each event is a line of its own, and nothing is to be remembered."""

    def begin(self, asked: Asked) -> tuple[bytes, Told]:
        return b"", {}

    def page(self, events: Sequence[AuditEvent], last: Told, *, at_byte: int) -> tuple[bytes, Told]:
        return b"".join(map(self.line, events)), {}

    @abstractmethod
    def line(self, event: AuditEvent) -> bytes:
        """One event, with the end of its line."""

    def end(
        self, asked: Asked, told: Sequence[Told], *, rows: int, at_byte: int, so_far: Callable[[], Iterable[bytes]]
    ) -> bytes:
        return b""


class _Csv(_Lines):
    def begin(self, asked: Asked) -> tuple[bytes, Told]:
        return BOM + csv_row(export.CSV_COLUMNS), {}

    def line(self, event: AuditEvent) -> bytes:
        return csv_row(export.cells(event))


class _JsonLines(_Lines):
    """The same file as `audit.export.export_jsonl` streams."""

    def begin(self, asked: Asked) -> tuple[bytes, Told]:
        return export.manifest_line(at=asked.at, filters=asked.filters), {}

    def line(self, event: AuditEvent) -> bytes:
        return export.json_line(event)

    def end(
        self, asked: Asked, told: Sequence[Told], *, rows: int, at_byte: int, so_far: Callable[[], Iterable[bytes]]
    ) -> bytes:
        digest = hashlib.sha256()
        for chunk in so_far():
            digest.update(chunk)
        return export.last_line(rows, digest.hexdigest())


class _Ocsf(_Lines):
    def line(self, event: AuditEvent) -> bytes:
        return json.dumps(ocsf.as_ocsf(event), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class _Xlsx:
    def begin(self, asked: Asked) -> tuple[bytes, Told]:
        return b"", {}

    def page(self, events: Sequence[AuditEvent], last: Told, *, at_byte: int) -> tuple[bytes, Told]:
        return xlsx.page((export.cells(event) for event in events), last, columns=export.CSV_COLUMNS, at_byte=at_byte)

    def end(
        self, asked: Asked, told: Sequence[Told], *, rows: int, at_byte: int, so_far: Callable[[], Iterable[bytes]]
    ) -> bytes:
        return xlsx.end(told[-1] if told else {}, columns=export.CSV_COLUMNS, at_byte=at_byte)


class _Parquet:
    def begin(self, asked: Asked) -> tuple[bytes, Told]:
        return parquet.MAGIC, {}

    def page(self, events: Sequence[AuditEvent], last: Told, *, at_byte: int) -> tuple[bytes, Told]:
        return parquet.row_group([export.cells(event) for event in events], at_byte=at_byte)

    def end(
        self, asked: Asked, told: Sequence[Told], *, rows: int, at_byte: int, so_far: Callable[[], Iterable[bytes]]
    ) -> bytes:
        about = {"format": export.FORMAT, "origin": origin(), "at": asked.at, "by": asked.by, "filters": asked.filters}
        return parquet.footer(told, rows=rows, about={"exception-workbench": canonical_bytes(about).decode()})


_WRITERS: Mapping[str, Callable[[], Writer]] = {
    CSV: _Csv,
    JSON_LINES: _JsonLines,
    XLSX: _Xlsx,
    PARQUET: _Parquet,
    OCSF: _Ocsf,
}


def writer_of(form: str) -> Writer:
    """The writer of a format of FORMATS; an evidence pack, which is in the order of the log, has `audit.pack`."""
    return _WRITERS[form]()
