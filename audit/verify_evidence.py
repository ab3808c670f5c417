"""Checks an evidence pack of the Exception Workbench, without the workbench.

    python verify_evidence.py PACK [--checkpoint FILE] [--key NAME+ID+BASE64]

It needs Python 3.11 and the package `cryptography`, and nothing else. Exit status 0: all holds. 1: it does not, and the
first fault is named. 2: a file cannot be read. The tree of hashes is that of RFC 6962 section 2.1, the signatures are
Ed25519 (RFC 8032) in the notes of C2SP (signed-note, tlog-checkpoint).
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "exception-workbench-evidence/1"
LOG, EXCEPTIONS, KEYS, README = "log.jsonl", "exceptions.jsonl", "keys.txt", "README.txt"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
CHUNK = 1 << 20
LONGEST_LINE = 1 << 20  # bytes; an event has at most 256 KiB
SEALING = timedelta(minutes=1)  # as long may a checkpoint be under way

_EVENT = re.compile(rb'\{"sequence":([1-9]\d{0,18}),"leaf":"([0-9a-f]{64})","body":(\{.*\})\}\n')
_NODE = re.compile(rb'\{"leaves":([1-9]\d{0,18}),"node":"([0-9a-f]{64})"\}\n')
_BASE64 = r"[A-Za-z0-9+/]{43}="
_NOTE = re.compile(
    rf"(?P<text>(?P<origin>[^\s+]+)\n(?P<size>[1-9]\d{{0,18}})\n(?P<root>{_BASE64})\n"
    rf"chain {_BASE64}\nat (?P<at>\S+)\nprevious {_BASE64}\n)\n— (?P<name>\S+) (?P<signature>[A-Za-z0-9+/]+=*)\n"
)

Keys = Mapping[str, tuple[str, bytes]]  # verifier keys by their id: the name of the log, the 32 bytes of the public key

CANNOT_PROVE = (
    "that something happened of which no event was written;",
    "that a filter left out nothing: places of the log that are not shown are here as hashes only;",
    "that the clock of the workbench was right: the times are its own;",
    "that amounts and states of exceptions are right: they are the workbench's word, signed, and not in the log.",
)
WITHOUT_OUTSIDE = (
    "that the newest events were not cut off, or the whole log written anew by whoever holds its signing key: for "
    "that, give a checkpoint that somebody else has kept (--checkpoint)."
)


class Fault(Exception):
    """The first thing that does not hold, in words."""


class Note(NamedTuple):
    """A signed checkpoint: the log's first `size` events have this Merkle root."""

    text: str
    origin: str
    size: int
    root: bytes
    at: str
    signed: bytes  # four bytes that tell the key, and the signature


@dataclass
class Tree:
    """A Merkle tree by appending; of what is not shown, whole subtrees are appended at once."""

    size: int = 0
    _subtrees: list[tuple[int, bytes]] = field(default_factory=list)

    def append(self, leaves: int, node: bytes) -> None:
        if leaves & (leaves - 1) or self.size % leaves:
            raise Fault(f"after sequence {self.size}: {leaves} places cannot stand here as one hash.")
        self.size += leaves
        while self._subtrees and self._subtrees[-1][0] == leaves:
            node = hashlib.sha256(b"\x01" + self._subtrees.pop()[1] + node).digest()
            leaves *= 2
        self._subtrees.append((leaves, node))

    def root(self) -> bytes:
        if not self._subtrees:
            return hashlib.sha256(b"").digest()
        node = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            node = hashlib.sha256(b"\x01" + left + node).digest()
        return node


@dataclass
class Walk:
    """What the log of the pack showed."""

    tree: Tree = field(default_factory=Tree)
    by_action: Counter[str] = field(default_factory=Counter)
    first: int = 0
    last: int = 0
    checkpoint: Note | None = None
    roots: dict[int, bytes] = field(default_factory=dict)  # of the log's own checkpoints, by their size
    compared: int = 0


