"""Theme, density and shortcuts: kept in cookies, and never a way to send somebody elsewhere."""

import pytest
from django.urls import reverse

PREFERENCES = reverse("exceptions:preferences")


@pytest.mark.parametrize(("name", "value"), [("theme", "dark"), ("density", "compact"), ("shortcuts", "off")])
def test_choice_is_kept_in_a_cookie(client, name, value):
    response = client.post(PREFERENCES, {name: value, "next": "/queue/?state=new"})
    cookie = response.cookies[name]
    assert (response.status_code, response.headers["Location"]) == (302, "/queue/?state=new")
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == (value, True, "Lax")


@pytest.mark.parametrize(("name", "value"), [("theme", "pink"), ("density", ""), ("sessionid", "stolen")])
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
