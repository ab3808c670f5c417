"""Somebody more with access, a round in which it is reviewed, an emergency, a rule, a hold."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.timezone import now

from audit.queries import EventFilter
from exceptions_app.actions.access_review import open_review
from exceptions_app.actions.approval_rules import Asked, propose_rule
from exceptions_app.actions.delegations import delegate
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.erasures import propose_erasure
from exceptions_app.actions.export_start import cancel_export, start_export
from exceptions_app.actions.field_rules import Release, propose_field_rule
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.legal_holds import place_hold
from exceptions_app.actions.retention import Asked as Kept
from exceptions_app.actions.retention import propose_policy, withdraw_policy
from exceptions_app.actions.routing_rules import Routing, propose_routing_rule
from exceptions_app.models import AccessReview, ApprovalRule, RoutingRule
from exceptions_app.models.retention import RecordClass
from exceptions_app.states import Verb
from tests import factories
from tests.cast import MORNING, Cast, grant, person
from tests.exceptions_app.views.growing import Asked as Listed
from tests.exceptions_app.views.growing import api

EACH_RULE = 'divided" id="rule-'


def granted_and_reviewed(cast: Cast, number: int) -> AccessReview:
    grant(person(f"grantee{number}", f"Grantee {number}"), [Verb.SEE], cast.holds)
    return open_review(
        f"Round {number}", scope="queue:policy-holds", due_at=now() + timedelta(days=1), by=cast.administrator, at=now()
    )


def held_and_kept(cast: Cast, number: int) -> None:
    """A hold, and a policy that is over: of one place no more than one waits."""
    signed: dict[str, Any] = {"by": cast.administrator, "at": MORNING, "because": "A claim."}
    place_hold(counterparty=f"Party {number}", **signed)
    propose_erasure(f"Subject {number}", **signed)
    policy = propose_policy(Kept(record_class=RecordClass.FILES, days=100 + number), **signed)
    withdraw_policy(policy.pk, **signed)


def in_an_emergency(cast: Cast, number: int) -> None:
    ned = person(f"ned{number}", f"Ned {number}")
    grant(ned, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    take_emergency(
        cast.einvoicing, cast.netherlands, role="clerk", minutes=60, by=ned, at=now(), because="It cannot wait."
    )


def ruled(cast: Cast, number: int) -> None:
    asked = Asked(above=Decimal(number), currency="EUR", approvers=2, entity=cast.netherlands)
    propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")


def led(cast: Cast, number: int) -> RoutingRule:
    asked = Routing(
        position=number + 1, priority=1, queue=cast.holds, entity=cast.netherlands, connection=cast.connection
    )
    return propose_routing_rule(asked, by=cast.administrator, at=MORNING, because="Held for a second look.")


def approval_rules(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        ruled(cast, number)
        factories.make_proposal(factories.make_case(cast, amount="5000"), cast.clerk)
    page = reverse("exceptions:approval_rules")
    looked_at = f"{page}?rule={ApprovalRule.objects.latest('pk').pk}"
    return {
        "exceptions:approval_rules": Listed("administrator", page, tag=EACH_RULE),
        "exceptions:approval_rules, one with its effect": Listed("administrator", looked_at, tag=EACH_RULE),
        "/api/v1/approval-rules": api("administrator", "approval-rules"),
    }


def released(cast: Cast, number: int) -> None:
    asked = Release(position=number + 1, who="roles", roles=("controller",), queue=cast.holds, sort="amount")
    propose_field_rule(asked, by=cast.administrator, at=MORNING, because="The controller's list.")


def field_rules(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        released(cast, number)
    page = Listed("administrator", reverse("exceptions:field_rules"), tag=EACH_RULE)
    return {"exceptions:field_rules": page, "/api/v1/field-rules": api("administrator", "field-rules")}


def routing_rules(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        rule = led(cast, number)
        factories.make_case(cast)
    if not begun:
        grant_connection("configure_connection", cast.clerk, cast.connection, by=cast.administrator, at=MORNING)
    page = reverse("exceptions:routing_rules")
    return {
        "exceptions:routing_rules": Listed("clerk", page, tag=EACH_RULE),
        "exceptions:routing_rules, one with its effect": Listed("clerk", f"{page}?rule={rule.pk}", tag=EACH_RULE),
        "/api/v1/routing-rules": api("administrator", "routing-rules"),
    }


def retention(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        held_and_kept(cast, number)
    page, erased = reverse("exceptions:retention"), reverse("exceptions:erasures")
    return {
        "exceptions:retention": Listed("administrator", page, tag='divided" id="hold-'),
        "exceptions:erasures": Listed("administrator", erased, tag='divided" id="er'),
        "/api/v1/legal-holds": api("administrator", "legal-holds"),
        "/api/v1/retention-policies": api("administrator", "retention-policies"),
    }


def exported_and_cancelled(cast: Cast, number: int) -> None:
    """Three of one person may be unfinished."""
    wanted = EventFilter(scopes={"NL01/e-invoicing"})
    export = start_export(wanted, "csv", by=cast.auditor, at=MORNING, key=UUID(int=number + 1))
    cancel_export(export.pk, by=cast.auditor, at=MORNING)


def emergencies(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        in_an_emergency(cast, number)
    return {
        "exceptions:emergencies": Listed("controller", "/emergencies/"),
        "/api/v1/emergencies": api("controller", "emergencies"),
    }


def delegations(cast: Cast, begun: int, rows: int) -> Mapping[str, Listed]:
    for number in range(begun, rows):
        delegate(
            person(f"taker{number}", f"Taker {number}", role="support"), by=cast.controller, at=now(),
            first_day=now().date(), last_day=now().date(), because="Holiday.",
        )  # fmt: skip
    return {"/api/v1/delegations": api("controller", "delegations")}
