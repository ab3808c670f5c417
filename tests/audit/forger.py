"""Somebody who holds the whole database, and what they can do to a log that was sealed and kept outside."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from audit.canonical import canonical_bytes
from audit.keys import SigningKey
from audit.log import body_fields
from audit.merkle import CompactRange, leaf_hash
from audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from audit.notes import NO_PREVIOUS, Checkpoint, sign
from audit.privileges import APPEND_ONLY_TABLES
from audit.seal import CHAIN_START, chain_hash


@dataclass(frozen=True, slots=True)
class Forger:
    """Works in the transaction of a test, which takes everything back: the triggers as well."""

    def disarm(self) -> None:
        for table in APPEND_ONLY_TABLES:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")

    def run(self, *statements: str) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def event(self, sequence: int) -> AuditEvent:
        return AuditEvent.objects.get(seal__sequence=sequence)

    def rewrite(self, sequence: int, *, leaf: bool = False, **columns: object) -> None:
        """Other columns and the bytes that go with them; with the hash of these, or with the old one."""
        event = self.event(sequence)
        for name, value in columns.items():
            setattr(event, name, value)
        event.body = canonical_bytes(body_fields(event))
        if leaf:
            event.leaf = leaf_hash(event.body)
        event.save(update_fields=[*columns, "body", "leaf"])

    def delete(self, first: int, last: int) -> None:
        seals = AuditSeal.objects.filter(sequence__range=(first, last))
        events = list(seals.values_list("event_id", flat=True))
        seals._raw_delete(using="default")
        AuditEvent.objects.filter(pk__in=events)._raw_delete(using="default")

    def exchange(self, one: int, other: int) -> None:
        for now, then in ((one, 9_999), (other, one), (9_999, other)):
            AuditSeal.objects.filter(sequence=now).update(sequence=then)

    def insert(self, sequence: int, like: int) -> None:
        """An event that nobody recorded, at this place; all that stood there and behind moves on by one."""
        last = AuditSeal.objects.count()
        for place in range(last, sequence - 1, -1):
            AuditSeal.objects.filter(sequence=place).update(sequence=place + 1)
        self.put(sequence, like=like)

    def put(self, sequence: int, *, like: int) -> None:
        made = AuditEvent.objects.get(seal__sequence=like)
        made.pk, made.event_id = None, "00000000-0000-4000-8000-000000000001"
        made.summary = "Approved correction 99"
        made.body = canonical_bytes(body_fields(made))
        made.leaf = leaf_hash(made.body)
        made.save(force_insert=True)
        AuditSeal.objects.create(sequence=sequence, event=made, chain_hash=bytes(32))

    def rehash(self, key: SigningKey | None = None, *, all_of_them: bool = False) -> None:
        """Chain, roots and texts of the checkpoints to fit what is there now.

        With a key those that are different then are signed anew, or all of them.
        """
        head, tree, previous = CHAIN_START, CompactRange(), NO_PREVIOUS
        checkpoints = {row.size: row for row in AuditCheckpoint.objects.all()}
        for row in AuditSeal.objects.select_related("event").order_by("sequence"):
            leaf = bytes(row.event.leaf)
            head = chain_hash(head, leaf)
            AuditSeal.objects.filter(pk=row.pk).update(chain_hash=head)
            tree.append(leaf)
            if kept := checkpoints.get(tree.size):
                stated = Checkpoint(
                    origin=kept.signed_note.checkpoint.origin, size=kept.size, root=tree.root(), chain_head=head,
                    at=kept.at, previous_digest=previous,
                )  # fmt: skip
                is_other = all_of_them or stated.text != kept.note
                self._state(kept, stated, frontier=tree.frontier, key=key if is_other else None)
                previous = kept.signed_note.digest

    def _state(self, row: AuditCheckpoint, stated: Checkpoint, *, frontier: bytes, key: SigningKey | None) -> None:
        row.root, row.chain_head, row.frontier = stated.root, stated.chain_head, frontier
        row.previous_digest, row.note = stated.previous_digest, stated.text
        if key is not None:
            note = sign(stated, key=key)
            row.signature, row.key_id = note.signature, note.key_id
        row.save(force_update=True)

    def later(self, sequence: int, **time: int) -> None:
        self.rewrite(sequence, at=self.event(sequence).at + timedelta(**time))
