"""What a German page says after something was done, and beside the fields of a form: nothing in English."""

from datetime import timedelta

from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import translation

from audit.models import AuditEvent
from exceptions_app.actions.playbooks import decide_playbook, save_playbook
from exceptions_app.actions.saved_views import save_view
from exceptions_app.models import Cause
from exceptions_app.playbook_steps import Step, StepKind
from exceptions_app.views.bulk_forms import ReasonManyForm
from exceptions_app.views.value_mapping_forms import ProposeMappingForm
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.field_rules.ruled import asked, in_force
from tests.exceptions_app.views.repair import BROKEN, address, correction, take_in, text_of, with_value
from tests.german_pages import GERMAN

LATER = MORNING + timedelta(hours=1)


def read(answer) -> str:
    return text_of(answer.content.decode())


def test_tags_are_put_on_taken_off_and_refused_in_german(cast: Cast, signed_in):
    case, client = factories.make_case(cast), signed_in(cast.clerk)
    done = client.post(address(case, "tag"), {"add": "vat audit", "revision": 1}, follow=True, **GERMAN)
    assert f"{case.ref} hat die Schlagwörter audit, vat." in read(done)
    assert "Entfernen" in read(done)
    assert "Take off" not in read(done)
    done = client.post(address(case, "tag"), {"remove": ["audit", "vat"], "revision": 2}, follow=True, **GERMAN)
    assert f"{case.ref} hat kein Schlagwort mehr." in read(done)
    assert "„no_good“ kann kein Schlagwort sein." in read(client.get("/queue/?tag=no_good", **GERMAN))
    assert "cannot be a tag" in client.get("/api/v1/exceptions?tag=no_good", **GERMAN).content.decode()


def test_correction_undo_and_comment_say_in_german_what_came_of_them(cast: Cast, signed_in):
    case, client = take_in(cast, with_value(BROKEN, "BT-112", "1.00")), signed_in(cast.clerk)
    saved = read(client.post(address(case, "correct"), correction(case, BT_2="2026-11-01"), follow=True, **GERMAN))
    assert "Version 2 ist gespeichert. " in saved
    assert "noch offen." in saved
    assert "Es wurde nicht rückgängig gemacht" in read(client.post(address(case, "undo"), {"revision": "0"}, **GERMAN))
    both = {"text": f"@{cast.second_clerk.username} @{cast.controller.username} Bitte ansehen."}
    assert "Cem Clerk und Conrad Controller" in read(client.post(address(case, "comment"), both, follow=True, **GERMAN))


def test_causes_that_are_joined_and_a_view_that_is_changed_are_told_in_german(cast: Cast, signed_in):
    first, second = (factories.make_cause(code, f"{code} is missing.") for code in ("BR-03", "BR-05"))
    for cause in (first, second):
        factories.make_case(cast, cause=cause)
    client, sent = signed_in(cast.clerk), {"into": second.ref, "because": "Dieselbe Ursache."}
    done = client.post(f"/causes/{first.ref}/join/", sent, follow=True, **GERMAN)
    assert f"{first.ref} ist jetzt mit {second.ref} vereint." in read(done)
    assert Cause.objects.count() == 2

    view = save_view("Große", "amount_min=1", by=cast.clerk, at=MORNING)
    changed = {"name": "Kleine", "shared_with": "owner"}
    done = client.post(reverse("exceptions:view_change", args=[view.pk]), changed, follow=True, **GERMAN)
    assert "„Kleine“ ist geändert." in read(done)


def test_forms_for_mappings_and_for_many_are_german():
    with translation.override("de"):
        words = text_of(ProposeMappingForm(connections=[], entities=[], queues=[]).as_p())
        assert "Wer entscheidet und die Revision lesen das bei jedem Klärfall." in text_of(ReasonManyForm().as_p())
    for word in ("Gültig ab", "Gültig bis", "Der letzte Tag. Leer: bis zu einer Änderung.", "Wie bisher"):
        assert word in words


def test_field_rule_is_german_on_its_page_and_english_in_the_trail(cast: Cast, signed_in):
    Group.objects.create(name="treasury")
    rule = in_force(cast, asked(object_type="invoice", part="Line", sort="amount", roles=("controller", "treasury")))
    in_force(cast, asked(20))
    page = read(signed_in(cast.administrator).get(reverse("exceptions:field_rules"), **GERMAN))
    assert "10. Rechnung, Position, Beträge und ihre Währungen: controller oder treasury" in page
    assert "20. jedes Feld: niemand" in page
    assert rule.words == "10. invoice, Line, amounts and their currencies: controller or treasury"
    kept = AuditEvent.objects.filter(action="field_rule.approved").earliest("id")
    assert "oder" not in f"{kept.summary} {kept.data}"


def test_decision_on_a_playbook_is_german(cast: Cast, signed_in):
    case = factories.make_case(cast)
    steps = [Step(kind=StepKind.PROPOSE, value="Agreed.")]
    version = save_playbook(case.cause_id, steps, seen=0, because="So.", by=cast.clerk, at=MORNING)
    decide_playbook(version.pk, approve=True, because="", by=cast.controller, at=LATER)
    client = signed_in(cast.clerk)
    for page in (reverse("exceptions:playbook", args=[case.cause.ref]), reverse("exceptions:playbooks")):
        words = read(client.get(page, **GERMAN))
        assert "genehmigt" in words
        assert "approved" not in words
