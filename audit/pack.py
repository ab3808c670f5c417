"""An evidence pack made in parts: each part tells the next one all that it has to know, also in another process.

The bytes are those of `verify_evidence.write_container` for the same files: what checks a pack holds it against that.
"""

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import RawIOBase
from typing import Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.db.models import QuerySet

from audit.canonical import timestamp
from audit.evidence import (
    NOTHING_SEALED,
    Hidden,
    Listed,
    Most,
    NothingSealed,
    Told,
    first_hidden,
    keys_and_readme,
    line_of,
    money_of,
    not_sealed,
    noted,
    signed_manifest,
    walk,
)
from audit.models import AuditCheckpoint, AuditEvent
from audit.verify_evidence import EXCEPTIONS, LOG

PAPER, TABLE = "evidence.pdf", "exceptions.csv"
_FLAGS = 0x08  # sizes and sum follow the content, which nobody knew before
State = Mapping[str, Any]


class Part(NamedTuple):
    """Some bytes of the pack, how many events are in them, and what the next part has to know."""

    body: bytes
    events: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the last file in words needs of the pack: the log's counts, and the digests of the files before."""

    made_at: datetime
    checkpoint: AuditCheckpoint
    events: int
    not_sealed_yet: int
    exceptions: int
    money: Mapping[str, str]
    files: Mapping[str, Mapping[str, object]]


def begin(events: QuerySet[AuditEvent], *, at: datetime) -> State:
    """A pack up to the newest checkpoint, of which nothing is written yet. Raises NothingSealed."""
    last = AuditCheckpoint.objects.order_by("-size").first()
    if last is None:
        raise NothingSealed(NOTHING_SEALED)
    return {
        "made_at": timestamp(at),
        "checkpoint": last.size,
        "not_sealed_yet": not_sealed(events, up_to=last.size),
        "log": first_hidden(events, last).as_json(),
        "by_action": {},
        "first": 0,
        "last": 0,
        "members": [],
        "count": 0,
        "money": {},
    }


def log_is_whole(state: State) -> bool:
    return bool(state["log"]["size"] >= state["checkpoint"])


def is_listed(state: State, name: str) -> bool:
    """Whether the last line of this list is written."""
    return any(member["name"] == name and member["over"] for member in state["members"])


def log_part(events: QuerySet[AuditEvent], state: State, *, most: Most, at_byte: int) -> Part:
    """The next lines of the log. `cases` of the state are the subjects of this part alone."""
    told = Told(by_action=Counter(state["by_action"]), first=state["first"], last=state["last"])
    before, hidden = told.by_action.total(), Hidden.from_json(state["log"])
    last = AuditCheckpoint.objects.get(size=state["checkpoint"])
    content = b"".join(walk(events, hidden, told, last=last, most=most))
    after = {
        **state, "log": hidden.as_json(), "by_action": dict(told.by_action), "first": told.first, "last": told.last,
        "subjects": sorted(told.subjects),
    }  # fmt: skip
    whole = log_is_whole(after)
    return Part(*_member(LOG, content, after, at_byte=at_byte, over=whole, rows=told.by_action.total() - before))


def list_part(listed: Sequence[Listed], state: State, *, at_byte: int, over: bool) -> Part:
    """The next of the exceptions that the events are about."""
    counted = {**state, "count": state["count"] + len(listed), "money": money_of(listed, state["money"])}
    content = b"".join(map(line_of, listed))
    return Part(*_member(EXCEPTIONS, content, counted, at_byte=at_byte, over=over))


def table_part(content: bytes, state: State, *, at_byte: int, over: bool) -> Part:
    """The next rows of the list for reading."""
    return Part(*_member(TABLE, content, state, at_byte=at_byte, over=over))


