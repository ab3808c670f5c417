"""Routing rules: kept by two people, which of them leads what arrives, and what a preview says of that."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app.actions.cause_joins import join_causes
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.routing_rules import (
    Routing,
    approve_routing_rule,
    propose_routing_end,
    propose_routing_rule,
    reject_routing_rule,
    withdraw_routing_rule,
)
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, RoutingRule, RoutingRuleDecision
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import held_together
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.routing_sight import sight_by
from exceptions_app.states import State, Verb
from exceptions_app.triage.rule_preview import OF_ITS_ROUTE, Way, preview_of
from exceptions_app.triage.rules import fits, may_fit
from integrations.models import Connection
from integrations.refusals import Category
from tests import factories
from tests.arrivals import take_in
from tests.cast import MORNING, SET_UP_AT, Cast, grant, make_cast, person
from tests.exceptions_app.actions.test_authority import by_sql
from tests.exceptions_app.actions.test_decide import at_the_same_time
from tests.exceptions_app.hands import lent, told
from workbench.models import User

pytestmark = pytest.mark.django_db
BEFORE = MORNING - timedelta(hours=1)


def second() -> User:
    found = User.objects.filter(username="adam").first()
    return found or person("adam", "Adam Administrator", is_staff=True)


def leads(position: int = 10, priority: int = 1, **more: Any) -> Routing:
    return Routing(position=position, priority=priority, **more)


def in_force(cast: Cast, asked: Routing, **more: Any) -> RoutingRule:
    rule = propose_routing_rule(asked, by=cast.administrator, at=BEFORE, because="Treasury looks first.", **more)
    return approve_routing_rule(rule.pk, by=second(), at=BEFORE, frozen_sha256=rule.frozen_sha256)


def ended(cast: Cast, rule: RoutingRule) -> None:
    end = propose_routing_end(rule.pk, by=cast.administrator, at=BEFORE, because="Gone.")
    approve_routing_rule(end.pk, by=second(), at=BEFORE, frozen_sha256=end.frozen_sha256)


def test_rule_is_kept_by_two_who_may_configure(cast: Cast):
    adam = second()
    signed: dict[str, Any] = {"at": BEFORE, "because": "Treasury looks first."}
    for wrong, field in (
        (leads(0), "position"), (leads(priority=5), "priority"), (leads(above=Decimal(-1), currency="EUR"), "above"),
        (leads(above=Decimal(1)), "currency"), (leads(currency="EUR"), "currency"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as invalid:
            propose_routing_rule(wrong, by=cast.administrator, **signed)
        assert invalid.value.field == field
    with pytest.raises(NotPermitted):
        propose_routing_rule(leads(), by=cast.controller, **signed)
    rule = propose_routing_rule(leads(queue=cast.holds), by=cast.administrator, **signed)
    shown: dict[str, Any] = {"at": BEFORE, "frozen_sha256": rule.frozen_sha256}
    for who in (cast.administrator, cast.controller):
        with pytest.raises(NotPermitted):
            approve_routing_rule(rule.pk, by=who, **shown)
    with pytest.raises(ApprovalNoLongerHolds):
        approve_routing_rule(rule.pk, by=adam, at=BEFORE, frozen_sha256="0" * 64)
    for second_as_first in (
        lambda: told("person.changed", "person:adam", by=cast.administrator, at=BEFORE, fields=["password"]),
        lambda: told("person.changed", "person:ada", by=adam, at=BEFORE, fields=["password"]),
        lambda: User.objects.filter(pk=adam.pk).update(email=cast.administrator.email.upper()),
        lambda: lent(adam, cast.administrator),
    ):
        with transaction.atomic():
            second_as_first()
            adam.refresh_from_db()
            with pytest.raises(NotPermitted):
                approve_routing_rule(rule.pk, by=adam, **shown)
            with pytest.raises(IntegrityError, match="is no second person for routing rule"), transaction.atomic():
                by_sql("routingruledecision", rule, adam)
            transaction.set_rollback(True)
    adam.refresh_from_db()
    assert approve_routing_rule(rule.pk, by=adam, **shown).state == "in_force"
    with pytest.raises(DecidedAlready):
        approve_routing_rule(rule.pk, by=adam, **shown)
    [proposed, approved] = timeline(rule.subject)
    assert (proposed.action, approved.action) == ("routing_rule.proposed", "routing_rule.approved")
    assert (approved.data["queue"], approved.data["priority"], approved.data["position"]) == ("policy-holds", 1, 10)
    # A change stands in the place of what it replaces, one at a time; what is rejected or withdrawn changes nothing.
    with pytest.raises(Invalid):
        propose_routing_rule(leads(queue=cast.holds), by=adam, replaces=rule.pk, **signed)
    change = propose_routing_rule(leads(priority=2), by=adam, replaces=rule.pk, **signed)
    with pytest.raises(Invalid):
        propose_routing_end(rule.pk, by=adam, **signed)
    withdraw_routing_rule(change.pk, by=adam, at=BEFORE)
    end = propose_routing_end(rule.pk, by=adam, **signed)
    reject_routing_rule(end.pk, by=cast.administrator, frozen_sha256=end.frozen_sha256, **signed)
    assert [one.pk for one in RoutingRule.objects.filter(state="in_force")] == [rule.pk]


def test_first_rule_that_fits_leads_an_arrival_and_its_route_the_others(cast: Cast):
    def arrive(number: str) -> tuple[ExceptionCase, tuple[str, int, timedelta]]:
        case = take_in(cast, number)
        assert case.entity == cast.netherlands
        assert case.due_at is not None
        return case, (case.queue.slug, case.priority, case.due_at - case.opened_at)

    as_before, placed = arrive("INV-1")
    assert placed == ("e-invoicing", 3, timedelta(days=2))
    [opened] = timeline(as_before.subject)
    assert (opened.data["routing_rule"], "routing rule" in opened.summary) == ("", False)
    late = in_force(cast, leads(30, 1, queue=cast.holds))
    with CaptureQueriesContext(database) as seen:
        led, placed = arrive("INV-2")
    assert len([one for one in seen if "routingrule" in one["sql"]]) == 1
    assert placed == ("policy-holds", 1, timedelta(hours=4))
    [opened] = timeline(led.subject)
    assert f"Led by the routing rule {late.ref}: 30. everything: Policy holds, P1." in opened.summary
    assert (opened.data["routing_rule"], opened.scope) == (late.ref, "NL01/policy-holds")
    assert led.amount is not None
    early = in_force(
        cast,
        leads(
            10, 2, connection=cast.connection, entity=cast.netherlands, object_type="invoice", category="compliance",
            code="br-03", cause=led.cause, country=led.cause.counterparty_class, above=abs(led.amount) - 1,
            currency=led.currency,
        ),
    )  # fmt: skip
    in_force(cast, leads(5, 4, entity=cast.germany))
    in_force(cast, leads(6, 4, above=abs(led.amount), currency=led.currency))
    in_force(cast, leads(7, 4, above=Decimal(1), currency="USD"))
    with CaptureQueriesContext(database) as seen:
        _, placed = arrive("INV-3")
    assert len([one for one in seen if "routingrule" in one["sql"]]) == 1
    assert placed == ("e-invoicing", 2, timedelta(days=1))
    ended(cast, early)
    assert arrive("INV-4")[1][0] == "policy-holds"
    # What is open stays where it is.
    as_before.refresh_from_db()
    assert as_before.queue == cast.einvoicing


def test_rule_of_a_cause_leads_what_is_joined_to_it(cast: Cast):
    """And one that names the joined cause leads what is of that cause alone."""
    head, joined = factories.make_cause("E-17", "Closed."), factories.make_cause("E-18", "Shut.")
    first, second = (factories.make_case(cast, cause=cause).pk for cause in (head, joined))
    join_causes(joined.pk, into=head.ref, because="The same.", by=cast.clerk, at=MORNING)
    for cause, led in ((head, {first, second}), (joined, {second})):
        rule = leads(cause=cause).as_rule()
        assert {case.pk for case in ExceptionCase.objects.select_related("cause") if fits(rule, case)} == led
        assert set(ExceptionCase.objects.filter(may_fit(rule)).values_list("pk", flat=True)) == led


def test_preview_says_what_arrivals_would_have_become(cast: Cast):
    other = factories.make_cause("E-17", "Closed.")
    plain = factories.make_case(cast, amount="1500")
    large = factories.make_case(cast, amount="-90000", cause=other)
    factories.make_case(cast, amount="10", currency="USD", category=Category.DUPLICATE)
    factories.make_case(cast, amount=None, entity=cast.germany, object_type="journal")
    due = factories.make_case(cast, amount="5", payable_on=MORNING.date())
    closed = factories.dismiss(
        factories.claim(factories.make_case(cast), cast.clerk), cast.clerk, approver=cast.controller
    )
    assert closed.state == State.DISMISSED
    asked = [
        leads(), leads(code="e-17"), leads(cause=other), leads(category="duplicate"), leads(entity=cast.germany),
        leads(object_type="invoice", above=Decimal(1500), currency="EUR"), leads(country="NL"),
        leads(connection=cast.connection, entity=cast.netherlands, above=Decimal(9), currency="USD"),
    ]  # fmt: skip
    cases = list(ExceptionCase.objects.open().select_related("cause"))
    for one in asked:
        rule = one.as_rule()
        found = {case.pk for case in ExceptionCase.objects.open().filter(may_fit(rule))}
        fitting = {case.pk for case in cases if fits(rule, case)}
        assert fitting <= found
        assert fitting == found or rule.above is not None
    assert [len([case for case in cases if fits(one.as_rule(), case)]) for one in asked] == [5, 1, 1, 1, 1, 1, 0, 1]

    clerk, blind = reach_of(cast.clerk), reach_of(cast.administrator)
    rule = leads(20, 4, queue=cast.holds, entity=cast.netherlands).as_rule()
    [most, urgent] = preview_of(rule, None, clerk).ways
    assert most.way == Way("E-invoicing", "Policy holds", 3, 4)
    assert (most.number, dict(most.money)) == (3, {"EUR": Decimal(-88500), "USD": Decimal(10)})
    assert (urgent.way.to_priority, urgent.shown) == (2, [due])
    assert preview_of(rule, None, blind).number == 0
    local = factories.make_case(cast, queue=cast.holds)
    assert preview_of(rule, None, reach_of(cast.local_clerk)).number == 4
    [only] = preview_of(leads(1, 3).as_rule(), None, clerk).ways
    assert (only.way.to_priority, only.shown) == (2, [due])
    # Only where no rule before it fits; and without what it replaces, as the next rule or the route says.
    assert preview_of(rule, None, clerk).number == 5
    first = in_force(cast, leads(10, 1, code="E-17"))
    assert preview_of(rule, None, clerk).number == 4
    [led] = preview_of(None, first.pk, clerk).ways
    assert (led.way, led.shown) == (Way("E-invoicing", "E-invoicing", 3, OF_ITS_ROUTE), [large])
    second_rule = in_force(cast, leads(20, 2, queue=cast.holds))
    [led] = preview_of(None, second_rule.pk, clerk).ways
    assert (led.way, led.shown) == (Way("Policy holds", OF_ITS_ROUTE, 3, OF_ITS_ROUTE), [local])
    change = leads(20, 3, queue=cast.holds).as_rule(second_rule)
    led, _ = preview_of(change, second_rule.pk, reach_of(cast.local_clerk)).ways
    assert (led.way.to_queue, plain in led.shown, local in led.shown) == ("Policy holds", True, False)


def test_rule_says_who_gains_and_gives_nobody_both_of_two_rights(cast: Cast):
    elsewhere = Connection(slug="bank", name="Bank", connector="en16931", owner="Treasury")
    save_configuration(elsewhere, by=machine(SETUP), at=SET_UP_AT, because="Set up for a test.")
    nina, kim = person("nina", "Nina Newcomer"), person("kim", "Kim Keeper")
    for one, connection in ((nina, cast.connection), (kim, elsewhere)):
        grant_connection("configure_connection", one, connection, by=cast.administrator, at=SET_UP_AT)
    grant(kim, [Verb.SEE, Verb.APPROVE], cast.holds, cast.netherlands)
    signed: dict[str, Any] = {"at": BEFORE, "because": "Treasury looks first."}
    asked = leads(queue=cast.holds, connection=cast.connection)
    sight = sight_by(asked.as_rule())
    assert (sight.see.in_words, sight.see_no_longer.in_words) == ("Kim Keeper", "Lars Local")
    assert (sight.approve.in_words, sight.approve_no_longer.in_words) == ("Kim Keeper", "")
    assert sight_by(leads(queue=cast.holds, entity=cast.germany).as_rule()).see.in_words == ""
    assert sight_by(leads().as_rule()).see.in_words == ""
    # Nobody brings to where they approve what they may not approve elsewhere, as proposer or as decider.
    with pytest.raises(NotPermitted, match="You may approve in Policy holds"):
        propose_routing_rule(asked, by=kim, **signed)
    rule = propose_routing_rule(asked, by=cast.administrator, **signed)
    with pytest.raises(NotPermitted, match="You may approve in Policy holds"):
        approve_routing_rule(rule.pk, by=kim, at=BEFORE, frozen_sha256=rule.frozen_sha256)
    # Who configures the connection comes to approve what it leads to: refused when it is proposed, and when decided.
    assert held_together() == []
    grant(nina, [Verb.SEE, Verb.APPROVE], cast.holds, cast.netherlands)
    with pytest.raises(NotPermitted, match=r"Nina Newcomer may approve in Policy holds .*configure a connection"):
        approve_routing_rule(rule.pk, by=second(), at=BEFORE, frozen_sha256=rule.frozen_sha256)
    with pytest.raises(Invalid, match="no person may hold both") as invalid:
        propose_routing_rule(asked, by=second(), **signed)
    assert invalid.value.field == "queue"
    assert RoutingRuleDecision.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_who_decide_at_the_same_time_decide_once(transactional_db: None):
    cast = make_cast()
    rule = propose_routing_rule(leads(), by=cast.administrator, at=BEFORE, because="Treasury looks first.")
    deciders = [person(f"adam{number}", f"Adam {number}", is_staff=True) for number in range(2)]
    shown: dict[str, Any] = {"at": BEFORE, "frozen_sha256": rule.frozen_sha256}
    outcomes = at_the_same_time(
        lambda: approve_routing_rule(rule.pk, by=deciders[0], **shown),
        lambda: reject_routing_rule(rule.pk, by=deciders[1], because="No.", **shown),
    )
    assert sorted(outcomes) == ["ApprovalNoLongerHolds", "done"]
    rule.refresh_from_db()
    assert (rule.state in ("in_force", "rejected"), RoutingRuleDecision.objects.count()) == (True, 1)
