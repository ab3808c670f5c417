"""What is the same of all rules that two people keep, for programs: to be read. People keep them, on their pages."""

from typing import Any

from rest_framework import serializers

from exceptions_app.api.responses import DecisionShape, Person, Shape, opinion_as_json, person_of
from exceptions_app.models import KeptRule


class KeptRuleShape(Shape):
    """One version of one rule."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text="proposed, in_force, ended, rejected or withdrawn.")
    words = serializers.CharField(help_text="What it asks, in one line.")
    replaces = serializers.CharField(help_text="The rule in whose place it is or would be; empty for none.")
    is_end = serializers.BooleanField(help_text="It asks nothing and ends what it replaces.")
    proposer = Person()
    because = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    decision = DecisionShape(allow_null=True)


def rule_document(rule: KeptRule) -> dict[str, Any]:
    return {
        "ref": rule.ref,
        "state": rule.state,
        "words": rule.words,
        "replaces": rule.replaced_ref,
        "is_end": rule.is_end,
        "proposer": person_of(rule.proposer),
        "because": rule.because,
        "proposed_at": rule.proposed_at,
        "closed_at": rule.closed_at,
        "decision": opinion_as_json(getattr(rule, "decision", None)),
    }
