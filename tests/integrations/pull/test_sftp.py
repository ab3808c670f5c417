import re
from datetime import timedelta
from pathlib import Path

import pytest

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations.models import FolderProblem, InboxMessage, PullSource
from integrations.pull import sftp
from integrations.pull_settings import SftpSettings, read_settings
from tests.arrivals import configure, refused_invoice, report_on
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.pull.sources import drop, in_folder, lying_in, pull, sftp_source, waits_for
from tests.sftp_server import SftpServer

pytestmark = pytest.mark.django_db


def test_complete_pair_is_taken_in_and_put_away_as_it_was(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server)
    pulled = pull(source)

    assert pulled is not None
    assert (pulled.taken, pulled.repeats, pulled.unusable) == (1, 0, 0)
    message = InboxMessage.objects.get()
    assert (message.via, message.received_by, message.connection) == ("sftp", "pull:partner", cast.connection)
    assert bytes(message.content.payload) == refused_invoice()
    assert bytes(message.content.refusal) == report_on(refused_invoice())
    assert message.content.context == {"file_name": "INV-1001.xml"}
    assert lying_in(out / "done") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    assert lying_in(out / "taken") == lying_in(out / "quarantine") == in_folder(out) == []
    assert (source.last_ok_at, source.failures, source.last_problem) == (MORNING, 0, "")
    assert timedelta(seconds=250) < waits_for(source) <= timedelta(seconds=300)
    intake.read_messages(limit=1, at=MORNING)
    assert ExceptionCase.objects.get().document_number == "INV-1001"


