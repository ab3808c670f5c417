import random
import stat
import threading
import time
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction

from audit import seal as sealer
from audit import tasks
from audit.keys import signing_key
from audit.merkle import CompactRange
from audit.models import AuditBacklog, AuditCheckpoint, AuditEvent, AuditSeal
from audit.notes import parse_notes
from audit.queries import backlog
from audit.seal import ADVISORY_LOCK, CHAIN_START, chain_hash
from audit.verify import verify
from tests.sealing import until_sealable

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def sequences():
    return list(AuditSeal.objects.order_by("sequence").values_list("sequence", flat=True))


def sealed_ids():
    return list(AuditSeal.objects.order_by("sequence").values_list("event_id", flat=True))


def test_seal_numbers_chains_and_signs(write, seal):
    events = [write(number) for number in range(5)]
    assert seal(limit=100, at=NOON) == 5
    assert sealed_ids() == [event.pk for event in events]
    assert sequences() == [1, 2, 3, 4, 5]
    tree, head = CompactRange(), CHAIN_START
    for event in events:
        tree.append(bytes(event.leaf))
        head = chain_hash(head, bytes(event.leaf))
    checkpoint = AuditCheckpoint.objects.get()
    assert (checkpoint.size, bytes(checkpoint.root), bytes(checkpoint.chain_head)) == (5, tree.root(), head)
    assert (checkpoint.at, bytes(checkpoint.previous_digest)) == (NOON, bytes(32))
    assert signing_key().verifier.verifies(bytes(checkpoint.signature), checkpoint.note.encode())
    assert AuditBacklog.objects.count() == 0


def test_seal_with_nothing_to_do_writes_no_checkpoint(seal):
    assert seal(limit=100, at=NOON) == 0
    assert AuditCheckpoint.objects.count() == 0


def test_seal_carries_on_from_last_checkpoint_in_constant_queries(write, django_assert_num_queries, seal):
    for number in range(7):
        write(number)
    assert seal(limit=3, at=NOON) == 3
    with django_assert_num_queries(8):  # begin, lock, checkpoint, events, seals, checkpoint, backlog, commit
        assert sealer.seal(limit=3, at=NOON) == 3
    assert seal(limit=3, at=NOON) == 1
    assert sequences() == [1, 2, 3, 4, 5, 6, 7]
    sizes = list(AuditCheckpoint.objects.order_by("size").values_list("size", flat=True))
    assert sizes == [3, 6, 7]
    first, second = AuditCheckpoint.objects.order_by("size")[:2]
    assert bytes(second.previous_digest) == first.signed_note.digest
    assert verify().fault is None


def test_seal_inside_a_transaction_is_refused(write):
    write()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        sealer.seal(limit=1, at=NOON)
    assert AuditSeal.objects.count() == 0


def test_seal_of_less_than_one_event_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        sealer.seal(limit=0, at=NOON)


def test_task_seals_everything(write, monkeypatch):
    monkeypatch.setattr(tasks, "BATCH", 2)
    for number in range(5):
        write(number)
    until_sealable()
    tasks.seal()
    assert sequences() == [1, 2, 3, 4, 5]
    assert backlog().count == 0


def test_event_that_commits_late_is_not_missed(write, open_transaction, seal):
    """A cursor over ids, the usual way, loses the late event: that is the control."""
    cursor_id = 0
    with open_transaction(lambda: write(1)):
        second = write(2)
        naive = list(AuditEvent.objects.filter(pk__gt=cursor_id).order_by("pk").values_list("pk", flat=True))
        assert naive == [second.pk]
        cursor_id = second.pk
        assert sealer.seal(limit=10, at=NOON) == 0
        assert backlog().count == 1
    assert not AuditEvent.objects.filter(pk__gt=cursor_id).exists()
    assert seal(limit=10, at=NOON) == 2
    first = AuditEvent.objects.exclude(pk=second.pk).get()
    assert sealed_ids() == [first.pk, second.pk]


def test_eight_writers_with_long_transactions_leave_no_gap_and_lose_nothing(write, background, seal):
    done = threading.Event()
    rounds, writers = 12, 8

    def writer(number):
        chance = random.Random(number)  # noqa: S311 - spreads the writers, keeps no secret
        for turn in range(rounds):
            with transaction.atomic():
                write(number * 1000 + turn)
                time.sleep(chance.random() * 0.02)
                write(number * 1000 + turn, action="case.resolved")
                if turn % 5 == 4:
                    transaction.set_rollback(True)

    def sealing():
        while not done.is_set():
            sealer.seal(limit=7, at=NOON)

    sealers = [background(sealing), background(sealing)]
    for future in [background(writer, number) for number in range(writers)]:
        future.result(120)
    done.set()
    for future in sealers:
        future.result(60)
    while seal(limit=1000, at=NOON):
        continue
    kept = writers * (rounds - rounds // 5) * 2
    assert sequences() == list(range(1, kept + 1))
    assert set(sealed_ids()) == set(AuditEvent.objects.values_list("pk", flat=True))
    assert AuditEvent.objects.count() == kept
    order = [(event.transaction_id, event.pk) for event in AuditEvent.objects.order_by("seal__sequence")]
    assert order == sorted(order)
    assert verify().sealed == kept
    assert verify().fault is None


def test_second_sealer_leaves_the_work_to_the_first(write, open_transaction, seal):
    write()

    def hold_lock():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])

    with open_transaction(hold_lock):
        assert sealer.seal(limit=10, at=NOON) == 0
    assert seal(limit=10, at=NOON) == 1


