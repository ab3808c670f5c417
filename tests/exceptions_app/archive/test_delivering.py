"""Evidence that goes to an archive by itself: once, whole, read back, whatever happens on the way."""

import errno
import io
import os
import resource
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from audit.models import AuditCheckpoint
from audit.queries import timeline
from audit.verify_evidence import verify
from exceptions_app.actions import archive_deliver, archive_plan, archives, export_make, work
from exceptions_app.actions.connections import save_configuration
from exceptions_app.models import ArchivedCase, ArchiveDelivery, AuditExport, Notification
from exceptions_app.tasks import archive_due
from integrations.archives import ArchiveFailed
from integrations.models import Archive
from tests import factories
from tests.cast import Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.archive.archiving import (
    DAY,
    closed,
    deliver,
    folder_archive,
    lying_in,
    make_packs,
    packed,
    sftp_archive,
)
from tests.exceptions_app.test_evidence_packs import outside, rows_of
from tests.sftp_server import SftpServer, sftp_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(tmp_path: Path, settings: Any) -> Path:
    """The folder of an archive that is switched on."""
    folder_archive(settings, tmp_path)
    return tmp_path / "evidence"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path) as running:
        sftp_archive(running)
        yield running


def told_administrators() -> list[str]:
    rows = Notification.objects.filter(kind="archive").order_by("pk")
    return [f"{row.person.username} {row.reference}: {row.words}" for row in rows]


def names_of(delivery: ArchiveDelivery) -> list[str]:
    return [event.action for event in timeline(delivery.subject)]


def test_what_was_closed_on_a_day_goes_as_one_pack_that_verifies(cast: Cast, kept: Path):
    first = [closed(cast, "INV-1"), closed(cast, "INV-2")]
    later = closed(cast, "INV-3", day=DAY + timedelta(days=1))
    closed(cast, "INV-4", day=now())  # whose day is not over
    factories.make_case(cast, number="INV-OPEN")
    deliveries = []
    for _ in range(3):
        archive_due()
        assert archive_plan.plan_next(at=now()) is None  # one pack at a time, and then nothing more
        make_packs()
        archive_due()
        deliveries = list(ArchiveDelivery.objects.order_by("pk"))
    assert [(one.day, one.count, one.state) for one in deliveries] == [
        ("2026-10-10", 2, "delivered"), ("2026-10-11", 1, "delivered"),
    ]  # fmt: skip
    assert lying_in(kept) == sorted(f"{one.day}.{one.sha256}.evidence.zip" for one in deliveries)
    content = (kept / deliveries[0].file_name).read_bytes()
    manifest, walk = verify(io.BytesIO(content), {}, outside())
    assert {row["exception"] for row in rows_of(content)} == {case.ref for case in first}
    assert manifest["made_by"] == "machine:archive"
    events = sum(len(timeline(case.subject)) for case in first)
    assert walk.by_action.total() == events  # all that is told of them, and nothing else
    assert names_of(deliveries[0]) == ["archive.planned", "archive.delivered"]
    delivered = timeline(deliveries[0].subject)[-1]
    assert (delivered.data["sha256"], delivered.data["bytes"]) == (deliveries[0].export.sha256, len(content))
    assert [row.case_id for row in ArchivedCase.objects.filter(delivery=deliveries[1])] == [later.pk]
    assert AuditCheckpoint.objects.exists()


def test_what_is_closed_again_goes_again(cast: Cast, kept: Path):
    deliver(packed(cast))
    case = ArchivedCase.objects.get().case
    work.reopen(case.pk, by=cast.clerk, at=DAY + timedelta(days=3), because="Again.")
    factories.dismiss(case, cast.clerk, approver=cast.controller, at=DAY + timedelta(days=4))
    again = archive_plan.plan_next(at=now() + timedelta(days=1))
    assert again is not None
    assert (again.day, again.count) == ("2026-10-14", 1)


