import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from audit.models import AuditEvent
from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations import folder, inbox
from integrations.models import Connection, FolderProblem, InboxContent, InboxMessage
from integrations.tasks import collect_folders
from tests.arrivals import configure, refused_invoice, report_on
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time

pytestmark = pytest.mark.django_db

AT_ONCE = timedelta(0)


@pytest.fixture
def intake_folder(settings: Settings, tmp_path: Path) -> Path:
    root = tmp_path / "intake"
    root.mkdir()
    settings.INTAKE_FOLDER = root
    return root


@pytest.fixture
def watched(cast: Cast, intake_folder: Path) -> Connection:
    return configure(cast.connection, watched_folder="nl/einvoices")


@pytest.fixture
def place(watched: Connection, intake_folder: Path) -> Path:
    found = intake_folder / "nl" / "einvoices"
    found.mkdir(parents=True)
    return found


def drop(place: Path, name: str = "INV-1001", *, payload: bytes = b"", refusal: bytes | None = None) -> None:
    payload = payload or refused_invoice()
    (place / f"{name}.xml").write_bytes(payload)
    (place / f"{name}.refusal.xml").write_bytes(report_on(refused_invoice()) if refusal is None else refusal)


def collect(connection: Connection, **more: Any) -> int:
    return folder.collect(connection, **{"at": MORNING, "quiet": AT_ONCE, **more})


def lying_in(place: Path) -> list[str]:
    """Every file below, without the directories that pairs are given."""
    return sorted(path.name for path in place.rglob("*") if not path.is_dir() or path.is_symlink())


def test_complete_pair_is_taken_in_and_archived_as_it_was(watched: Connection, place: Path):
    drop(place)
    assert collect(watched) == 1

    message = InboxMessage.objects.get()
    assert (message.via, message.received_by) == ("folder", "folder:tax-authority")
    assert bytes(message.content.payload) == refused_invoice()
    assert bytes(message.content.refusal) == report_on(refused_invoice())
    assert (message.content.payload_media_type, message.content.refusal_media_type) == (("application/xml",) * 2)
    assert message.content.context == {"file_name": "INV-1001.xml"}
    assert lying_in(place / "archive") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    assert lying_in(place / "claimed") == lying_in(place / "quarantine") == []
    assert [path for path in place.iterdir() if path.is_file()] == []


def test_taken_in_file_becomes_an_exception(watched: Connection, place: Path):
    drop(place)
    collect(watched)
    intake.read_messages(limit=10, at=MORNING)
    assert ExceptionCase.objects.get().document_number == "INV-1001"


def test_document_waits_for_its_refusal(watched: Connection, place: Path):
    (place / "INV-1001.xml").write_bytes(refused_invoice())
    assert collect(watched) == 0
    assert lying_in(place) == ["INV-1001.xml"]

    drop(place)
    assert collect(watched) == 1


def test_refusal_waits_for_its_document(watched: Connection, place: Path):
    (place / "INV-1001.refusal.xml").write_bytes(b"<report/>")
    assert collect(watched) == 0
    assert lying_in(place) == ["INV-1001.refusal.xml"]


def test_document_alone_is_complete_where_the_connection_says_so(watched: Connection, place: Path):
    configure(watched, refusal_optional=True)
    (place / "INV-1001.xml").write_bytes(refused_invoice())
    assert collect(watched) == 1
    assert bytes(InboxContent.objects.get().refusal) == b""


@pytest.mark.parametrize("name", ["INV.xml.part", "INV.xml.TMP", ".INV.xml", ".INV.xml.x7dG2", "INV.xml.swp"])
def test_file_under_an_unfinished_name_is_left_alone(watched: Connection, place: Path, name: str):
    configure(watched, refusal_optional=True)
    (place / name).write_bytes(refused_invoice())
    assert collect(watched) == 0
    assert lying_in(place) == [name]


