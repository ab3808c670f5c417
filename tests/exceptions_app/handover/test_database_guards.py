"""What the database refuses about transactions, whoever writes."""

import pytest
from django.db import IntegrityError, connection, transaction

from exceptions_app.models import Transaction
from integrations.models import Connection, Delivery
from integrations.outbox import AlreadyUnderWay, enqueue
from tests.cast import MORNING
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all, run

pytestmark = pytest.mark.django_db(transaction=True)


def change(found: Transaction, setting: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE exceptions_app_transaction SET {setting} WHERE id = %s",  # noqa: S608 - constants of this test
            [found.pk],
        )


@pytest.fixture
def under_way(erp: Connection) -> Transaction:
    [found] = hand_in(erp, document())
    read_all()
    return now_of(found)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("state = 'delivered'", "has no confirmed delivery"),
        ("state = 'duplicate', duplicate_of_id = id", "repeats none with the same content"),
        ("state = 'duplicate'", "repeats none with the same content"),
        ("content_sha256 = 'other'", "is about another document"),
        ("business_key = 'other'", "is about another document"),
        ("external_id = 'other'", "never changed once written"),
        ("state = 'closed'", "transaction_closed_with_outcome"),
        ("state = 'held'", "transaction_held_with_reason"),
        ("state = 'gone'", "transaction_known_state"),
        ("problem = 'Silently.'", "no audit event about"),
    ],
)
def test_database_refuses(under_way: Transaction, setting: str, says: str):
    with pytest.raises(IntegrityError, match=says):
        change(under_way, setting)
    assert now_of(under_way).state == "delivering"


def test_delivered_with_another_reference_than_the_target_gave_is_refused(erp: Connection):
    [delivered] = run(erp, document())
    with pytest.raises(IntegrityError, match="has no confirmed delivery"):
        change(delivered, "reference = 'another'")
    with pytest.raises(IntegrityError, match="stays so"):
        change(delivered, "state = 'held', problem = 'x'")


def test_delivery_of_other_content_than_was_handed_over_is_refused(under_way: Transaction):
    Delivery.objects.filter(subject=under_way.subject).update(state="refused")
    with pytest.raises(AlreadyUnderWay) as refused, transaction.atomic():
        enqueue(
            connection=under_way.connection, operation=Delivery.Operation.SUBMIT, object_type=under_way.object_type,
            business_key=under_way.business_key, content=b"{}", media_type="application/json",
            subject=under_way.subject, probe_first=False, at=MORNING,
        )  # fmt: skip
    assert "is not what was handed over" in str(refused.value.__cause__)


def test_transaction_is_never_deleted(under_way: Transaction):
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM exceptions_app_transaction WHERE id = %s", [under_way.pk])