def test_delivered_twice_lies_there_once(cast: Cast, kept: Path):
    delivery = deliver(packed(cast))
    before = (kept / delivery.file_name).stat()
    archives.deliver_again(delivery.pk, by=cast.administrator, at=now(), because="To be sure.")
    assert deliver(delivery).state == "delivered"
    assert (kept / delivery.file_name).stat().st_mtime_ns == before.st_mtime_ns
    assert (lying_in(kept), delivery.attempts) == ([delivery.file_name], 2)
    (kept / delivery.file_name).unlink()
    archives.deliver_again(delivery.pk, by=cast.administrator, at=now(), because="It was lost.")
    assert (deliver(delivery).state, lying_in(kept)) == ("delivered", [delivery.file_name])


def test_file_that_somebody_changed_is_left_and_told(cast: Cast, kept: Path):
    delivery = deliver(packed(cast))
    file = kept / delivery.file_name
    file.write_bytes(b"forged")
    archives.deliver_again(delivery.pk, by=cast.administrator, at=now(), because="To be sure.")
    assert deliver(delivery).state == "failed"
    assert (file.read_bytes(), lying_in(kept)) == (b"forged", [file.name])
    assert "with other content: 6 bytes" in delivery.problem
    assert [words.partition(":")[0] for words in told_administrators()] == [f"ada {delivery.ref}"]
    assert names_of(delivery)[-1] == "archive.failed"


def test_link_in_the_archive_is_not_followed(cast: Cast, kept: Path, tmp_path: Path):
    delivery = packed(cast)
    kept.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (kept / f"{delivery.day}.{AuditExport.objects.get().sha256}.evidence.zip").symlink_to(tmp_path / "elsewhere")
    assert deliver(delivery).state == "waiting"
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


def test_worker_that_dies_half_way_costs_one_lease(cast: Cast, kept: Path):
    delivery = packed(cast)
    begun = archive_deliver.claim(at=now())
    assert begun is not None
    kept.mkdir()
    (kept / f".{begun.file_name}.1.part").write_bytes(b"half")
    assert archive_deliver.claim(at=now()) is None  # while the lease lasts
    ArchiveDelivery.objects.update(lease_until=now() - timedelta(seconds=1))
    assert (deliver(delivery).state, delivery.attempts) == ("delivered", 2)
    assert lying_in(kept) == [delivery.file_name]
    # The one that was thought dead comes to itself: it has no say any more.
    assert archive_deliver.settle_failure(begun, ArchiveFailed("Late."), at=now()) is False
    assert archive_deliver.settle_delivered(begun, at=now()) is False
    assert ArchiveDelivery.objects.get().state == "delivered"


def test_worker_that_dies_before_it_could_say_so_is_taken_up(cast: Cast, kept: Path, monkeypatch: pytest.MonkeyPatch):
    delivery = packed(cast)
    with monkeypatch.context() as dead:
        dead.setattr(archive_deliver, "settle_delivered", lambda *_, **__: None)
        deliver(delivery)
    assert (delivery.state, len(lying_in(kept))) == ("delivering", 1)
    ArchiveDelivery.objects.update(lease_until=now() - timedelta(seconds=1))
    assert (deliver(delivery).state, lying_in(kept)) == ("delivered", [delivery.file_name])


def test_of_two_workers_one_delivers(cast: Cast, kept: Path):
    delivery = packed(cast)
    assert sorted(at_the_same_time([archive_deliver.deliver_due] * 4)) == [0, 0, 0, 1]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, lying_in(kept)) == ("delivered", 1, [delivery.file_name])


def test_of_two_planners_one_plans(cast: Cast, kept: Path):
    closed(cast, "INV-1")
    planned = at_the_same_time([lambda: archive_plan.plan_next(at=now())] * 4)
    assert [one for one in planned if one is not None] == [ArchiveDelivery.objects.get()]


def test_volume_that_is_not_mounted_is_waited_for(cast: Cast, kept: Path, settings: Any, tmp_path: Path):
    delivery = packed(cast)
    settings.ARCHIVE_FOLDER = str(tmp_path / "away")
    assert (deliver(delivery).state, delivery.failures) == ("waiting", 1)
    assert "Is its volume mounted?" in delivery.problem
    assert delivery.next_at > now() + timedelta(seconds=30)
    assert not (tmp_path / "away").exists()
    settings.ARCHIVE_FOLDER = str(tmp_path)
    assert (deliver(delivery).state, delivery.failures, delivery.problem) == ("delivered", 0, "")
    assert names_of(delivery)[1:] == ["archive.attempt_failed", "archive.delivered"]