class _Outlet(list[bytes]):
    """A file that cannot go back, whose bytes are taken out as they come."""

    def write(self, data: bytes) -> int:
        self.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self[:] = b"".join(self), []
        return taken


def write_container(members: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A ZIP file of these members, uncompressed and without a time: the same members always give the same bytes."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as container:  # type: ignore[call-overload]
        for name, chunks in members:
            with container.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()


def _chunks(container: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with container.open(name) as member:
        while chunk := member.read(CHUNK):
            yield chunk


def _check_container(container: zipfile.ZipFile, file: IO[bytes]) -> None:
    """No byte of the file but those that its members need: nothing is hidden between them."""
    place = 0
    for chunk in write_container((name, _chunks(container, name)) for name in container.namelist()):
        file.seek(place)  # which the container has moved to read its own
        if file.read(len(chunk)) != chunk:
            raise Fault(f"the container was changed after byte {place}, outside of its files.")
        place += len(chunk)
    file.seek(place)
    if file.read(1):
        raise Fault(f"the container goes on after its end at byte {place}.")


def read_keys(lines: Iterable[str]) -> Keys:
    """From lines such as `name+id+base64`. Raises Fault."""
    keys = {}
    for line in lines:
        name, _, rest = line.partition("+")
        key_id, _, encoded = rest.partition("+")
        public = _from_base64(encoded)
        told = hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8]
        if len(public) != 33 or public[:1] != b"\x01" or told != key_id:
            raise Fault(f"“{line[:80]}” is not a verifier key such as name+id+base64.")
        keys[key_id] = (name, public[1:])
    return keys


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def read_notes(file: Path) -> list[Note]:
    """Each signed checkpoint in the file, of which there must be one. Raises OSError, ValueError."""
    notes = [_note(match) for match in _NOTE.finditer(file.read_text(encoding="utf-8"))]
    if not notes:
        raise ValueError(f"{file} holds no checkpoint")
    return notes


def _note(match: re.Match[str]) -> Note:
    root, signed = base64.b64decode(match["root"]), _from_base64(match["signature"])
    return Note(match["text"], match["origin"], int(match["size"]), root, match["at"], signed)


def _check_signature(text: bytes, signed: bytes, origin: str, keys: Keys, what: str) -> None:
    key_id = signed[:4].hex()
    name, public = keys.get(key_id, ("", b""))
    if not public:
        raise Fault(f"{what} is signed with key {key_id or '(none)'}, which is not among the keys.")
    if name != origin:
        raise Fault(f"{what} is of {origin}, but its key is that of {name}.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed[4:], text)
    except InvalidSignature:
        raise Fault(f"{what}: its signature does not hold.") from None


def _lines(container: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with container.open(name) as member:
        vars(member)["_expected_crc"] = None  # it would hide which line was changed; `_check_container` compares it
        while line := member.readline(LONGEST_LINE):
            yield line


def walk_log(lines: Iterable[bytes], keys: Keys, origin: str) -> Walk:
    """Recompute the log from its first place to its last, and hold it against each of its checkpoints. Raises Fault."""
    walk = Walk()
    for line in lines:
        if event := _EVENT.fullmatch(line):
            _take_event(walk, int(event[1]), event[2].decode(), event[3])
        elif node := _NODE.fullmatch(line):
            walk.tree.append(int(node[1]), bytes.fromhex(node[2].decode()))
        else:
            _take_checkpoint(walk, line, keys, origin)
    if walk.checkpoint is None or walk.checkpoint.size != walk.tree.size:
        raise Fault(f"the log ends at sequence {walk.tree.size}, where no checkpoint seals it.")
    return walk


def _take_event(walk: Walk, sequence: int, leaf: str, body: bytes) -> None:
    expected = walk.tree.size + 1
    if sequence != expected:
        raise Fault(f"sequence {expected} should follow, and {sequence} does: an event was removed, added or moved.")
    found = hashlib.sha256(b"\x00" + body).digest()
    if found.hex() != leaf:
        raise Fault(f"sequence {sequence}: the event was changed; its bytes have another hash.")
    try:
        action = str(json.loads(body)["action"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Fault(f"sequence {sequence}: its bytes are no event.") from None
    walk.tree.append(1, found)
    walk.by_action[action] += 1
    walk.first, walk.last = walk.first or sequence, sequence


def _take_checkpoint(walk: Walk, line: bytes, keys: Keys, origin: str) -> None:
    try:
        match = _NOTE.fullmatch(json.loads(line)["checkpoint"])
    except (ValueError, KeyError, TypeError, RecursionError):
        match = None
    if match is None:
        raise Fault(f"after sequence {walk.tree.size}: a line of the log is neither event, hash nor checkpoint.")
    note = _note(match)
    before = walk.checkpoint.size if walk.checkpoint else 0
    _check_signature(note.text.encode(), note.signed, origin, keys, f"the checkpoint at {note.size}")
    if note.origin != origin or note.size != walk.tree.size:
        raise Fault(f"the log has {walk.tree.size} places where its checkpoint states {note.size} of {note.origin}.")
    if note.root != walk.tree.root():
        raise Fault(
            f"sequence {before + 1} to {note.size}: an event was changed, exchanged or inserted, and hashed anew."
        )
    walk.checkpoint = note
    walk.roots[note.size] = note.root


def _compare(walk: Walk, outside: Sequence[Note], made_at: str) -> int:
    """How many checkpoints of somebody else are the log's own, at least one if there are any. Raises Fault."""
    compared = 0
    for note in outside:
        if (root := walk.roots.get(note.size)) is not None and root != note.root:
            raise Fault(f"the checkpoint from outside at {note.size} has another root: the log was written anew.")
        compared += root is not None
    # A pack that ends where the log ended once is an old one; or the log was set back and it is younger than the rest.
    is_old = any(note.size == walk.tree.size for note in outside)
    since = datetime.fromisoformat(made_at) - SEALING
    newest = max((note.size for note in outside if not is_old or datetime.fromisoformat(note.at) < since), default=0)
    if newest > walk.tree.size:
        raise Fault(f"a checkpoint from outside has {newest} events, the log {walk.tree.size}: the rest was cut off.")
    if outside and not compared:
        shown = ", ".join(map(str, sorted(walk.roots)[-5:]))
        raise Fault(f"no checkpoint from outside is at a place where the log shows one; the last of these are {shown}.")
    return compared


def _read(container: zipfile.ZipFile, name: str) -> bytes:
    if name not in container.namelist():
        raise Fault(f"{name} is missing.")
    with container.open(name) as member:
        return member.read(CHUNK)


def _manifest(container: zipfile.ZipFile) -> dict[str, Any]:
    try:
        told = json.loads(_read(container, MANIFEST))
        if told["format"] != FORMAT:
            raise Fault(f"{MANIFEST}: its format is {told['format']}; this program reads {FORMAT}.")
        return dict(told) | {"asked_for": dict(told["asked_for"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Fault(f"{MANIFEST} cannot be read.") from None


def _check_files(container: zipfile.ZipFile, manifest: Mapping[str, Any]) -> None:
    names = container.namelist()
    listed = [*manifest["files"], MANIFEST, SIGNATURE]
    if sorted(names) != sorted(listed):
        odd = sorted(set(names) ^ set(listed)) or sorted(name for name in names if names.count(name) > 1)
        raise Fault(f"{', '.join(odd)}: the files are not those that the manifest lists.")
    for name, told in manifest["files"].items():
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(container, name):
            digest.update(chunk)
            size += len(chunk)
        if (digest.hexdigest(), size) != (told["sha256"], told["bytes"]):
            raise Fault(f"{name} was changed: it is not the file that the manifest describes.")


def _check_counts(container: zipfile.ZipFile, manifest: Mapping[str, Any], walk: Walk) -> None:
    told = (manifest["by_action"], manifest["first_sequence"], manifest["last_sequence"], manifest["checkpoint"])
    if told != (dict(walk.by_action), walk.first, walk.last, walk.tree.size):
        raise Fault("the manifest states other events than the log has.")
    money: dict[str, Decimal] = {}
    count = 0
    for line in _lines(container, EXCEPTIONS):
        row = json.loads(line)
        count += 1
        if row["amount"] is not None:
            money[row["currency"]] = money.get(row["currency"], Decimal()) + Decimal(row["amount"])
    stated = {currency: Decimal(amount) for currency, amount in manifest["exceptions"]["money"].items()}
    if (count, money) != (manifest["exceptions"]["count"], stated):
        raise Fault("the manifest states another number or other money of exceptions than the pack lists.")


def verify(file: IO[bytes], keys: Keys, outside: Sequence[Note]) -> tuple[dict[str, Any], Walk]:
    """The manifest and the log of a pack in which all holds. Without `keys` those of the pack count. Raises Fault."""
    try:
        with zipfile.ZipFile(file) as container:
            if packed := [info.filename for info in container.infolist() if info.compress_type != zipfile.ZIP_STORED]:
                raise Fault(f"{packed[0]} is compressed: this was zipped again. Check the file as it was downloaded.")
            manifest = _manifest(container)
            trusted = keys or read_keys(_read(container, KEYS).decode().splitlines())
            origin = str(manifest["origin"])
            walk = walk_log(_lines(container, LOG), trusted, origin)
            walk.compared = _compare(walk, outside, str(manifest["made_at"]))
            signed = _from_base64(_read(container, SIGNATURE).decode().strip())
            text = f"{FORMAT}\n".encode() + _read(container, MANIFEST)
            _check_signature(text, signed, origin, trusted, MANIFEST)
            _check_files(container, manifest)
            _check_counts(container, manifest, walk)
            _check_container(container, file)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError) as error:
        raise Fault(f"the container cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError) as error:
        raise Fault(f"a file of the pack is not what it should be: {error!r}") from error
    return manifest, walk


def report(manifest: Mapping[str, Any], walk: Walk, *, own_keys: bool) -> Iterator[str]:
    """What was found good, and what it does not prove."""
    yield f"All holds: {walk.by_action.total()} events of {manifest['origin']}, sequence {walk.first} to {walk.last}."
    yield f"Made {manifest['made_at']} by {manifest['made_by']}; asked for, as the manifest has it:"
    asked = manifest["asked_for"].items()
    told = ((name, len(one) if isinstance(one, list) else json.dumps(one)) for name, one in asked)
    yield from (f"  {json.dumps(name)}: {one}" for name, one in told if one not in (0, '""', "null"))
    if (seal := walk.checkpoint) is not None:
        yield f"Sealed by the checkpoint at {seal.size} of {seal.at}, key {seal.signed[:4].hex()}."
    yield f"Compared with checkpoints from outside: {walk.compared}."
    yield from (f"  {number:>9}  {action}" for action, number in sorted(walk.by_action.items()))
    count, money = manifest["exceptions"]["count"], manifest["exceptions"]["money"].items()
    yield f"About {count} exception{'s' * (count != 1)}{''.join(f', {amount} {code}' for code, amount in money)}."
    if manifest["not_sealed_yet"]:
        yield f"{manifest['not_sealed_yet']} more events were not sealed yet and are not here."
    yield "What this does not prove:"
    yield from (f"- {what}" for what in CANNOT_PROVE)
    if own_keys:
        yield "- that the keys are those of the workbench: they came with the pack. Ask for them elsewhere (--key)."
    if not walk.compared:
        yield f"- {WITHOUT_OUTSIDE}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an evidence pack of the Exception Workbench.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a file with checkpoints that somebody else has kept")
    parser.add_argument("--key", action="append", default=[], help="a verifier key that you trust, name+id+base64")
    asked = parser.parse_args(arguments)
    try:
        outside = read_notes(asked.checkpoint) if asked.checkpoint else []
        keys = read_keys(asked.key)
        with asked.pack.open("rb") as file:
            manifest, walk = verify(file, keys, outside)
    except Fault as fault:
        sys.stdout.write(f"FAULT: {fault}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in report(manifest, walk, own_keys=not keys)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
