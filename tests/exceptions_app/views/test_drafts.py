"""What is typed and not yet saved comes back, until it is saved or thrown away."""

import pytest

from exceptions_app.actions import work
from exceptions_app.form_names import field_name
from exceptions_app.models import Draft, PayloadVersion
from tests import factories
from tests.cast import MORNING
from tests.exceptions_app.views.repair import BROKEN, address, correction, field, mend, page, take_in, text_of

TYPED = "2026-10-31"


def test_draft_is_kept_and_shown_again(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    answer = client.post(address(case, "draft"), correction(case, because="Half a rea", BT_2=TYPED))
    html = page(client, case)
    assert (answer.status_code, answer.content) == (204, b"")
    assert f'value="{TYPED}"' in html
    assert "Half a rea</textarea>" in html
    assert "Your draft of" in text_of(html)
    assert f'value="{TYPED}"' not in page(signed_in(cast.second_clerk), case)


def test_draft_is_kept_once_for_each_person(cast, signed_in):
    case = take_in(cast)
    for client in (signed_in(cast.clerk), signed_in(cast.second_clerk)):
        for typed in ("2026-10-30", TYPED):
            assert client.post(address(case, "draft"), correction(case, BT_2=typed)).status_code == 204
    assert Draft.objects.filter(case=case).count() == 2


def test_draft_of_the_whole_document_leaves_the_fields_alone(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    client.post(address(case, "draft"), correction(case, BT_2=TYPED))
    client.post(address(case, "draft"), {"base_version": "1", "payload": "<half>", "because": "Half"})
    assert f'value="{TYPED}"' in page(client, case)
    assert "&lt;half&gt;</textarea>" in client.get(address(case, "raw")).content.decode()


def test_draft_is_thrown_away_when_asked(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    client.post(address(case, "draft"), correction(case, BT_2=TYPED))
    answer = client.post(address(case) + "draft/discard/", follow=True)
    assert answer.redirect_chain == [(address(case), 302)]
    assert "Your draft is discarded." in text_of(answer.content.decode())
    assert Draft.objects.count() == 0


def test_draft_goes_when_the_correction_is_saved(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    client.post(address(case, "draft"), correction(case, BT_2=TYPED))
    client.post(address(case, "correct"), correction(case, BT_2=TYPED))
    assert Draft.objects.count() == 0


def test_draft_for_an_older_version_is_kept_and_compared(cast, signed_in):
    case = take_in(cast)
    typed = correction(case, because="By phone.", BT_2=TYPED)
    mend(case, by=cast.clerk, date="2026-11-01")
    client = signed_in(cast.clerk)
    assert client.post(address(case, "draft"), typed).status_code == 409
    html = page(client, case)
    assert "You have a draft for an older version" in text_of(html)
    assert f'value="{TYPED}"' not in html
    compared = client.get(address(case) + "draft/compare/")
    words = text_of(compared.content.decode())
    assert compared.status_code == 200
    assert "Issue date (BT-2) You both changed this." in words
    assert "Keep mine: 2026-10-31" in words
    assert "By phone." in words


def test_older_page_does_not_replace_the_draft_of_a_newer_one(cast, signed_in):
    case = take_in(cast)
    older = correction(case, because="From the older page.", BT_2="2026-10-30")
    mend(case, by=cast.clerk, date="2026-11-01")
    client = signed_in(cast.clerk)
    newer = correction(case, because="From the newer page.", BT_2=TYPED)
    assert client.post(address(case, "draft"), newer).status_code == 204
    assert client.post(address(case, "draft"), older).status_code == 412
    draft = Draft.objects.get()
    assert (draft.base_version, draft.typed["because"]) == (2, "From the newer page.")
    client.post(address(case, "correct"), older)
    assert Draft.objects.get().typed["because"] == "From the newer page."


def test_correction_from_an_older_page_is_not_said_to_be_kept_beside_a_newer_draft(cast, signed_in):
    case = take_in(cast)
    older = correction(case, because="From the older page.", BT_2="2026-10-30")
    mend(case, by=cast.second_clerk, date="2026-11-01")
    client = signed_in(cast.clerk)
    assert client.post(address(case, "draft"), correction(case, because="Newer.", BT_2=TYPED)).status_code == 204
    answer = client.post(address(case, "correct"), older)
    words = text_of(answer.content.decode())
    assert (answer.status_code, "From the older page." in words) == (409, True)
    assert "is kept as your draft" not in words
    assert "What you typed is on this page alone." in words


def test_draft_of_a_version_that_is_not_there_yet_is_one_of_the_latest(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    sent = correction(case, BT_2=TYPED)
    assert client.post(address(case, "draft"), sent | {"base_version": "7"}).status_code == 204
    assert Draft.objects.get().base_version == 1
    assert client.post(address(case, "draft"), sent).status_code == 204


def test_draft_without_a_version_is_refused_with_the_field(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "draft"), {"because": "x"})
    assert answer.status_code == 422
    assert answer.content.startswith(b"base_version: ")


def test_draft_by_someone_who_may_not_correct_is_refused(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.support).post(address(case, "draft"), correction(case))
    assert answer.status_code == 403
    assert b"You may not work on exceptions" in answer.content
    assert Draft.objects.count() == 0


def test_compare_without_a_draft_is_not_found(cast, signed_in):
    case = take_in(cast)
    assert signed_in(cast.clerk).get(address(case) + "draft/compare/").status_code == 404


def test_draft_with_a_stranger_among_its_names_keeps_the_fields_only(cast, signed_in):
    case = take_in(cast)
    name = field_name(field(case, "BT-2").path)
    data = {"base_version": "1", name: TYPED, "because": "y", "csrfmiddlewaretoken": "secret", "agreed": "on"}
    signed_in(cast.clerk).post(address(case, "draft"), data)
    assert Draft.objects.get().typed == {name: TYPED, "because": "y"}


def test_draft_that_no_page_sends_is_refused_or_kept_clean(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    sent = correction(case, BT_2="2026\x00") | {"f_x": "not one of its fields", "other": "x"}
    assert client.post(address(case, "draft"), sent).status_code == 204
    typed = Draft.objects.get().typed
    assert typed[field_name(field(case, "BT-2").path)] == "2026\ufffd"
    assert not {"f_x", "other"} & typed.keys()
    for version in ("0", "99999999999", "x", ""):
        assert client.post(address(case, "draft"), sent | {"base_version": version}).status_code == 422


@pytest.mark.parametrize("more", [{"because": ""}, {"BT_112": "1.428,0O"}])
def test_correction_that_was_refused_is_a_draft_and_survives_the_page(cast, signed_in, more):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    sent = correction(case, **{"because": "By the order.", "BT_2": TYPED, **more})
    assert client.post(address(case, "correct"), sent).status_code == 422
    html = page(client, case)
    assert "Your draft of" in text_of(html)
    assert f'value="{TYPED}"' in html


def test_correction_without_a_word_leaves_no_draft(cast, signed_in):
    case = take_in(cast)
    assert signed_in(cast.clerk).post(address(case, "correct"), correction(case, because=" ")).status_code == 422
    assert Draft.objects.count() == 0


def test_draft_is_kept_by_a_button_without_a_script(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    answer = client.post(address(case, "correct"), correction(case, BT_2=TYPED) | {"keep": "draft"}, follow=True)
    assert answer.redirect_chain == [(address(case), 302)]
    assert "Your draft is kept." in text_of(answer.content.decode())
    assert f'value="{TYPED}"' in answer.content.decode()
    assert PayloadVersion.objects.filter(case=case).count() == 1


def test_draft_of_what_a_colleague_took_meanwhile_is_kept_and_shown(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    work.claim(case.pk, by=cast.second_clerk, at=MORNING)
    assert client.post(address(case, "draft"), correction(case, because="Half", BT_2=TYPED)).status_code == 204
    words = text_of(page(client, case))
    assert f"Issue date (BT-2) {TYPED}" in words
    assert "Why this correction is right Half" in words


def test_correction_under_a_colleague_who_saved_and_has_it_is_compared_and_taken_over(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    mine = correction(case, because="By phone.", BT_2=TYPED)
    mend(case, by=cast.second_clerk)
    answer = client.post(address(case, "correct"), mine)
    words = text_of(answer.content.decode())
    assert answer.status_code == 409
    assert "Cem Clerk saved version 2" in words
    assert "Cem Clerk is working on this. Assign it to yourself first. What you typed is kept as your draft." in words
    assert "Save on top of" not in words
    revision = answer.context["case"].revision
    client.post(address(case, "assign"), {"to": cast.clerk.pk, "revision": revision})
    assert "You have a draft for an older version" in text_of(page(client, case))
    words = text_of(client.get(address(case) + "draft/compare/").content.decode())
    assert f"Keep mine: {TYPED}" in words
    assert "Save on top of version 2" in words


def test_draft_of_what_was_closed_meanwhile_is_shown_until_it_is_thrown_away(cast, signed_in):
    case = factories.make_case(cast, payload=BROKEN)
    client = signed_in(cast.clerk)
    client.post(address(case, "draft"), correction(case, BT_2=TYPED))
    factories.dismiss(case, cast.second_clerk, approver=cast.controller)
    html = page(client, case)
    assert f"Issue date (BT-2) {TYPED}" in text_of(html)
    assert "draft/discard/" in html