def _member(
    name: str, content: bytes, state: State, *, at_byte: int, over: bool, rows: int = 0
) -> tuple[bytes, int, State]:
    """The bytes of the container for the next piece of a file; its head before the first, its sum after the last."""
    members = [dict(member) for member in state["members"]]
    head = b""
    if not members or members[-1]["name"] != name:
        head = _info(name).FileHeader(zip64=True)
        members.append({"name": name, "at": at_byte, "begins": at_byte + len(head), "size": 0, "crc": 0})
    member = members[-1]
    member |= {"crc": zlib.crc32(content, member["crc"]), "size": member["size"] + len(content), "over": over}
    foot = struct.pack("<LLQQ", 0x08074B50, member["crc"], member["size"], member["size"]) if over else b""
    # What a part tells of its own is not for the next one.
    kept = {key: value for key, value in state.items() if key != "subjects" or name == LOG}
    return head + content + foot, rows, {**kept, "members": members}


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name)
    info.compress_type, info.flag_bits, info.external_attr = ZIP_STORED, _FLAGS, 0o600 << 16
    return info


class _Rest(RawIOBase):
    """A file of which only the end is written here, from this byte on."""

    def __init__(self, at_byte: int) -> None:
        self.content = bytearray()
        self._at = at_byte

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)

    def tell(self) -> int:
        return self._at + len(self.content)

    def seek(self, *_arguments: Any) -> int:
        raise OSError("what was written is kept elsewhere")


def end(
    state: State, *, at_byte: int, so_far: Iterable[bytes], by: str, asked_for: Mapping[str, object],
    paper: Callable[[Summary], bytes],
) -> bytes:  # fmt: skip
    """The files that are written at once, the signed manifest, and the directory of the container."""
    told = Told(by_action=Counter(state["by_action"]), first=state["first"], last=state["last"])
    told.files = _digests(state["members"], so_far)
    rest = _Rest(at_byte)
    with ZipFile(rest, "w") as container:
        for member in state["members"]:
            container.filelist.append(_written(member))
        for name, chunks in _last_files(state, told, by=by, asked_for=asked_for, paper=paper):
            with container.open(ZipInfo(name), "w", force_zip64=True) as file:
                for chunk in chunks:
                    file.write(chunk)
    return bytes(rest.content)


def _last_files(
    state: State, told: Told, *, by: str, asked_for: Mapping[str, object], paper: Callable[[Summary], bytes]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    for name, chunks in keys_and_readme():
        yield name, noted(name, chunks, told)
    summary = Summary(
        made_at=datetime.fromisoformat(state["made_at"]),
        checkpoint=AuditCheckpoint.objects.get(size=state["checkpoint"]),
        events=told.by_action.total(), not_sealed_yet=state["not_sealed_yet"],
        exceptions=state["count"], money=state["money"], files=dict(told.files),
    )  # fmt: skip
    yield PAPER, noted(PAPER, [paper(summary)], told)
    yield from signed_manifest(
        told, checkpoint=state["checkpoint"], at=summary.made_at, by=by, asked_for=asked_for,
        not_sealed_yet=state["not_sealed_yet"], count=state["count"], money=state["money"],
    )  # fmt: skip


def _written(member: Mapping[str, Any]) -> ZipInfo:
    info = _info(member["name"])
    info.FileHeader(zip64=True)  # which sets the versions that the directory repeats
    info.header_offset, info.CRC = member["at"], member["crc"]
    info.file_size = info.compress_size = member["size"]
    return info


def _digests(members: Sequence[Mapping[str, Any]], so_far: Iterable[bytes]) -> dict[str, dict[str, object]]:
    """Of each file that was written in parts, read once from the bytes of the container."""
    digests = [hashlib.sha256() for _ in members]
    at = 0
    for chunk in so_far:
        for member, digest in zip(members, digests, strict=True):
            first, last = member["begins"] - at, member["begins"] + member["size"] - at
            digest.update(chunk[max(first, 0) : max(last, 0)])
        at += len(chunk)
    return {
        member["name"]: {"sha256": digest.hexdigest(), "bytes": member["size"]}
        for member, digest in zip(members, digests, strict=True)
    }
