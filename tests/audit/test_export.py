import csv
import hashlib
import io
import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from audit import export
from audit.canonical import canonical_bytes
from audit.export import export_csv, export_jsonl, latest_checkpoint
from audit.log import Entry, body_fields, record_many
from audit.merkle import leaf_hash
from audit.models import AuditCheckpoint, AuditEvent
from audit.queries import EventFilter, matching

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERYTHING = EventFilter(scopes=None)


def rows(chunks):
    return list(csv.reader(io.StringIO(b"".join(chunks).decode("utf-8"), newline=""), strict=True))


@pytest.mark.django_db(transaction=True)
def test_csv_holds_header_and_events_in_the_order_of_time(write, seal):
    second = write(2, summary="=HYPERLINK(1)", data={"total": Decimal("-1.50")}, because='Said "no", twice\r\n')
    first = write(1)
    seal(limit=1, at=NOON)
    header, *lines = rows(export_csv(AuditEvent.objects.all(), bom=False))
    assert header == list(export.CSV_COLUMNS)
    assert lines == [
        ["", "2026-03-02T12:00:01.000000Z", "case.approved", "controller@example.test", "person", "case:EX-000001",
         "NL01/tax-compliance", "Approved correction 1", "", "", "", str(first.event_id), bytes(first.leaf).hex()],
        ["1", "2026-03-02T12:00:02.000000Z", "case.approved", "controller@example.test", "person", "case:EX-000002",
         "NL01/tax-compliance", "'=HYPERLINK(1)", 'Said "no", twice\r\n', "", '{"total": "-1.50"}',
         str(second.event_id), bytes(second.leaf).hex()],
    ]  # fmt: skip


@pytest.mark.django_db
def test_csv_begins_with_byte_order_mark_when_asked():
    assert b"".join(export_csv(AuditEvent.objects.all())).startswith(b'\xef\xbb\xbf"sequence",')
    assert b"".join(export_csv(AuditEvent.objects.all(), bom=False)).startswith(b'"sequence",')


@pytest.mark.django_db(transaction=True)
def test_jsonl_holds_manifest_events_and_checkpoint(write, seal):
    events = [write(number, data={"note": "Müller \u2028"}) for number in (1, 2)]
    seal(limit=1, at=NOON)
    content = b"".join(export_jsonl(AuditEvent.objects.all(), at=NOON, filters={"actor": "", "since": NOON}))
    lines = content.split(b"\n")
    assert lines.pop() == b""
    assert json.loads(lines[0]) == {
        "type": "manifest",
        "format": "exception-workbench-audit/1",
        "origin": "example.test/audit",
        "at": "2026-03-02T12:00:00.000000Z",
        "filters": {"actor": "", "since": "2026-03-02T12:00:00.000000Z"},
    }
    for line, event, sequence in zip(lines[1:-1], events, [1, None], strict=True):
        parsed = json.loads(line)
        assert (parsed["type"], parsed["sequence"]) == ("event", sequence)
        body = canonical_bytes(parsed["body"])
        assert body == bytes(event.body)
        assert parsed["leaf"] == hashlib.sha256(b"\x00" + body).hexdigest()
    assert json.loads(lines[-1]) == {
        "type": "checkpoint",
        "events": 2,
        "sha256": hashlib.sha256(b"\n".join(lines[:-1]) + b"\n").hexdigest(),
        "note": str(AuditCheckpoint.objects.get().signed_note),
    }


@pytest.mark.django_db
def test_jsonl_of_nothing_says_so():
    manifest, trailer = b"".join(export_jsonl(AuditEvent.objects.all(), at=NOON)).splitlines()
    assert json.loads(manifest)["filters"] == {}
    assert (json.loads(trailer)["events"], json.loads(trailer)["note"]) == (0, None)


@pytest.mark.django_db
def test_export_keeps_to_the_filter(write):
    write(1)
    write(2, scope="DE01/treasury")
    shown = rows(export_csv(matching(EventFilter(scopes=["DE01/treasury"])), bom=False))[1:]
    assert [row[5] for row in shown] == ["case:EX-000002"]


@pytest.mark.django_db(transaction=True)
def test_latest_checkpoint_is_the_newest(write, seal):
    assert latest_checkpoint() is None
    for number in (1, 2):
        write(number)
        seal(limit=10, at=NOON)
    assert latest_checkpoint().checkpoint.size == 2


def fill(count):
    entry: dict[str, Any] = {"action": "case.approved", "scope": "", "actor": "a", "at": NOON, "summary": "x" * 500}
    with transaction.atomic():
        record_many(Entry(subject=f"case:{number}", **entry) for number in range(count))


@pytest.mark.django_db
def test_export_reads_pages_by_key_and_loses_none_at_equal_times(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(export, "PAGE", 10)
    fill(35)
    with django_assert_num_queries(5):
        content = rows(export_csv(AuditEvent.objects.all(), bom=False))
    assert [row[5] for row in content[1:]] == [f"case:{number}" for number in range(35)]


@pytest.mark.django_db
def test_export_is_streamed_with_the_memory_of_one_page(monkeypatch):
    monkeypatch.setattr(export, "PAGE", 50)
    fill(2000)
    stream = export_jsonl(matching(EVERYTHING), at=NOON)
    next(stream)
    next(stream)
    tracemalloc.start()
    try:
        written = sum(len(chunk) for chunk in stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 1_500_000
    assert peak < written / 3


@pytest.mark.django_db
def test_csv_masks_the_account_number_of_an_event_from_before(write):
    """As it was written when events still held them; the formats that prove something keep its bytes."""
    number = "NL91ABNA0417164300"
    old = write(1)
    old.pk, old.event_id, old.summary, old.because = None, uuid4(), f"Paid to {number}.", f"It is {number}."
    old.data = {"iban": number}
    old.body = canonical_bytes(body_fields(old))
    old.leaf = leaf_hash(old.body)
    old.save(force_insert=True)
    told = b"".join(export_csv(matching(EVERYTHING))).decode()
    assert number not in told
    assert told.count("NL••••4300") == 3
    assert number.encode() in b"".join(export_jsonl(matching(EVERYTHING), at=NOON))
