"""What a field map held is translated again once the map is mended, and goes on under four eyes."""

import json
from functools import partial
from typing import Literal

import pytest
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions import decide, propose
from exceptions_app.actions.correct import correct
from exceptions_app.actions.mover import ChangedMeanwhile
from exceptions_app.actions.translate import TranslationFailed, translate_again
from exceptions_app.actions.work import assign
from exceptions_app.handover_states import TransactionState
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal, Transaction
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Kind, State, TransitionNotAllowed
from integrations.models import Connection
from tests import factories
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import api, conforms, schema
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import now_of
from tests.exceptions_app.handover.mapping import held_by_the_map, mend

__all__ = ["api", "conforms", "schema"]
WHY = "The map knows Leasing now."


def versions(case: ExceptionCase) -> list[PayloadVersion]:
    return list(PayloadVersion.objects.filter(case=case).order_by("number"))


def family(version: PayloadVersion) -> str | None:
    found: str | None = json.loads(bytes(version.content))["lines"][1].get("product_family")
    return found


def by_hand(case: ExceptionCase, cast: Cast, step: Literal["add", "replace"] = "add") -> PayloadVersion:
    return correct(
        case.pk, by=cast.clerk, at=MORNING, because="Asked sales.", base_version=versions(case)[-1].number,
        operations=[{"op": step, "path": "/lines/1/product_family", "value": "SERVICES"}],
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_mended_map_gives_the_next_version_and_a_second_person_sends_it(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend(erp)
    version = translate_again(case.pk, by=cast.clerk, at=MORNING)
    case.refresh_from_db()
    assert (version.number, family(version), version.check_passed) == (2, "HARDWARE", True)
    assert version.reason == (
        "Translated again by “Invoice from the source” (version 2) and “Invoice to the target” (version 1)."
    )
    assert (case.state, case.assignee) == (State.IN_PROGRESS, cast.clerk)
    [event] = AuditEvent.objects.filter(subject=case.subject, action="case.translated_again")
    assert event.data["field_maps"] == ["inbound invoice 2", "outbound invoice 1"]

    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=MORNING, because=WHY)
    with pytest.raises(NotPermitted):
        decide.approve(case.pk, by=cast.clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    work_until_done()
    case.refresh_from_db()
    transaction = now_of(Transaction.objects.get(case=case))
    assert (case.state, transaction.state, transaction.reference) == (
        State.RESOLVED, TransactionState.DELIVERED, case.reference,
    )  # fmt: skip


def test_who_wrote_the_map_does_not_decide_on_what_it_made(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    grant(cast, erp)
    mend(erp, by=cast.controller)
    translate_again(case.pk, by=cast.clerk, at=MORNING)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=MORNING, because=WHY)
    with pytest.raises(NotPermitted, match=r"You wrote or put to use a field map .*\(inbound invoice 2\)"):
        decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def grant(cast: Cast, connection: Connection) -> None:
    """As an installation may have it from before the two rights were kept apart."""
    assign_perm("configure_connection", cast.controller, connection)


def test_map_that_is_not_mended_says_its_faults_and_saves_nothing(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    with pytest.raises(TranslationFailed, match=r"1 fault\. Nothing was saved") as failed:
        translate_again(case.pk, by=cast.clerk, at=MORNING)
    [error] = failed.value.errors
    assert (error.was, error.path, error.said_by) == (
        "Leasing", "/items/1/family", "the field map “Invoice from the source” (version 1)",
    )  # fmt: skip
    assert error.allowed == ("SUBSCRIPTION", "SERVICES", "HARDWARE", "TRAINING", "ROBOTICS")
    case.refresh_from_db()
    assert (len(versions(case)), case.revision, case.state) == (1, 1, State.NEW)


def test_who_may_not_correct_may_not_translate(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend(erp)
    for person in (cast.auditor, cast.controller, cast.administrator, cast.outsider):
        with pytest.raises(NotPermitted):
            translate_again(case.pk, by=person, at=MORNING)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    with pytest.raises(NotPermitted, match="is working on this"):
        translate_again(case.pk, by=cast.second_clerk, at=MORNING)
    assert len(versions(case)) == 1


def test_what_no_field_map_held_is_not_translated(cast: Cast):
    case = factories.make_case(cast)
    with pytest.raises(NotPermitted, match="No field map held"):
        translate_again(case.pk, by=cast.clerk, at=MORNING)
    with pytest.raises(TransitionNotAllowed):
        translate_again(factories.make_case(cast, kind=Kind.HELD).pk, by=cast.clerk, at=MORNING)


def test_twice_gives_one_version(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend(erp)
    translate_again(case.pk, by=cast.clerk, at=MORNING)
    with pytest.raises(TranslationFailed, match="what version 2 says already"):
        translate_again(case.pk, by=cast.clerk, at=MORNING)
    assert len(versions(case)) == 2


def test_page_of_before_a_change_translates_nothing(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend(erp)
    by_hand(case, cast)
    with pytest.raises(ChangedMeanwhile):
        translate_again(case.pk, by=cast.clerk, at=MORNING, revision=case.revision)
    assert family(versions(case)[-1]) == "SERVICES"


def test_map_that_makes_another_document_of_it_is_refused(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend(erp, also=('"/deal/invoice_no"', '"/deal/id"'))
    with pytest.raises(TranslationFailed, match=r"another document of it now, NL01\|D-20417 instead of NL01\|MNL"):
        translate_again(case.pk, by=cast.clerk, at=MORNING)
    assert len(versions(case)) == 1


def test_open_proposal_dies_and_what_was_typed_by_hand_stays_in_its_version(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    by_hand(case, cast)
    propose.propose_replay(case.pk, by=cast.clerk, at=MORNING, because=WHY)
    mend(erp)
    translate_again(case.pk, by=cast.clerk, at=MORNING)
    assert [family(version) for version in versions(case)] == [None, "SERVICES", "HARDWARE"]
    assert Proposal.objects.get(case=case).state == Proposal.State.SUPERSEDED


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_time_make_one_version(erp: Connection, cast: Cast):
    case = held_by_the_map(erp)
    mend(erp)
    outcomes = at_the_same_time(
        [partial(translate_again, case.pk, by=who, at=MORNING, revision=1) for who in (cast.clerk, cast.second_clerk)]
        * 2
    )
    assert sum(isinstance(outcome, PayloadVersion) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ChangedMeanwhile) for outcome in outcomes) == 3
    assert len(versions(case)) == 2


def test_page_names_the_map_the_value_of_the_source_and_what_the_map_knows(cast, erp, signed_in):
    case = held_by_the_map(erp)
    browser = signed_in(cast.clerk)
    shown = browser.get(f"/exceptions/{case.ref}/").content.decode()
    assert "as the field map “Invoice from the source” (version 1) said it" in shown
    assert "As the ERP said it" not in shown
    assert "The source sent “Leasing”" in " ".join(shown.split())
    assert "SUBSCRIPTION, SERVICES, HARDWARE, TRAINING" in shown
    assert '<option value="HARDWARE">' in shown

    refused = browser.post(f"/exceptions/{case.ref}/translate/", {"revision": 1})
    assert refused.status_code == 422
    assert "It was not translated" in refused.content.decode()
    mend(erp)
    assert browser.post(f"/exceptions/{case.ref}/translate/", {"revision": 1}).status_code == 302
    after = browser.get(f"/exceptions/{case.ref}/").content.decode()
    assert "Nothing stands against version 2 any more" in after
    assert "Cannot be checked here" not in after


def test_value_chosen_by_hand_is_not_shown_as_solved(cast, erp, signed_in):
    case = held_by_the_map(erp)
    by_hand(case, cast)
    shown = signed_in(cast.clerk).get(f"/exceptions/{case.ref}/").content.decode()
    assert "no field map says which value is right" in shown
    assert "Solved by the correction" not in shown
    mend(erp)
    translate_again(case.pk, by=cast.clerk, at=MORNING)
    by_hand(case, cast, "replace")
    shown = signed_in(cast.clerk).get(f"/exceptions/{case.ref}/").content.decode()
    assert "no field map says which value is right" in shown


def test_button_is_only_for_what_a_map_held(cast, signed_in):
    case = factories.make_case(cast)
    assert "Translate again" not in signed_in(cast.clerk).get(f"/exceptions/{case.ref}/").content.decode()


def test_api_translates_or_names_every_fault(cast, erp, api, conforms):
    case = held_by_the_map(erp)
    account = api(cast.clerk)
    refused = account.post(f"exceptions/{case.ref}/translate")
    assert (refused.status_code, refused.json()["type"].endswith("not-translated")) == (422, True)
    [fault] = refused.json()["errors"]
    assert (fault["was"], fault["source"], fault["path"]) == ("Leasing", "/items/1/family", "/lines/1/product_family")
    mend(erp)
    done = account.post(f"exceptions/{case.ref}/translate")
    assert done.status_code == 200
    conforms(done.json(), "ExceptionDetail")
    version = account.get(f"exceptions/{case.ref}/versions/2").json()
    conforms(version, "Version")
    assert [used["number"] for used in version["field_maps"]] == [2, 1]
    assert api(cast.auditor).post(f"exceptions/{case.ref}/translate").status_code == 403
    assert api(cast.outsider).post(f"exceptions/{case.ref}/translate").status_code == 404


def test_page_of_the_map_translates_all_that_nobody_has_touched(cast, erp, signed_in):
    free, corrected, taken = (
        held_by_the_map(erp, f"MNL-2026-47{number}", f"deal-{number}") for number in range(12, 15)
    )
    by_hand(corrected, cast)
    assign(taken.pk, to=cast.second_clerk, by=cast.clerk, at=MORNING)
    page = reverse("exceptions:field_map", args=[erp.slug, "inbound-invoice"])
    action = reverse("exceptions:field_map_translate_held", args=[erp.slug, "inbound-invoice"])
    browser = signed_in(cast.clerk)
    assert "3 open exceptions" in browser.get(page).content.decode()
    assert "Translate 1 again" in " ".join(browser.get(page).content.decode().split())
    told = browser.post(action, follow=True).content.decode()
    assert f"Not translated. {free.ref}: The table “product families” has no entry for “Leasing”." in told
    mend(erp)
    assert "1 exception is translated again" in browser.post(action, follow=True).content.decode()
    assert [len(versions(case)) for case in (free, corrected, taken)] == [2, 2, 1]
    assert "There was nothing left to translate" in browser.post(action, follow=True).content.decode()


def test_page_of_the_map_translates_nothing_for_who_may_not_correct(cast, erp, signed_in):
    case = held_by_the_map(erp)
    mend(erp)
    action = reverse("exceptions:field_map_translate_held", args=[erp.slug, "inbound-invoice"])
    assert signed_in(cast.outsider).post(action).status_code == 404
    assert "There was nothing left to translate" in signed_in(cast.auditor).post(action, follow=True).content.decode()
    assert signed_in(cast.clerk).get(action).status_code == 302
    assert len(versions(case)) == 1


def test_day_of_receipt_is_that_of_the_workbench_whoever_translates(cast, erp):
    case = held_by_the_map(erp)
    mend(erp)
    with timezone.override("Pacific/Kiritimati"):
        version = translate_again(case.pk, by=cast.clerk, at=MORNING)
    posted = [json.loads(bytes(found.content))["posting_date"] for found in (versions(case)[0], version)]
    assert posted[0] == posted[1]
