"""Who else is at an exception, what they did meanwhile, and what a page hears whose sign-in has ended."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions import work
from exceptions_app.models import ExceptionCase, Presence
from exceptions_app.queries.presence import HERE_FOR, REMEMBERED_FOR
from exceptions_app.views.presence import TOKEN_HEADER, presence_url
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.views.repair import address, correction, mend, page, take_in, text_of
from workbench.models import User


def seen(case: ExceptionCase, who: User, *, ago: timedelta = timedelta(0)) -> None:
    Presence.objects.update_or_create(case=case, person=who, defaults={"seen_at": now() - ago})


def asked(client: Client, case: ExceptionCase, who: User) -> str:
    answer = client.get(presence_url(case, who))
    assert answer.status_code == 200
    return text_of(answer.content.decode())


def test_page_asks_who_is_there(cast, signed_in):
    case = take_in(cast)
    html = page(signed_in(cast.clerk), case)
    assert f'hx-get="{presence_url(case, cast.clerk).replace("&", "&amp;")}"' in html
    assert "is viewing" not in html


def test_colleague_is_viewing_then_editing_then_away(cast, signed_in):
    case = take_in(cast)
    clara, cem = signed_in(cast.clerk), signed_in(cast.second_clerk)
    assert asked(cem, case, cast.second_clerk) == ""
    assert asked(clara, case, cast.clerk) == "CC Cem Clerk is viewing"
    cem.post(address(case, "draft"), correction(case, BT_2="2026-10-31"))
    assert asked(clara, case, cast.clerk) == "CC Cem Clerk is editing, not saved yet"
    seen(case, cast.second_clerk, ago=HERE_FOR)
    words = asked(clara, case, cast.clerk)
    assert re.fullmatch(r"CC Cem Clerk was here \d+ seconds ago and has not saved their correction", words)
    seen(case, cast.second_clerk, ago=REMEMBERED_FOR)
    assert asked(clara, case, cast.clerk) == ""


def test_what_is_shown_already_is_not_sent_again(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    seen(case, cast.second_clerk)
    html = client.get(presence_url(case, cast.clerk)).content.decode()
    again = html.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert parse_qs(urlsplit(again).query).keys() == {"of", "changed", "known"}
    answer = client.get(again)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer[TOKEN_HEADER]
    work.claim(case.pk, by=cast.second_clerk, at=now())
    assert client.get(again).status_code == 200


def test_what_a_colleague_did_is_told_with_the_fields(cast, signed_in):
    case = take_in(cast)
    url = presence_url(case, cast.clerk)
    mend(case, by=cast.second_clerk, at=now() - timedelta(minutes=2))
    words = text_of(signed_in(cast.clerk).get(url).content.decode())
    assert "This changed since you opened it Cem Clerk corrected" in words
    assert "Issue date 2 minutes ago" in words
    assert "saving compares the two" in words


def test_signs_of_life_write_one_row_and_no_audit_event(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    before = AuditEvent.objects.count()
    for _ in range(3):
        client.get(presence_url(case, cast.clerk))
    assert Presence.objects.filter(case=case, person=cast.clerk).count() == 1
    assert AuditEvent.objects.count() == before


def test_opening_another_page_forgets_what_nobody_is_shown_any_more(cast, signed_in):
    old, case = factories.make_case(cast), factories.make_case(cast)
    seen(old, cast.clerk, ago=REMEMBERED_FOR + timedelta(seconds=1))
    signed_in(cast.clerk).get(presence_url(case, cast.clerk))
    assert list(Presence.objects.values_list("case", flat=True)) == [case.pk]


def test_page_of_an_ended_sign_in_is_told_so_and_stays(cast):
    case = take_in(cast)
    seen(case, cast.second_clerk)
    url = presence_url(case, cast.clerk)
    answer = Client().get(url)
    words = text_of(answer.content.decode())
    assert answer.status_code == 200
    assert not {"HX-Redirect", TOKEN_HEADER} & answer.headers.keys()
    assert words.startswith("Your sign-in has ended What you typed is still here.")
    assert "Cem" not in words
    assert Client().get(f"{url}&known=signed_out").status_code == 204


def test_page_of_another_account_gets_no_token(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.second_clerk).get(presence_url(case, cast.clerk))
    assert "Another account is signed in in this browser" in text_of(answer.content.decode())
    assert TOKEN_HEADER not in answer.headers
    assert Presence.objects.count() == 0


def test_nobody_is_seen_where_they_may_not_look(cast, signed_in):
    case = take_in(cast)
    assert signed_in(cast.outsider).get(presence_url(case, cast.outsider)).status_code == 404
    assert Presence.objects.count() == 0


def test_moment_in_any_zone_is_understood(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.second_clerk, at=now() - timedelta(minutes=2))
    asked = {"of": cast.clerk.pk, "changed": "2026-11-02T09:00:00+16:00"}
    answer = signed_in(cast.clerk).get(address(case, "presence"), asked)
    assert "This changed since you opened it" in text_of(answer.content.decode())


@pytest.mark.parametrize(
    "changed", ["", "x", "2026-13-99T00:00:00Z", "2026-11-02T09:00:00", "\x00", "0001-01-01T00:00:00+01:00"]
)
def test_page_that_does_not_say_how_old_it_is_hears_who_is_there(cast, signed_in, changed):
    case = take_in(cast)
    answer = signed_in(cast.clerk).get(address(case, "presence"), {"of": cast.clerk.pk, "changed": changed})
    assert answer.status_code == 200
    assert "This changed" not in answer.content.decode()


@pytest.mark.parametrize("number", [1, 3])
def test_sign_of_life_costs_the_same_for_any_number_of_colleagues(cast: Cast, signed_in, number):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    for who in (cast.second_clerk, cast.controller, cast.support)[:number]:
        seen(case, who)
    first = client.get(presence_url(case, cast.clerk)).content.decode()
    again = first.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    with CaptureQueriesContext(connection) as captured:
        client.get(again)
    assert len(captured) == 7  # session, account, two of the reach, exception, sign of life, colleagues
