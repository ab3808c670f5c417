"""Theme, density, shortcuts and language: kept in cookies, and never a way to send somebody elsewhere."""

import pytest
from django.urls import reverse

from tests import factories

PREFERENCES = reverse("exceptions:preferences")


@pytest.mark.parametrize(
    ("name", "value"), [("theme", "dark"), ("density", "compact"), ("shortcuts", "off"), ("language", "de")]
)
def test_choice_is_kept_in_a_cookie(client, name, value):
    response = client.post(PREFERENCES, {name: value, "next": "/queue/?state=new"})
    cookie = response.cookies[name]
    assert (response.status_code, response.headers["Location"]) == (302, "/queue/?state=new")
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == (value, True, "Lax")


def test_cookies_have_the_name_that_keeps_them_to_this_host(cast, signed_in, settings):
    settings.COOKIE_PREFIX = "__Host-"
    settings.SESSION_COOKIE_SECURE = True
    browser = signed_in(cast.clerk)
    case = factories.make_case(cast)
    cookies = browser.post(PREFERENCES, {"theme": "dark"}).cookies | browser.get(f"/exceptions/{case.ref}/").cookies
    kept = {name: (one["secure"], one["httponly"], one["path"], one["domain"]) for name, one in cookies.items()}
    del kept["csrftoken"]  # whose name is read at the start
    assert kept == {"__Host-theme": (True, True, "/", ""), "__Host-author": (True, True, "/", "")}
    assert 'data-theme="dark"' in browser.get("/").content.decode()


@pytest.mark.parametrize(
    ("name", "value"), [("theme", "pink"), ("language", "xx"), ("density", ""), ("sessionid", "stolen")]
)
def test_what_is_not_offered_changes_nothing(client, name, value):
    assert list(client.post(PREFERENCES, {name: value}).cookies) == []


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test", "javascript:alert(1)", "/\\evil.test", ""])
def test_next_leads_only_to_this_site(client, elsewhere):
    assert client.post(PREFERENCES, {"theme": "dark", "next": elsewhere}).headers["Location"] == "/"


def test_preferences_need_post(client):
    assert client.get(PREFERENCES).status_code == 405


def test_page_shows_what_was_chosen(cast, signed_in):
    browser = signed_in(cast.clerk)
    browser.post(PREFERENCES, {"theme": "dark"})
    browser.post(PREFERENCES, {"density": "compact"})
    page = browser.get("/").content.decode()
    assert 'data-theme="dark"' in page
    assert 'data-density="compact"' in page
