# ruff: noqa: S608 - SQL made of the test's own values is what these tests are about
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from audit.canonical import canonical_bytes
from audit.log import Entry, InvalidEvent, NotInTransaction, body_fields, record, record_many
from audit.merkle import leaf_hash
from audit.models import AuditBacklog, AuditEvent

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def entry(**changes):
    fields: dict[str, Any] = {
        "action": "case.approved",
        "subject": "case:EX-000104",
        "scope": "NL01/tax-compliance",
        "actor": "controller@example.test",
        "at": NOON,
        "summary": "Approved the corrected buyer reference",
    }
    return Entry(**(fields | changes))


@pytest.mark.django_db
def test_record_stores_fields_and_canonical_body(django_assert_num_queries):
    with django_assert_num_queries(1):
        event = record(
            "case.approved",
            subject="case:EX-000104",
            scope="NL01/tax-compliance",
            actor="controller@example.test",
            at=NOON.astimezone(timezone(timedelta(hours=2))),
            summary="Approved the corrected buyer reference",
            because="Matches the purchase order",
            data={"total": Decimal("-119.00"), "lines": [1, 2]},
            correlation_id="req-1",
        )
    stored = AuditEvent.objects.get(pk=event.pk)
    assert json.loads(bytes(stored.body)) == {
        "v": 1,
        "event_id": str(event.event_id),
        "at": "2026-03-02T12:00:00.000000Z",
        "action": "case.approved",
        "actor": "controller@example.test",
        "actor_kind": "person",
        "subject": "case:EX-000104",
        "scope": "NL01/tax-compliance",
        "summary": "Approved the corrected buyer reference",
        "because": "Matches the purchase order",
        "correlation_id": "req-1",
        "data": {"total": "-119.00", "lines": [1, 2]},
    }
    assert bytes(stored.body) == canonical_bytes(body_fields(stored))
    assert bytes(stored.leaf) == leaf_hash(bytes(stored.body))
    assert stored.transaction_id == event.transaction_id
    assert AuditBacklog.objects.get().event_id == event.pk


@pytest.mark.django_db(transaction=True)
def test_record_outside_transaction_is_refused_and_writes_nothing():
    with pytest.raises(NotInTransaction, match="in the transaction of the change"):
        record_many([entry()])
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_record_vanishes_with_its_transaction():
    with transaction.atomic():
        record_many([entry()])
        transaction.set_rollback(True)
    assert (AuditEvent.objects.count(), AuditBacklog.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_record_many_keeps_order_and_query_count(django_assert_num_queries):
    entries = [entry(subject=f"case:EX-{number:06}") for number in range(1500)]
    with django_assert_num_queries(2):
        events = record_many(entries)
    assert [event.subject for event in events] == [item.subject for item in entries]
    assert list(AuditEvent.objects.order_by("id").values_list("subject", flat=True)) == [
        item.subject for item in entries
    ]
    assert len({event.transaction_id for event in events}) == 1
    assert AuditBacklog.objects.count() == 1500


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "Approved"}, "action:"),
        ({"action": "case.Approved now"}, "action:"),
        ({"subject": "EX-000104"}, "subject:"),
        ({"subject": "case:"}, "subject:"),
        ({"actor": " "}, "actor: must not be empty"),
        ({"summary": ""}, "summary: must not be empty"),
        ({"actor_kind": "robot"}, "actor_kind:"),
        ({"actor": "x" * 255}, "actor: longer than 254"),
        ({"at": datetime(2026, 3, 2)}, "at: a datetime without time zone"),  # noqa: DTZ001
        ({"because": "a\x00b"}, r"event\.because: contains a NUL"),
        ({"data": {"amount": 0.1}}, r"data\.amount: a floating-point number"),
        ({"data": ["x"]}, "data: list is not a mapping"),
        ({"data": {"text": "x" * 300_000}}, "store large content elsewhere"),
    ],
)
def test_incomplete_or_inexact_event_is_refused_by_name(changes, message):
    with pytest.raises(InvalidEvent, match=message):
        record_many([entry(), entry(**changes)])
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("transaction_id", "leaf", "message"),
    [
        ("transaction_id", "leaf", "transaction_id is not that of this transaction"),
        ("pg_current_xact_id()", "sha256('x')", "leaf is not the hash of body"),
    ],
)
def test_insert_past_record_with_forged_column_is_refused(write, transaction_id, leaf, message):
    event = write()
    same = "at, action, actor, actor_kind, subject, scope, summary, because, correlation_id, data, body"
    with pytest.raises(IntegrityError, match=message), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO audit_event (event_id, transaction_id, leaf, {same})"
            f" SELECT gen_random_uuid(), {transaction_id}, {leaf}, {same} FROM audit_event"
        )
    assert list(AuditEvent.objects.values_list("pk", flat=True)) == [event.pk]
