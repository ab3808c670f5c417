from pathlib import Path

import pytest

from exceptions_app import intake
from integrations.models import Connection, FolderProblem, InboxMessage
from tests.arrivals import configure, refused_invoice
from tests.cast import MORNING
from tests.integrations.test_folder import collect, drop, intake_folder, place, watched

__all__ = ["intake_folder", "place", "watched"]
pytestmark = pytest.mark.django_db


def test_files_stay_where_they_are_while_there_is_no_room(watched: Connection, place: Path):
    configure(watched, most_pending=1)
    for name in ("INV-1", "INV-2"):
        drop(place, name, payload=refused_invoice(name))
    assert [collect(watched), collect(watched)] == [1, 0]
    assert sorted(path.name for path in place.glob("INV*")) == ["INV-2.refusal.xml", "INV-2.xml"]
    intake.read_messages(limit=1, at=MORNING)
    assert (collect(watched), InboxMessage.objects.count(), FolderProblem.objects.count()) == (1, 2, 0)
