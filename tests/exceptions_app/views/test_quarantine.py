"""Files in quarantine: who sees them, who sets them aside, and that they count until then. And files that wait."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions import intake_failures as actions
from exceptions_app.policies import NotPermitted
from integrations.inbox import MessageRefused
from integrations.models import FolderProblem, InboxMessage
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, Cast

LIST = reverse("exceptions:intake_failures")


def quarantined(cast: Cast, name: str = "big.xml") -> FolderProblem:
    return FolderProblem.objects.create(
        connection=cast.connection, file_name=name, quarantined_as=f"quarantine/1/{name}",
        problem="The file has 6,000,000 bytes.", remedy="Send a smaller document.", found_at=MORNING,
    )  # fmt: skip


def page(file, name="quarantined_file"):
    return reverse(f"exceptions:{name}", args=[file.pk])


def tabs(browser):
    return {tab["label"]: str(tab["count"]) for tab in browser.get(LIST).context["tabs"]}


def counted(browser):
    return {item.label: str(item.count) for item in browser.get(LIST).context["navigation"]}["Intake failures"]


def test_file_is_set_aside_with_a_reason(cast, signed_in):
    file = quarantined(cast)
    factories.make_message(cast, status=InboxMessage.Status.FAILED)
    browser = signed_in(cast.clerk)
    assert (counted(browser), tabs(browser)) == ("2", {"To do": "2", "Set aside": "0"})
    shown = browser.get(page(file)).content.decode()
    for words in ("big.xml", "6,000,000 bytes", "Send a smaller document.", "quarantine/1/big.xml"):
        assert words in shown

    response = browser.post(page(file, "quarantined_file_set_aside"), {"because": "Sent again in two parts."})
    assert (response.status_code, response.headers["Location"]) == (302, page(file))
    file.refresh_from_db()
    assert file.set_aside_at is not None
    event = AuditEvent.objects.get(action="message.file_set_aside")
    assert (event.actor, event.because, event.subject, event.scope) == (
        "clara", "Sent again in two parts.", "connection:tax-authority", "connection/tax-authority",
    )  # fmt: skip
    assert event.data == {"file": "big.xml", "kept_as": "quarantine/1/big.xml"}
    assert (counted(browser), tabs(browser)) == ("1", {"To do": "1", "Set aside": "1"})
    assert list(browser.get(LIST).context["files"]) == []
    assert list(browser.get(LIST, {"show": "set-aside"}).context["files"]) == [file]
    assert "Set aside" in browser.get(page(file)).content.decode()


@pytest.mark.parametrize("reason", ["", "   "])
def test_reason_is_asked_for(cast, signed_in, reason):
    file = quarantined(cast)
    response = signed_in(cast.clerk).post(page(file, "quarantined_file_set_aside"), {"because": reason})
    assert response.status_code == 422
    assert "Say why nothing is to be done" in response.content.decode()
    with pytest.raises(MessageRefused, match="A reason is missing"):
        actions.set_file_aside(file.pk, by=cast.clerk, at=MORNING, because=reason)
    file.refresh_from_db()
    assert file.set_aside_at is None


def test_second_time_is_said_to_be_too_late(cast, signed_in):
    file = quarantined(cast)
    actions.set_file_aside(file.pk, by=cast.second_clerk, at=MORNING, because="Sent again.")
    response = signed_in(cast.clerk).post(page(file, "quarantined_file_set_aside"), {"because": "Me too."})
    assert response.status_code == 409
    assert "set aside already" in response.content.decode()
    assert AuditEvent.objects.filter(action="message.file_set_aside").count() == 1


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
def test_file_does_not_exist_for_everybody_else(cast, signed_in, who):
    file = quarantined(cast)
    browser = signed_in(getattr(cast, who))
    assert browser.get(page(file)).status_code == 404
    assert browser.post(page(file, "quarantined_file_set_aside"), {"because": "x"}).status_code == 404
    with pytest.raises(NotPermitted, match="It needs the permission to correct"):
        actions.set_file_aside(file.pk, by=getattr(cast, who), at=MORNING, because="x")
    file.refresh_from_db()
    assert file.set_aside_at is None


def test_page_of_the_connection_counts_files_in_quarantine(cast, signed_in):
    address = reverse("exceptions:connection", args=[cast.connection.slug])
    browser = signed_in(cast.clerk)
    assert "Files in quarantine" not in browser.get(address).content.decode()
    file = quarantined(cast)
    assert browser.get(address).context["connection"].quarantined == 1
    assert "Files in quarantine" in browser.get(address).content.decode()
    actions.set_file_aside(file.pk, by=cast.clerk, at=MORNING, because="Sent again.")
    assert browser.get(address).context["connection"].quarantined == 0


def test_page_of_the_connection_names_files_that_wait_for_their_other_half(
    cast, signed_in, settings, tmp_path, monkeypatch
):
    settings.INTAKE_FOLDER = tmp_path
    configure(cast.connection, watched_folder="nl")
    (tmp_path / "nl").mkdir()
    (tmp_path / "nl" / "INV-77.xml").write_bytes(b"<a/>")
    monkeypatch.setattr("exceptions_app.views.connections.now", lambda: now() + timedelta(minutes=2))
    address = reverse("exceptions:connection", args=[cast.connection.slug])
    shown = " ".join(signed_in(cast.clerk).get(address).content.decode().split())
    assert "1 file waits to be taken in, the first since" in shown
    assert "<code>INV-77.xml</code> waits for its refusal since" in shown
    shown = " ".join(signed_in(cast.controller).get(address).content.decode().split())
    assert "1 file waits to be taken in" in shown
    assert "INV-77" not in shown


def test_page_of_the_connection_says_when_its_folder_cannot_be_read(cast, signed_in, settings, tmp_path):
    settings.INTAKE_FOLDER = tmp_path
    configure(cast.connection, watched_folder="nl")
    (tmp_path / "nl").write_bytes(b"a file where the folder should be")
    shown = signed_in(cast.clerk).get(reverse("exceptions:connection", args=[cast.connection.slug]))
    assert shown.context["folder"].problem == "Not a directory"
    assert "The folder cannot be used" in shown.content.decode()
