"""What a German page says of a missing permission, of a playbook that was written, and of what can be copied."""

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from exceptions_app.actions.playbooks import save_playbook
from exceptions_app.playbook_steps import Step, StepKind
from tests import factories
from tests.cast import MORNING, Cast
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


def test_steps_of_a_playbook_and_why_they_are_refused_are_german_on_the_page_and_english_elsewhere(
    cast: Cast, signed_in
):
    case, closed = factories.make_case(cast), factories.make_case(cast)
    steps = [
        Step(kind=StepKind.ASSIGN, value="me"), Step(kind=StepKind.TAG, value="vat"),
        Step(kind=StepKind.SNOOZE, value="2"), Step(kind=StepKind.COMMENT, value="Gefragt."),
    ]  # fmt: skip
    version = save_playbook(case.cause_id, steps, seen=0, because="So.", by=cast.clerk, at=MORNING)
    page = reverse("exceptions:case_playbook", args=[case.ref])
    seen = signed_in(cast.support).get(page, **GERMAN).content.decode()
    for step in ("Mir zuweisen", "Schlagwort: vat", "Wiedervorlage in 2 Tagen", "Kommentar: Gefragt."):
        assert step in seen
    assert "You may not work" not in seen
    sent = {"version": version.pk, "positions": [1, 2], "revision": case.revision}
    use = reverse("exceptions:playbook_use", args=[case.ref])
    refused = signed_in(cast.support).post(use, sent, **GERMAN)
    assert refused.status_code == 403
    assert "Schritt 1, „Mir zuweisen“: Sie dürfen" in refused.content.decode()
    kept = AuditEvent.objects.filter(action="person.refused").latest("id")
    assert "Step 1, “Assign to me”: You may not" in f"{kept.summary} {kept.because} {kept.data}"
    assert "Das Formular kam unvollständig zurück." in signed_in(cast.clerk).post(use, **GERMAN).content.decode()

    factories.dismiss(closed, cast.clerk, approver=cast.controller)
    use, sent = reverse("exceptions:playbook_use", args=[closed.ref]), sent | {"revision": ""}
    told = signed_in(cast.second_clerk).post(use, sent, **GERMAN).content.decode()
    assert "Schritt 1, „Mir zuweisen“: „Zuweisen“ ist nicht möglich" in told
    told = signed_in(cast.second_clerk).post(use, sent | {"version": 0}, **GERMAN).content.decode()
    assert "Der Leitfaden hat sich geändert, nachdem er angezeigt wurde." in told


def test_step_that_is_none_and_a_playbook_that_changed_meanwhile_are_told_in_german(cast: Cast, signed_in):
    case, client = factories.make_case(cast), signed_in(cast.clerk)
    url = f"/causes/{case.cause.ref}/playbook_save/"
    sent = {"kind_1": "set_value", "value_1": "x", "seen": 0, "because": "So."}
    told = client.post(url, sent, **GERMAN).content.decode()
    assert "Schritt 1: Nennen Sie das Feld so, wie es im Korrekturformular heißt." in told
    sent |= {"kind_1": "tag", "value_1": "no_good"}
    told = client.post(url, sent, **GERMAN).content.decode()
    assert "Schritt 1: „no_good“ kann kein Schlagwort sein." in told
    told = client.post(url, sent | {"value_1": "vat", "seen": 3}, **GERMAN).content.decode()
    assert "Jemand anderes hat inzwischen eine Version dieses Leitfadens geschrieben." in told


def test_what_can_be_copied_says_so_with_the_verb_at_the_end(cast: Cast, signed_in):
    case = factories.make_case(cast)
    shown = signed_in(cast.clerk).get(address(case), **GERMAN).content.decode()
    assert f'aria-label="{case.ref} kopieren"' in shown
    assert f'aria-label="Copy {case.ref}"' in signed_in(cast.clerk).get(address(case)).content.decode()