def test_file_that_has_just_changed_is_left_alone_whatever_its_date(watched: Connection, place: Path):
    drop(place)
    for file in place.glob("*.xml"):
        os.utime(file, (0, 0))  # a copy that keeps the date of the original
    assert collect(watched, quiet=timedelta(hours=1)) == 0
    assert lying_in(place) == ["INV-1001.refusal.xml", "INV-1001.xml"]
    assert folder.QUIET > AT_ONCE


@pytest.mark.parametrize("name", ["two words", "Rechnung Nº 7 März", "請求書", "a.b.c", "-rf", "x" * 240, "'; DROP"])
def test_name_may_be_anything(watched: Connection, place: Path, name: str):
    drop(place, name)
    assert collect(watched) == 1
    assert lying_in(place / "archive") == sorted([f"{name}.xml", f"{name}.refusal.xml"])
    assert InboxContent.objects.get().context == {"file_name": f"{name}.xml"}


def test_name_that_is_no_text_is_shown_as_far_as_it_is(watched: Connection, place: Path):
    configure(watched, refusal_optional=True)
    (place / os.fsdecode(b"INV-\xff\n7.xml")).write_bytes(refused_invoice())
    assert collect(watched) == 1
    message = InboxMessage.objects.get()
    assert message.content.context == {"file_name": "INV-\\udcff\ufffd7.xml"}


def test_same_file_dropped_ten_times_is_one_message_and_ten_archived_originals(watched: Connection, place: Path):
    taken = 0
    for _ in range(10):
        drop(place)
        taken += collect(watched)
    intake.read_messages(limit=100, at=MORNING)
    assert taken == 1
    assert InboxMessage.objects.get().repeats == 9
    assert ExceptionCase.objects.get().occurrences_count == 1
    assert lying_in(place / "archive").count("INV-1001.xml") == 10


def test_same_content_under_ten_names_is_one_exception(watched: Connection, place: Path):
    for number in range(10):
        drop(place, f"copy-{number}")
    assert collect(watched) == 10
    intake.read_messages(limit=100, at=MORNING)
    assert ExceptionCase.objects.get().occurrences_count == 10


def test_same_name_with_other_content_is_another_message(watched: Connection, place: Path):
    drop(place)
    collect(watched)
    drop(place, payload=refused_invoice("INV-1002"))
    assert collect(watched) == 1
    assert InboxMessage.objects.filter(status="pending").count() == 2


def test_too_large_a_file_is_quarantined_and_shown(watched: Connection, place: Path):
    configure(watched, max_bytes=100)
    drop(place)
    assert collect(watched) == 0

    problem = FolderProblem.objects.get()
    assert (problem.connection, problem.file_name, problem.found_at) == (watched, "INV-1001.xml", MORNING)
    assert "takes at most 100" in problem.problem
    assert "raise the connection's limit" in problem.remedy
    assert (place / problem.quarantined_as).read_bytes() == refused_invoice()
    assert lying_in(place / "quarantine") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    event = AuditEvent.objects.get(action="message.quarantined")
    assert (event.actor, event.data["file"]) == ("folder:tax-authority", "INV-1001.xml")
    assert collect(watched) == 0
    assert FolderProblem.objects.count() == 1


def test_huge_file_is_not_read_into_memory(watched: Connection, place: Path):
    configure(watched, refusal_optional=True)
    with (place / "huge.xml").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no space
    assert collect(watched) == 0
    assert FolderProblem.objects.get().file_name == "huge.xml"


def test_empty_file_is_quarantined(watched: Connection, place: Path):
    drop(place)
    (place / "INV-1001.xml").write_bytes(b"")
    assert collect(watched) == 0
    assert FolderProblem.objects.get().problem == "The payload is empty."


