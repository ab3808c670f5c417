"""Rules of approval, for programs: to be read. They are proposed and decided on by people, on their page."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.approval_rules import may_keep_rules
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.kept_rules import KeptRuleShape, rule_document
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.models import ApprovalRule
from exceptions_app.queries.approval_rules import rules_within
from exceptions_app.queries.reach import reach_of


class ApprovalRuleShape(KeptRuleShape):
    """One version of one rule: of what is above the amount it asks for so many approvers, each with the role."""

    above = serializers.CharField(help_text="A decimal number.")
    currency = serializers.CharField()
    entity = serializers.CharField(help_text="Code of the legal entity; empty for all.")
    object_type = serializers.CharField(help_text="Kind of transaction; empty for all.")
    approvers = serializers.IntegerField()
    role = serializers.CharField(help_text="Which each of them must have; empty for any.")


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
        found = rules_within(reach_of(user), keeps=may_keep_rules(user))
        return answer_page(page_of(request, found), lambda rules: [_document(rule) for rule in rules])


def _document(rule: ApprovalRule) -> dict[str, Any]:
    return {
        **rule_document(rule),
        "above": f"{rule.above:f}",
        "currency": rule.currency,
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "approvers": rule.approvers,
        "role": rule.role.name if rule.role else "",
    }
