"""Gives every committed event its place: a gapless number, a link in the hash chain, a leaf in the Merkle tree.

Writers do not wait for this, and this does not wait for writers: an event is taken once every transaction that began
before its own has ended. The order is that of (transaction, id), and an event cannot turn up behind one sealed earlier.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audit import notes, sink
from audit.keys import origin, signing_key
from audit.merkle import CompactRange
from audit.models import AuditCheckpoint, AuditSeal

ADVISORY_LOCK = int.from_bytes(b"wb:audit", "big")
CHAIN_START = bytes(32)

# A row that is visible although its transaction id lies ahead of this cluster's counter came with a restored dump.
SEALABLE = """
SELECT e.id, e.leaf
FROM audit_backlog b JOIN audit_event e ON e.id = b.event_id
WHERE b.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
   OR b.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
ORDER BY b.transaction_id, b.event_id
LIMIT %s
"""


def seal(*, limit: int, at: datetime) -> int:
    """Seal up to ``limit`` events under one checkpoint dated ``at``; return how many.

    Returns 0 when there is nothing to seal or another sealer is at work. Must not be called inside a transaction,
    because the checkpoint is written outside the database only once it is committed.
    """
    if limit < 1:
        raise ValueError("limit: at least one event must be allowed.")
    with transaction.atomic(using=_alias(), durable=True):
        sealed = _seal_batch(limit=limit, at=at)
    sink.publish()
    return sealed


def chain_hash(previous: bytes, leaf: bytes) -> bytes:
    """SHA-256(0x02 || previous || leaf): one running hash, easy to recompute with any tool."""
    return hashlib.sha256(b"\x02" + previous + leaf).digest()


def _seal_batch(*, limit: int, at: datetime) -> int:
    connection = connections[_alias()]
    if not _is_only_sealer(connection):
        return 0
    last = AuditCheckpoint.objects.order_by("-size").first()
    events = _sealable(connection, limit=limit)
    if not events:
        return 0
    tree = CompactRange(last.size, bytes(last.frontier)) if last else CompactRange()
    head = bytes(last.chain_head) if last else CHAIN_START
    seals = []
    for event_id, leaf in events:
        tree.append(leaf)
        head = chain_hash(head, leaf)
        seals.append(AuditSeal(event_id=event_id, sequence=tree.size, chain_hash=head))
    AuditSeal.objects.bulk_create(seals, batch_size=1000)
    _close_checkpoint(tree, head=head, last=last, at=at)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_backlog WHERE event_id = ANY(%s)", [[event_id for event_id, _ in events]])
    return len(events)


def _close_checkpoint(tree: CompactRange, *, head: bytes, last: AuditCheckpoint | None, at: datetime) -> None:
    checkpoint = notes.Checkpoint(
        origin=origin(),
        size=tree.size,
        root=tree.root(),
        chain_head=head,
        at=at,
        previous_digest=last.signed_note.digest if last else notes.NO_PREVIOUS,
    )
    signed = notes.sign(checkpoint, key=signing_key())
    AuditCheckpoint.objects.create(
        size=checkpoint.size,
        root=checkpoint.root,
        chain_head=checkpoint.chain_head,
        frontier=tree.frontier,
        at=checkpoint.at,
        previous_digest=checkpoint.previous_digest,
        note=signed.text,
        signature=signed.signature,
        key_id=signed.key_id,
    )


def _alias() -> str:
    return router.db_for_write(AuditSeal)


def _is_only_sealer(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        return bool(cursor.fetchone()[0])


def _sealable(connection: BaseDatabaseWrapper, *, limit: int) -> list[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(SEALABLE, [limit])
        return [(event_id, bytes(leaf)) for event_id, leaf in cursor.fetchall()]