def test_events_of_a_restored_dump_are_sealed(write, tamper, seal):
    """Their transaction ids lie ahead of the counter of the cluster that they were restored into."""
    write(1)
    tamper(
        "UPDATE audit_event SET transaction_id = '4000000000000'",
        "UPDATE audit_backlog SET transaction_id = '4000000000000'",
    )
    write(2)
    assert seal(limit=10, at=NOON) == 2
    write(3)
    assert seal(limit=10, at=NOON) == 1
    assert verify().fault is None


def test_seal_by_the_application_role(write, application, settings, seal):
    """What the sealer does, done with the application role's privileges."""
    write()
    seal(limit=10, at=NOON)
    write(2)
    event = AuditBacklog.objects.get()
    application.execute("SELECT pg_advisory_lock(1)")
    application.execute(
        "INSERT INTO audit_seal (sequence, event_id, chain_hash) VALUES (2, %s, %s)", [event.event_id, bytes(32)]
    )
    application.execute("DELETE FROM audit_backlog WHERE event_id = ANY(%s)", [[event.event_id]])
    assert verify().fault.sequence == 2


def test_sealed_twice_is_refused_by_the_database(write, seal):
    write()
    seal(limit=10, at=NOON)
    with pytest.raises(IntegrityError):
        AuditSeal.objects.create(event=AuditEvent.objects.get(), sequence=2, chain_hash=bytes(32))


def test_sink_receives_every_checkpoint_once(write, settings, tmp_path, seal):
    settings.AUDIT_CHECKPOINT_SINK = str(tmp_path / "checkpoints.txt")
    for number in range(3):
        write(number)
        seal(limit=10, at=NOON)
    seal(limit=10, at=NOON)
    notes = parse_notes((tmp_path / "checkpoints.txt").read_text())
    assert [note.checkpoint.size for note in notes] == [1, 2, 3]
    assert notes == [checkpoint.signed_note for checkpoint in AuditCheckpoint.objects.order_by("size")]
    assert stat.S_IMODE((tmp_path / "checkpoints.txt").stat().st_mode) & 0o007 == 0


def test_sink_that_failed_catches_up(write, settings, tmp_path, seal):
    sink = tmp_path / "elsewhere" / "checkpoints.txt"
    settings.AUDIT_CHECKPOINT_SINK = str(sink)
    write(1)
    with pytest.raises(FileNotFoundError):
        seal(limit=10, at=NOON)
    assert sequences() == [1]
    sink.parent.mkdir()
    assert seal(limit=10, at=NOON) == 0
    assert [note.checkpoint.size for note in parse_notes(sink.read_text())] == [1]


def test_sink_survives_a_write_that_was_cut_short(write, settings, tmp_path, seal):
    sink = tmp_path / "checkpoints.txt"
    settings.AUDIT_CHECKPOINT_SINK = str(sink)
    write(1)
    seal(limit=10, at=NOON)
    complete = sink.read_text()
    write(2)
    seal(limit=10, at=NOON)
    sink.write_text(sink.read_text()[: len(complete) + 40])
    write(3)
    seal(limit=10, at=NOON)
    assert [note.checkpoint.size for note in parse_notes(sink.read_text())] == [1, 2, 3]


def test_backlog_counts_and_dates_what_waits(write, django_assert_num_queries):
    assert (backlog().count, backlog().oldest_at) == (0, None)
    first = write(1)
    write(2)
    with django_assert_num_queries(1):
        waiting = backlog()
    assert (waiting.count, waiting.oldest_at) == (2, first.at)


def test_sealing_without_a_key_in_production_writes_nothing(write, settings, seal):
    settings.AUDIT_SIGNING_KEY = ""
    settings.PRODUCTION = True
    write()
    with pytest.raises(ImproperlyConfigured, match="AUDIT_SIGNING_KEY is not set"):
        seal(limit=10, at=NOON)
    assert (AuditSeal.objects.count(), AuditBacklog.objects.count()) == (0, 1)
