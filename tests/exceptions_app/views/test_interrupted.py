"""A sign-in that ended while somebody typed: nothing is done, nothing is lost."""

import pytest
from django.test import Client

from exceptions_app.actions import work
from exceptions_app.actions.drafts import save_draft
from exceptions_app.form_names import field_name
from exceptions_app.models import Comment, Draft, PayloadVersion
from exceptions_app.views.interrupted import AUTHOR_COOKIE, MOST_CHARACTERS, SESSION_KEY
from tests import factories
from tests.cast import MORNING, PASSWORD, Cast
from tests.exceptions_app.views.repair import BROKEN, address, correction, field, mend, page, take_in, text_of

TYPED = "2026-10-31"


def sign_in(client: Client, username: str = "clara") -> None:
    answer = client.post("/accounts/login/", {"username": username, "password": PASSWORD})
    assert answer.status_code == 302


def end_session(client: Client) -> None:
    """As when it expires while the page stays open."""
    del client.cookies["sessionid"]


@pytest.fixture
def client(cast: Cast) -> Client:
    """A browser in which Clara had a page open when her session ended."""
    browser = Client()
    sign_in(browser)
    assert browser.get("/connections/").status_code == 200
    end_session(browser)
    return browser


def test_correction_after_a_lost_sign_in_is_shown_again(cast, client):
    case = take_in(cast)
    answer = client.post(address(case, "correct"), correction(case, because="By the order.", BT_2=TYPED))
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next=%2Fexceptions%2F{case.ref}%2F"
    sign_in(client)
    html = page(client, case)
    assert "You had been signed out" in text_of(html)
    assert f'value="{TYPED}"' in html
    assert "By the order.</textarea>" in html
    assert PayloadVersion.objects.filter(case=case).count() == 1


def test_what_was_kept_goes_once_it_is_sent(cast, client):
    case = take_in(cast)
    data = correction(case, because="By the order.", BT_2=TYPED)
    client.post(address(case, "correct"), data)
    sign_in(client)
    assert client.post(address(case, "correct"), data).status_code == 302
    assert "You had been signed out" not in text_of(page(client, case))
    assert SESSION_KEY not in client.session


def test_what_was_kept_goes_when_it_is_thrown_away(cast, client):
    case = take_in(cast)
    client.post(address(case, "comment"), {"text": "A remark"})
    sign_in(client)
    client.post(address(case) + "draft/discard/")
    assert SESSION_KEY not in client.session


@pytest.mark.parametrize(
    ("verb", "data"),
    [("comment", {"text": "A remark"}), ("hold", {"waiting_for": "An answer"}), ("dismiss", {"because": "A reason"})],
)
def test_words_of_a_move_are_shown_again_where_they_were_typed(cast, client, verb, data):
    case = factories.make_case(cast)
    client.post(address(case, verb), data)
    sign_in(client)
    html = page(client, case)
    assert f"{next(iter(data.values()))}</textarea>" in html
    assert Comment.objects.count() == 0


def test_what_was_kept_is_shown_on_its_own_page_only(cast, client):
    case, other = factories.make_case(cast), factories.make_case(cast)
    client.post(address(case, "comment"), {"text": "A remark"})
    sign_in(client)
    assert "A remark" not in page(client, other)
    assert "A remark" in page(client, case)


def test_what_was_kept_is_for_the_account_that_typed_it_alone(cast, client):
    case = factories.make_case(cast)
    client.post(address(case, "comment"), {"text": "Between us: they never pay."})
    sign_in(client, "cem")
    html = page(client, case)
    assert "they never pay" not in html
    assert "You had been signed out" not in text_of(html)
    assert SESSION_KEY not in client.session
    sign_in(client)
    assert "they never pay" not in page(client, case)


def test_next_account_in_the_browser_has_its_own_words_kept(cast, client):
    case = factories.make_case(cast)
    sign_in(client, "cem")
    page(client, case)
    end_session(client)
    client.post(address(case, "comment"), {"text": "From Cem"})
    sign_in(client, "cem")
    assert "From Cem</textarea>" in page(client, case)


@pytest.mark.parametrize("forged", ["", "1", "1:AAAA:forged"])
def test_words_of_nobody_known_are_not_kept(cast, client, forged):
    case = factories.make_case(cast)
    client.cookies[AUTHOR_COOKIE] = forged
    client.post(address(case, "comment"), {"text": "A remark"})
    assert SESSION_KEY not in client.session


def test_what_proves_who_somebody_is_is_never_kept(cast, client):
    case = factories.make_case(cast)
    proof = {"proof-code": "123456", "proof-passkey": "{}", "proof-password": PASSWORD, "password": PASSWORD}
    client.post(f"{address(case, 'approve')}?proof=1", {"because": "By the order.", **proof})
    assert client.session[SESSION_KEY]["typed"] == {"because": "By the order."}


