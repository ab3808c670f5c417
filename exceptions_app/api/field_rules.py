"""Field rules, for programs: to be read. They are proposed and decided on by people, on their page."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.field_rules import asks, may_keep_rules
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.kept_rules import KeptRuleShape, rule_document
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.queries.field_rules import field_rules_within
from exceptions_app.queries.reach import reach_of


class FieldRuleShape(KeptRuleShape):
    """One version of one rule: who may change the fields that fit it. Empty conditions fit everything."""

    position = serializers.IntegerField(
        help_text="Of those in force the lowest is tried first, and of equal the older."
    )
    queue = serializers.CharField(help_text="Its slug.")
    object_type = serializers.CharField(help_text="Kind of transaction.")
    part = serializers.CharField(help_text="Group of fields, without a number: Line.")
    field = serializers.CharField(help_text="Label or term of the field: Tax code, BT-84.")
    sort = serializers.CharField(help_text="Sort of values: amount, quantity, date, bank or personal.")
    who = serializers.CharField(help_text="everybody who may correct, roles or nobody.")
    roles = serializers.ListField(child=serializers.CharField(), help_text="Any of them is enough.")


class FieldRules(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_field_rules",
        "List field rules",
        "Who may change which business fields in a correction, the newest first: the rules about queues that the "
        "account may see; for whoever keeps the rules, all of them.",
        tag="Exceptions",
        answers={200: documented_page(FieldRuleShape, name="FieldRulePage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        found = field_rules_within(reach_of(user), keeps=may_keep_rules(user))
        return answer_page(
            page_of(request, found), lambda rules: [{**rule_document(rule), **asks(rule)} for rule in rules]
        )
