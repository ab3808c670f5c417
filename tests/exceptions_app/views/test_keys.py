"""The list of keys, the keys that pages carry, and what the palette finds."""

import re

import pytest
from django.urls import reverse

from exceptions_app.navigation import ENTRIES
from tests import factories

KEYS, PALETTE = reverse("exceptions:keys"), reverse("exceptions:palette")


def keys_of(response):
    return set(re.findall(r'data-key="(.)"', response.content.decode()))


def test_list_of_keys_is_a_page_and_a_part_of_one(cast, signed_in):
    browser = signed_in(cast.clerk)
    whole, part = browser.get(KEYS).content.decode(), browser.get(KEYS, headers={"HX-Request": "true"}).content.decode()
    assert "<html" in whole
    assert "<html" not in part
    for text in (whole, part):
        assert "Next exception of the list that you came from" in text
        assert all(entry.label in text for entry in ENTRIES if entry.key)


def test_keys_ask_who_is_there(client, db):
    for address in (KEYS, PALETTE):
        assert client.get(address).status_code == 302


def test_page_carries_the_keys_of_what_the_person_may_do(cast, signed_in):
    case = factories.make_case(cast)
    address = reverse("exceptions:case", kwargs={"ref": case.ref})
    clerks, auditors = (keys_of(signed_in(who).get(address)) for who in (cast.clerk, cast.auditor))
    assert clerks == {"a", "c", "e", "i", "l", "s", "y", "z", "[", "]"}
    assert auditors == {"y", "[", "]"}


def test_palette_finds_by_any_part_and_says_by_what(cast, signed_in):
    case = factories.make_case(cast, number="INV-2026-0042")
    factories.make_case(cast, number="INV-2026-0043")
    (found,) = signed_in(cast.clerk).get(PALETTE, {"q": "0042"}).json()["found"]
    assert found["url"] == reverse("exceptions:case", kwargs={"ref": case.ref})
    assert found["label"].startswith("INV-2026-0042")
    assert case.ref in found["note"]


@pytest.mark.parametrize("text", ["", "x", "nothing-like-this", "\x00", "a" * 5_000])
def test_palette_finds_nothing_without_failing(cast, signed_in, text):
    factories.make_case(cast, number="INV-2026-0042")
    assert signed_in(cast.clerk).get(PALETTE, {"q": text}).json() == {"found": []}


def test_palette_keeps_from_outsiders_what_they_may_not_see(cast, signed_in):
    factories.make_case(cast, number="INV-2026-0042")
    assert signed_in(cast.outsider).get(PALETTE, {"q": "INV-2026-0042"}).json() == {"found": []}


@pytest.mark.parametrize("number", [1, 3, 50])
def test_palette_shows_the_first_at_the_same_cost(cast, signed_in, django_assert_max_num_queries, number):
    for count in range(number):
        factories.make_case(cast, number=f"INV-2026-{count:04}")
    browser = signed_in(cast.clerk)
    with django_assert_max_num_queries(9):
        assert len(browser.get(PALETTE, {"q": "inv2026"}).json()["found"]) == min(number, 8)
