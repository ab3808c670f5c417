"""German pages of the audit trail, of effects and rehearsals, and of what is refused or broken."""

from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation
from django.utils.timezone import now
from django.utils.translation import trans_real

from audit.queries import EventFilter
from exceptions_app.actions.export_start import start_export
from exceptions_app.queries import audit_page
from exceptions_app.views import audit, bulk_runs, errors
from integrations.delivery.safeguards import Safeguard
from tests.cast import Cast
from tests.exceptions_app.views.test_audit import write
from tests.exceptions_app.views.test_effects import PERIOD, decided
from tests.german_pages import GERMAN, left_in_english
from tests.rehearsals import lane, make_rehearsal
from tests.sealing import seal
from workbench.rehearsal.lanes import LANES

__all__ = ["decided"]

# Codes, names of formats and what the system is called.
ALIKE = frozenset({"CSV", "JSON Lines"})
TEMPLATES = ("403_csrf.html", "400.html", "500.html", "errors/413.html", "errors/503.html")


@pytest.mark.django_db(transaction=True)
def test_no_heading_of_the_trail_is_left_in_english(cast: Cast, signed_in):
    write()
    seal(limit=10, at=now())
    write("Something was done after.")
    export = start_export(EventFilter(scopes=None), "csv", by=cast.auditor, at=now(), key=uuid4())
    browser = signed_in(cast.auditor)
    for address in (f"{reverse('exceptions:audit')}?since=", reverse("exceptions:audit_made", args=[export.ref])):
        left = left_in_english(browser, address, names=ALIKE | {"NL01", f"{export.ref}: CSV"})
        # What the trail says stays English: the sentence of an event, and its code with all that it has.
        left -= {text for text in left if "Something was done" in text or " UTC " in text}
        assert left == set(), address


@pytest.mark.django_db
def test_filter_of_the_trail_refuses_in_german(cast: Cast, signed_in):
    browser = signed_in(cast.auditor)
    asked = {"since": "yesterday", "actor": "Nobody At All", "about": "no-such-thing"}
    answer = browser.get(reverse("exceptions:audit"), asked, **GERMAN)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "„Von“ ist kein Datum." in page
    assert "Niemand heißt „Nobody At All“." in page
    assert "heißt „no-such-thing“." in page


def test_more_events_than_are_counted_are_said_in_the_readers_words():
    many = audit_page.EventCount(value=audit_page.MOST_COUNTED + 1)
    assert audit._counted(many) == str(many) == "more than 10,000"
    assert audit._counted(audit_page.EventCount(value=1234)) == "1,234"
    with translation.override("de"):
        assert audit._counted(many) == "mehr als 10.000"


@pytest.mark.django_db
def test_no_heading_of_effects_is_left_in_english(cast: Cast, signed_in, decided):
    browser = signed_in(cast.controller)
    for more in ("", "&standing=not_booked"):
        address = f"{reverse('exceptions:effects')}?since={PERIOD['since']}&until={PERIOD['until']}{more}"
        left = left_in_english(browser, address, names=ALIKE)
        assert {text for text in left if not text.startswith("INV-") and "EX-" not in text} == set()
    page = browser.get(reverse("exceptions:effects"), {"since": "x"}, **GERMAN)
    assert "„Entschieden ab“ ist kein Datum." in page.content.decode()


@pytest.mark.django_db
def test_no_heading_of_rehearsals_is_left_in_english(cast: Cast, signed_in):
    kinds = [replace(lane(kind), words=LANES[kind].words) for kind in ("deduplicates", "askable")]
    make_rehearsal(*kinds)
    make_rehearsal(lane(doubled=133, failed={"one effect": ["x"]}), engine="naive")
    make_rehearsal(lane("askable", doubled=9, failed={"one effect": ["x"]}), without="ask-first")
    browser, address = signed_in(cast.controller), reverse("exceptions:rehearsals")
    assert left_in_english(browser, address, names=frozenset(Safeguard)) == set()
    page = browser.get(address, **GERMAN).content.decode()
    assert "25 × SIGKILL an einen Arbeitsprozess" in page
    assert "„eine Wirkung“ schlug fehl, wie es muss" in " ".join(page.split())
    assert "eine Wiederholung an ihrem Schlüssel erkennt" in page


@pytest.mark.parametrize("template", TEMPLATES)
def test_page_of_what_is_broken_is_in_the_readers_language(rf: RequestFactory, template: str):
    """No database is allowed in this test."""
    request, pages = rf.get("/", REQUEST_ID="0123456789abcdef"), []
    for language in ("en", "de"):
        with translation.override(language):
            pages.append(errors._alone(request, template, HTTPStatus.BAD_REQUEST).content.decode())
    assert '<html lang="de"' in pages[1]
    assert "Zur Startseite" in pages[1]
    assert "Go to the first page" in pages[0]


def test_page_of_what_is_broken_needs_no_catalogue(rf: RequestFactory, monkeypatch):
    """Whatever is wrong with the words of another language, the page is there in English."""

    def broken(*_: object) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a damaged catalogue")

    with translation.override("de"):
        monkeypatch.setattr(trans_real._active.value, "gettext", broken)  # type: ignore[attr-defined]
        answer = errors.handler500(rf.get("/", REQUEST_ID="0123456789abcdef"))
    assert answer.status_code == 500
    assert '<html lang="en"' in answer.content.decode()
    assert "Something went wrong on our side" in answer.content.decode()


@pytest.mark.django_db
def test_form_without_token_is_refused_in_the_language_of_the_browser(cast: Cast):
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": "de"})
    client.force_login(cast.clerk)
    refused = client.post(reverse("exceptions:connection_resume", args=["tax-authority"]))
    assert refused.status_code == 403
    assert "Dieses Formular kann nicht mehr gesendet werden" in refused.content.decode()
    assert refused.headers["Content-Language"] == "de"


@pytest.mark.django_db
def test_page_brings_the_words_of_its_scripts(cast: Cast, signed_in):
    page = signed_in(cast.clerk).get("/queue/", **GERMAN).content.decode()
    assert '<meta name="script-words"' in page
    assert "Entwurf gespeichert {time}" in page
    assert "Meldung schließen" in Client(headers={"Accept-Language": "de"}).get("/accounts/login/").content.decode()


def test_time_that_a_run_still_takes_is_counted_in_german():
    assert [bulk_runs._time_left(seconds) for seconds in (None, 30, 60, 130)] == [
        "", "less than a minute left", "about a minute left", "about 3 minutes left",
    ]  # fmt: skip
    with translation.override("de"):
        assert bulk_runs._time_left(60) == "noch etwa eine Minute"
        assert bulk_runs._time_left(130) == "noch etwa 3 Minuten"
