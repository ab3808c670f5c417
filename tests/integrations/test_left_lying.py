"""Files that nobody takes in: they are named with what they wait for, and stop no other file."""

import errno
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from integrations import folder
from integrations.left_lying import OVERDUE, WaitsFor, left_lying
from integrations.models import Connection, InboxMessage
from tests.arrivals import configure, refused_invoice, report_on
from tests.cast import MORNING, SET_UP_AT, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched(cast: Cast, settings: Settings, tmp_path: Path) -> Connection:
    settings.INTAKE_FOLDER = tmp_path
    (tmp_path / "nl").mkdir()
    return configure(cast.connection, watched_folder="nl")


@pytest.fixture
def place(watched: Connection, tmp_path: Path) -> Path:
    return tmp_path / watched.watched_folder


def soon() -> datetime:
    """When what was just written has lain there too long."""
    return now() + OVERDUE + timedelta(seconds=5)


def drop(place: Path, name: str) -> None:
    (place / f"{name}.xml").write_bytes(refused_invoice(name))
    (place / f"{name}.refusal.xml").write_bytes(report_on(refused_invoice(name)))


def waiting(connection: Connection, *, at: datetime | None = None) -> dict[str, WaitsFor]:
    return {lying.file_name: lying.waits_for for lying in left_lying(connection, at=at or soon())}


def test_each_file_is_named_with_what_it_waits_for(watched: Connection, place: Path):
    drop(place, "both")
    (place / "alone.xml").write_bytes(b"<a/>")
    (place / "other.refusal.xml").write_bytes(b"<b/>")
    (place / "link.xml").symlink_to(place / "alone.xml")
    for name in (".hidden.xml", "writing.xml.part", "swapping.swp"):
        (place / name).write_bytes(b"")
    assert waiting(watched) == {
        "both.xml": WaitsFor.WORKER,
        "alone.xml": WaitsFor.REFUSAL,
        "other.refusal.xml": WaitsFor.DOCUMENT,
        "link.xml": WaitsFor.WORKER,
    }


def test_what_just_came_is_given_its_time(watched: Connection, place: Path):
    alone = place / "alone.xml"
    alone.write_bytes(b"<a/>")
    came_at = datetime.fromtimestamp(alone.stat().st_ctime, UTC)
    assert waiting(watched, at=came_at + OVERDUE) == {}
    assert waiting(watched, at=came_at + OVERDUE + timedelta(seconds=1)) == {"alone.xml": WaitsFor.REFUSAL}


def test_document_that_needs_no_refusal_waits_for_a_worker(watched: Connection, place: Path):
    configure(watched, refusal_optional=True)
    (place / "alone.xml").write_bytes(b"<a/>")
    assert waiting(watched) == {"alone.xml": WaitsFor.WORKER}


def test_what_was_taken_in_lies_there_no_more(watched: Connection, place: Path):
    drop(place, "INV-1")
    assert folder.collect(watched, at=MORNING, quiet=timedelta(0)) == 1
    assert waiting(watched) == {}


def test_folder_that_was_never_used_is_empty(watched: Connection, place: Path):
    place.rmdir()
    assert waiting(watched) == {}


def test_folder_outside_is_refused(watched: Connection):
    configure(watched, watched_folder="../elsewhere")
    with pytest.raises(ValueError, match="must lie below the intake folder"):
        left_lying(watched, at=soon())


@pytest.mark.parametrize("stuck", ["INV-1.xml", "INV-1.refusal.xml"])
def test_file_that_cannot_be_moved_stops_no_other(
    watched: Connection, place: Path, monkeypatch: pytest.MonkeyPatch, stuck: str
):
    for name in ("INV-1", "INV-2"):
        drop(place, name)
    rename: Callable[[Path, Path], Path] = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == stuck and path.parent == place:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    for _ in range(2):
        folder.collect(watched, at=MORNING, quiet=timedelta(0))
    assert [message.external_id[:5] for message in InboxMessage.objects.all()] == ["INV-2"]
    assert waiting(watched) in ({"INV-1.xml": WaitsFor.WORKER}, {"INV-1.xml": WaitsFor.REFUSAL})

    monkeypatch.undo()
    for _ in range(2):
        folder.collect(watched, at=MORNING, quiet=timedelta(0))
    assert sorted(message.external_id[:5] for message in InboxMessage.objects.all()) == ["INV-1", "INV-2"]
    assert waiting(watched) == {}


@pytest.mark.parametrize("spelling", ["nl", " nl ", "./nl", "nl/", "nl/."])
def test_two_connections_cannot_watch_one_folder(watched: Connection, spelling: str):
    other = Connection(slug="other", name="Other", connector="en16931", watched_folder=spelling)
    with pytest.raises(ValidationError) as caught:
        other.full_clean()
    assert caught.value.message_dict == {
        "watched_folder": ["Another connection watches this folder; name one of its own."]
    }


def test_two_connections_cannot_watch_one_folder_in_the_database(watched: Connection):
    other = Connection(slug="other", name="Other", connector="en16931", watched_folder="nl")
    with pytest.raises(IntegrityError, match="connection_folder_once"), transaction.atomic():
        save_configuration(other, by=machine(SETUP), at=SET_UP_AT)


def test_any_number_of_connections_may_watch_none(cast: Cast):
    for slug in ("one", "two"):
        save_configuration(Connection(slug=slug, name=slug, connector="en16931"), by=machine(SETUP), at=SET_UP_AT)
    assert Connection.objects.filter(watched_folder="").count() == 3


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", ".", "nl/../.."])
def test_folder_must_be_below_the_intake_folder(cast: Cast, name: str):
    with pytest.raises(ValidationError) as caught:
        Connection(slug="other", name="Other", connector="en16931", watched_folder=name).full_clean()
    assert caught.value.message_dict == {
        "watched_folder": ["Name a folder below the intake folder, such as billing-nl."]
    }
