"""Emergency access: an hour at most, told to others, marked in every event, and no way past the second person."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions import emergencies as actions
from exceptions_app.actions import work
from exceptions_app.actions.decide import approve
from exceptions_app.actions.grants import revoke_verbs
from exceptions_app.actions.mover import Invalid
from exceptions_app.emergency_marks import marked_as_running
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    Decision,
    Emergency,
    ExceptionCase,
    LegalEntityUserGrant,
    Notification,
    Proposal,
    QueueUserGrant,
)
from exceptions_app.policies import NotPermitted, verbs_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from exceptions_app.tasks import emergencies_due
from tests import factories
from tests.cast import Cast, grant, person
from tests.exceptions_app.api.conftest import Api, api
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
AsAccount = Callable[[User], Api]
WHY = "The filing is due at noon."


@pytest.fixture
def nora(cast: Cast) -> User:
    """Eligible in one place, and granted nothing else."""
    nora = person("nora", "Nora Night")
    grant(nora, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    return nora


def take(cast: Cast, by: User, **more: Any) -> Emergency:
    given: dict[str, Any] = {
        "queue": cast.einvoicing,
        "entity": cast.netherlands,
        "role": "clerk",
        "minutes": 30,
        "at": now(),
    }
    return actions.take_emergency(by=by, **{"because": WHY} | given | more)


def took_long_ago(cast: Cast, by: User, **more: Any) -> Emergency:
    """Its time is over, and nobody has looked at it since."""
    return take(cast, by, at=now() - timedelta(minutes=31), **more)


def sees(user: User, case: ExceptionCase) -> set[bool]:
    """By each of the ways in which rights are read; one answer, or they differ."""
    return {
        ExceptionCase.objects.visible_to(user).filter(pk=case.pk).exists(),
        Verb.SEE in verbs_of(user, case),
        Verb.SEE in reach_of(user).verbs_of(case),
    }


def why_undecidable(case: ExceptionCase, user: User) -> str:
    """What the database says to a decision that is written past the actions; empty when it takes it."""
    try:
        with transaction.atomic():
            proposal = Proposal.objects.get(case=case)
            Decision.objects.create(
                proposal=proposal, verdict="approved", decider=user, frozen_sha256=proposal.frozen_sha256,
                decided_at=now(),
            )  # fmt: skip
            transaction.set_rollback(True)
    except IntegrityError as error:
        return str(error)
    return ""


def proposed(cast: Cast) -> ExceptionCase:
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk, at=now())
    case.refresh_from_db()
    return case


def test_opens_one_place_for_its_time_marks_every_event_and_ends_by_itself(cast: Cast, nora: User, signed_in: SignIn):
    case = factories.make_case(cast)
    browser = signed_in(nora)
    assert sees(nora, case) == {False}
    form = {"queue": "e-invoicing", "entity": "NL01", "role": "clerk", "minutes": "30", "because": WHY}
    answer = browser.post(reverse("exceptions:emergency_take"), form)
    taken = Emergency.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/emergencies/{taken.ref}/")
    assert sees(nora, case) == {True}
    assert {
        one.person.username: one.reference for one in Notification.objects.filter(kind="emergency")
    } == dict.fromkeys(("ada", "anna", "conrad"), taken.ref)
    assert taken.told == 3
    assert browser.post(reverse("exceptions:claim", args=[case.ref])).status_code == 302
    browser.get("/exceptions/EX-987654321/")  # refused, which is an event too
    nora.refresh_from_db()
    with marked_as_running():  # a worker in her name, and another person meanwhile
        work.comment(case.pk, by=nora, at=now(), text="Done for now.")
        work.comment(case.pk, by=cast.clerk, at=now(), text="What is that?")
    theirs = AuditEvent.objects.filter(actor="nora", at__gte=taken.began_at)
    assert {"case.claimed", "person.refused", "case.commented", "grant.given"} <= set(
        theirs.values_list("action", flat=True)
    )
    assert {event.data.get("emergency") for event in theirs} == {taken.ref}
    assert "emergency" not in AuditEvent.objects.get(actor="clara", action="case.commented").data
    assert "You have emergency access" in browser.get("/exceptions/").content.decode()
    actions.end_emergency(taken.pk, by=nora, at=now())
    actions.end_emergency(taken.pk, by=nora, at=now())
    assert AuditEvent.objects.filter(action="emergency.ended").count() == 1
    assert sees(nora, case) == {False}
    assert not QueueUserGrant.with_ended.filter(ends_at__isnull=False).exists()
    assert "You have emergency access" not in browser.get("/emergencies/").content.decode()


def test_counts_no_more_when_its_time_is_over_whoever_sleeps(cast: Cast, nora: User):
    """Nobody has taken anything away yet: the clock of the database alone."""
    case = proposed(cast)
    taken = took_long_ago(cast, nora, role="controller")
    assert QueueUserGrant.with_ended.filter(user=nora, ends_at__isnull=False).count() == 4
    assert sees(nora, case) == {False}
    later = proposed(cast)
    assert "did not hold approve" in why_undecidable(later, nora)
    with pytest.raises(IntegrityError, match="ends_at is never changed"), transaction.atomic():
        QueueUserGrant.with_ended.filter(user=nora).update(ends_at=now() + timedelta(days=1))
    with pytest.raises(IntegrityError, match="ends_at is never changed"), transaction.atomic():
        Emergency.objects.filter(pk=taken.pk).update(ends_at=now() + timedelta(minutes=5))
    emergencies_due()
    emergencies_due()
    taken.refresh_from_db()
    nora.refresh_from_db()
    assert (str(taken.ended_by), nora.emergency, nora.emergency_until) == ("End of emergencies", "", None)
    assert AuditEvent.objects.filter(action="emergency.ended", actor_kind="machine").count() == 1
    assert not LegalEntityUserGrant.with_ended.filter(user=nora, ends_at__isnull=False).exists()
    assert Verb.EMERGENCY in reach_of(nora).verbs_of(case)


def test_rules_of_the_second_person_stay(cast: Cast, nora: User):
    before = proposed(cast)
    take(cast, nora, role="controller")
    after = proposed(cast)
    assert "did not hold approve since before" in why_undecidable(before, nora)
    with pytest.raises(NotPermitted, match="given the right to approve here after this was proposed"):
        approve(before.pk, by=nora, at=now(), frozen_sha256=Proposal.objects.get(case=before).frozen_sha256)
    own = factories.make_case(cast)
    grant(nora, [Verb.CORRECT, Verb.PROPOSE], cast.einvoicing, cast.netherlands)
    factories.make_version(own, nora)
    factories.make_proposal(own, nora, at=now())
    assert "contributed to proposal" in why_undecidable(own, nora)
    assert why_undecidable(after, nora) == ""
    grant(nora, [Verb.SEE], cast.einvoicing, cast.netherlands)  # for good, in place of what would end
    actions.end_emergency(Emergency.objects.get().pk, by=cast.administrator, at=now())
    assert verbs_of(nora, before) == {Verb.SEE, Verb.CORRECT, Verb.PROPOSE, Verb.EMERGENCY}


def test_who_may_not_take_it(cast: Cast, nora: User, api: AsAccount):
    with pytest.raises(NotPermitted, match="You may not take emergency access in E-invoicing"):
        take(cast, cast.clerk)
    with pytest.raises(NotPermitted, match="You may not take emergency access in Policy holds"):
        take(cast, nora, queue=cast.holds)
    for field, wrong in (
        ("minutes", {"minutes": 61}),
        ("minutes", {"minutes": 0}),
        ("because", {"because": "  "}),
        ("role", {"role": "auditor"}),
    ):
        with pytest.raises(Invalid) as refused:
            take(cast, nora, **wrong)
        assert refused.value.field == field
    grant(cast.administrator, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    with pytest.raises(NotPermitted, match="no person may hold both"):
        take(cast, cast.administrator, role="controller")
    body = {"queue": "e-invoicing", "entity": "NL01", "role": "clerk", "minutes": 5, "because": WHY}
    answer = api(nora).post("/api/v1/emergencies", body)
    assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (403, "fresh-proof-needed")
    with transaction.atomic():
        User.objects.filter(username__in=["ada", "anna", "conrad"]).update(is_active=False)
        person("norah", "Nora Again", is_staff=True)
        User.objects.filter(username="norah").update(email=nora.email.upper())
        with pytest.raises(NotPermitted, match="nobody else who could be told"):
            take(cast, nora)
        transaction.set_rollback(True)
    with transaction.atomic():
        revoke_verbs([Verb.EMERGENCY.value], nora, [cast.einvoicing], by=machine(SETUP), at=now())
        with pytest.raises(NotPermitted, match="You may not take emergency access"):
            take(cast, nora)
        transaction.set_rollback(True)
    assert not Emergency.objects.exists()
    assert not AuditEvent.objects.filter(action="emergency.taken").exists()


def test_stays_open_until_a_second_person_has_reviewed_it(cast: Cast, nora: User, signed_in: SignIn, api: AsAccount):
    taken = take(cast, nora)
    reviewed: dict[str, Any] = {"verdict": "justified", "review": "One comment, in order.", "at": now()}
    with pytest.raises(Invalid, match="It lasts still"):
        actions.review_emergency(taken.pk, by=cast.controller, **reviewed)
    twin = person("norah", "Nora Again", role="auditor")
    User.objects.filter(pk=twin.pk).update(email="NORA@example.test")
    AuditEvent.objects.filter(subject="person:norah").first()
    twin.refresh_from_db()
    for who, may in ((nora, True), (cast.controller, True), (cast.administrator, True), (twin, False)):
        page = signed_in(who).get(f"/emergencies/{taken.ref}/").content.decode()
        assert ("End it now" in page) is may, who
    assert signed_in(twin).post(f"/emergencies/{taken.ref}/end/").status_code == 403
    actions.end_emergency(taken.pk, by=nora, at=now())
    for who, reason in (
        (nora, "You took it"),
        (cast.support, "It is reviewed by whoever may approve"),
        (twin, "has the e-mail address of Nora"),
        (cast.administrator, "It is reviewed by whoever may approve"),
    ):
        with pytest.raises(NotPermitted, match=reason):
            actions.review_emergency(taken.pk, by=who, **reviewed)
    with pytest.raises(NotPermitted, match=f"{taken.ref} of yours is not reviewed yet"):
        take(cast, nora)
    with pytest.raises(IntegrityError, match="emergency_reviewed_by_another_after_it"), transaction.atomic():
        Emergency.objects.filter(pk=taken.pk).update(
            reviewed_at=now(), reviewed_by=nora, verdict="justified", review="Fine."
        )
    second = Emergency.objects.get(pk=taken.pk)
    second.pk = None
    with pytest.raises(IntegrityError, match="emergency_one_until_reviewed"), transaction.atomic():
        second.save(force_insert=True)
    with pytest.raises(IntegrityError, match="emergency_at_most_an_hour"), transaction.atomic():
        Emergency(
            person=cast.clerk,
            queue=taken.queue,
            entity=taken.entity,
            role="clerk",
            because=WHY,
            told=1,
            began_at=now(),
            ends_at=now() + timedelta(minutes=61),
        ).save()
    assert signed_in(cast.support).get(f"/emergencies/{taken.ref}/").status_code == 404
    page = signed_in(cast.controller).get(f"/emergencies/{taken.ref}/").content.decode()
    assert "Emergency access taken" in page
    assert "I have looked through it" in page
    assert (
        "You took it; somebody else reviews it." in signed_in(nora).get(f"/emergencies/{taken.ref}/").content.decode()
    )
    browser, address = signed_in(cast.controller), f"/emergencies/{taken.ref}/review/"
    empty = browser.post(address, {"verdict": "questioned", "review": ""})
    assert (empty.status_code, "Say what you looked at" in empty.content.decode()) == (422, True)
    assert browser.post(address, {"verdict": "questioned", "review": "Nobody knows why."}).status_code == 302
    event = AuditEvent.objects.get(action="emergency.reviewed")
    assert (event.actor, event.data["verdict"], event.scope) == ("conrad", "questioned", "NL01/e-invoicing")
    told = Notification.objects.filter(words__startswith="Conrad Controller reviewed it")
    assert sorted(told.values_list("person__username", flat=True)) == ["ada", "anna", "nora", "norah"]
    again = api(cast.auditor).post(
        f"/api/v1/emergencies/{taken.ref}/review", {"verdict": "justified", "review": "Fine."}
    )
    assert (again.status_code, "reviewed it already" in again.content.decode()) == (422, True)
    assert api(cast.auditor).get("/api/v1/emergencies").json()["results"][0]["verdict"] == "questioned"
    with pytest.raises(IntegrityError, match="reviewed once"), transaction.atomic():
        Emergency.objects.filter(pk=taken.pk).update(review="Everything was fine.")
    assert take(cast, nora).pk != taken.pk
