"""The page of what rehearsals showed."""

import pytest
from django.urls import reverse

from integrations.delivery.safeguards import Safeguard
from tests.rehearsals import lane, make_rehearsal

pytestmark = pytest.mark.django_db

PAGE = reverse("exceptions:rehearsals")


def shown(client):
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("who", ["controller", "auditor"])
def test_page_shows_the_latest_rehearsal_of_the_whole(cast, signed_in, who):
    make_rehearsal(lane("deduplicates", replays=100))
    make_rehearsal(lane("deduplicates", replays=351), lane("askable", replays=349, waiting_for_person=17))
    page = shown(signed_in(getattr(cast, who)))
    assert "700 replays" in page
    assert "Every check held" in page
    assert "25 × SIGKILL to a worker" in page
    assert '<td class="num" data-label="For a person">17</td>' in page


def test_page_names_the_check_that_failed(cast, signed_in):
    make_rehearsal(lane(doubled=1, failed={"one effect": ["NL01|S-1: 100 beside 101"]}))
    page = shown(signed_in(cast.controller))
    assert "A check failed" in page
    assert "Failed: one effect. NL01|S-1: 100 beside 101" in page


def test_page_tells_control_and_safeguards_apart_from_the_whole(cast, signed_in):
    make_rehearsal(lane(doubled=133, failed={"one effect": ["x"]}), engine="naive")
    make_rehearsal(lane("askable", doubled=9, failed={"one effect": ["x"]}), without="ask-first")
    make_rehearsal(lane("deduplicates"), without="stable-key")
    page = shown(signed_in(cast.controller))
    assert "Nothing was rehearsed yet" in page
    assert "doubled <strong>133</strong> of 700 in the same storm" in page
    assert "“one effect” failed, as it must; 9 doubled, 0 lost of 700" in page
    assert "“one effect” did not fail, so that storm said nothing" in page
    assert page.count("Not tried yet") == len(Safeguard) - 2


@pytest.mark.parametrize("who", ["clerk", "support", "outsider"])
def test_page_refused_to_who_neither_approves_nor_exports(cast, signed_in, who):
    assert signed_in(getattr(cast, who)).get(PAGE).status_code == 403