def test_identifier_is_the_one_of_a_watched_folder(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    pull(sftp_source(cast, server))
    assert re.fullmatch(r"INV-1001-[0-9a-f]{16}", InboxMessage.objects.get().external_id)


def test_file_is_deleted_where_the_settings_say_so(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    pull(sftp_source(cast, server, afterwards="delete"))
    assert (InboxMessage.objects.count(), lying_in(out)) == (1, [])


def test_file_is_left_and_taken_in_once_where_nothing_may_be_renamed(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server, afterwards="leave")
    assert [pull(source).taken, pull(source).taken] == [1, 0]
    assert (InboxMessage.objects.get().repeats, lying_in(out)) == (0, ["INV-1001.refusal.xml", "INV-1001.xml"])
    assert {name for name, _ in server.operations} == {"list", "open", "read"}

    drop(out, payload=refused_invoice() + b"<!-- again -->")
    assert pull(source).taken == 1
    (out / "INV-1001.xml").unlink()
    pull(source)
    assert source.cursor["left"] == {}


def test_file_that_is_too_large_is_kept_at_the_source_and_told(cast: Cast, server: SftpServer, out: Path):
    configure(cast.connection, max_bytes=1000)
    drop(out, payload=b"x" * 1001, refusal=b"")
    source = sftp_source(cast, server)
    drop(out, "small", payload=b"<small/>", refusal=b"no")
    pulled = pull(source)
    assert (pulled.unusable, pulled.taken) == (1, 1)
    problem = FolderProblem.objects.get()
    assert (problem.connection, problem.pull_source, problem.file_name) == (cast.connection, source, "INV-1001.xml")
    assert problem.problem == "The file has 1,001 bytes; Tax authority takes at most 1,000."
    assert re.fullmatch(r"/out/quarantine/[0-9T]+-[0-9a-f]+/INV-1001.xml", problem.quarantined_as)
    assert lying_in(out / "quarantine") == ["INV-1001.refusal.xml", "INV-1001.xml"]
    assert "read" not in {name for name, path in server.operations if "INV" in path}
    assert timeline("connection:tax-authority")[-1].action == "message.quarantined"


def test_link_is_not_followed(cast: Cast, server: SftpServer, out: Path):
    (server.root / "secret.xml").write_bytes(b"<secret/>")
    (out / "INV-1001.xml").symlink_to(server.root / "secret.xml")
    (out / "INV-1001.refusal.xml").write_bytes(b"<no/>")
    pull(sftp_source(cast, server))
    assert (InboxMessage.objects.count(), FolderProblem.objects.get().problem) == (
        0, "This is a link to a file, not a file.",
    )  # fmt: skip
    assert (server.root / "secret.xml").exists()


@pytest.mark.parametrize("name", ["../up.xml", "a/b.xml", "back\\slash.xml", "line\nbreak.xml", "x" * 252 + ".xml"])
def test_name_that_leads_elsewhere_is_told_once_and_never_used(cast: Cast, server: SftpServer, out: Path, name: str):
    server.names = [name]
    configure(cast.connection, refusal_optional=True)
    source = sftp_source(cast, server)
    pull(source)
    pull(source)
    assert FolderProblem.objects.get().problem.startswith("The name of the file cannot be used")
    assert [path for operation, path in server.operations if operation in ("open", "rename")] == []


@pytest.mark.parametrize("name", [".", "..", "", "a/b", "a\\b", "a\x00", "a\n", "\u202ea", "x" * 256])
def test_unsafe_names(name: str):
    assert not sftp.is_safe(name)


@pytest.mark.parametrize("name", ["INV-1.xml", "two words.xml", "請求書.xml", "a..b.xml", "-rf.xml", "'; DROP.xml"])
def test_safe_names(name: str):
    assert sftp.is_safe(name)


@pytest.mark.parametrize("name", ["INV.xml.part", "INV.xml.TMP", ".INV.xml"])
def test_file_under_an_unfinished_name_is_left_alone(cast: Cast, server: SftpServer, out: Path, name: str):
    configure(cast.connection, refusal_optional=True)
    (out / name).write_bytes(refused_invoice())
    source = sftp_source(cast, server)
    pull(source)
    assert (InboxMessage.objects.count(), in_folder(out), source.cursor["waiting"]) == (0, [name], {})


def test_file_is_left_until_it_is_at_rest(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server, quiet_seconds=5)
    pull(source, at=MORNING)
    assert (in_folder(out), waits_for(source) <= timedelta(seconds=5)) == (
        ["INV-1001.refusal.xml", "INV-1001.xml"],
        True,
    )

    with (out / "INV-1001.xml").open("ab") as file:
        file.write(b"<!-- more -->")
    pull(source, at=MORNING + timedelta(seconds=6))
    assert len(in_folder(out)) == 2
    pull(source, at=MORNING + timedelta(seconds=10))
    assert len(in_folder(out)) == 2
    pull(source, at=MORNING + timedelta(seconds=11))
    assert in_folder(out) == []
    assert bytes(InboxMessage.objects.get().content.payload).endswith(b"<!-- more -->")


def test_file_that_grows_while_it_is_read_waits_for_the_next_look(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server)

    def write(path: str) -> None:
        if path.endswith("INV-1001.xml"):
            with (server.root / path.lstrip("/")).open("ab") as file:
                file.write(b" ")
            server.accidents.clear()

    server.accidents["open"] = write
    pull(source)
    assert (InboxMessage.objects.count(), FolderProblem.objects.count()) == (0, 0)
    pull(source)
    assert bytes(InboxMessage.objects.get().content.payload) == refused_invoice() + b" "


def test_unpaired_file_waits_and_is_overdue_after_its_limit(cast: Cast, server: SftpServer, out: Path):
    (out / "INV-1001.xml").write_bytes(refused_invoice())
    (out / "INV-2.refusal.xml").write_bytes(b"<no/>")
    source = sftp_source(cast, server, overdue_minutes=30)
    settings = read_settings("sftp", source.settings)
    assert isinstance(settings, SftpSettings)
    pull(source, at=MORNING)
    pull(source, at=MORNING + timedelta(minutes=29))
    assert sftp.overdue(source, settings, at=MORNING + timedelta(minutes=29)) == []
    late = [("INV-1001.xml", MORNING), ("INV-2.refusal.xml", MORNING)]
    assert sftp.overdue(source, settings, at=MORNING + timedelta(minutes=30)) == late
    assert InboxMessage.objects.count() == 0

    drop(out)
    pull(source, at=MORNING + timedelta(minutes=31))
    assert InboxMessage.objects.count() == 1
    assert sftp.overdue(source, settings, at=MORNING + timedelta(minutes=31)) == [("INV-2.refusal.xml", MORNING)]


def test_refusal_beside_may_be_missing_where_the_connection_says_so(cast: Cast, server: SftpServer, out: Path):
    configure(cast.connection, refusal_optional=True)
    (out / "INV-1001.xml").write_bytes(refused_invoice())
    pull(sftp_source(cast, server))
    assert InboxMessage.objects.count() == 1


def test_what_was_claimed_before_a_crash_is_taken_up_again(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server)
    server.accidents["open"] = server.cut
    assert pull(source) is None
    assert (InboxMessage.objects.count(), lying_in(out / "taken")) == (0, ["INV-1001.refusal.xml", "INV-1001.xml"])
    assert (source.failures, source.is_paused) == (1, False)

    server.accidents.clear()
    assert pull(source).taken == 1
    assert (lying_in(out / "taken"), lying_in(out / "done")) == ([], ["INV-1001.refusal.xml", "INV-1001.xml"])
    assert (source.failures, source.last_problem) == (0, "")


def test_what_was_stored_before_a_crash_is_recognised(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server)

    def cut_when_put_away(path: str) -> None:
        if "/taken/" in path:
            server.cut()

    server.accidents["rename"] = cut_when_put_away
    assert pull(source) is None
    # The request itself may still have been carried out; what counts is what the next pull finds.
    stored = InboxMessage.objects.get()
    server.accidents.clear()
    assert pull(source).taken == 0
    assert (InboxMessage.objects.get(), lying_in(out / "taken")) == (stored, [])
    assert lying_in(out / "done") == ["INV-1001.refusal.xml", "INV-1001.xml"]


def test_half_claimed_pair_is_put_back(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server)
    renamed: list[str] = []

    def cut_at_the_second(path: str) -> None:
        renamed.append(path)
        if len(renamed) == 2:
            server.cut()
            raise OSError(5, "cut")

    server.accidents["rename"] = cut_at_the_second
    pull(source)
    assert (lying_in(out / "taken"), in_folder(out)) == (["INV-1001.refusal.xml"], ["INV-1001.xml"])
    server.accidents.clear()
    assert pull(source).taken == 1
    assert lying_in(out / "done") == ["INV-1001.refusal.xml", "INV-1001.xml"]


def test_what_others_put_into_taken_is_left_alone(cast: Cast, server: SftpServer, out: Path):
    (out / "taken" / "by-another").mkdir(parents=True)
    (out / "taken" / "by-another" / "INV-1.xml").write_bytes(b"<a/>")
    pull(sftp_source(cast, server))
    assert (InboxMessage.objects.count(), lying_in(out / "taken")) == (0, ["INV-1.xml"])


def test_file_that_cannot_be_read_is_told_and_keeps_no_other_waiting(cast: Cast, server: SftpServer, out: Path):
    drop(out, "A")
    drop(out, "B")

    def refuse(path: str) -> None:
        if path.endswith("/A.xml"):
            raise PermissionError(13, "no")

    server.accidents["open"] = refuse
    pulled = pull(sftp_source(cast, server))
    assert (pulled.taken, pulled.unusable, FolderProblem.objects.get().file_name) == (1, 1, "A.xml")
    assert lying_in(out / "quarantine") == ["A.refusal.xml", "A.xml"]


def test_most_files_of_one_pull(cast: Cast, server: SftpServer, out: Path):
    for number in range(3):
        drop(out, f"INV-{number}")
    source = sftp_source(cast, server, files=2)
    assert pull(source).taken == 2
    assert waits_for(source) <= timedelta(0)
    assert [pull(source).taken, InboxMessage.objects.count()] == [1, 3]


def test_message_may_be_one_to_deliver(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    pull(sftp_source(cast, server, purpose="deliver"))
    assert InboxMessage.objects.get().purpose == InboxMessage.Purpose.DELIVER


@pytest.mark.django_db(transaction=True)
def test_two_pullers_take_each_file_once(cast: Cast, server: SftpServer, out: Path):
    for number in range(4):
        drop(out, f"INV-{number}")
    source = sftp_source(cast, server)
    outcomes = at_the_same_time([lambda: pull(PullSource.objects.get(pk=source.pk)) for _ in range(4)])
    assert sum(outcome.taken for outcome in outcomes if outcome is not None) == 4
    assert (InboxMessage.objects.count(), max(InboxMessage.objects.values_list("repeats", flat=True))) == (4, 0)


def test_file_for_which_there_is_no_room_waits_at_the_source(cast: Cast, server: SftpServer, out: Path):
    configure(cast.connection, per_minute=1)
    drop(out, "A")
    drop(out, "B")
    source = sftp_source(cast, server)
    pull(source)
    assert (InboxMessage.objects.count(), FolderProblem.objects.count(), source.failures) == (1, 0, 0)
    assert lying_in(out / "done") == ["A.refusal.xml", "A.xml"]
    pull(source, at=MORNING + timedelta(minutes=1))
    assert (InboxMessage.objects.count(), lying_in(out / "taken")) == (2, [])
