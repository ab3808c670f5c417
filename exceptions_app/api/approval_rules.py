"""Rules of approval, for programs: to be read. They are proposed and decided on by people, on their page."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.approval_rules import may_keep_rules
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.kept_rules import KeptRuleShape, rule_document
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Shape
from exceptions_app.models import ApprovalRule
from exceptions_app.queries.approval_reach import Place, places_of
from exceptions_app.queries.approval_rules import rules_within
from exceptions_app.queries.kept_rules import LIVE
from exceptions_app.queries.reach import reach_of


class TooFew(Shape):
    """Where a rule applies, and how many people could approve there under it."""

    queue = serializers.CharField(help_text="Its slug.")
    queue_name = serializers.CharField()
    entity = serializers.CharField(help_text="Code of the legal entity.")
    entity_name = serializers.CharField()
    people = serializers.IntegerField(help_text="Active accounts with approve there, and the role if it names one.")


class ApprovalRuleShape(KeptRuleShape):
    """One version of one rule: of what is above the amount it asks for so many approvers, each with the role."""

    above = serializers.CharField(help_text="A decimal number.")
    currency = serializers.CharField()
    entity = serializers.CharField(help_text="Code of the legal entity; empty for all.")
    object_type = serializers.CharField(help_text="Kind of transaction; empty for all.")
    approvers = serializers.IntegerField()
    role = serializers.CharField(help_text="Which each of them must have; empty for any.")
    too_few = TooFew(
        many=True,
        allow_null=True,
        help_text="Where fewer people could approve under it than it asks for, of a rule that is proposed or in force; "
        "null for an account that does not keep the rules.",
    )


class ApprovalRules(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_approval_rules",
        "List rules of approval",
        "What takes two approvers, or approvers of a certain role, the newest first: those that ask something of what "
        "the account may see; for whoever keeps the rules, all of them.",
        tag="Proposals",
        answers={200: documented_page(ApprovalRuleShape, name="ApprovalRulePage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        keeps = may_keep_rules(user)
        found = rules_within(reach_of(user), keeps=keeps)
        return answer_page(page_of(request, found), lambda rules: _documents(rules, keeps=keeps))


def _documents(rules: Sequence[ApprovalRule], *, keeps: bool) -> list[dict[str, Any]]:
    counting = [rule for rule in rules if rule.state in LIVE and not rule.is_end]
    places = places_of(counting) if keeps and counting else {}
    return [_document(rule, places.get(rule.pk, []) if keeps else None) for rule in rules]


def _document(rule: ApprovalRule, places: Sequence[Place] | None) -> dict[str, Any]:
    return {
        **rule_document(rule),
        "above": f"{rule.above:f}",
        "currency": rule.currency,
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "approvers": rule.approvers,
        "role": rule.role.name if rule.role else "",
        "too_few": None
        if places is None
        else [
            {
                "queue": place.queue_slug,
                "queue_name": place.queue,
                "entity": place.entity_code,
                "entity_name": place.entity,
                "people": place.people,
            }
            for place in places
            if place.people < rule.approvers
        ],
    }
