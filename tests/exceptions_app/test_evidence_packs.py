"""Evidence packs made in the background: of one exception, of a batch, of a period; in parts, checked from outside."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now
from pypdf import PdfReader

from audit import verify_evidence
from audit.evidence import evidence
from audit.models import AuditCheckpoint, AuditEvent
from audit.queries import EventFilter, matching
from audit.verify_evidence import Fault, verify
from exceptions_app import pack_paper
from exceptions_app.actions import export_make, pack_make
from exceptions_app.actions.batch_decide import approve_batch
from exceptions_app.actions.export_start import pause_export, resume_export, start_export
from exceptions_app.actions.grants import revoke_verbs
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import AuditExport, ExceptionCase
from exceptions_app.queries.audit_exports import bytes_of, filter_of
from exceptions_app.queries.audit_page import exceptions_behind
from exceptions_app.states import Verb
from exceptions_app.views.case_paper import case_paper_for
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, SET_UP_AT, Cast, grant
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.replay_batches.target import propose_all, refused_cases, target
from tests.sealing import seal

__all__ = ["api", "target"]
IN_PARTS = 4


def outside() -> list[verify_evidence.Note]:
    notes = "".join(str(row.signed_note) for row in AuditCheckpoint.objects.order_by("size"))
    return [verify_evidence._note(match) for match in verify_evidence._NOTE.finditer(notes)]


def members(pack: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as container:
        return {name: container.read(name) for name in container.namelist()}


def on_paper(pack: bytes) -> str:
    pages = PdfReader(io.BytesIO(members(pack)["evidence.pdf"])).pages
    return "".join("".join(page.extract_text() for page in pages).split())


def rows_of(pack: bytes) -> list[dict[str, str]]:
    text = members(pack)["exceptions.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def asked_for(client: Any, page: str, about: str) -> AuditExport:
    """The pack that the form of the page asks for; sent twice, it is one."""
    shown = client.get(page)
    form = {"since": "", "about": about, "format": "evidence", "key": shown.context["pack_key"]}
    assert f'name="key" value="{form["key"]}"' in shown.content.decode()
    sent = [client.post(reverse("exceptions:audit_export_start"), form) for _ in range(2)]
    assert {answer["Location"] for answer in sent} == {sent[0]["Location"]}
    found = AuditExport.objects.latest("pk")
    assert sent[0]["Location"] == reverse("exceptions:audit_made", args=[found.ref])
    return found


@pytest.mark.django_db
def test_pack_of_a_batch_is_offered_where_it_would_be_made_and_says_of_what_it_is(
    cast: Cast, target: Any, signed_in: Any
):
    batch = propose_all(cast, refused_cases(cast, 3))
    page = reverse("exceptions:batch", args=[batch.ref])
    grant(cast.outsider, [Verb.EXPORT], cast.einvoicing, cast.germany)
    grant(cast.outsider, [Verb.SEE], cast.einvoicing, cast.netherlands)
    shown = signed_in(cast.outsider).get(page)
    assert (shown.status_code, shown.context["pack_key"]) == (200, "")
    client = signed_in(cast.auditor)
    made = reverse("exceptions:audit_made", args=[asked_for(client, page, batch.ref).ref])
    about = " ".join(client.get(made).content.decode().split())
    assert f"<dt>About</dt> <dd> {batch.ref} </dd>" in about
    assert "case:EX-" not in about
    with CaptureQueriesContext(connection) as polled:
        client.get(made, headers={"HX-Request": "true"})
    assert not [query for query in polled.captured_queries if "batchitem" in query["sql"]]


def taken(client: Any, export: AuditExport) -> bytes:
    export.refresh_from_db()
    assert (export.state, export.problem) == ("done", "")
    answer = client.get(reverse("exceptions:audit_export_file", args=[export.ref]))
    assert answer["Content-Disposition"].endswith('.evidence.zip"')
    content: bytes = answer.getvalue()
    assert len(content) == export.size
    return content


@pytest.mark.django_db(transaction=True)
def test_packs_of_an_exception_a_batch_and_a_period_hold_and_read_well(
    cast: Cast, target: Any, signed_in: Any, api: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export_make, "PART_EVENTS", IN_PARTS)
    monkeypatch.setattr(pack_make, "LIST_PAGE", 2)
    monkeypatch.setattr(pack_paper, "MOST_LISTED", 3)
    solved = factories.make_case(cast, number="=INV-77", amount="1250.10")
    factories.resolve(solved, cast.clerk, approver=cast.controller, at=MORNING + timedelta(hours=1))
    abroad = factories.make_case(cast, number="INV-78", amount="900", currency="JPY")
    batched = refused_cases(cast, 3)
    batch = propose_all(cast, batched)
    approve_batch(batch.pk, by=cast.controller, at=MORNING + timedelta(hours=2), frozen_sha256=batch.frozen_sha256)
    configure(cast.connection, connector="en16931")  # which reads the document of the first

    client = signed_in(cast.auditor)
    of_one = asked_for(client, reverse("exceptions:case_print", args=[solved.ref]), solved.ref)
    of_batch = asked_for(client, reverse("exceptions:batch", args=[batch.ref]), batch.ref)
    assert (of_one.wanted["subjects"], of_batch.wanted["batch"]) == ([solved.subject], batch.ref)
    of_period = AuditExport.objects.with_ref(
        api(cast.auditor).post("audit-exports", {"format": "evidence"}).json()["ref"]
    ).get()
    seal(limit=5000, at=now())
    while export_make.carry_on_due(case_paper_for):
        pass

    packs = {export: taken(client, export) for export in (of_one, of_batch, of_period)}
    verifier = reverse("exceptions:evidence_verifier")
    assert verifier in client.get(reverse("exceptions:audit_made", args=[of_one.ref])).content.decode()
    for export, pack in packs.items():
        manifest, walk = verify(io.BytesIO(pack), {}, outside())
        assert (walk.by_action.total(), walk.compared) == (export.rows, 1)
        assert {"evidence.pdf", "exceptions.csv"} < set(manifest["files"])
        assert (manifest["made_by"], manifest["asked_for"]["export"]) == (cast.auditor.username, export.ref)
        assert export.parts > export.rows // IN_PARTS
        # Made in parts, the log is byte for byte that of a pack made in one go.
        whole = evidence(matching(filter_of(export)), at=now(), by="x", asked_for={}, lookup=exceptions_behind)
        direct = members(b"".join(whole))
        assert {name: members(pack)[name] for name in ("log.jsonl", "exceptions.jsonl")} == {
            name: direct[name] for name in ("log.jsonl", "exceptions.jsonl")
        }
        for name in ("evidence.pdf", "exceptions.csv"):
            place = pack.index(members(pack)[name]) + 20
            with pytest.raises(Fault):
                verify(io.BytesIO(pack[:place] + bytes([pack[place] ^ 1]) + pack[place + 1 :]), {}, ())

    story = on_paper(packs[of_one])  # what the exception's own PDF has
    assert f"Evidenceof{solved.ref}:=INV-77" in story
    assert "Whoproposed,whodecided" in story
    everywhere = (cast.einvoicing, cast.holds, cast.netherlands, cast.germany)
    grant(cast.outsider, [Verb.EXPORT], *everywhere)
    others = signed_in(cast.outsider)  # who may read the log, and not the page that this PDF shows
    seen = [others.get(reverse("exceptions:audit_export_file", args=[one.ref])).status_code for one in packs]
    assert seen == [404, 200, 200]

    [listed] = rows_of(packs[of_one])
    assert (listed["document"], listed["amount"], listed["outcome"]) == ("'=INV-77", "1250.10", "replayed")
    people = (cast.clerk.username, cast.clerk.username, cast.controller.username)
    assert (listed["authors"], listed["proposed_by"], listed["approved_by"]) == people
    assert listed["approved_at"] == listed["closed_at"] > listed["opened_at"]

    told = on_paper(packs[of_batch])
    root = json.loads(members(packs[of_batch])["manifest.json"])["files"]["log.jsonl"]["sha256"]
    for wanted in (
        f"Evidence:batch{batch.ref}", batch.frozen_sha256, root, "Inthispack331.50EUR",
        f"Onthefrozenlistof{batch.ref}331.50EUR", "Ofthesenotinthispack0none", "Whatitdoesnotprove",
        "3,allofthepack.", batched[0].ref, cast.controller.username,
    ):  # fmt: skip
        assert wanted in told, wanted
    assert "INV-77" not in told

    told = on_paper(packs[of_period])
    assert "Thefirst3of5arehere;allareinexceptions.csvofthispack." in told
    for wanted in ("Inthispack51281.60EUR900JPY", "Cameinduringtheperiod51281.60EUR900JPY", "notinthispack0none"):
        assert wanted in told, wanted
    assert [row["exception"] for row in rows_of(packs[of_period])] == [
        case.ref for case in ExceptionCase.objects.order_by("pk")
    ]
    assert abroad.ref in told

    # Narrowed to what a period misses, it says so; and a batch is for whoever may read all of it.
    account = api(cast.auditor)
    late = account.post("audit-exports", {"format": "evidence", "action": "case.version_written"}).json()
    assert account.post("audit-exports", {"format": "csv", "batch": "B-99"}).status_code == 422
    assert account.post("audit-exports", {"format": "csv", "batch": batch.ref, "subjects": ["x:1"]}).status_code == 422
    in_csv = account.post("audit-exports", {"format": "csv", "batch": batch.ref}).json()
    assert (in_csv["expected"], in_csv["manifest"]["filter"]["batch"]) == (of_batch.rows, batch.ref)
    while export_make.carry_on_due():
        pass
    narrow = on_paper(taken(client, AuditExport.objects.with_ref(late["ref"]).get()))
    assert "Thepackisnarrowedbyactiontoo." in narrow
    assert "Ofthesenotinthispack51281.60EUR" in narrow
    revoke_verbs([Verb.EXPORT], cast.outsider, [cast.netherlands], by=machine(SETUP), at=SET_UP_AT)
    refused = others.post(
        reverse("exceptions:audit_export_start"),
        {"since": "", "about": batch.ref, "format": "evidence", "key": str(uuid4())},
    )
    assert (refused.status_code, "Nothing within your scopes" in refused.content.decode()) == (422, True)


@pytest.mark.django_db(transaction=True)
def test_pack_waits_for_the_seal_and_goes_on_after_any_halt(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export_make, "PART_EVENTS", 1)
    before = AuditEvent.objects.count()
    case = factories.make_case(cast, number="INV-77")
    factories.resolve(case, cast.clerk, approver=cast.controller)
    by, of_case = cast.auditor, EventFilter(scopes=None, subjects=[case.subject])
    export = start_export(of_case, "evidence", by=by, at=now(), key=uuid4())
    assert export_make.carry_on_due() == 0  # nothing of it is sealed, which takes some seconds
    export.refresh_from_db()
    assert export.state == "queued"
    with time_machine.travel(now() + pack_make.PATIENCE):
        export_make.carry_on_due()
    export.refresh_from_db()
    assert (export.state, export.problem[:24]) == ("failed", "Nothing is sealed yet. W")

    seal(limit=before + 2, at=now())
    resume_export(export.pk, by=by, at=now())
    with time_machine.travel(now() + pack_make.PATIENCE):
        export_make.write_part(export.pk, at=now())
    seal(limit=5000, at=now())  # what is sealed later is not in it
    steps = 1
    while export_make.write_part(export.pk, at=now()):
        steps += 1
        pause_export(export.pk, by=by, at=now())
        assert export_make.carry_on_due() == 0
        resume_export(export.pk, by=by, at=now())
    assert export_make.carry_on_due() == 1  # its end alone, also when it was halted before that
    export.refresh_from_db()
    manifest, walk = verify(io.BytesIO(b"".join(bytes_of(export))), {}, outside()[:1])
    assert (walk.tree.size, export.rows, export.parts) == (before + 2, 2, steps + 1)
    of_it = AuditEvent.objects.filter(subject=case.subject).count()
    assert (manifest["not_sealed_yet"], walk.by_action.total()) == (of_it - export.rows, export.rows)
