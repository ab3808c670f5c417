"""What a German page says of a missing permission, of a playbook that was written, and of what can be copied."""

import pytest
from django.urls import reverse

from tests import factories
from tests.cast import Cast
from tests.exceptions_app.views.repair import address
from tests.german_pages import GERMAN


@pytest.mark.parametrize(
    ("page", "permission"),
    [
        ("connections", "eine Rolle für einen Korb, oder configure_connection für eine Verbindung"),
        ("transactions", "see für einen Korb und für eine Gesellschaft"),
        ("access", "export für einen Korb und für eine Gesellschaft"),
        ("access_reviews", "Staff-Status"),
    ],
)
def test_refusal_names_the_permission_in_the_readers_language(cast: Cast, signed_in, page: str, permission: str):
    answer = signed_in(cast.outsider).get(reverse(f"exceptions:{page}"), **GERMAN)
    assert (answer.status_code, f"<code>{permission}</code>" in answer.content.decode()) == (403, True)


def test_playbook_that_was_written_or_refused_is_told_in_whole_sentences(cast: Cast, signed_in):
    case = factories.make_case(cast)
    url = f"/causes/{case.cause.ref}/playbook_save/"
    sent = {"kind_1": "tag", "value_1": "vat", "seen": 0, "because": "So."}
    refused = signed_in(cast.support).post(url, sent, **GERMAN)
    assert refused.status_code == 403
    assert "Sie dürfen dort, wo die zugehörigen Klärfälle liegen, nicht vorschlagen" in refused.content.decode()
    clerk = signed_in(cast.clerk)
    told = clerk.post(url, sent, follow=True, **GERMAN).content.decode()
    assert "Version 1 ist geschrieben. Sie gilt ab jetzt." in told
    sent |= {"kind_1": "propose", "value_1": "Agreed.", "seen": 1}
    told = clerk.post(url, sent, follow=True, **GERMAN).content.decode()
    assert "Version 2 ist geschrieben. Sie wartet auf eine andere Person, da sie zu Werten führt." in told


def test_what_can_be_copied_says_so_with_the_verb_at_the_end(cast: Cast, signed_in):
    case = factories.make_case(cast)
    shown = signed_in(cast.clerk).get(address(case), **GERMAN).content.decode()
    assert f'aria-label="{case.ref} kopieren"' in shown
    assert f'aria-label="Copy {case.ref}"' in signed_in(cast.clerk).get(address(case)).content.decode()
