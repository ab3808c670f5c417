"""Rules of approval, for programs: to be read. They are proposed and decided on by people, on their page."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.approval_rules import may_keep_rules
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import DecisionShape, Person, Shape, person_of
from exceptions_app.models import ApprovalRule
from exceptions_app.models.approval_rule import RULE_PREFIX
from exceptions_app.queries.approval_rules import rules_within
from exceptions_app.queries.reach import reach_of


class ApprovalRuleShape(Shape):
    """One version of one rule: of what is above the amount it asks for so many approvers, each with the role."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text="proposed, in_force, ended, rejected or withdrawn.")
    words = serializers.CharField(help_text="What it asks, in one line.")
    above = serializers.CharField(help_text="A decimal number.")
    currency = serializers.CharField()
    entity = serializers.CharField(help_text="Code of the legal entity; empty for all.")
    object_type = serializers.CharField(help_text="Kind of transaction; empty for all.")
    approvers = serializers.IntegerField()
    role = serializers.CharField(help_text="Which each of them must have; empty for any.")
    replaces = serializers.CharField(help_text="The rule in whose place it is or would be; empty for none.")
    is_end = serializers.BooleanField(help_text="It asks nothing and ends what it replaces.")
    proposer = Person()
    because = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    decision = DecisionShape(allow_null=True)


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
    decision = getattr(rule, "decision", None)
    return {
        "ref": rule.ref,
        "state": rule.state,
        "words": rule.words,
        "above": f"{rule.above:f}",
        "currency": rule.currency,
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "approvers": rule.approvers,
        "role": rule.role.name if rule.role else "",
        "replaces": f"{RULE_PREFIX}{rule.replaces_id}" if rule.replaces_id else "",
        "is_end": rule.is_end,
        "proposer": person_of(rule.proposer),
        "because": rule.because,
        "proposed_at": rule.proposed_at,
        "closed_at": rule.closed_at,
        "decision": None if decision is None else {
            "verdict": decision.verdict,
            "decider": person_of(decision.decider),
            "because": decision.because,
            "decided_at": decision.decided_at,
        },
    }  # fmt: skip
