"""An archive in an object store, from what was closed to what lies there; tests/integrations/archives has the wire."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now

from audit.queries import timeline
from audit.verify_evidence import verify
from exceptions_app.actions import archive_deliver, archives
from exceptions_app.models import ArchiveDelivery, Notification
from integrations.models import Archive
from tests.cast import Cast
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.archive.archiving import deliver, packed, s3_archive
from tests.exceptions_app.test_evidence_packs import outside
from tests.s3_server import SECRET_KEY, S3Server, Said, Stored, s3_server

__all__ = ["api"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def test_store_takes_it_and_is_read_back(cast: Cast, server: S3Server):
    s3_archive(server)
    delivery = deliver(packed(cast))
    assert (delivery.state, server.names) == ("delivered", [f"/evidence/kept/{delivery.file_name}"])
    verify(io.BytesIO(server.objects[server.names[0]].content), {}, outside())
    archives.deliver_again(delivery.pk, by=cast.administrator, at=now(), because="To be sure.")
    assert deliver(delivery).state == "delivered"
    assert server.methods == ["GET", "PUT", "GET", "GET"]


def test_somebody_elses_object_fails_and_is_told(cast: Cast, server: S3Server):
    s3_archive(server)
    delivery = deliver(packed(cast))
    [path] = server.names
    server.objects[path] = Stored(b"forged")
    archives.deliver_again(delivery.pk, by=cast.administrator, at=now(), because="To be sure.")
    assert deliver(delivery).state == "failed"
    assert server.objects[path].content == b"forged"
    assert "with other content: 6 bytes" in Notification.objects.get(kind="archive").words


def test_wrong_secret_pauses_until_somebody_resumes(cast: Cast, server: S3Server):
    archive = s3_archive(server, secret="another")
    delivery = deliver(packed(cast))
    archive.refresh_from_db()
    assert (delivery.state, archive.is_paused, server.names) == ("waiting", True, [])
    assert archive.paused_because.startswith("secret: it does not belong to access_key.")
    archive.secret = SECRET_KEY
    with transaction.atomic():
        archives.resume_archive(archive.pk, by=cast.administrator, at=now(), because="Written down wrongly.")
        archive._history_user = cast.administrator
        archive.save(update_fields=["secret"])
    assert deliver(delivery).state == "delivered"
    told = f"{timeline(archive.subject)}{timeline(delivery.subject)}{delivery.problem}"
    assert "another" not in told
    assert SECRET_KEY not in told


def test_store_that_is_busy_is_tried_again(cast: Cast, server: S3Server):
    def busy(_: S3Server) -> None:
        raise Said(503, "SlowDown")

    s3_archive(server)
    delivery = packed(cast)
    server.accidents["PUT"] = busy
    assert (deliver(delivery).state, delivery.failures) == ("waiting", 1)
    assert delivery.next_at > now() + timedelta(seconds=30)
    server.accidents.clear()
    assert (deliver(delivery).state, delivery.failures, delivery.problem) == ("delivered", 0, "")


def test_worker_that_dies_before_it_could_say_so_is_taken_up(
    cast: Cast, server: S3Server, monkeypatch: pytest.MonkeyPatch
):
    s3_archive(server)
    delivery = packed(cast)
    with monkeypatch.context() as dead:
        dead.setattr(archive_deliver, "settle_delivered", lambda *_, **__: None)
        deliver(delivery)
    assert (delivery.state, len(server.names)) == ("delivering", 1)
    ArchiveDelivery.objects.update(lease_until=now() - timedelta(seconds=1))
    assert (deliver(delivery).state, delivery.attempts, len(server.names)) == ("delivered", 2, 1)
    assert server.methods.count("PUT") == 1


def test_bucket_is_configured_in_the_administration_and_shown(cast: Cast, api: Any, signed_in: Any):
    browser, add = signed_in(cast.administrator), reverse("admin:integrations_archive_add")
    where = {"endpoint": "https://s3.example/", "bucket": "evidence", "access_key": "AKIA", "folder": "finance"}
    typed = {
        "slug": "evidence", "name": "Evidence archive", "kind": "s3", "settings": json.dumps(where),
        "secret": "", "timeout_seconds": "30", "in_use": "on", "because": "For auditors.",
    }  # fmt: skip
    assert "Give the secret key with which the workbench signs in." in browser.post(add, typed).content.decode()
    typed["secret"] = "S3CRET"
    wrong = browser.post(add, typed | {"settings": json.dumps(where | {"bucket": "Evidence"})}).content.decode()
    assert "bucket: Write the name of the bucket: 3 to 63 small letters" in wrong
    assert browser.post(add, typed).status_code == 302
    archive = Archive.objects.get()
    assert (archive.kind, archive.secret) == ("s3", "S3CRET")
    assert "S3CRET" not in str(timeline(archive.subject))
    change = browser.get(reverse("admin:integrations_archive_change", args=[archive.pk])).content.decode()
    assert "S3CRET" not in change
    [shown] = api(cast.auditor).get("archives").json()["results"]
    assert (shown["kind"], shown["where"]) == ("s3", "https://s3.example/evidence/finance")
    assert "S3-Bucket" in browser.get("/archives/", HTTP_ACCEPT_LANGUAGE="de").content.decode()
