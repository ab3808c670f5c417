"""Proves that the sealed log is whole and unchanged, or names the first place where it is not.

Everything is recomputed from the stored bytes. Only a checkpoint from outside the database (``outside=``) can show
that the newest events were cut off together with their seals and checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db import connections, router

from audit.canonical import NotCanonical, canonical_bytes
from audit.keys import VerifierKey, verifier_keys
from audit.log import body_fields
from audit.merkle import CompactRange, leaf_hash
from audit.models import AuditBacklog, AuditCheckpoint, AuditEvent, AuditSeal
from audit.notes import NO_PREVIOUS, Checkpoint, NotANote, SignedNote
from audit.seal import CHAIN_START, chain_hash

PAGE = 2000


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong. ``sequence`` is the first sealed number concerned, where there is one."""

    kind: str
    message: str
    sequence: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked. ``fault`` is None when everything held; the counts are what was found good before it."""

    sealed: int
    unsealed: int
    checkpoints: int
    fault: Fault | None


class _Found(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def verify(*, outside: Iterable[SignedNote] = (), keys: Mapping[str, VerifierKey] | None = None) -> Verification:
    """Check the whole log in one pass and constant memory, without holding a transaction open.

    ``outside`` are checkpoints kept elsewhere, ``keys`` the verifier keys to accept (default: those configured).
    Events sealed while this runs are left to the next run.
    """
    walk = _Walk(keys=verifier_keys() if keys is None else keys, outside=outside)
    try:
        walk.run()
    except _Found as found:
        return walk.result(fault=found.fault)
    return walk.result(fault=None)


class _Walk:
    """The recomputed state of the log, carried along in the order of the sequence."""

    def __init__(self, *, keys: Mapping[str, VerifierKey], outside: Iterable[SignedNote]) -> None:
        self.keys = keys
        self.outside = sorted(outside, key=lambda note: note.checkpoint.size)
        self.tree = CompactRange()
        self.head = CHAIN_START
        self.checkpoints = 0
        self.unsealed = 0

    def result(self, *, fault: Fault | None) -> Verification:
        return Verification(sealed=self.tree.size, unsealed=self.unsealed, checkpoints=self.checkpoints, fault=fault)

    def run(self) -> None:
        for note in self.outside:
            self._check_signature(note, "The checkpoint from outside")
        last_sequence, last_size = _extent()
        expected = {size: list(notes) for size, notes in groupby(self.outside, key=lambda note: note.checkpoint.size)}
        stored = _checkpoints(up_to=last_size)
        checkpoint = next(stored, None)
        previous_digest, previous_size = NO_PREVIOUS, 0
        for seal in _seals(up_to=max(last_size, last_sequence)):
            self._step(seal)
            for note in expected.pop(self.tree.size, []):
                self._check_statement(note.checkpoint, previous_size, "The checkpoint from outside")
            while checkpoint is not None and checkpoint.size <= self.tree.size:
                self._check_checkpoint(checkpoint, previous_digest, previous_size)
                previous_digest, previous_size = checkpoint.signed_note.digest, checkpoint.size
                checkpoint = next(stored, None)
        self._check_end(last_sequence=last_sequence, last_size=last_size, outside=[*expected])
        self._check_unsealed()

    def _step(self, seal: AuditSeal) -> None:
        sequence = self.tree.size + 1
        if seal.sequence != sequence:
            raise _Found(_missing(sequence))
        event = seal.event
        fault = content_fault(event)
        if fault is not None:
            raise _Found(Fault("event changed", f"sequence {sequence} (event {event.pk}): {fault}", sequence))
        head = chain_hash(self.head, bytes(event.leaf))
        if bytes(seal.chain_hash) != head:
            raise _Found(
                Fault(
                    "chain broken",
                    f"sequence {sequence} (event {event.pk}): its chain hash does not follow from sequence "
                    f"{sequence - 1} and its own bytes; one of the two was changed, exchanged or inserted",
                    sequence,
                )
            )
        self.head = head
        self.tree.append(bytes(event.leaf))

    def _check_checkpoint(self, row: AuditCheckpoint, previous_digest: bytes, previous_size: int) -> None:
        name = f"The checkpoint at {row.size}"
        try:
            stated = row.signed_note.checkpoint
        except NotANote:
            raise _Found(Fault("checkpoint changed", f"{name}: its note is not one", previous_size + 1)) from None
        columns = (row.size, bytes(row.root), bytes(row.chain_head), row.at, bytes(row.previous_digest))
        if columns != (stated.size, stated.root, stated.chain_head, stated.at, stated.previous_digest):
            raise _Found(Fault("checkpoint changed", f"{name}: its columns differ from its note", previous_size + 1))
        self._check_signature(row.signed_note, name, sequence=previous_size + 1)
        if stated.previous_digest != previous_digest:
            message = f"{name} does not name the one before it, at {previous_size}: a checkpoint was changed or removed"
            raise _Found(Fault("checkpoint missing", message, previous_size + 1))
        self._check_statement(stated, previous_size, name)
        if bytes(row.frontier) != self.tree.frontier:
            raise _Found(Fault("checkpoint changed", f"{name}: its subtree hashes are wrong", previous_size + 1))
        self.checkpoints += 1

    def _check_signature(self, note: SignedNote, name: str, *, sequence: int | None = None) -> None:
        fault = note.fault(self.keys)
        if fault is not None:
            raise _Found(Fault("signature refused", f"{name} (size {note.checkpoint.size}): {fault}", sequence))

    def _check_statement(self, stated: Checkpoint, previous_size: int, name: str) -> None:
        """The log up to here must be what the signed statement says that it is."""
        if stated.size == self.tree.size and (stated.root, stated.chain_head) == (self.tree.root(), self.head):
            return
        raise _Found(
            Fault(
                "log differs from checkpoint",
                f"{name} (size {stated.size}) states another Merkle root: sequence {previous_size + 1} to "
                f"{stated.size} holds an event that was changed and hashed anew",
                previous_size + 1,
            )
        )

    def _check_end(self, *, last_sequence: int, last_size: int, outside: Sequence[int]) -> None:
        if self.tree.size < last_size:
            raise _Found(_missing(self.tree.size + 1, end=last_size))
        if self.tree.size > last_size:
            message = f"sequence {last_size + 1} to {last_sequence} is sealed without a checkpoint"
            raise _Found(Fault("checkpoint missing", message, last_size + 1))
        if outside:
            raise _Found(
                Fault(
                    "events cut off",
                    f"a checkpoint from outside states {max(outside)} events, the log has {self.tree.size}: "
                    f"sequence {self.tree.size + 1} to {max(outside)} was removed",
                    self.tree.size + 1,
                )
            )

    def _check_unsealed(self) -> None:
        """Events that wait for the sealer are unchanged so far, and none is hidden from it."""
        event_id, queued = _lost_events()
        if event_id is not None:
            message = (
                f"event {event_id} is queued for sealing, but it is gone"
                if queued
                else f"event {event_id} is neither sealed nor queued for sealing: its seal was removed, "
                "or it was put in past the sealer"
            )
            raise _Found(Fault("event outside the seal", message))
        for event in _unsealed_events():
            fault = content_fault(event)
            if fault is not None:
                raise _Found(Fault("event changed", f"event {event.pk} (not sealed yet): {fault}"))
            self.unsealed += 1


def content_fault(event: AuditEvent) -> str | None:
    """Why the columns of one event do not agree with its bytes, or None when they do."""
    body = bytes(event.body)
    if bytes(event.leaf) != leaf_hash(body):
        return "its leaf is not the hash of its stored bytes"
    try:
        columns = canonical_bytes(body_fields(event))
    except NotCanonical as error:
        return f"its columns have no canonical form ({error})"
    if columns != body:
        return "its columns differ from its stored bytes"
    return None


def _missing(sequence: int, *, end: int | None = None) -> Fault:
    kept = AuditSeal.objects.filter(sequence=sequence).exists()
    what = "its event is gone" if kept else "it is not there"
    until = f" (the log should reach {end})" if end else ""
    return Fault("event missing", f"sequence {sequence}: {what}{until}", sequence)


def _extent() -> tuple[int, int]:
    """The last sequence and the last checkpoint's size, as of one moment."""
    with connections[router.db_for_read(AuditSeal)].cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT max(sequence) FROM audit_seal), 0),"
            " coalesce((SELECT max(size) FROM audit_checkpoint), 0)"
        )
        sequence, size = cursor.fetchone()
    return sequence, size


