"""The auditor's evidence pack: what they may read, in a file that holds without the workbench."""

import io
from pathlib import Path

import pytest
from django.urls import reverse

from audit import verify_evidence
from audit.models import AuditEvent
from audit.verify_evidence import verify
from exceptions_app.actions import work
from tests import factories
from tests.cast import MORNING
from tests.exceptions_app.views.test_audit import ALL_TIME, exported, write
from tests.sealing import seal


@pytest.mark.django_db(transaction=True)
def test_evidence_pack_shows_what_the_reader_may_read_and_holds(cast, signed_in):
    case = factories.make_case(cast, number="INV-77")
    work.comment(case.pk, by=cast.clerk, at=MORNING, text="Looked at.")
    write("Of another scope.", scope="FR01/elsewhere")
    seal(limit=1000, at=MORNING)
    client = signed_in(cast.auditor)
    content, headers = exported(client, "evidence", until="2026-11-20", about=case.ref)
    assert headers["Content-Type"] == "application/zip"
    assert headers["Content-Disposition"].endswith('-to-2026-11-20.evidence.zip"')
    manifest, walk = verify(io.BytesIO(content), {}, ())
    assert dict(walk.by_action) == {"case.commented": 1, "case.opened": 1}
    assert manifest["made_by"] == cast.auditor.username
    assert manifest["exceptions"] == {"count": 1, "money": {case.currency: f"{case.amount:.2f}"}}
    everything, _ = exported(client, "evidence")
    assert b"Looked at." in everything
    assert b"Of another scope." not in everything
    event = AuditEvent.objects.filter(action="audit.exported").latest("pk")
    assert event.data["format"] == "evidence"


def test_evidence_pack_before_anything_is_sealed_says_so(cast, signed_in):
    response = signed_in(cast.auditor).get(reverse("exceptions:audit_export"), ALL_TIME | {"format": "evidence"})
    assert response.status_code == 422
    assert "Nothing is sealed yet" in response.content.decode()
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


def test_program_that_checks_a_pack_is_offered_as_it_is_installed(cast, signed_in):
    answer = signed_in(cast.auditor).get(reverse("exceptions:evidence_verifier"))
    assert answer.content == Path(verify_evidence.__file__).read_bytes()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="verify_evidence.py"'
