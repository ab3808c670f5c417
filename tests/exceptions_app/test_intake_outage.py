"""A full disk while messages are read is not their fault, however long it lasts."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models.functions import Now

from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations.connectors.en16931 import connector
from integrations.models import InboxMessage
from tests.arrivals import receive
from tests.cast import MORNING, Cast

pytestmark = pytest.mark.django_db(transaction=True)


def disk_is_full(*_args: object, **_named: object) -> None:
    with database.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$")


def test_message_read_while_the_disk_is_full_waits_for_room(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    receive(cast.connection)
    monkeypatch.setattr(type(connector), "parse", disk_is_full)
    for _ in range(5):
        intake.read_messages(limit=1, at=MORNING)
        InboxMessage.objects.update(claimed_until=Now() - timedelta(seconds=1))
    message = InboxMessage.objects.get()
    assert (message.status, message.claims) == ("pending", 0)
    monkeypatch.undo()

    intake.read_messages(limit=1, at=MORNING)
    assert ExceptionCase.objects.count() == 1
