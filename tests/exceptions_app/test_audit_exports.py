"""Exports of the audit trail made in the background: every format, halted, broken off, refused, and handed out."""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils.timezone import now
from lxml import etree

from audit import log
from audit.export import export_jsonl
from audit.models import AuditEvent
from audit.queries import EventFilter, matching
from exceptions_app.actions import export_log, export_make
from exceptions_app.actions.export_download import NoFile, download_export
from exceptions_app.actions.export_start import cancel_export, pause_export, resume_export, start_export
from exceptions_app.actions.grants import revoke_verbs
from exceptions_app.actions.mover import Invalid
from exceptions_app.export_states import EXPORT_MOVES, KEPT, ExportMoveNotAllowed
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import AuditExport, AuditExportPart
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_used import used_by
from exceptions_app.queries.audit_exports import bytes_of, filter_of, manifest_of
from exceptions_app.states import Verb
from tests.cast import MORNING, SET_UP_AT, Cast, grant
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.api.test_problems import kind_of

__all__ = ["api"]
pytestmark = pytest.mark.django_db
OF_NL = EventFilter(scopes={"NL01/e-invoicing"})
EVENTS = 23


@pytest.fixture
def written(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> list[AuditEvent]:
    """Events of which some are of the same moment, read seven at a time."""
    monkeypatch.setattr(export_make, "PART_EVENTS", 7)
    entries = [
        log.Entry(
            action="case.commented", subject=f"case:EX-{number}", scope="NL01/e-invoicing", actor="clara",
            at=MORNING + timedelta(minutes=number // 4), summary=f"=SUM({number}) Łódź 東京 \x01", data={"n": number},
        )
        for number in range(EVENTS)
    ]  # fmt: skip
    with transaction.atomic():
        log.record_many([*entries[:2], replace(entries[0], scope="DE01/x")])
        return log.record_many(entries[2:])


def start(by: Any, form: str = "jsonl", *, key: UUID | None = None, filters: EventFilter = OF_NL) -> AuditExport:
    return start_export(filters, form, by=by, at=now(), key=key or uuid4())


def made(export: AuditExport) -> bytes:
    export.refresh_from_db()
    content = b"".join(bytes_of(export))
    assert (export.state, export.rows, export.size) == ("done", EVENTS, len(content))
    assert export.sha256 == hashlib.sha256(content).hexdigest()
    assert export.parts == EVENTS // 7 + 1 + 1
    return content


def told(export: AuditExport) -> list[str]:
    of_it = AuditEvent.objects.filter(subject=export.subject).order_by("id")
    return [action.removeprefix("audit.export_") for action in of_it.values_list("action", flat=True)]


def test_each_format_is_made_in_parts_and_holds_the_same_events(cast: Cast, written: list[AuditEvent]):
    by, subjects = cast.auditor, sorted(f"case:EX-{number}" for number in range(EVENTS))
    exports = {form: start(by, form) for form in ("csv", "jsonl", "xlsx")}
    with pytest.raises(Invalid, match="3 exports that are not finished"):
        start(by)
    assert export_make.carry_on_due() == 3 * (EVENTS // 7 + 1 + 1)
    exports |= {form: start(by, form) for form in ("parquet", "ocsf")}
    assert export_make.carry_on_due() == 2 * (EVENTS // 7 + 1 + 1)
    assert export_make.carry_on_due() == 0

    found = {form: made(export) for form, export in exports.items()}
    rows = list(csv.DictReader(io.StringIO(found["csv"].decode("utf-8-sig"), newline="")))
    assert sorted(row["subject"] for row in rows) == subjects
    assert rows[0]["summary"].startswith("'=SUM(")  # guarded against spreadsheets
    jsonl = exports["jsonl"]
    bounded = filter_of(jsonl)
    asked = jsonl.wanted | {"scopes": jsonl.scopes}
    assert found["jsonl"] == b"".join(export_jsonl(matching(bounded), at=jsonl.asked_at, filters=asked))
    with zipfile.ZipFile(io.BytesIO(found["xlsx"])) as workbook:
        assert workbook.testzip() is None
        sheet = etree.fromstring(workbook.read("xl/worksheets/sheet1.xml"))
    cells = [["".join(map(str, cell.itertext())) for cell in row] for row in sheet.find("{*}sheetData")]
    assert [row[5] for row in cells[1:]] == [row["subject"] for row in rows]
    assert [json.loads(line)["entity"]["uid"] for line in found["ocsf"].splitlines()] == [row[5] for row in cells[1:]]
    assert found["parquet"][:4] == found["parquet"][-4:] == b"PAR1"
    pieces = found["parquet"].split(b"\x1f\x8b\x08")[1:]
    subjects_packed = zlib.decompressobj(31).decompress(b"\x1f\x8b\x08" + pieces[5])
    assert subjects_packed.count(b"case:EX-") == 7

    manifest = manifest_of(jsonl)
    assert (manifest["rows"], manifest["sha256"], manifest["asked_by"]) == (EVENTS, jsonl.sha256, by.get_username())
    assert manifest["scopes"] == ["NL01/e-invoicing"]
    [finished] = AuditEvent.objects.filter(subject=jsonl.subject, action="audit.export_finished")
    assert (finished.data["sha256"], finished.data["rows"], finished.actor) == (jsonl.sha256, EVENTS, "machine:worker")


def test_worker_that_dies_leaves_whole_parts_and_the_next_one_ends_with_the_same_bytes(
    cast: Cast, written: list[AuditEvent]
):
    export = start(cast.auditor, "xlsx")
    whole = start(cast.auditor, "xlsx")
    assert export_make.write_part(export.pk, at=now())
    for _ in range(3):  # in the middle of a part, and of the end
        with transaction.atomic():
            export_make.write_part(export.pk, at=now())
            export_make.finish(export.pk, at=now())
            transaction.set_rollback(True)
    export.refresh_from_db()
    assert (export.state, export.rows, export.parts, AuditExportPart.objects.count()) == ("running", 7, 1, 1)
    other = connection.copy()
    try:
        other.cursor().execute("SELECT pg_advisory_lock(%s)", [export_make._ADVISORY_LOCK])
        assert export_make.carry_on_due() == 0  # another worker is at it
        other.cursor().execute("SELECT pg_advisory_unlock(%s)", [export_make._ADVISORY_LOCK])
    finally:
        other.close()
    export_make.carry_on_due()
    assert made(export) == made(whole)
    assert told(export) == ["started", "finished"]


def test_export_is_paused_resumed_and_cancelled_by_whoever_asked(cast: Cast, written: list[AuditEvent]):
    by, key = cast.auditor, uuid4()
    export = start(by, key=key)
    assert start(by, key=key) == export
    grant(cast.second_clerk, [Verb.EXPORT], *(cast.einvoicing, cast.netherlands))
    with pytest.raises(Invalid, match="used already"), transaction.atomic():
        start(cast.second_clerk, key=key)
    export_make.write_part(export.pk, at=now())
    with pytest.raises(NotPermitted, match="Only the person who asked"):
        pause_export(export.pk, by=cast.controller, at=now())
    pause_export(export.pk, by=by, at=now())
    assert export_make.carry_on_due() == 0
    with pytest.raises(ExportMoveNotAllowed, match="“Pause” is not possible: the export is paused"):
        pause_export(export.pk, by=by, at=now())
    resume_export(export.pk, by=by, at=now())
    export_make.write_part(export.pk, at=now())
    export.refresh_from_db()
    assert (export.state, export.rows) == ("running", 14)
    cancel_export(export.pk, by=by, at=now())
    assert not AuditExportPart.objects.exists()
    for move in (pause_export, resume_export, cancel_export):
        with pytest.raises(ExportMoveNotAllowed):
            move(export.pk, by=by, at=now())
    assert told(export) == ["started", "paused", "resumed", "cancelled"]
    assert {f"audit.export_{name}" for name in told(export)[1:]} == {row.past for row in EXPORT_MOVES.values()}
    with pytest.raises(NotPermitted, match="Read and export"):
        start(cast.clerk)
    with pytest.raises(Invalid, match="is not a format"):
        start(by, "exe")


def test_what_was_halted_behind_its_last_event_still_ends(cast: Cast, written: list[AuditEvent]):
    export = start(cast.auditor)
    while export_make.write_part(export.pk, at=now()):
        pass
    pause_export(export.pk, by=cast.auditor, at=now())
    resume_export(export.pk, by=cast.auditor, at=now())
    export_make.carry_on_due()
    made(export)
    assert told(export) == ["started", "paused", "resumed", "finished"]


def test_rights_are_asked_again_for_each_part_and_at_the_download(cast: Cast, written: list[AuditEvent], signed_in):
    by = cast.outsider
    grant(by, [Verb.EXPORT], cast.einvoicing, cast.netherlands)
    ready, begun = start(by, "csv"), start(by, "csv")
    foreign = start(cast.auditor, filters=EventFilter(scopes=None))
    while export_make.write_part(ready.pk, at=now()) or export_make.finish(ready.pk, at=now()):
        pass
    export_make.write_part(begun.pk, at=now())
    client = signed_in(by)
    file = reverse("exceptions:audit_export_file", args=[ready.ref])
    taken = client.get(file)
    ready.refresh_from_db()
    assert hashlib.sha256(taken.getvalue()).hexdigest() == ready.sha256 == taken["X-Content-SHA256"]
    assert taken["Content-Disposition"] == f'attachment; filename="{ready.ref}-audit-trail.csv"'
    assert client.get(reverse("exceptions:audit_export_manifest", args=[ready.ref])).json()["rows"] == EVENTS
    assert client.get(reverse("exceptions:audit_export_file", args=[begun.ref])).status_code == 409
    assert client.get(reverse("exceptions:audit_made", args=[foreign.ref])).status_code == 404
    assert told(ready) == ["started", "finished", "downloaded"]
    assert used_by([by.get_username()], at=now()).anywhere(by.get_username(), [Verb.EXPORT]) is not None

    revoke_verbs([Verb.EXPORT], by, [cast.netherlands], by=machine(SETUP), at=SET_UP_AT)
    for name in ("audit_made", "audit_export_file", "audit_export_manifest"):
        assert client.get(reverse(f"exceptions:{name}", args=[ready.ref])).status_code == 404
    with pytest.raises(NotPermitted):
        download_export(ready, by=by, at=now())
    assert not export_make.write_part(begun.pk, at=now())
    begun.refresh_from_db()
    assert (begun.state, begun.rows) == ("failed", 7)
    assert "may not read all of it any more" in begun.problem
    # Somebody else who may read all of it takes the file.
    assert signed_in(cast.auditor).get(file).status_code == 200


def test_file_goes_when_its_time_is_over_and_its_manifest_stays(cast: Cast, written: list[AuditEvent]):
    export = start(cast.auditor, "csv")
    export_make.carry_on_due()
    content = made(export)
    assert export.expires_at is not None
    before = export.expires_at - timedelta(seconds=1)
    assert export_make.remove_expired(at=before) == 0
    assert b"".join(download_export(export, by=cast.auditor, at=before)) == content
    with pytest.raises(NoFile, match="removed after its time"):
        download_export(export, by=cast.auditor, at=export.expires_at)
    assert export_make.remove_expired(at=export.expires_at) == 1
    assert export_make.remove_expired(at=now() + 2 * KEPT) == 0
    export.refresh_from_db()
    assert (export.state, AuditExportPart.objects.count()) == ("gone", 0)
    assert manifest_of(export)["sha256"] == hashlib.sha256(content).hexdigest()
    assert told(export) == ["started", "finished", "downloaded", "removed"]


def test_pages_start_follow_and_halt_an_export(cast: Cast, written: list[AuditEvent], signed_in):
    client = signed_in(cast.auditor)
    page = client.get(reverse("exceptions:audit"), {"since": "", "entity": "NL01"})
    shown = page.context["file_form"]
    asked = shown["asked"] | {"format": "csv", "key": shown["key"]}
    assert asked["entity"] == "NL01"
    assert page.context["count"].value == EVENTS
    start_url = reverse("exceptions:audit_export_start")
    started = client.post(start_url, asked)
    assert started.status_code == client.post(start_url, asked).status_code == 302
    export = AuditExport.objects.get()
    assert (export.expected, started["Location"]) == (EVENTS, reverse("exceptions:audit_made", args=[export.ref]))
    assert client.get(start_url)["Location"] == reverse("exceptions:audit")
    for wrong, says in (
        ({"format": "exe"}, "is not a format"),
        ({"key": "x"}, "Reload the page"),
        ({"entity": "ZZ"}, "no legal entity"),
    ):
        refused = client.post(start_url, asked | wrong)
        assert refused.status_code == 422
        assert says in refused.content.decode()
    more = [start(cast.auditor) for _ in range(2)]
    full = client.post(start_url, asked | {"key": str(uuid4())})
    assert (full.status_code, list(full.context["form"].errors)) == (422, ["__all__"])
    assert "3 exports that are not finished" in full.content.decode()
    assert f'href="{reverse("exceptions:audit_exports")}"' in full.content.decode().partition("<main")[2]
    for one in more:
        cancel_export(one.pk, by=cast.auditor, at=now())
    queued = " ".join(client.get(started["Location"]).content.decode().split())
    assert "waiting for its turn" in queued.lower()
    assert "<dt>From</dt> <dd> the beginning </dd>" in queued
    assert f"0 of about {EVENTS} events" in queued
    assert "You may leave this page" in queued
    for move, words in (("pause", "paused"), ("resume", "goes on"), ("cancel", "cancelled")):
        answer = client.post(reverse(f"exceptions:audit_export_{move}", args=[export.ref]), follow=True)
        assert words in answer.content.decode()
        assert ("You may leave this page" in answer.content.decode()) is (move == "resume")
    assert client.post(reverse("exceptions:audit_export_resume", args=[export.ref])).status_code == 409
    assert export.ref in client.get(reverse("exceptions:audit_exports")).content.decode()
    grant(cast.outsider, [Verb.EXPORT], cast.einvoicing, cast.netherlands)
    others = signed_in(cast.outsider)
    assert others.post(reverse("exceptions:audit_export_resume", args=[export.ref])).status_code == 404
    assert signed_in(cast.clerk).get(reverse("exceptions:audit_exports")).status_code == 403


def test_api_starts_follows_and_hands_out_an_export(cast: Cast, written: list[AuditEvent], api: Any):
    account = api(cast.auditor)
    body = {"format": "ocsf", "entity": "NL01", "action": "case.", "subjects": ["case:EX-3", "case:EX-4"]}
    started = account.post("audit-exports", body, Idempotency_Key="one")
    assert started.status_code == 201
    ref = started.json()["ref"]
    assert account.post("audit-exports", body, Idempotency_Key="one").json()["ref"] == ref
    assert kind_of(account.get(f"audit-exports/{ref}/file")) == (409, "not-possible-now")
    moves = [account.post(f"audit-exports/{ref}/{move}", {}).json()["state"] for move in ("pause", "resume")]
    assert moves == ["paused", "queued"]
    export_make.carry_on_due()
    read = account.get(f"audit-exports/{ref}").json()
    assert (read["state"], read["percent"], read["manifest"]["rows"]) == ("done", 100, 2)
    file = account.get(f"audit-exports/{ref}/file").getvalue()
    assert hashlib.sha256(file).hexdigest() == read["manifest"]["sha256"]
    assert [json.loads(line)["entity"]["name"] for line in file.splitlines()] == ["EX-3", "EX-4"]
    assert [one["ref"] for one in account.get("audit-exports").json()["results"]] == [ref]
    assert kind_of(account.post(f"audit-exports/{ref}/cancel", {})) == (409, "not-possible-now")
    assert account.post("audit-exports", {"format": "exe"}).status_code == 422
    others = api(cast.clerk)
    assert [others.get("audit-exports").status_code, others.get(f"audit-exports/{ref}").status_code] == [403, 404]
    assert others.post("audit-exports", body).status_code == 403


STATE = "UPDATE exceptions_app_auditexport SET state = "
PART = """
    INSERT INTO exceptions_app_auditexportpart (export_id, number, body, told)
    SELECT id, 99, '', '{}' FROM exceptions_app_auditexport WHERE state = 'done'
"""
REFUSED = (
    ("UPDATE exceptions_app_auditexport SET wanted = '{}'", "wanted is never changed"),
    ("UPDATE exceptions_app_auditexport SET by_id = by_id + 1", "by_id is never changed"),
    (f"{STATE}'done' WHERE state = 'running'", "export_done_with_its_digest"),
    (f"{STATE}'running' WHERE state = 'done'", "is done and cannot become running"),
    (f"{STATE}'odd'", "cannot become odd"),
    (f"{STATE}'failed' WHERE state = 'running'", "export_failed_with_reason"),
    ("UPDATE exceptions_app_auditexport SET sha256 = repeat('0', 64) WHERE state = 'done'", "what it says of its file"),
    ("DELETE FROM exceptions_app_auditexport", "never deleted"),
    ("UPDATE exceptions_app_auditexportpart SET body = ''", "written once"),
    ("DELETE FROM exceptions_app_auditexportpart", "goes with the file"),
    (PART, "is done"),
)


def test_database_refuses_even_with_an_event_and_without_one(cast: Cast, written: list[AuditEvent]):
    done = start(cast.auditor, "csv")
    export_make.carry_on_due()
    made(done)
    running = start(cast.auditor, "csv")
    export_make.write_part(running.pk, at=now())
    for statement, says in REFUSED:
        with pytest.raises(DatabaseError, match=says):
            forge(statement, done, running)


@transaction.atomic
def forge(statement: str, *about: AuditExport) -> None:
    for export in about:
        export_log.record(export, "audit.export_paused", by=export.by, at=now(), words="Forged:")
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_change_without_an_event_is_refused_and_one_form_sent_twice_at_once_is_one_export(cast: Cast):
    key = uuid4()
    sent = at_the_same_time([lambda: start(cast.auditor, "csv", key=key)] * 4)
    assert [getattr(one, "pk", one) for one in sent] == [AuditExport.objects.get().pk] * 4
    export = AuditExport.objects.get()
    for state in ("cancelled", "paused"):
        with pytest.raises(DatabaseError, match="no audit event about audit_export:AX-"):
            AuditExport.objects.filter(pk=export.pk).update(state=state)
    AuditExport.objects.filter(pk=export.pk).update(state="running")  # that its turn has come
