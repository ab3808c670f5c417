"""An evidence pack: events with the proof that they stand in the sealed log, as one file that checks without us.

Of the log every place is there, in its order: an event that was asked for with its bytes, all others as hashes, whole
subtrees of the Merkle tree (RFC 6962) at once. So a pack of one exception is small, whoever checks it comes to the root
of the signed checkpoint, and no event can be taken out, put in or moved. `audit/verify_evidence.py` checks it.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Max, QuerySet
from django.db.models.functions import TruncDate

from audit.canonical import canonical_bytes
from audit.keys import origin, signing_key, verifier_keys
from audit.merkle import node_hash
from audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from audit.verify_evidence import EXCEPTIONS, FORMAT, KEYS, LOG, MANIFEST, README, SIGNATURE, write_container

PAGE = 2_000
_README = """\
Evidence of what was done, sealed by the Exception Workbench.

log.jsonl         events, with the hashes of all others, and the signed checkpoints that seal them
exceptions.jsonl  the exceptions that they are about, with their amounts
exceptions.csv    in packs that were made in the background: the same for reading, with who did what and when
evidence.pdf      in packs that were made in the background: what this is, for reading and printing
keys.txt          the public keys that checkpoints are signed with
manifest.json     what was asked for, counts, money, and the SHA-256 of each file; signed in manifest.sig

