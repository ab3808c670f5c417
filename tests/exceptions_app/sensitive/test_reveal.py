"""Having masked values shown: who may, what for, for how long, and what is left of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from exceptions_app.actions.mover import Invalid, record
from exceptions_app.actions.reveal import reveal
from exceptions_app.models import Reveal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Verb
from tests import factories
from tests.cast import MORNING, Cast, grant
from tests.exceptions_app.sensitive.planted import CAME_WITH, given_away, plant
from tests.exceptions_app.views.repair import address
from workbench.models import User

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
WHY = {"purpose": "ask", "because": "The supplier is called about it."}


def test_it_is_an_event_with_its_purpose_and_moves_nothing(cast: Cast, settings):
    settings.REVEAL_MINUTES = 5
    case = factories.make_case(cast)
    shown = reveal(case.pk, by=cast.controller, at=MORNING, **WHY)
    assert (shown.person, shown.until - shown.revealed_at) == (cast.controller, timedelta(minutes=5))
    event = AuditEvent.objects.get(action="case.values_revealed")
    assert (event.subject, event.actor, event.because) == (case.subject, "conrad", WHY["because"])
    assert (event.data["purpose"], event.data["minutes"]) == ("ask", 5)
    before = case.revision
    case.refresh_from_db()
    assert case.revision == before  # no form of a colleague is stale


def test_each_time_is_on_record(cast: Cast):
    case = factories.make_case(cast)
    for _ in range(2):
        reveal(case.pk, by=cast.clerk, at=MORNING, **WHY)
    assert AuditEvent.objects.filter(action="case.values_revealed").count() == Reveal.objects.count() == 2


def test_refused_without_the_right_a_purpose_or_a_reason(cast: Cast):
    case = factories.make_case(cast)
    for person in (cast.support, cast.auditor, cast.outsider, cast.administrator):
        with pytest.raises(NotPermitted) as refused:
            reveal(case.pk, by=person, at=MORNING, **WHY)
        assert refused.value.reason.startswith("You may not have masked values shown in E-invoicing")
    for field, given in (("purpose", WHY | {"purpose": "curiosity"}), ("because", WHY | {"because": "  "})):
        with pytest.raises(Invalid) as invalid:
            reveal(case.pk, by=cast.clerk, at=MORNING, **given)
        assert invalid.value.field == field
    assert not Reveal.objects.exists()
    assert not AuditEvent.objects.filter(action="case.values_revealed").exists()


def test_page_says_what_is_missing_and_keeps_what_was_typed(cast: Cast, signed_in: SignIn):
    case = plant(cast).case
    browser, form = signed_in(cast.clerk), address(case, "reveal")
    refused = browser.post(form, {"because": "Half a reason"})
    assert refused.status_code == 422
    assert "Choose what you need the values for." in refused.content.decode()
    assert "Half a reason</textarea>" in refused.content.decode()
    assert given_away(refused) == []
    assert browser.post(form, {"purpose": "correct", "because": ""}).status_code == 422
    assert signed_in(cast.support).post(form, WHY).status_code == 403
    shown = browser.post(form, WHY, follow=True)
    assert CAME_WITH in given_away(shown)
    assert "Shown to you until" in shown.content.decode()
    fragment = browser.post(form, WHY, headers={"HX-Request": "true"})
    assert CAME_WITH in given_away(fragment)


def test_out_of_scope_it_is_as_if_it_were_not_there(cast: Cast, signed_in: SignIn, client: Client):
    elsewhere = factories.make_case(cast, entity=cast.germany)
    browser = signed_in(cast.local_clerk)
    assert browser.post(address(elsewhere, "reveal"), WHY).status_code == 404
    assert browser.post(f"/api/v1/exceptions/{elsewhere.ref}/reveal", WHY, "application/json").status_code == 404
    assert client.post(address(elsewhere, "reveal"), WHY).status_code == 302  # to the sign-in
    assert not Reveal.objects.exists()


def test_through_the_api_for_the_account_alone_and_the_answer_is_not_kept_in_clear(cast: Cast, signed_in: SignIn):
    case = plant(cast).case
    item, clerk = f"/api/v1/exceptions/{case.ref}", signed_in(cast.clerk)
    assert clerk.get(item).json()["masked"] == {"shown_until": None, "may_reveal": True, "reason": ""}
    assert signed_in(cast.support).post(f"{item}/reveal", WHY, "application/json").status_code == 403
    assert clerk.post(f"{item}/reveal", {"purpose": "x", "because": ""}, "application/json").status_code == 422
    once = {"Idempotency-Key": "reveal-once-1"}
    shown = clerk.post(f"{item}/reveal", WHY, "application/json", headers=once)
    assert CAME_WITH in given_away(shown)
    assert CAME_WITH in given_away(clerk.get(f"{item}/versions/1/content"))
    assert given_away(signed_in(cast.second_clerk).get(item)) == []
    assert Reveal.objects.count() == 1
    assert clerk.post(f"{item}/reveal", WHY, "application/json", headers=once)["Idempotency-Replayed"] == "true"
    assert Reveal.objects.count() == 1


@transaction.atomic
def shown_before(case, person: User, *, minutes: int, lasted: int = 15) -> Reveal:
    """Some time ago; by hand, since the database's clock cannot be turned back."""
    record(case, "case.values_revealed", by=person, at=MORNING, summary="Long ago.")
    began = Now() - timedelta(minutes=minutes)
    return Reveal.objects.create(
        case=case, person=person, purpose="ask", because="Long ago.", revealed_at=began,
        until=began + timedelta(minutes=lasted),
    )  # fmt: skip


