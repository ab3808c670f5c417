"""Routing rules, for programs: to be read. They are proposed and decided on by people, on their page."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.routing_rules import asks, may_keep_rules
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.kept_rules import KeptRuleShape, rule_document
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.routing_rules import routing_rules_within


class RoutingRuleShape(KeptRuleShape):
    """One version of one rule: what fits it goes to the queue, with the priority. Empty conditions fit everything."""

    position = serializers.IntegerField(
        help_text="Of those in force the lowest is tried first, and of equal the older."
    )
    connection = serializers.CharField(help_text="Its slug.")
    entity = serializers.CharField(help_text="Code of the legal entity.")
    object_type = serializers.CharField(help_text="Kind of transaction.")
    category = serializers.CharField()
    code = serializers.CharField(help_text="Of the first error.")
    cause = serializers.CharField(help_text="Number of the cause, such as CA-12.")
    country = serializers.CharField(help_text="Of the counterparty, by ISO 3166-1 alpha-2.")
    above = serializers.CharField(help_text="A decimal number; of amounts whichever way they are booked.")
    currency = serializers.CharField(help_text="Of the amount; no other is compared.")
    queue = serializers.CharField(help_text="Its slug; empty for that of the route.")
    priority = serializers.IntegerField(help_text="1 is most urgent, 4 least.")


class RoutingRules(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_routing_rules",
        "List routing rules",
        "Where what arrives goes before its route says so, the newest first: the rules that lead something of what the "
        "account may see; for whoever keeps the rules, all of them.",
        tag="Exceptions",
        answers={200: documented_page(RoutingRuleShape, name="RoutingRulePage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        found = routing_rules_within(reach_of(user), keeps=may_keep_rules(user))
        return answer_page(
            page_of(request, found), lambda rules: [{**rule_document(rule), **asks(rule)} for rule in rules]
        )