To check it: python verify_evidence.py PACK --checkpoint FILE
The program needs Python 3.11 and the package cryptography. Take it, the keys and a checkpoint from somebody else than
whoever gave you this pack.
"""


NOTHING_SEALED = "Nothing is sealed yet. Wait for the next checkpoint, which takes some seconds."


class NothingSealed(Exception):
    """No event has been sealed yet, so there is nothing to prove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An exception that events are about, as the workbench knows it: its amount as text, or None."""

    ref: str
    number: str
    state: str
    amount: str | None
    currency: str


Lookup = Callable[[Iterable[str]], Iterable[Listed]]
"""The exceptions behind subjects such as `case:EX-1`; of others nothing."""


@dataclass(slots=True)
class Hidden:
    """What is not shown since the last line: perfect subtrees, each as large as its place allows."""

    size: int
    _subtrees: list[tuple[int, bytes]]

    @classmethod
    def before(cls, checkpoint: AuditCheckpoint | None) -> "Hidden":
        """All that the checkpoint seals."""
        if checkpoint is None:
            return cls(0, [])
        whole = bytes(checkpoint.frontier)
        leaves = [1 << place for place in reversed(range(checkpoint.size.bit_length())) if checkpoint.size >> place & 1]
        return cls(checkpoint.size, [(of, whole[32 * place : 32 * place + 32]) for place, of in enumerate(leaves)])

    def append(self, leaf: bytes) -> None:
        leaves, node = 1, leaf
        self.size += 1
        # Two of a size are one where their parent begins: there the places before the first are a multiple of both.
        while self._subtrees and self._subtrees[-1][0] == leaves and self.size % (2 * leaves) == 0:
            node = node_hash(self._subtrees.pop()[1], node)
            leaves *= 2
        self._subtrees.append((leaves, node))

    def as_json(self) -> dict[str, object]:
        """For whoever goes on from here, in another process."""
        return {"size": self.size, "subtrees": [[leaves, node.hex()] for leaves, node in self._subtrees]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Hidden":
        return cls(kept["size"], [(leaves, bytes.fromhex(node)) for leaves, node in kept["subtrees"]])

    def lines(self) -> Iterator[bytes]:
        """One line for each subtree; afterwards nothing is hidden."""
        for leaves, node in self._subtrees:
            yield b'{"leaves":%d,"node":"%s"}\n' % (leaves, node.hex().encode())
        self._subtrees = []


@dataclass(slots=True)
class Told:
    """What was written of the log so far."""

    by_action: Counter[str] = field(default_factory=Counter)
    subjects: set[str] = field(default_factory=set)
    first: int = 0
    last: int = 0
    files: dict[str, dict[str, object]] = field(default_factory=dict)


def evidence(
    events: QuerySet[AuditEvent], *, at: datetime, by: str, asked_for: Mapping[str, object], lookup: Lookup
) -> Iterator[bytes]:
    """A pack of these events, in the memory of one page of them and of what they are about. Raises NothingSealed.

    It reaches up to the newest checkpoint. `at` is aware, `by` the identity of whoever asked, `asked_for` the filter.
    """
    last = AuditCheckpoint.objects.order_by("-size").first()
    if last is None:
        raise NothingSealed(NOTHING_SEALED)
    return write_container(_members(events, last, at=at, by=by, asked_for=asked_for, lookup=lookup))


def _members(
    events: QuerySet[AuditEvent],
    last: AuditCheckpoint,
    *,
    at: datetime,
    by: str,
    asked_for: Mapping[str, object],
    lookup: Lookup,
) -> Iterator[tuple[str, Iterable[bytes]]]:
    told = Told()
    yield LOG, noted(LOG, _log(events, last, told), told)
    listed = sorted(lookup(told.subjects), key=lambda one: (len(one.ref), one.ref))
    yield EXCEPTIONS, noted(EXCEPTIONS, map(line_of, listed), told)
    for name, chunks in keys_and_readme():
        yield name, noted(name, chunks, told)
    yield from signed_manifest(
        told, checkpoint=last.size, at=at, by=by, asked_for=asked_for,
        not_sealed_yet=not_sealed(events, up_to=last.size), count=len(listed), money=money_of(listed),
    )  # fmt: skip


def signed_manifest(
    told: Told,
    *,
    checkpoint: int,
    at: datetime,
    by: str,
    asked_for: Mapping[str, object],
    not_sealed_yet: int,
    count: int,
    money: Mapping[str, str],
) -> Iterator[tuple[str, list[bytes]]]:
    """The manifest of what was told, and its signature."""
    manifest = canonical_bytes(
        {
            "format": FORMAT,
            "origin": origin(),
            "made_at": at,
            "made_by": by,
            "asked_for": asked_for,
            "by_action": dict(told.by_action),
            "first_sequence": told.first,
            "last_sequence": told.last,
            "checkpoint": checkpoint,
            "not_sealed_yet": not_sealed_yet,
            "exceptions": {"count": count, "money": money},
            "files": told.files,
        }
    )
    key = signing_key()
    signed = bytes.fromhex(key.verifier.key_id) + key.sign(f"{FORMAT}\n".encode() + manifest)
    yield MANIFEST, [manifest]
    yield SIGNATURE, [base64.b64encode(signed) + b"\n"]


def keys_and_readme() -> Iterator[tuple[str, list[bytes]]]:
    """The files that are the same in each pack."""
    yield KEYS, ["".join(f"{key}\n" for key in verifier_keys().values()).encode()]
    yield README, [_README.encode()]


def not_sealed(events: QuerySet[AuditEvent], *, up_to: int) -> int:
    """How many of the events the checkpoint of this size does not seal."""
    return events.exclude(seal__sequence__lte=up_to).count()


def noted(name: str, chunks: Iterable[bytes], told: Told) -> Iterator[bytes]:
    """The chunks as they are; once they are through, the file stands in the manifest."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    told.files[name] = {"sha256": digest.hexdigest(), "bytes": size}


def _log(events: QuerySet[AuditEvent], last: AuditCheckpoint, told: Told) -> Iterator[bytes]:
    return walk(events, first_hidden(events, last), told, last=last)