def test_folder_that_cannot_be_written_to_is_tried_later(cast: Cast, kept: Path):
    delivery = packed(cast)
    kept.write_text("A file where the folder should be.")
    assert (deliver(delivery).state, delivery.failures) == ("waiting", 1)
    assert delivery.problem.startswith("The folder cannot be used: ")
    kept.unlink()
    assert deliver(delivery).state == "delivered"


def test_full_disk_leaves_nothing_in_a_folder(cast: Cast, kept: Path):
    delivery, (soft, hard) = packed(cast), resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))  # which is told like a full disk: in the middle of a write
    try:
        deliver(delivery)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert (delivery.state, delivery.failures, lying_in(kept)) == ("waiting", 1, [])
    assert (deliver(delivery).state, lying_in(kept)) == ("delivered", [delivery.file_name])


def test_link_out_of_the_allowed_folder_pauses(cast: Cast, kept: Path, tmp_path_factory: pytest.TempPathFactory):
    delivery, elsewhere = packed(cast), tmp_path_factory.mktemp("elsewhere")
    kept.symlink_to(elsewhere)
    assert deliver(delivery).state == "waiting"
    assert "does not lie below" in delivery.problem
    assert lying_in(elsewhere) == []
    assert len(told_administrators()) == 1


@pytest.mark.parametrize("operation", ["open", "write", "rename"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES])
def test_full_disk_and_missing_permission_leave_nothing_behind(
    cast: Cast, server: SftpServer, operation: str, error: int
):
    delivery = packed(cast)

    def refuse(path: str) -> None:
        if operation != "open" or path.endswith(".part"):
            raise OSError(error, os.strerror(error))

    server.accidents[operation] = refuse
    assert (deliver(delivery).state, delivery.failures) == ("waiting", 1)
    server.accidents.clear()
    assert (deliver(delivery).state, lying_in(server.root / "kept")) == ("delivered", [delivery.file_name])


def test_sftp_server_takes_it_and_is_read_back(cast: Cast, server: SftpServer):
    delivery = deliver(packed(cast))
    assert (delivery.state, lying_in(server.root / "kept")) == ("delivered", [delivery.file_name])
    content = (server.root / "kept" / delivery.file_name).read_bytes()
    verify(io.BytesIO(content), {}, outside())
    asked = [operation for operation, path in server.operations if path.endswith(delivery.file_name)]
    assert asked[-1] == "read"  # the last thing that is done


def test_wire_that_breaks_in_the_middle_is_tried_again(cast: Cast, server: SftpServer):
    delivery = packed(cast)
    server.accidents["write"] = server.cut
    assert (deliver(delivery).state, delivery.failures) == ("waiting", 1)
    assert lying_in(server.root / "kept") == [f".{delivery.day}.{delivery.export.sha256}.evidence.zip.1.part"]
    server.accidents.clear()
    assert (deliver(delivery).state, lying_in(server.root / "kept")) == ("delivered", [delivery.file_name])


def test_what_is_read_back_otherwise_is_not_put_in_its_place(cast: Cast, server: SftpServer):
    delivery = packed(cast)

    def spoil(path: str) -> None:
        with (server.root / path.lstrip("/")).open("r+b") as file:
            file.write(b"spoilt")

    server.accidents["read"] = spoil
    assert (deliver(delivery).state, lying_in(server.root / "kept")) == ("waiting", [])
    assert "not what was written" in delivery.problem


