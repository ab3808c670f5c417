"""Limits of authority and the second approver: rules kept by two people, and what they ask of those who approve."""

# ruff: noqa: S608 - the names of two tables

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db import connection as database

from audit import log
from audit.queries import timeline
from exceptions_app.actions.approval_rules import (
    Asked,
    approve_rule,
    propose_end,
    propose_rule,
    reject_rule,
    withdraw_rule,
)
from exceptions_app.actions.batch_propose import judge
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready, approve, reject
from exceptions_app.actions.grants import add_to_role, grant_connection, remove_from_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import propose_replay
from exceptions_app.authority import Asked as WhatIsAsked
from exceptions_app.authority import asked_of, demands_on, with_rules
from exceptions_app.duties import deciders_of, who_can
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    ApprovalRule,
    Decision,
    ExceptionCase,
    ExchangeRate,
    FirstApproval,
    KeptRule,
    Proposal,
)
from exceptions_app.models.demands import RATE_HOLDS
from exceptions_app.models.exchange_rate import RATES_SUBJECT
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State
from exceptions_app.triage import weights
from integrations.models import Delivery
from tests import factories
from tests.cast import MORNING, SET_UP_AT, Cast, make_cast, person
from tests.exceptions_app.actions.mending import mend, mend_and_propose, take_in
from tests.exceptions_app.actions.test_decide import at_the_same_time
from tests.exceptions_app.hands import lent, told
from workbench.models import User

pytestmark = pytest.mark.django_db
BEFORE, LATER = MORNING - timedelta(hours=1), MORNING + timedelta(hours=1)
Situation = Callable[[], object]


def asks(above: str = "100", currency: str = "EUR", approvers: int = 2, **more: Any) -> Asked:
    return Asked(above=Decimal(above), currency=currency, approvers=approvers, **more)


def in_force(cast: Cast, asked: Asked, **more: Any) -> ApprovalRule:
    other = User.objects.filter(username="adam").first() or person("adam", "Adam Administrator", is_staff=True)
    rule = propose_rule(asked, by=cast.administrator, at=BEFORE, because="The group's policy.", **more)
    return approve_rule(rule.pk, by=other, at=BEFORE, frozen_sha256=rule.frozen_sha256)


def second_controller() -> User:
    found = person("nina", "Nina Newcomer")
    add_to_role("controller", found, by=machine(SETUP), at=SET_UP_AT)
    return found


