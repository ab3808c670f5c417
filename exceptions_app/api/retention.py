"""Policies of retention and legal holds, for programs: to be read. People propose, place and decide on their page."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.retention import may_keep_retention
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import DecisionShape, Person, Shape, person_of
from exceptions_app.models import LegalHold, RetentionPolicy
from exceptions_app.models.retention import POLICY_PREFIX
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.retention import holds_within, policies_within

_TAG = "Retention"


class RetentionPolicyShape(Shape):
    """One version of one policy: so many days after its end, a closed exception loses what is of the class."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text="proposed, in_force, ended, rejected or withdrawn.")
    words = serializers.CharField(help_text="What it says, in one line.")
    record_class = serializers.CharField(help_text="documents or files.")
    entity = serializers.CharField(help_text="Code of the legal entity; empty for all that have none of their own.")
    days = serializers.IntegerField()
    replaces = serializers.CharField(help_text="The policy in whose place it is or would be; empty for none.")
    is_end = serializers.BooleanField(help_text="It erases nothing and ends what it replaces.")
    proposer = Person()
    because = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    decision = DecisionShape(allow_null=True)


class LegalHoldShape(Shape):
    """What is not erased whatever a policy says, until it is lifted."""

    ref = serializers.CharField()
    exception = serializers.CharField(help_text="Reference of the exception; empty when it holds another thing.")
    entity = serializers.CharField(help_text="Code of the legal entity; empty when it holds another thing.")
    counterparty = serializers.CharField(help_text="Its name or number; empty when it holds another thing.")
    because = serializers.CharField()
    placed_by = Person()
    placed_at = serializers.DateTimeField()
    lifted_by = Person(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_because = serializers.CharField()


class RetentionPolicies(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_retention_policies",
        "List policies of retention",
        "How long what closed exceptions hold is kept, the newest first: policies that speak of what the account may "
        "see; for whoever keeps the policies, all of them.",
        tag=_TAG,
        answers={200: documented_page(RetentionPolicyShape, name="RetentionPolicyPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        found = policies_within(reach_of(user), keeps=may_keep_retention(user))
        return answer_page(page_of(request, found), lambda rows: [_policy(row) for row in rows])


class LegalHolds(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_legal_holds",
        "List legal holds",
        "What may not be erased, the newest first, also what was lifted: for whoever keeps the holds all, for who "
        "exports the audit trail of a place those that name an exception or the legal entity there.",
        tag=_TAG,
        answers={200: documented_page(LegalHoldShape, name="LegalHoldPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        found = holds_within(reach_of(user), keeps=may_keep_retention(user))
        return answer_page(page_of(request, found), lambda rows: [_hold(row) for row in rows])


def _policy(policy: RetentionPolicy) -> dict[str, Any]:
    decision = getattr(policy, "decision", None)
    return {
        "ref": policy.ref,
        "state": policy.state,
        "words": policy.words,
        "record_class": policy.record_class,
        "entity": policy.entity.code if policy.entity else "",
        "days": policy.days,
        "replaces": f"{POLICY_PREFIX}{policy.replaces_id}" if policy.replaces_id else "",
        "is_end": policy.is_end,
        "proposer": person_of(policy.proposer),
        "because": policy.because,
        "proposed_at": policy.proposed_at,
        "closed_at": policy.closed_at,
        "decision": None if decision is None else {
            "verdict": decision.verdict,
            "decider": person_of(decision.decider),
            "because": decision.because,
            "decided_at": decision.decided_at,
        },
    }  # fmt: skip


def _hold(hold: LegalHold) -> dict[str, Any]:
    return {
        "ref": hold.ref,
        "exception": f"EX-{hold.case_id}" if hold.case_id else "",
        "entity": hold.entity.code if hold.entity else "",
        "counterparty": hold.counterparty,
        "because": hold.because,
        "placed_by": person_of(hold.placed_by),
        "placed_at": hold.placed_at,
        "lifted_by": person_of(hold.lifted_by) if hold.lifted_by else None,
        "lifted_at": hold.lifted_at,
        "lifted_because": hold.lifted_because,
    }
