"""The archive on its pages and in the API: who sees it, and who acts."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app.actions import archives, purge
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import PayloadVersion
from exceptions_app.models.retention import RecordClass
from exceptions_app.policies import NotPermitted
from integrations.models import Archive
from tests.cast import Cast
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.archive.archiving import closed, deliver, folder_archive, packed
from tests.exceptions_app.test_purge import forge, in_force, seal_all

__all__ = ["api"]
pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/archives/"


def test_administrator_pauses_resumes_and_tries_now(cast: Cast, signed_in: Any, settings: Any, tmp_path: Path):
    archive = folder_archive(settings, tmp_path)
    delivery = packed(cast)
    browser, move = signed_in(cast.administrator), reverse("exceptions:archive_move")
    assert browser.post(move, {"archive": archive.slug, "move": "pause"}).status_code == 422
    for name, paused in (("pause", True), ("resume", False), ("try", False)):
        answer = browser.post(move, {"archive": archive.slug, "move": name, "because": "It moves."})
        assert answer["Location"] == PAGE
        archive.refresh_from_db()
        assert archive.is_paused is paused
    told = timeline(archive.subject)[1:]
    assert [event.action for event in told] == ["archive.paused", "archive.resumed", "archive.asked"]
    assert {(event.actor, event.because) for event in told} == {("ada", "It moves.")}
    deliver(delivery)
    shown = browser.get(PAGE).content.decode()
    assert all(words in shown for words in (delivery.ref, "Evidence archive", "Delivered", "Try now"))
    page = reverse("exceptions:archive_delivery", args=[delivery.ref])
    assert delivery.sha256 in browser.get(page).content.decode()
    again = reverse("exceptions:archive_deliver_again", args=[delivery.ref])
    assert browser.post(again, {"because": "It was lost."})["Location"] == page
    assert browser.post(again, {"because": "Twice."}).status_code == 409


def test_archive_is_configured_in_the_administration(cast: Cast, signed_in: Any):
    browser, add = signed_in(cast.administrator), reverse("admin:integrations_archive_add")
    where = {"host": "archive.example", "user": "us", "folder": "/kept", "host_keys": ["SHA256:" + "A" * 43]}
    typed = {
        "slug": "evidence", "name": "Evidence archive", "kind": "sftp", "settings": json.dumps(where),
        "secret": "S3CRET", "timeout_seconds": "30", "in_use": "on", "because": "For auditors.",
    }  # fmt: skip
    wrong = browser.post(add, typed | {"settings": json.dumps(where | {"host_keys": []}), "because": ""})
    assert "ssh-keygen -l" in wrong.content.decode()
    assert browser.post(add, typed).status_code == 302
    archive = Archive.objects.get()
    assert (archive.secret, archive.in_use) == ("S3CRET", True)
    [told] = timeline(archive.subject)
    assert (told.actor, told.because, "S3CRET" in str(told)) == ("ada", "For auditors.", False)
    change = reverse("admin:integrations_archive_change", args=[archive.pk])
    assert "S3CRET" not in browser.get(change).content.decode()
    second = browser.post(add, typed | {"slug": "other"})
    assert "Another archive is switched on." in second.content.decode()
    assert signed_in(cast.clerk).post(add, typed | {"slug": "mine"}).status_code in (302, 403)
    assert Archive.objects.count() == 1


def test_nobody_else_acts(cast: Cast, signed_in: Any, settings: Any, tmp_path: Path):
    archive, delivery = folder_archive(settings, tmp_path), packed(cast)
    deliver(delivery)
    signed: dict[str, Any] = {"by": cast.auditor, "at": now(), "because": "x"}
    for act in (archives.pause_archive, archives.resume_archive, archives.try_now):
        with pytest.raises(NotPermitted):
            act(archive.pk, **signed)
    with pytest.raises(NotPermitted):
        archives.deliver_again(delivery.pk, **signed)
    browser = signed_in(cast.auditor)
    shown = browser.get(PAGE).content.decode()
    assert (delivery.ref in shown, "Try now" in shown) == (True, False)
    assert signed_in(cast.clerk).get(PAGE).status_code == 403
    assert signed_in(cast.clerk).get(reverse("exceptions:archive_delivery", args=[delivery.ref])).status_code == 404


def test_pages_are_german_for_who_reads_german(cast: Cast, signed_in: Any, settings: Any, tmp_path: Path):
    folder_archive(settings, tmp_path)
    delivery = deliver(packed(cast))
    browser, asking = signed_in(cast.administrator), {"HTTP_ACCEPT_LANGUAGE": "de"}
    shown = browser.get(PAGE, **asking).content.decode()
    assert all(words in shown for words in ("<h1>Archiv</h1>", "Jetzt versuchen", "Zugestellt", "Zuletzt zugestellt"))
    page = browser.get(reverse("exceptions:archive_delivery", args=[delivery.ref]), **asking).content.decode()
    assert all(words in page for words in ("1 Klärfall, der am 2026-10-10", "Erneut zustellen"))


def test_nothing_is_tried_while_it_is_paused(cast: Cast, settings: Any, tmp_path: Path):
    archive = folder_archive(settings, tmp_path)
    signed: dict[str, Any] = {"by": cast.administrator, "at": now(), "because": "It moves."}
    archives.pause_archive(archive.pk, **signed)
    with pytest.raises(Invalid, match="is paused"):
        archives.try_now(archive.pk, **signed)


def test_programs_read_it(cast: Cast, api: Any, settings: Any, tmp_path: Path):
    folder_archive(settings, tmp_path)
    delivery = deliver(packed(cast))
    [archive] = api(cast.auditor).get("archives").json()["results"]
    assert (archive["where"], archive["in_use"], "secret" in archive) == ("evidence", True, False)
    [shown] = api(cast.auditor).get("archive-deliveries").json()["results"]
    assert (shown["ref"], shown["state"], shown["sha256"], shown["count"]) == (
        delivery.ref, "delivered", delivery.sha256, 1,
    )  # fmt: skip
    assert api(cast.clerk).get("archive-deliveries").json()["results"] == []


def test_nothing_is_erased_before_its_evidence_is_delivered(cast: Cast, settings: Any, tmp_path: Path):
    archive = folder_archive(settings, tmp_path)
    delivery = packed(cast, "INV-DUE")
    other = closed(cast, "INV-LATER")
    policy = in_force(cast, RecordClass.DOCUMENTS)
    seal_all()
    assert purge.purge_due(at=now()) == []
    version = PayloadVersion.objects.filter(case=other).earliest("pk")
    with pytest.raises(IntegrityError, match="its evidence is not in the archive yet"), transaction.atomic():
        forge(policy, other, "exceptions_app_payloadversion", version.pk)
    deliver(delivery)
    [run] = purge.purge_due(at=now())
    assert run.count == 1
    assert not PayloadVersion.objects.filter(case=other, content=b"").exists()
    archive.in_use = False
    save_configuration(archive, by=cast.administrator, at=now(), because="No archive any more.", fields=["in_use"])
    assert [one.count for one in purge.purge_due(at=now())] == [1]