def test_what_was_kept_is_not_shown_without_a_grant(cast, client):
    case = factories.make_case(cast)
    client.post(address(case, "comment"), {"text": "A remark"})
    sign_in(client, "otto")
    assert client.get(address(case)).status_code == 404


def test_htmx_is_led_to_the_sign_in_as_a_page(cast, client):
    case = factories.make_case(cast)
    answer = client.post(address(case, "comment"), {"text": "A remark"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == f"/accounts/login/?next=%2Fexceptions%2F{case.ref}%2F"
    assert answer.content == b""


def test_draft_of_a_lost_sign_in_is_shown_again(cast, client):
    case = take_in(cast)
    client.post(address(case, "draft"), correction(case, because="Half", BT_2=TYPED))
    sign_in(client)
    assert f'value="{TYPED}"' in page(client, case)


def test_correction_of_a_lost_sign_in_is_a_draft_once_its_author_is_back(cast, client):
    case = take_in(cast)
    client.post(address(case, "correct"), correction(case, because="By the order.", BT_2=TYPED))
    sign_in(client)
    page(client, case)
    client.post(address(case, "claim"))
    assert SESSION_KEY not in client.session
    html = page(client, case)
    assert f'value="{TYPED}"' in html
    assert "By the order.</textarea>" in html


def test_correction_of_a_lost_sign_in_is_kept_once_and_typed_on_after_that(cast, client):
    case = take_in(cast)
    client.post(address(case, "correct"), correction(case, because="By the order.", BT_2=TYPED))
    sign_in(client)
    page(client, case)
    assert SESSION_KEY not in client.session
    Draft.objects.update(typed={"because": "Typed on in another browser."})
    html = page(client, case)
    assert "Typed on in another browser.</textarea>" in html
    assert Draft.objects.get().typed == {"because": "Typed on in another browser."}


def test_correction_of_a_lost_sign_in_does_not_replace_a_newer_draft(cast, client):
    case = take_in(cast)
    client.post(address(case, "correct"), correction(case, because="Older.", BT_2=TYPED))
    mend(case, by=cast.clerk, date="2026-11-01")
    save_draft(case.pk, by=cast.clerk, at=MORNING, base_version=2, typed={"because": "Newer."})
    sign_in(client)
    assert "Older." in page(client, case)
    assert Draft.objects.get().typed == {"because": "Newer."}
    assert SESSION_KEY in client.session


def test_choice_of_a_lost_sign_in_is_not_turned_round(cast, client):
    case = take_in(cast)
    mend(case, by=cast.second_clerk, date="2026-11-01")
    work.assign(case.pk, to=None, by=cast.second_clerk, at=MORNING)
    name = field_name(field(case, "BT-2").path)
    data = {"base_version": "2", "because": "Compared.", name: TYPED, f"keep_{name}": "theirs"}
    client.post(address(case, "correct"), data)
    sign_in(client)
    html = page(client, case)
    assert "Compared.</textarea>" in html
    assert TYPED not in html


def test_draft_that_is_kept_later_takes_its_place(cast, client):
    case = take_in(cast)
    client.post(address(case, "draft"), correction(case, because="Old", BT_2=TYPED))
    sign_in(client)
    assert client.post(address(case, "draft"), correction(case, because="Newer", BT_2=TYPED)).status_code == 204
    assert SESSION_KEY not in client.session
    assert "Newer</textarea>" in page(client, case)


def test_whole_document_of_a_lost_sign_in_is_shown_again(cast, client):
    case = take_in(cast)
    client.post(address(case, "correct"), {"base_version": "1", "because": "Typed", "payload": "<half>"})
    sign_in(client)
    assert "&lt;half&gt;</textarea>" in page(client, case)


def test_correction_of_a_lost_sign_in_is_compared_when_a_colleague_saved(cast, client):
    case = take_in(cast)
    client.post(address(case, "correct"), correction(case, because="By the order.", BT_2=TYPED))
    mend(case, by=cast.clerk, date="2026-11-01")
    sign_in(client)
    words = text_of(page(client, case))
    assert "Two corrections of INV-1001" in words
    assert "Keep mine: 2026-10-31" in words


def test_far_too_much_is_not_kept_and_that_is_said(cast, client):
    case = factories.make_case(cast)
    client.post(address(case, "correct"), {"payload": "x" * (MOST_CHARACTERS + 1), "base_version": "1"})
    assert SESSION_KEY not in client.session
    assert "too long to keep" in text_of(client.get("/accounts/login/").content.decode())


def test_secrets_are_not_kept(cast, client):
    case = factories.make_case(cast)
    client.post(address(case, "comment"), {"text": "A remark", "csrfmiddlewaretoken": "secret"})
    assert client.session[SESSION_KEY]["typed"] == {"text": "A remark"}


def test_anonymous_sender_learns_nothing_about_what_there_is(cast, client):
    known = client.post("/exceptions/EX-999999/comment/", {"text": "A remark"})
    assert known.status_code == 302
    assert BROKEN not in known.content
