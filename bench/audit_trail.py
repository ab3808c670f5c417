"""Audit events: written one by one and many at once, sealed, and verified."""

import hashlib
from collections.abc import Callable, Iterator

import psycopg
from django.db import transaction
from django.utils.timezone import now

from audit.log import Entry, record, record_many
from audit.models import AuditEvent, AuditSeal
from audit.seal import seal
from audit.verify import verify
from bench import floors
from bench.figures import Figure, compare
from bench.sizes import Size

_EVENTS_A_SEAL = 1_000


def measure(size: Size) -> list[Figure]:
    """Writing against bare INSERTs of the same bytes, sealing against storing hashes, verifying against hashing."""
    with floors.bare_connection() as bare:
        figures = [
            compare(
                "audit trail", "recorded one by one", items=size.events, rounds=size.rounds, unit="per second",
                ours=lambda _: _record_each(size.events),
                floor=lambda _: _bare(floors.insert_each, bare, size.events),
                floor_is="a bare INSERT and commit for each",
            ),
            compare(
                "audit trail", f"recorded {size.events:,} at once", items=size.events, rounds=size.rounds,
                unit="per second",
                ours=lambda _: _record_together(size.events),
                floor=lambda _: _bare(floors.insert_together, bare, size.events),
                floor_is="bare INSERTs with one commit",
            ),
            compare(
                "audit trail", "sealed", items=size.events, rounds=size.rounds, unit="per second",
                ours=lambda _: _seal(size.events),
                floor=lambda _: _store_hashes(bare, size.events),
                floor_is="a SHA-256 each, INSERTs with one commit",
            ),
        ]  # fmt: skip
        _seal_everything()
        verified = compare(
            "audit trail", "verified", items=AuditSeal.objects.count(), rounds=size.rounds, unit="per second",
            ours=lambda _: _verify, floor=lambda _: lambda: _hash_everything(bare),
            floor_is="reading the bytes, two SHA-256 each",
        )  # fmt: skip
        return [*figures, verified]


def _entries(number: int) -> Iterator[Entry]:
    return (
        Entry(
            action="case.corrected", subject=f"case:EX-{place}", scope="NL01/e-invoicing", actor="clerk", at=now(),
            summary=f"clerk corrected EX-{place}.", because="The date is on the order.", correlation_id=f"EX-{place}",
            data={"from": "in_progress", "to": "in_progress", "version": 2, "fields": ["BT-2"]},
        )
        for place in range(number)
    )  # fmt: skip


def _record_each(number: int) -> Callable[[], None]:
    entries = [{name: getattr(entry, name) for name in Entry.__dataclass_fields__} for entry in _entries(number)]

    def each() -> None:
        for entry in entries:
            with transaction.atomic():
                record(**entry)

    return each


def _record_together(number: int) -> Callable[[], object]:
    return lambda: _together(list(_entries(number)))


@transaction.atomic
def _together(entries: list[Entry]) -> list[AuditEvent]:
    return record_many(entries)


def _bare(insert: Callable[..., None], bare: psycopg.Connection, number: int) -> Callable[[], None]:
    with transaction.atomic():
        bodies = [(bytes(event.body),) for event in record_many(_entries(number))]
        transaction.set_rollback(True)
    return lambda: insert(bare, floors.INSERT_BYTES, bodies)


def _seal_everything() -> None:
    while seal(limit=_EVENTS_A_SEAL, at=now()):
        pass


def _seal(number: int) -> Callable[[], None]:
    _seal_everything()
    _together(list(_entries(number)))

    def all_of_it() -> None:
        sealed = seal(limit=number, at=now())
        if sealed != number:
            raise RuntimeError(f"{sealed} of {number} events were sealed.")

    return all_of_it


def _store_hashes(bare: psycopg.Connection, number: int) -> Callable[[], None]:
    leaves = [hashlib.sha256(str(place).encode()).digest() for place in range(number)]

    def store() -> None:
        head, rows = bytes(32), []
        for leaf in leaves:
            head = hashlib.sha256(head + leaf).digest()
            rows.append((head,))
        floors.insert_together(bare, floors.INSERT_BYTES, rows)

    return store


def _verify() -> None:
    found = verify()
    if found.fault is not None:
        raise RuntimeError(str(found.fault))


def _hash_everything(bare: psycopg.Connection) -> bytes:
    head = bytes(32)
    rows = bare.execute("SELECT e.body FROM audit_seal s JOIN audit_event e ON e.id = s.event_id ORDER BY s.sequence")
    for (body,) in rows:
        head = hashlib.sha256(head + hashlib.sha256(body).digest()).digest()
    return head