def first_hidden(events: QuerySet[AuditEvent], last: AuditCheckpoint) -> Hidden:
    """What the pack hides before its first event: all that the checkpoint before it seals."""
    event = next(_wanted(events, after=0, up_to=last.size), None)
    return Hidden.before(_checkpoint_before(event.sequence if event else last.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """How much of the log one part of it covers."""

    events: int
    size: int  # of their lines, in bytes
    places: int = 100_000


def walk(
    events: QuerySet[AuditEvent], hidden: Hidden, told: Told, *, last: AuditCheckpoint, most: Most | None = None
) -> Iterator[bytes]:
    """The lines of the log after what is hidden or was written, to the end or as far as `most` allows.

    `hidden` says afterwards how far that was. However often it is broken off, the lines are the same.
    """
    begun, shown, size = hidden.size, 0, 0
    wanted = _wanted(events, after=begun, up_to=last.size)
    event, notes = next(wanted, None), _notes(after=begun, last=last)
    for sequence, leaf in _leaves(after=begun, up_to=last.size):
        if most and (shown >= most.events or size >= most.size or sequence > begun + most.places):
            return
        if event is not None and event.sequence == sequence:
            yield from hidden.lines()
            yield event.line
            _tell(told, event)
            hidden.size, shown, size = sequence, shown + 1, size + len(event.body)
            event = next(wanted, None)
        else:
            hidden.append(leaf)
        if sequence in notes:
            yield from hidden.lines()
            yield canonical_bytes({"checkpoint": notes[sequence]}) + b"\n"


def _tell(told: Told, event: "_Wanted") -> None:
    told.by_action[event.action] += 1
    told.subjects.add(event.subject)
    told.first, told.last = told.first or event.sequence, event.sequence


@dataclass(frozen=True, slots=True)
class _Wanted:
    sequence: int
    leaf: bytes
    body: bytes
    action: str
    subject: str

    @property
    def line(self) -> bytes:
        # The stored bytes go in as they are, so that whoever checks them hashes what was hashed.
        return b'{"sequence":%d,"leaf":"%s","body":%s}\n' % (self.sequence, bytes(self.leaf).hex().encode(), self.body)


def _wanted(events: QuerySet[AuditEvent], *, after: int, up_to: int) -> Iterator[_Wanted]:
    rows = events.filter(seal__sequence__lte=up_to).order_by("seal__sequence")
    names = ("seal__sequence", "leaf", "body", "action", "subject")
    last = after
    while page := list(rows.filter(seal__sequence__gt=last).values_list(*names)[:PAGE]):
        for sequence, leaf, body, action, subject in page:
            yield _Wanted(sequence, bytes(leaf), bytes(body), action, subject)
        last = page[-1][0]


def _leaves(*, after: int, up_to: int) -> Iterator[tuple[int, bytes]]:
    last = after
    while last < up_to:
        rows = AuditSeal.objects.filter(sequence__gt=last, sequence__lte=up_to).order_by("sequence")
        page = list(rows.values_list("sequence", "event__leaf")[:PAGE])
        if not page:
            return
        for sequence, leaf in page:
            yield sequence, bytes(leaf)
        last = page[-1][0]


def _checkpoint_before(sequence: int) -> AuditCheckpoint | None:
    return AuditCheckpoint.objects.filter(size__lt=sequence).order_by("-size").first()


def _notes(*, after: int, last: AuditCheckpoint) -> dict[int, str]:
    """The last checkpoint of each day and the newest of all, by size: whoever kept one of them can compare."""
    within = AuditCheckpoint.objects.filter(size__gt=after, size__lte=last.size)
    sizes = within.annotate(day=TruncDate("at")).values("day").annotate(newest=Max("size")).values("newest")
    return {row.size: str(row.signed_note) for row in AuditCheckpoint.objects.filter(size__in=sizes.order_by())}


def line_of(listed: Listed) -> bytes:
    """One line of the list of exceptions."""
    return canonical_bytes({name: getattr(listed, name) for name in Listed.__slots__}) + b"\n"


def money_of(listed: Iterable[Listed], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The sum in each currency, as text; `before` is that of those before."""
    money = {currency: Decimal(total) for currency, total in (before or {}).items()}
    for one in listed:
        if one.amount is not None:
            money[one.currency] = money.get(one.currency, Decimal()) + Decimal(one.amount)
    return {currency: format(total, "f") for currency, total in sorted(money.items())}
