"""In which language a page is, and what stays English whoever looks."""

from django.test import Client
from django.utils import translation

from audit.models import AuditEvent
from exceptions_app.actions import work
from tests import factories
from tests.cast import MORNING
from tests.few_words import german

__all__ = ["german"]


def test_reader_has_the_language_of_the_browser_or_the_chosen_one_and_programs_have_english(cast, signed_in, german):
    browser = signed_in(cast.clerk)
    case = factories.make_case(cast)
    asking = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}

    plain = browser.get("/queue/").content.decode()
    assert '<html lang="en"' in plain
    assert ">Sprache<" not in plain

    answer = browser.get("/queue/", **asking)
    page = answer.content.decode()
    assert '<html lang="de"' in page
    assert ">Sprache<" in page
    assert "Die Police gilt" not in page, "the name of a queue is no word, whatever such a word means elsewhere"
    assert "1.250,00" in page, "an amount in the notation of the reader"
    assert "Neu" in page, "a state, which the database has in English"
    assert answer.headers["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in answer.headers["Vary"].split(",")}
    assert "Übernehmen" in browser.get(f"/exceptions/{case.ref}/", **asking).content.decode()

    kept = browser.post("/preferences/", {"language": "xx", "next": "/queue/"}, **asking)
    assert list(kept.cookies) == [], "what is not offered"
    kept = browser.post("/preferences/", {"language": "en", "next": "/queue/"}, **asking)
    assert (kept.cookies["language"]["httponly"], kept.cookies["language"]["samesite"]) == (True, "Lax")
    assert '<html lang="en"' in browser.get("/queue/", **asking).content.decode(), "what was chosen goes first"
    browser.post("/preferences/", {"language": "de"})
    assert '<html lang="de"' in browser.get("/queue/").content.decode()
    before = Client(HTTP_ACCEPT_LANGUAGE="de").get("/accounts/login/").content.decode()
    assert '<html lang="de"' in before, "who has not signed in yet"

    told = browser.get(f"/api/v1/exceptions/{case.ref}", **asking)
    assert told.headers["Content-Language"] == "en"
    assert told.json()["state"] == "new"
    assert "Übernehmen" not in told.content.decode()
    assert '<html lang="en"' in browser.get("/api/docs/").content.decode()
    assert translation.get_language() == "en", "nothing of a request is left to the next"


def test_refusal_is_in_the_readers_language_on_the_page_and_english_in_the_trail(cast, signed_in, german):
    case = factories.make_case(cast)
    work.claim(case.pk, by=cast.second_clerk, at=MORNING)
    asking = {"HTTP_ACCEPT_LANGUAGE": "de"}
    other, clerk = cast.second_clerk, signed_in(cast.clerk)

    seen = clerk.get(f"/exceptions/{case.ref}/", **asking).content.decode()
    assert f"{other} hat sie schon." in seen, "why a button is not offered"
    refused = clerk.post(f"/exceptions/{case.ref}/claim/", {}, **asking)
    page = refused.content.decode()
    assert refused.status_code == 403
    assert "Das dürfen Sie nicht" in page
    assert f"{other} hat sie schon." in page
    event = AuditEvent.objects.filter(action="person.refused").latest("id")
    kept = f"{event.summary} {event.because} {event.data}"
    assert f"{other} has this exception. Assign it to yourself to take it over." in kept
    assert "hat sie schon" not in kept

    wrong = signed_in(other).post(f"/exceptions/{case.ref}/hold/", {"waiting_for": " "}, **asking)
    assert wrong.status_code == 422
    assert "Worauf wartet sie?" in wrong.content.decode(), "beside the field"
    assert clerk.post(f"/exceptions/{case.ref}/claim/", {}).content.decode().count("has this exception.") >= 1
