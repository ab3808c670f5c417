"""Deciding in somebody's place: for some days, where they may by themselves, and never in what either had a hand in."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.decide import approve
from exceptions_app.actions.delegations import LONGEST, NOTHING_TO_GIVE, delegate, end_delegation
from exceptions_app.actions.grants import grant_connection, remove_from_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Decision, Delegation, ExceptionCase, Proposal
from exceptions_app.policies import NotPermitted, standing, verbs_of
from exceptions_app.queries.counters import waiting_for_decision_of
from exceptions_app.queries.delegations import may_decide_for, offered_to, standing_delegations_of
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.states import Verb
from tests import factories
from tests.cast import Cast, give_role, grant, person
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.hands import lent
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
DAY = timedelta(days=1)


def today() -> date:
    return now().date()


def lend(giver: User, taker: AbstractUser, *, begins: int = 0, days: int = 7, **more: Any) -> Delegation:
    first = today() + begins * DAY
    given: dict[str, Any] = {"first_day": first, "last_day": first + days * DAY, "at": now(), "because": "Holiday."}
    return delegate(taker, by=giver, **given | more)


def moved(given: Delegation, **changed: Any) -> None:
    """As if it had been given at another time: written past the guards of the row, in a test alone."""
    with transaction.atomic():
        fresh = Delegation(
            **{field.attname: getattr(given, field.attname) for field in Delegation._meta.fields} | changed
        )
        fresh.pk = None
        AuditEvent.objects.filter(subject=f"person:{given.giver.username}").exists()
        Delegation.objects.filter(pk=given.pk).update(ended_at=now(), ended_by=given.giver_id)
        fresh.ended_at = None
        fresh.save(force_insert=True)


def decidable(case: ExceptionCase, user: User) -> str:
    """Why not; empty when they may."""
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


def proposed(cast: Cast, by: User, **more: Any) -> ExceptionCase:
    case = factories.make_case(cast, **more)
    factories.make_proposal(case, by, at=now())
    case.refresh_from_db()
    return case


def test_delegate_decides_where_the_giver_may_and_nowhere_else(cast: Cast):
    """The giver holds it in one place, the taker by themselves in another: no cross of the two."""
    nina, tom = person("nina", "Nina Newcomer"), person("tom", "Tom Taker", role="support")
    grant(nina, [Verb.SEE, Verb.APPROVE], cast.einvoicing, cast.netherlands)
    grant(tom, [Verb.APPROVE], cast.holds, cast.germany)
    given = lend(nina, tom)
    assert [str(event.data["taker"]) for event in AuditEvent.objects.filter(action="delegation.given")] == ["tom"]
    places = [(queue, entity) for queue in (cast.einvoicing, cast.holds) for entity in (cast.netherlands, cast.germany)]
    cases = {place: proposed(cast, cast.clerk, queue=place[0], entity=place[1]) for place in places}
    mine = {(cast.einvoicing, cast.netherlands), (cast.holds, cast.germany)}
    reach = reach_of(tom)
    assert [verb for verb in (Verb.APPROVE, Verb.CORRECT, Verb.EXPORT) if reach.has(verb)] == [Verb.APPROVE]
    for place, case in cases.items():
        assert (Verb.APPROVE in verbs_of(tom, case)) is (place in mine), place
        assert (Verb.APPROVE in reach.verbs_of(case)) is (place in mine), place
        assert ("did not hold approve" in decidable(case, tom)) is (place not in mine), place
    assert set(cases_within(reach, Verb.APPROVE)) == {cases[place] for place in mine}
    assert {found.case for found in waiting_for_decision_of(tom, reach)} == {cases[place] for place in mine}
    assert "Tom Taker" in {
        decider.name for decider in standing(tom, cases[cast.einvoicing, cast.netherlands]).deciders or ()
    }
    end_delegation(given.pk, by=tom, at=now())
    end_delegation(given.pk, by=nina, at=now())
    assert AuditEvent.objects.filter(action="delegation.ended").count() == 1
    case = cases[cast.einvoicing, cast.netherlands]
    assert Verb.APPROVE not in verbs_of(tom, case) | reach_of(tom).verbs_of(case)
    assert "did not hold approve" in decidable(case, tom)
    with pytest.raises(IntegrityError, match="is ended already"), transaction.atomic():
        Delegation.objects.filter(pk=given.pk).update(ended_at=None, ended_by=None)


def test_it_counts_on_its_days_for_what_was_proposed_since_and_for_givers_who_may_themselves(cast: Cast):
    tom = cast.support
    older = proposed(cast, cast.clerk)
    given = lend(cast.controller, tom)
    newer = proposed(cast, cast.clerk)
    assert "did not hold approve" in decidable(older, tom)
    with pytest.raises(NotPermitted, match="You were given the right to approve here after this was proposed"):
        approve(older.pk, by=tom, at=now(), frozen_sha256=Proposal.objects.get(case=older).frozen_sha256)
    assert decidable(newer, tom) == ""
    with transaction.atomic():
        remove_from_role("controller", cast.controller, by=machine(SETUP), at=now())
        assert "did not hold approve" in decidable(newer, tom)
        assert Verb.APPROVE not in verbs_of(tom, newer) | reach_of(tom).verbs_of(newer)
        transaction.set_rollback(True)
    with transaction.atomic():
        User.objects.filter(pk=cast.controller.pk).update(is_active=False)
        assert "did not hold approve" in decidable(newer, tom)
        assert Verb.APPROVE not in verbs_of(tom, newer) | reach_of(tom).verbs_of(newer)
        transaction.set_rollback(True)
    for begins_at, ends_at in ((now() + DAY, now() + 2 * DAY), (now() - 2 * DAY, now() - DAY)):
        with transaction.atomic():
            moved(given, begins_at=begins_at, ends_at=ends_at)
            assert "did not hold approve" in decidable(newer, tom)
            assert Verb.APPROVE not in verbs_of(tom, newer) | reach_of(tom).verbs_of(newer)
            transaction.set_rollback(True)


def test_neither_decides_on_what_the_other_had_a_hand_in_and_nothing_is_passed_on(cast: Cast):
    give_role(cast.clerk, "controller")
    give_role(cast.second_clerk, "controller")
    given = lend(cast.clerk, cast.second_clerk)
    by_giver, by_taker = proposed(cast, cast.clerk), proposed(cast, cast.second_clerk)
    for case, who, other in ((by_giver, cast.second_clerk, "Clara Clerk"), (by_taker, cast.clerk, "Cem Clerk")):
        shown = Proposal.objects.get(case=case).frozen_sha256
        with pytest.raises(NotPermitted, match=f"One of you and {other}, who had a hand in this, decides in the place"):
            approve(case.pk, by=who, at=now(), frozen_sha256=shown)
        assert "decides for somebody who contributed" in decidable(case, who)
    end_delegation(given.pk, by=cast.clerk, at=now())
    assert "decides for somebody who contributed" in decidable(by_giver, cast.second_clerk)  # it did, since
    lend(cast.controller, cast.support)
    with pytest.raises(NotPermitted) as refused:
        lend(cast.support, cast.auditor)
    assert refused.value.reason == NOTHING_TO_GIVE
    since = proposed(cast, cast.clerk)
    assert decidable(since, cast.support) == ""
    assert "did not hold approve" in decidable(since, cast.auditor)


def test_what_was_ended_before_it_began_never_counted(cast: Cast):
    give_role(cast.clerk, "controller")
    give_role(cast.second_clerk, "controller")
    ahead = lend(cast.clerk, cast.second_clerk, begins=1)
    end_delegation(ahead.pk, by=cast.clerk, at=now())
    assert standing_delegations_of(cast.clerk) == []
    case = proposed(cast, cast.clerk)
    assert decidable(case, cast.second_clerk) == ""
    begun = {"begins_at": now() - timedelta(hours=2), "given_at": now() - timedelta(hours=4)}
    ended = {"ended_at": now() - timedelta(hours=3), "ended_by": cast.clerk}
    lent(cast.clerk, cast.second_clerk, **begun, **ended)
    assert decidable(case, cast.second_clerk) == ""
    lent(cast.clerk, cast.second_clerk, **begun, **ended | {"ended_at": now() - timedelta(hours=1)})
    assert "decides for somebody who contributed" in decidable(case, cast.second_clerk)


def test_what_cannot_be_given_is_named_at_its_field(cast: Cast):
    grant_connection("ingest_messages", cast.auditor, cast.connection, by=machine(SETUP), at=now())
    for taker, more, field in (
        (cast.controller, {}, "taker"),
        (cast.outsider, {}, "taker"),
        (cast.administrator, {}, "taker"),
        (machine(SETUP), {}, "taker"),
        (cast.auditor, {}, "taker"),
        (cast.support, {"begins": -1}, "first_day"),
        (cast.support, {"days": -1}, "last_day"),
        (cast.support, {"days": LONGEST}, "last_day"),
        (cast.support, {"first_day": date.max, "last_day": date.max}, "first_day"),
        (cast.support, {"last_day": date.max}, "last_day"),
        (cast.support, {"because": " "}, "because"),
    ):
        with pytest.raises(Invalid) as refused:
            lend(cast.controller, taker, **more)
        assert refused.value.field == field, (taker, more)
    lend(cast.controller, cast.support)
    with pytest.raises(Invalid, match="decides in your place on some of these days already"):
        lend(cast.controller, cast.support, begins=7)
    with pytest.raises(NotPermitted, match="Only who gave it, who has it, or an administrator"):
        end_delegation(Delegation.objects.get().pk, by=cast.clerk, at=now())
    for statement, says in (
        ({"taker_id": cast.controller.pk}, "is never changed once written"),
        ({"ended_at": now()}, "delegation_ended_by_somebody"),
    ):
        with pytest.raises(IntegrityError, match=says), transaction.atomic():
            Delegation.objects.update(**statement)
    with pytest.raises(IntegrityError, match="are never deleted"), transaction.atomic():
        Delegation.objects.all().delete()


def test_nobody_is_lent_what_a_grant_of_it_would_be_refused_for(
    cast: Cast, signed_in: SignIn, api: Callable[[User], Api]
):
    """In action, page, API and database; the list offers whom `delegate` takes, and nobody else."""
    afar = person("afar", "Ann Afar", role="support")
    grant(afar, [Verb.EXPORT], cast.holds)  # and for no legal entity, so that they read nothing of it
    sources = person("sven", "Sven Sources", role="support")
    grant_connection("ingest_messages", sources, cast.connection, by=machine(SETUP), at=now())
    seen = may_decide_for(cast.controller)
    assert {sources, cast.auditor, afar, cast.support} < set(seen)
    taken = set()
    for taker in seen:
        with transaction.atomic():
            with suppress(Invalid):
                lend(cast.controller, taker)
                taken.add(taker)
            transaction.set_rollback(True)
    assert set(offered_to(cast.controller)) == taken
    assert {afar, cast.support} <= taken
    assert taken.isdisjoint({sources, cast.auditor})
    why = (
        "Anna Auditor may approve in E-invoicing for Meridian Deutschland GmbH in place of Conrad Controller, and read "
        "and export the audit trail there: whoever looks into decisions afterwards would look into their own."
    )
    with pytest.raises(Invalid, match=why) as invalid:
        lend(cast.controller, cast.auditor)
    assert invalid.value.field == "taker"
    browser, body = (
        signed_in(cast.controller),
        {"first_day": str(today()), "last_day": str(today()), "because": "Away."},
    )
    page = browser.get(reverse("exceptions:approvals")).content.decode()
    assert 'value="sara"' in page
    assert 'value="anna"' not in page
    refused = browser.post(reverse("exceptions:delegation_give"), body | {"taker": "anna"})
    assert (refused.status_code, list(refused.context["delegation_form"].errors)) == (422, ["taker"])
    answer = api(cast.controller).post("delegations", body | {"taker": "anna"})
    assert (answer.status_code, why in answer.content.decode()) == (422, True)
    assert not Delegation.objects.exists()


@pytest.mark.parametrize("who", ["auditor", "administrator"])
def test_database_refuses_a_delegate_who_may_hold_no_such_right(cast: Cast, who: str):
    def commit(giver: User) -> None:
        lent(giver, getattr(cast, who))
        with database.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="nobody decides for somebody who may not approve"), transaction.atomic():
        commit(cast.controller)
    commit(cast.clerk)  # who approves nowhere lends nothing


def test_page_gives_it_keeps_what_was_typed_and_ends_it(cast: Cast, signed_in: SignIn):
    browser, address = signed_in(cast.controller), reverse("exceptions:approvals")
    give = reverse("exceptions:delegation_give")
    typed = {"taker": "sara", "first_day": str(today()), "last_day": str(today() - DAY), "because": "Holiday."}
    refused = browser.post(give, typed)
    assert (refused.status_code, refused.context["delegation_form"].errors) == (
        422, {"last_day": ["Choose the first day or a later one."]},
    )  # fmt: skip
    assert "Holiday.</textarea>" in refused.content.decode()
    assert browser.post(give, typed | {"last_day": str(today())}).status_code == 302
    given = Delegation.objects.get()
    for who in (cast.controller, cast.support, cast.administrator):
        page = signed_in(who).get(address).content.decode()
        assert "Sara Support decides in place of Conrad Controller" in page, who
        assert f'from <time datetime="{today()}">' in page
    assert "decides in place" not in signed_in(cast.clerk).get(address).content.decode()
    assert "Let somebody decide" not in signed_in(cast.support).get(address).content.decode()
    end = reverse("exceptions:delegation_end", args=[given.pk])
    assert signed_in(cast.clerk).post(end).status_code == 404
    assert signed_in(cast.support).post(end).status_code == 302
    given.refresh_from_db()
    assert given.ended_by == cast.support


def test_api_gives_it_lists_it_and_ends_it(cast: Cast, api: Callable[[User], Api]):
    conrad, sara = api(cast.controller), api(cast.support)
    body = {"taker": "sara", "first_day": str(today()), "last_day": str(today()), "because": "Holiday."}
    assert conrad.post("delegations", body | {"taker": "nobody"}).status_code == 422
    assert sara.post("delegations", body | {"taker": "conrad"}).status_code == 403
    given = conrad.post("delegations", body).json()
    assert (given["taker"]["username"], given["ended_at"]) == ("sara", None)
    for account, count in ((conrad, 1), (sara, 1), (api(cast.clerk), 0), (api(cast.administrator), 1)):
        assert len(account.get("delegations").json()["results"]) == count
    assert api(cast.clerk).post(f"delegations/{given['number']}/end").status_code == 404
    assert sara.post(f"delegations/{given['number']}/end").json()["ended_at"] is not None