def test_other_host_key_pauses_the_archive_until_somebody_resumes(cast: Cast, tmp_path: Path):
    with sftp_server(tmp_path) as other:
        archive = sftp_archive(other, host_keys=["SHA256:" + "A" * 43])
        delivery = packed(cast)
        assert deliver(delivery).state == "waiting"
        archive.refresh_from_db()
        assert (archive.is_paused, other.attempts) == (True, [])
        assert len(told_administrators()) == 1
        deliver(delivery)
        assert delivery.attempts == 1  # nothing is tried while it is paused
        archive.settings |= {"host_keys": [other.host_key]}
        with transaction.atomic():
            archives.resume_archive(archive.pk, by=cast.administrator, at=now(), because="Key renewed.")
            archive._history_user = cast.administrator
            archive.save(update_fields=["settings"])
        assert deliver(delivery).state == "delivered"
    assert [event.action for event in timeline(archive.subject)][1:] == ["archive.paused", "archive.resumed"]
    assert "password-of-the-server" not in str(timeline(archive.subject))


def test_pack_that_is_gone_is_made_anew(cast: Cast, kept: Path):
    delivery = packed(cast)
    with time_machine.travel(now() + timedelta(days=8), tick=False):
        export_make.remove_expired(at=now())
        archive_plan.mend_packs(at=now())
        make_packs()
        assert deliver(delivery).state == "delivered"
    assert AuditExport.objects.count() == 2
    assert "archive.packed_anew" in names_of(delivery)


def test_packs_are_made_anew_one_at_a_time_and_only_for_an_archive_that_takes_them(cast: Cast, kept: Path):
    for number in range(3):
        closed(cast, f"INV-{number}", day=DAY + timedelta(days=number))
        assert archive_plan.plan_next(at=now()) is not None
        make_packs()
    archive = Archive.objects.get()
    by_ada: dict[str, Any] = {"by": cast.administrator, "because": "Its server moves."}
    with time_machine.travel(now() + timedelta(days=8), tick=False):
        export_make.remove_expired(at=now())
        archives.pause_archive(archive.pk, at=now(), **by_ada)
        archive_plan.mend_packs(at=now())
        assert AuditExport.objects.count() == 3  # none would be delivered before it is gone again
        archives.resume_archive(archive.pk, at=now(), **by_ada)
        for made in (4, 5, 6):
            archive_plan.mend_packs(at=now())
            archive_plan.mend_packs(at=now())
            assert AuditExport.objects.count() == made
            make_packs()
        archive.refresh_from_db()
        archive.in_use = False
        save_configuration(archive, at=now(), **by_ada)
    with time_machine.travel(now() + timedelta(days=17), tick=False):
        export_make.remove_expired(at=now())
        archive_plan.mend_packs(at=now())
        assert AuditExport.objects.count() == 6


def test_what_takes_too_long_is_told_once(cast: Cast, kept: Path):
    closed(cast, "INV-1")
    delivery = archive_plan.plan_next(at=now())
    assert delivery is not None
    late = now() + timedelta(hours=7)
    assert [archive_plan.tell_overdue(at=at) for at in (now(), late, late)] == [0, 1, 0]
    [words] = told_administrators()
    assert words == f"ada {delivery.ref}: It is not in the archive after 7 hours. Its pack is not ready."
    assert names_of(delivery)[-1] == "archive.overdue"


def test_nothing_is_planned_without_an_archive(cast: Cast):
    closed(cast, "INV-1")
    archive_due()
    assert not ArchiveDelivery.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "delivered"}, "archive_delivered_with_its_digest|cannot become"),
        ({"state": "failed"}, "archive_failed_with_reason"),
        ({"export": None}, "has a pack already"),
        ({"count": 2}, "never changed|frozen|refused"),
    ],
)
def test_database_refuses_what_no_worker_did(cast: Cast, kept: Path, change: dict[str, Any], words: str):
    packed(cast)
    with pytest.raises(IntegrityError, match=words):
        ArchiveDelivery.objects.update(**change)


def test_database_refuses_another_digest_than_that_of_the_pack(cast: Cast, kept: Path):
    delivery = packed(cast)
    begun = archive_deliver.claim(at=now())
    assert begun is not None
    with pytest.raises(IntegrityError, match="is not of its pack"):
        ArchiveDelivery.objects.filter(pk=delivery.pk).update(
            state="delivered", sha256="0" * 64, size=1, delivered_at=now(), file_name="x", lease_until=None
        )
    with pytest.raises(IntegrityError, match="is packed"):
        ArchivedCase.objects.create(delivery=delivery, case=closed(cast, "INV-2"), closed_at=now())