def _seals(*, up_to: int) -> Iterator[AuditSeal]:
    last = -(2**62)
    while page := list(
        AuditSeal.objects.filter(sequence__gt=last, sequence__lte=up_to)
        .select_related("event")
        .order_by("sequence")[:PAGE]
    ):
        yield from page
        last = page[-1].sequence


def _checkpoints(*, up_to: int) -> Iterator[AuditCheckpoint]:
    last = -(2**62)
    while page := list(AuditCheckpoint.objects.filter(size__gt=last, size__lte=up_to).order_by("size")[:PAGE]):
        yield from page
        last = page[-1].size


def _lost_events() -> tuple[int | None, bool]:
    """An event that the sealer will never see, or a place in its queue whose event is gone; in one snapshot."""
    with connections[router.db_for_read(AuditEvent)].cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(e.id, b.event_id), b.event_id IS NOT NULL"
            " FROM audit_event e FULL JOIN audit_backlog b ON b.event_id = e.id"
            " LEFT JOIN audit_seal s ON s.event_id = e.id"
            " WHERE e.id IS NULL OR (b.event_id IS NULL AND s.event_id IS NULL)"
            " ORDER BY 1 LIMIT 1"
        )
        row = cursor.fetchone()
    return (None, False) if row is None else (row[0], row[1])


def _unsealed_events() -> Iterator[AuditEvent]:
    last = 0
    while page := list(
        AuditEvent.objects.filter(pk__in=AuditBacklog.objects.values("event_id"), pk__gt=last).order_by("pk")[:PAGE]
    ):
        yield from page
        last = page[-1].pk