@pytest.mark.parametrize("beside_it", [True, False])
def test_link_is_refused_and_what_it_points_to_is_neither_read_nor_moved(
    watched: Connection, place: Path, tmp_path: Path, beside_it: bool
):
    secret = tmp_path / "secret.xml"
    secret.write_bytes(b"<secret/>")
    (place / "INV-1001.xml").symlink_to(secret)
    if beside_it:
        (place / "INV-1001.refusal.xml").write_bytes(b"<report/>")
    assert collect(watched) == 0
    assert "link" in FolderProblem.objects.get().problem
    assert not InboxMessage.objects.exists()
    assert secret.read_bytes() == b"<secret/>"
    assert lying_in(place / "quarantine") == ["INV-1001.xml"]


def test_linked_refusal_is_refused(watched: Connection, place: Path, tmp_path: Path):
    secret = tmp_path / "secret.xml"
    secret.write_bytes(b"<secret/>")
    (place / "INV-1001.xml").write_bytes(refused_invoice())
    (place / "INV-1001.refusal.xml").symlink_to(secret)
    assert collect(watched) == 0
    assert not InboxMessage.objects.exists()
    assert FolderProblem.objects.get().file_name == "INV-1001.refusal.xml"


def test_pipe_and_directory_are_left_alone(watched: Connection, place: Path):
    configure(watched, refusal_optional=True)
    os.mkfifo(place / "pipe.xml")
    (place / "directory.xml").mkdir()
    assert collect(watched) == 0
    assert not FolderProblem.objects.exists()


@pytest.mark.parametrize("outside", ["..", "../elsewhere", "/etc", ".", "nl/../..", "a/link"])
def test_folder_outside_the_intake_folder_is_refused(cast: Cast, intake_folder: Path, tmp_path: Path, outside: str):
    (intake_folder / "a").mkdir()
    (intake_folder / "a" / "link").symlink_to(tmp_path)
    connection = configure(cast.connection, watched_folder=outside)
    with pytest.raises(ValueError, match="must lie below the intake folder"):
        collect(connection)


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_take_each_pair_once(watched: Connection, place: Path):
    for number in range(12):
        drop(place, f"INV-{number}", payload=refused_invoice(f"INV-{number}"))
    taken = at_the_same_time([lambda: collect(watched)] * 6)

    assert sum(taken) == 12
    assert set(InboxMessage.objects.values_list("repeats", flat=True)) == {0}
    assert InboxMessage.objects.count() == 12
    assert len(lying_in(place / "archive")) == 24


@pytest.mark.django_db(transaction=True)
def test_folder_is_free_again_after_a_collector_broke_off(watched: Connection, place: Path):
    drop(place)
    (place / "archive").rmdir() if (place / "archive").exists() else None
    (place / "archive").write_bytes(b"in the way")
    with pytest.raises(FileExistsError):
        collect(watched)
    (place / "archive").unlink()
    assert at_the_same_time([lambda: collect(watched)]) == [1]


def killed_after_claim(watched: Connection, place: Path) -> None:
    [pair] = folder._complete_pairs(place, watched, quiet=AT_ONCE)
    folder._claim(pair, place, at=MORNING)


def killed_between_the_renames(watched: Connection, place: Path) -> None:
    claimed = place / "claimed" / "20261102T090000-abc"
    claimed.mkdir()
    (place / "INV-1001.refusal.xml").rename(claimed / "INV-1001.refusal.xml")


def killed_before_the_first_rename(watched: Connection, place: Path) -> None:
    (place / "claimed" / "20261102T090000-abc").mkdir()


def killed_before_it_was_archived(watched: Connection, place: Path) -> None:
    killed_after_claim(watched, place)
    [pair] = folder._left_behind(place)
    handed_in = folder._read(pair, watched)
    inbox.receive(watched, handed_in, via=InboxMessage.Via.FOLDER, by="folder:tax-authority", at=MORNING)


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(
    "killed",
    [
        killed_after_claim,
        killed_between_the_renames,
        killed_before_the_first_rename,
        killed_before_it_was_archived,
    ],
)
def test_whatever_a_killed_worker_left_behind_is_taken_in_once_and_whole(
    watched: Connection, place: Path, killed: Callable[[Connection, Path], None], optional: bool
):
    configure(watched, refusal_optional=optional)
    collect(watched)
    drop(place)
    killed(watched, place)

    for _ in range(3):
        collect(watched)
    content = InboxContent.objects.get()
    assert (bytes(content.payload), bytes(content.refusal)) == (refused_invoice(), report_on(refused_invoice()))
    assert lying_in(place / "archive") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    assert list((place / "claimed").iterdir()) == []


