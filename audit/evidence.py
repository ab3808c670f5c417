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
keys.txt          the public keys that checkpoints are signed with
manifest.json     what was asked for, counts, money, and the SHA-256 of each file; signed in manifest.sig

To check it: python verify_evidence.py PACK --checkpoint FILE
The program needs Python 3.11 and the package cryptography. Take it, the keys and a checkpoint from somebody else than
whoever gave you this pack.
"""


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
class _Hidden:
    """What is not shown since the last line: perfect subtrees, each as large as its place allows."""

    size: int
    _subtrees: list[tuple[int, bytes]]

    @classmethod
    def before(cls, checkpoint: AuditCheckpoint | None) -> "_Hidden":
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

    def lines(self) -> Iterator[bytes]:
        """One line for each subtree; afterwards nothing is hidden."""
        for leaves, node in self._subtrees:
            yield b'{"leaves":%d,"node":"%s"}\n' % (leaves, node.hex().encode())
        self._subtrees = []


@dataclass(slots=True)
class _Told:
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
        raise NothingSealed("Nothing is sealed yet. Wait for the next checkpoint, which takes some seconds.")
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
    told = _Told()
    yield LOG, _noted(LOG, _log(events, last, told), told)
    listed = sorted(lookup(told.subjects), key=lambda one: (len(one.ref), one.ref))
    yield EXCEPTIONS, _noted(EXCEPTIONS, (canonical_bytes(_row(one)) + b"\n" for one in listed), told)
    yield KEYS, _noted(KEYS, ["".join(f"{key}\n" for key in verifier_keys().values()).encode()], told)
    yield README, _noted(README, [_README.encode()], told)
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
            "checkpoint": last.size,
            "not_sealed_yet": events.exclude(seal__sequence__lte=last.size).count(),
            "exceptions": {"count": len(listed), "money": _money(listed)},
            "files": told.files,
        }
    )
    key = signing_key()
    signed = bytes.fromhex(key.verifier.key_id) + key.sign(f"{FORMAT}\n".encode() + manifest)
    yield MANIFEST, [manifest]
    yield SIGNATURE, [base64.b64encode(signed) + b"\n"]


def _noted(name: str, chunks: Iterable[bytes], told: _Told) -> Iterator[bytes]:
    """The chunks as they are; once they are through, the file stands in the manifest."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    told.files[name] = {"sha256": digest.hexdigest(), "bytes": size}


def _log(events: QuerySet[AuditEvent], last: AuditCheckpoint, told: _Told) -> Iterator[bytes]:
    wanted = _wanted(events, up_to=last.size)
    event = next(wanted, None)
    begun = _checkpoint_before(event.sequence if event else last.size)
    hidden, notes = _Hidden.before(begun), _notes(after=begun.size if begun else 0, last=last)
    for sequence, leaf in _leaves(after=hidden.size, up_to=last.size):
        if event is not None and event.sequence == sequence:
            yield from hidden.lines()
            yield event.line
            _tell(told, event)
            hidden.size = sequence
            event = next(wanted, None)
        else:
            hidden.append(leaf)
        if sequence in notes:
            yield from hidden.lines()
            yield canonical_bytes({"checkpoint": notes[sequence]}) + b"\n"


def _tell(told: _Told, event: "_Wanted") -> None:
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


def _wanted(events: QuerySet[AuditEvent], *, up_to: int) -> Iterator[_Wanted]:
    rows = events.filter(seal__sequence__lte=up_to).order_by("seal__sequence")
    names = ("seal__sequence", "leaf", "body", "action", "subject")
    last = 0
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


def _row(listed: Listed) -> dict[str, object]:
    return {name: getattr(listed, name) for name in Listed.__slots__}


def _money(listed: Iterable[Listed]) -> dict[str, object]:
    money: dict[str, Decimal] = {}
    for one in listed:
        if one.amount is not None:
            money[one.currency] = money.get(one.currency, Decimal()) + Decimal(one.amount)
    return {currency: format(total, "f") for currency, total in sorted(money.items())}