def test_rule_is_kept_by_two_who_may_configure(cast: Cast):
    adam = person("adam", "Adam Administrator", is_staff=True)
    for wrong, field in (
        (asks("-1"), "above"), (asks(currency="EURO"), "currency"), (asks(approvers=3), "approvers"),
        (asks(approvers=1), "approvers"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as invalid:
            propose_rule(wrong, by=cast.administrator, at=BEFORE, because="Policy.")
        assert invalid.value.field == field
    with pytest.raises(Invalid):
        propose_rule(asks(), by=cast.administrator, at=BEFORE, because=" ")
    with pytest.raises(NotPermitted):
        propose_rule(asks(), by=cast.controller, at=BEFORE, because="Policy.")
    rule = propose_rule(asks(), by=cast.administrator, at=BEFORE, because="Policy.")
    shown = rule.frozen_sha256
    for who in (cast.administrator, cast.controller):
        with pytest.raises(NotPermitted):
            approve_rule(rule.pk, by=who, at=BEFORE, frozen_sha256=shown)
    with pytest.raises(ApprovalNoLongerHolds):
        approve_rule(rule.pk, by=adam, at=BEFORE, frozen_sha256="0" * 64)
    assert approve_rule(rule.pk, by=adam, at=BEFORE, frozen_sha256=shown).state == "in_force"
    with pytest.raises(DecidedAlready):
        approve_rule(rule.pk, by=adam, at=BEFORE, frozen_sha256=shown)
    assert [event.action for event in timeline(rule.subject)] == ["approval_rule.proposed", "approval_rule.approved"]
    # A change stands in the place of what it replaces, which stays to be read; one at a time.
    with pytest.raises(Invalid):
        propose_rule(asks(), by=adam, at=BEFORE, because="The same.", replaces=rule.pk)
    change = propose_rule(asks("50"), by=adam, at=BEFORE, because="Lower.", replaces=rule.pk)
    with pytest.raises(Invalid):
        propose_end(rule.pk, by=adam, at=BEFORE, because="Gone.")
    withdraw_rule(change.pk, by=adam, at=BEFORE)
    change = propose_rule(asks("50"), by=adam, at=BEFORE, because="Lower.", replaces=rule.pk)
    approve_rule(change.pk, by=cast.administrator, at=BEFORE, frozen_sha256=change.frozen_sha256)
    end = propose_end(change.pk, by=adam, at=BEFORE, because="Gone.")
    reject_rule(end.pk, by=cast.administrator, at=BEFORE, frozen_sha256=end.frozen_sha256, because="It stays.")
    rule.refresh_from_db()
    assert (rule.state, ApprovalRule.objects.get(state="in_force").pk) == ("ended", change.pk)
    end = propose_end(change.pk, by=adam, at=BEFORE, because="Gone.")
    # Neither of two keepers may have been able to sign in as the other.
    for account, by, said in (("ada", adam, "changed your account"), ("adam", cast.administrator, "You changed the")):
        with transaction.atomic():
            told("person.changed", f"person:{account}", by=by, at=BEFORE, fields=["password"])
            with pytest.raises(NotPermitted, match=said):
                approve_rule(end.pk, by=cast.administrator, at=BEFORE, frozen_sha256=end.frozen_sha256)
            with pytest.raises(IntegrityError, match="is no second person"), transaction.atomic():
                by_sql("approvalruledecision", end, cast.administrator)
            transaction.set_rollback(True)
    assert ApprovalRule.objects.filter(state="in_force").exists()


def test_role_that_may_configure_lets_who_has_it_decide_on_a_rule_and_nobody_else(cast: Cast):
    keepers, nina = Group.objects.create(name="keepers"), person("nina", "Nina Newcomer")
    grant_connection("configure_connection", keepers, cast.connection, by=machine(SETUP), at=SET_UP_AT)
    add_to_role("keepers", nina, by=machine(SETUP), at=SET_UP_AT)
    rule = propose_rule(asks(), by=cast.administrator, at=BEFORE, because="Policy.")
    with pytest.raises(IntegrityError, match="is no second person"), transaction.atomic():
        by_sql("approvalruledecision", rule, cast.support)
    assert approve_rule(rule.pk, by=nina, at=BEFORE, frozen_sha256=rule.frozen_sha256).state == "in_force"


def test_two_approve_and_neither_of_them_twice(cast: Cast, refused_invoice: ExceptionCase):
    rule, nina, case = in_force(cast, asks()), second_controller(), refused_invoice
    proposal = mend_and_propose(case, by=cast.clerk)
    assert (proposal.approvers, proposal.demanded_by[0]["rule"]) == (2, rule.ref)
    case.refresh_from_db()
    assert who_can(deciders_of(proposal), case) == "Conrad Controller and Nina Newcomer can; two of them must."
    small, large = factories.make_case(cast, amount="10"), factories.make_case(cast, amount="1500")
    refusals = [found.refusal for found in judge([small, large], by=cast.clerk)]
    assert "decided by itself" not in refusals[0]
    assert refusals[1] == f"It is decided by itself, since a rule asks more of it. {rule}."
    shown: dict[str, Any] = {"frozen_sha256": proposal.frozen_sha256, "at": LATER}
    with pytest.raises(IntegrityError, match="takes 2 approvers"), transaction.atomic():
        by_sql("decision", proposal, cast.controller)
    first = approve(case.pk, by=cast.controller, because="Compared.", **shown)
    case.refresh_from_db()
    assert (isinstance(first, FirstApproval), case.state) == (True, State.AWAITING_APPROVAL)
    assert (Decision.objects.count(), Delivery.objects.count()) == (0, 0)
    assert list(timeline(case.subject))[-1].action == "case.approved_first"
    with pytest.raises(NotPermitted, match=r"as the first of two.*Nina Newcomer can\."):
        approve(case.pk, by=cast.controller, **shown)
    for table, who, said in (
        ("decision", cast.controller, "contributed to proposal"),
        ("firstapproval", cast.controller, "contributed to proposal"),
        ("firstapproval", nina, "duplicate key"),
        ("decision", cast.clerk, "contributed to proposal"),
    ):
        with pytest.raises(IntegrityError, match=said), transaction.atomic():
            by_sql(table, proposal, who)
    for arrange in refused_as_second(cast, nina):
        with transaction.atomic():
            arrange()
            with pytest.raises((NotPermitted, ApprovalNoLongerHolds)):
                approve(case.pk, by=nina, **shown)
            with pytest.raises(IntegrityError, match=r"four eyes|authority"), transaction.atomic():
                by_sql("decision", proposal, nina)
            transaction.set_rollback(True)
    assert isinstance(approve(case.pk, by=nina, **shown), Decision)
    case.refresh_from_db()
    assert (case.state, Delivery.objects.count()) == (State.REPLAYING, 1)


def refused_as_second(cast: Cast, nina: User) -> list[Situation]:
    """What the first did to the second, that one stands in for the other, and that the first may no longer."""
    return [
        lambda: told("person.changed", "person:nina", by=cast.controller, at=LATER, fields=["password"]),
        lambda: lent(cast.controller, nina),
        lambda: lent(nina, cast.controller),
        lambda: told("person.changed", "person:conrad", by=cast.clerk, at=LATER, fields=["password"]),
        lambda: remove_from_role("controller", cast.controller, by=machine(SETUP), at=LATER),
        lambda: User.objects.filter(pk=cast.controller.pk).update(is_active=False),
        lambda: User.objects.filter(pk=nina.pk).update(email=cast.controller.email.upper()),
    ]


def test_who_could_sign_in_as_the_first_is_no_second(cast: Cast, refused_invoice: ExceptionCase):
    in_force(cast, asks())
    nina, case = second_controller(), refused_invoice
    gina = person("gina", "Gina Giver", role="controller")
    sam = lent(gina, person("sammy", "Sammy Stand-in", role="support"))
    proposal = mend_and_propose(case, by=cast.clerk)
    shown: dict[str, Any] = {"frozen_sha256": proposal.frozen_sha256, "at": LATER}
    role, place = "role:controller", f"queue:{cast.einvoicing.slug}"
    opened: list[tuple[User, Situation]] = [
        (cast.controller, lambda: told("person.changed", "person:conrad", by=nina, at=LATER, fields=["password"])),
        (cast.controller, lambda: told("person.second_factor_removed", "person:conrad", by=nina, at=BEFORE)),
        (cast.controller, lambda: told("grant.given", place, by=nina, at=BEFORE, to=role, permissions=["approve"])),
        (sam, lambda: told("token.made", "person:sammy", by=nina, at=LATER)),
        (sam, lambda: told("person.password_changed", "person:gina", by=nina, at=LATER)),
    ]
    for first, arrange in opened:
        with transaction.atomic():
            assert isinstance(approve(case.pk, by=first, **shown), FirstApproval)
            assert "Nina Newcomer" in who_can(deciders_of(proposal), case)
            arrange()
            assert "Nina Newcomer" not in who_can(deciders_of(proposal), case)
            with pytest.raises(NotPermitted, match=r"You changed the account .* must decide\..* can\."):
                approve(case.pk, by=nina, **shown)
            with pytest.raises(IntegrityError, match="changed the account of the first approver"), transaction.atomic():
                by_sql("decision", proposal, nina)
            reject(case.pk, by=nina, because="To say no opens nothing.", **shown)
            transaction.set_rollback(True)
    # What she did long before, or what takes a right away, keeps her from nothing.
    approve(case.pk, by=cast.controller, **shown)
    ended = {"is_staff": {"was": True, "will_be": False}}
    told("person.changed", "person:conrad", by=nina, at=LATER, fields=["Staff status"], changes=ended)
    told("person.password_changed", "person:conrad", by=nina, at=MORNING - timedelta(hours=25))
    assert isinstance(approve(case.pk, by=nina, **shown), Decision)


def test_first_approval_falls_with_its_proposal_and_its_giver_may_say_no(cast: Cast, refused_invoice: ExceptionCase):
    in_force(cast, asks())
    nina, case = second_controller(), refused_invoice
    proposal = mend_and_propose(case, by=cast.clerk)
    approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
    mend(case, by=cast.clerk, date="2026-11-02", base_version=2)
    with pytest.raises(ApprovalNoLongerHolds):
        approve(case.pk, by=nina, at=LATER, frozen_sha256=proposal.frozen_sha256)
    anew = propose_replay(case.pk, by=cast.clerk, at=LATER, because="Once more.")
    assert isinstance(approve(case.pk, by=nina, at=LATER, frozen_sha256=anew.frozen_sha256), FirstApproval)
    with transaction.atomic():
        told("person.changed", "person:nina", by=cast.clerk, at=LATER, fields=["password"])
        with pytest.raises(NotPermitted, match="changed your account"):
            reject(case.pk, by=nina, at=LATER, frozen_sha256=anew.frozen_sha256, because="Not by them.")
        transaction.set_rollback(True)
    reject(case.pk, by=nina, at=LATER, frozen_sha256=anew.frozen_sha256, because="I saw it too late.")
    case.refresh_from_db()
    assert (case.state, Decision.objects.get().verdict) == (State.IN_PROGRESS, "rejected")


def test_role_is_asked_for_and_what_came_into_force_later_counts(cast: Cast, refused_invoice: ExceptionCase):
    directors, nina, case = Group.objects.create(name="directors"), second_controller(), refused_invoice
    proposal = mend_and_propose(case, by=cast.clerk)
    assert proposal.approvers == 1
    rules = [in_force(cast, asked) for asked in (asks(approvers=1, role=directors), asks("1000000"))]
    # What is shown is what is asked now, whatever was frozen when it was proposed.
    read = with_rules(Proposal.objects.all()).get(pk=proposal.pk)
    assert asked_of(read) == WhatIsAsked(1, ["directors"], [f"{rules[0]}."])
    shown: dict[str, Any] = {"frozen_sha256": proposal.frozen_sha256, "at": LATER}
    with pytest.raises(NotPermitted, match=r"the role directors since before it.*Nobody can: a rule takes"):
        approve(case.pk, by=nina, **shown)
    with pytest.raises(IntegrityError, match="has not every role"), transaction.atomic():
        by_sql("decision", proposal, nina)
    dora = person("dora", "Dora Director", role="controller")
    add_to_role("directors", nina, by=machine(SETUP), at=LATER)
    add_to_role("directors", dora, by=machine(SETUP), at=BEFORE)
    assert [one.username for one in deciders_of(proposal) if one.may_approve] == ["dora"]
    with pytest.raises(IntegrityError, match="has not every role"), transaction.atomic():
        by_sql("decision", proposal, nina)
    # To say no takes no authority; and a rule that is in force counts whatever a forged proposal says of itself.
    with transaction.atomic():
        reject(case.pk, by=cast.controller, because="No.", **shown)
        transaction.set_rollback(True)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic(), database.cursor() as cursor:
        cursor.execute("UPDATE exceptions_app_proposal SET approvers = 2 WHERE id = %s", [proposal.pk])
    assert isinstance(approve(case.pk, by=dora, **shown), Decision)


def test_demand_says_of_which_entity_and_kind_it_is(cast: Cast):
    case = factories.make_case(cast)
    rule = in_force(cast, asks(entity=cast.netherlands, object_type=case.object_type))
    [demand] = demands_on([case.pk], at=MORNING)[case.pk]
    assert demand.words == f"{rule.ref}: above 100.00 EUR in {cast.netherlands.code} of the kind invoice: 2 approvers."


def test_money_is_compared_at_the_rates_that_are_known(cast: Cast):
    assert RATE_HOLDS == weights.RATE_HOLDS
    with transaction.atomic():
        log.record("exchange_rates.imported", subject=RATES_SUBJECT, scope="", actor="x", at=MORNING, summary="Rates.")
        for currency, day, rate in (("USD", 1, "1.25"), ("SEK", 1, "10"), ("JPY", 20, "160")):
            month = 11 if day == 1 else 10
            ExchangeRate.objects.create(currency=currency, day=date(2026, month, day), rate=Decimal(rate))
    in_force(cast, asks("1000", "USD"))

    def asked(amount: str | None, currency: str = "EUR", **more: Any) -> int:
        case = factories.make_case(cast, amount=amount, currency=currency, **more)
        found = demands_on([case.pk], at=MORNING)[case.pk]
        assert (
            all("cannot be compared" in one.words for one in found) is (amount is None or currency in ("JPY", "CHF"))
            or not found
        )
        return len(found)

    # A thousand dollars are 800 euros and 8000 crowns; the yen's rate is too old, and the franc has none.
    assert [asked("800.00"), asked("800.01"), asked("-900")] == [0, 1, 1]
    assert [asked("1000", "USD"), asked("1000.01", "USD")] == [0, 1]
    assert [asked("8000", "SEK"), asked("8000.10", "SEK")] == [0, 1]
    assert [asked("1", "JPY"), asked("1", "CHF"), asked(None)] == [1, 1, 1]
    lowered = factories.make_case(cast, amount="900")
    lowered.amount = Decimal("100")
    lowered._history_user = machine(SETUP)
    with transaction.atomic():
        told("case.corrected", lowered.subject, by=cast.clerk, at=MORNING)
        lowered.save()
    assert len(demands_on([lowered.pk], at=MORNING)[lowered.pk]) == 1
    # Nor does it escape by another legal entity, whoever writes that, and its own rules count beside.
    here, there = (in_force(cast, asks("10", entity=one)) for one in (cast.netherlands, cast.germany))
    moved = factories.make_case(cast, amount="100")
    assert [one.rule for one in demands_on([moved.pk], at=MORNING)[moved.pk]] == [here.ref]
    with transaction.atomic():
        ExceptionCase.objects.filter(pk=moved.pk).update(entity=cast.germany)
        log.record("case.corrected", subject=moved.subject, scope="", actor="clara", at=MORNING, summary="Moved.")
    assert [one.rule for one in demands_on([moved.pk], at=MORNING)[moved.pk]] == [here.ref, there.ref]
    for one in (here, there):
        end = propose_end(one.pk, by=cast.administrator, at=BEFORE, because="Over.")
        adam = User.objects.get(username="adam")
        approve_rule(end.pk, by=adam, at=BEFORE, frozen_sha256=end.frozen_sha256)
    # Elsewhere, and of another kind, it asks nothing.
    in_force(cast, asks("0", entity=cast.germany, object_type="payment"))
    assert asked("1") == 0
    assert asked("1", entity=cast.germany) == 0
    assert asked("1", entity=cast.germany, object_type="payment") == 1


@pytest.mark.django_db(transaction=True)
def test_same_person_twice_at_the_same_time_is_one_of_two(transactional_db: None):
    cast = make_cast()
    in_force(cast, asks())
    case = take_in(cast)
    proposal = mend_and_propose(case, by=cast.clerk)
    outcomes = at_the_same_time(
        *[lambda: approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)] * 4
    )
    assert (outcomes.count("done"), FirstApproval.objects.count(), Decision.objects.count()) == (1, 1, 0)


def by_sql(table: str, about: Proposal | KeptRule, decider: User) -> None:
    what = "rule_id" if isinstance(about, KeptRule) else "proposal_id"
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO exceptions_app_{table} ({what}, verdict, decider_id, frozen_sha256, because, decided_at)"
            " VALUES (%s, 'approved', %s, %s, '', now())",
            [about.pk, decider.pk, about.frozen_sha256],
        )