def test_it_ends_by_itself(cast: Cast, signed_in: SignIn):
    case = plant(cast).case
    shown_before(case, cast.clerk, minutes=16)
    browser = signed_in(cast.clerk)
    assert given_away(browser.get(address(case))) == []
    assert browser.get(f"{address(case)}versions/1/download/").status_code == 403
    shown_before(case, cast.clerk, minutes=14)
    assert CAME_WITH in given_away(browser.get(address(case)))


def test_what_was_answered_in_clear_is_not_told_again_in_clear(cast: Cast, signed_in: SignIn):
    """A stored answer of the API passes the same veil as a fresh one."""
    case = plant(cast).case
    clerk, once = signed_in(cast.clerk), {"Idempotency-Key": "answered-in-clear"}
    shown_before(case, cast.clerk, minutes=0)
    clear = clerk.post(f"/api/v1/exceptions/{case.ref}/comment", {"text": "Seen."}, "application/json", headers=once)
    assert CAME_WITH in given_away(clear)
    remove_all_reveals()
    again = clerk.post(f"/api/v1/exceptions/{case.ref}/comment", {"text": "Seen."}, "application/json", headers=once)
    assert again["Idempotency-Replayed"] == "true"
    assert given_away(again) == []


def remove_all_reveals() -> None:
    """Only the owner of a test database may."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE exceptions_app_reveal; SET CONSTRAINTS ALL DEFERRED")


def test_database_refuses_one_that_is_changed_removed_too_long_or_unexplained(cast: Cast):
    case = factories.make_case(cast)
    shown = reveal(case.pk, by=cast.clerk, at=MORNING, **WHY)
    for change in (
        lambda: Reveal.objects.filter(pk=shown.pk).update(until=Now() + timedelta(hours=1)),
        lambda: Reveal.objects.filter(pk=shown.pk).delete(),
        lambda: shown_before(case, cast.clerk, minutes=0, lasted=9 * 60),
        lambda: shown_before(case, cast.clerk, minutes=0, lasted=0),
        lambda: Reveal.objects.create(
            case=case,
            person=cast.clerk,
            purpose="ask",
            because="",
            revealed_at=Now(),
            until=Now() + timedelta(minutes=1),
        ),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_database_refuses_one_without_its_event(cast: Cast):
    case = factories.make_case(cast)
    with pytest.raises(IntegrityError, match="no audit event about case:"):
        Reveal.objects.create(
            case=case, person=cast.clerk, purpose="ask", because="Behind its back.", revealed_at=Now(),
            until=Now() + timedelta(minutes=1),
        )  # fmt: skip


def test_answers_of_those_who_may_not_ask_say_so(cast: Cast, signed_in: SignIn):
    case = plant(cast).case
    grant(cast.outsider, [Verb.SEE], cast.einvoicing, cast.netherlands)
    text = signed_in(cast.outsider).get(address(case)).content.decode()
    assert "You may not have masked values shown in E-invoicing for Meridian Industries NV." in text
    assert reverse("exceptions:reveal", args=[case.ref]) not in text