def test_refusal_left_behind_gives_way_to_a_newer_one(watched: Connection, place: Path):
    collect(watched)
    drop(place, refusal=b"<old/>")
    killed_between_the_renames(watched, place)
    drop(place)
    collect(watched)
    assert bytes(InboxContent.objects.get().refusal) == report_on(refused_invoice())
    assert lying_in(place / "quarantine") == ["INV-1001.refusal.xml"]


def test_trouble_with_one_folder_keeps_no_other_waiting(
    watched: Connection, place: Path, intake_folder: Path, caplog: pytest.LogCaptureFixture
):
    (intake_folder / "a-file").write_bytes(b"")
    for number, name in enumerate(("a-file", "../outside", "a-file/below")):
        configure(Connection(slug=f"bad-{number}", name="Bad", connector="en16931"), watched_folder=name)
    good = configure(Connection(slug="good", name="Good", connector="en16931"), watched_folder="good")
    collect_folders()
    for connection in (watched, good):
        assert (folder.folder_of(connection) / "archive").is_dir()
    assert [record.message for record in caplog.records].count("The folder of Bad cannot be read.") == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="Root may read every file.")
def test_file_that_may_not_be_read_is_quarantined_and_keeps_no_other_waiting(watched: Connection, place: Path):
    drop(place, "A")
    (place / "A.xml").chmod(0)
    drop(place, "B")
    assert collect(watched) == 1
    assert "Permission denied" in FolderProblem.objects.get().problem


def fail_to_rename_into(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full as soon as something shall be moved there."""
    rename = Path.rename

    def on_a_full_disk(self: Path, target: Path) -> Path:
        if target.parent.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", on_a_full_disk)


def test_what_cannot_be_archived_is_taken_in_once_and_archived_later(
    watched: Connection, place: Path, monkeypatch: pytest.MonkeyPatch
):
    drop(place)
    fail_to_rename_into("archive", monkeypatch)
    assert [collect(watched), collect(watched)] == [1, 0]
    assert lying_in(place / "claimed") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    monkeypatch.undo()

    assert collect(watched) == 0
    assert (InboxMessage.objects.count(), FolderProblem.objects.count()) == (1, 0)
    assert lying_in(place / "archive") == ["INV-1001.refusal.xml", "INV-1001.xml"]


def test_what_cannot_be_quarantined_keeps_no_other_waiting_and_is_quarantined_later(
    watched: Connection, place: Path, monkeypatch: pytest.MonkeyPatch
):
    drop(place, "A-EMPTY", refusal=b"")
    (place / "A-EMPTY.xml").write_bytes(b"")
    drop(place)
    fail_to_rename_into("quarantine", monkeypatch)
    assert collect(watched) == 1
    assert FolderProblem.objects.count() == 0
    monkeypatch.undo()

    assert collect(watched) == 0
    assert FolderProblem.objects.get().file_name == "A-EMPTY.xml"


def test_what_cannot_be_claimed_stays_where_it_lies(watched: Connection, place: Path, monkeypatch: pytest.MonkeyPatch):
    drop(place)
    make = Path.mkdir

    def on_a_full_disk(self: Path, *args: Any, **kwargs: Any) -> None:
        if self.parent.name == "claimed":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        make(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", on_a_full_disk)
    assert collect(watched) == 0
    assert sorted(path.name for path in place.glob("*.xml")) == ["INV-1001.refusal.xml", "INV-1001.xml"]
    monkeypatch.undo()
    assert collect(watched) == 1
