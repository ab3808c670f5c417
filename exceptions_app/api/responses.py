"""The shapes of what the API answers about exceptions."""

from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision
from django.contrib.auth.models import AbstractUser
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from exceptions_app.models import ExceptionCase
from exceptions_app.models.second_opinion import SecondOpinion
from exceptions_app.queries.batches import MOST_OTHERS
from exceptions_app.queries.case_history import MOST_ATTEMPTS


class Shape(serializers.Serializer[Any]):
    """A trailing underscore is dropped from a field's name: it keeps `errors_` apart from what serializers have."""

    def get_fields(self) -> dict[str, Any]:
        return {name.removesuffix("_"): field for name, field in super().get_fields().items()}


class Money(Shape):
    amount = serializers.CharField(help_text="Decimal number as text, so that no digit is lost.")
    currency = serializers.CharField(help_text="ISO 4217.")


def money_of(amount: Decimal | None, currency: str) -> dict[str, str] | None:
    """An amount with the currency's own decimals, more only where it has them, and never without its currency."""
    if amount is None or not currency:
        return None
    whole, _, fraction = f"{amount.normalize():f}".partition(".")
    fraction = fraction.ljust(get_currency_precision(currency), "0")
    return {"amount": f"{whole}.{fraction}" if fraction else whole, "currency": currency}


class Person(Shape):
    username = serializers.CharField()
    name = serializers.CharField()


def person_of(user: AbstractUser | None) -> dict[str, str] | None:
    if user is None:
        return None
    return {"username": user.get_username(), "name": user.get_full_name() or user.get_username()}


class OpinionShape(Shape):
    """What a second person said of a list or of rows that were proposed."""

    verdict = serializers.ChoiceField(choices=SecondOpinion.Verdict.values)
    decider = Person()
    because = serializers.CharField()
    decided_at = serializers.DateTimeField()


def opinion_as_json(said: SecondOpinion | None) -> dict[str, Any] | None:
    if said is None:
        return None
    return {
        "verdict": said.verdict,
        "decider": person_of(said.decider),
        "because": said.because,
        "decided_at": said.decided_at,
    }


class QueueShape(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()


class EntityShape(Shape):
    code = serializers.CharField()
    name = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2.")


class CauseShape(Shape):
    code = serializers.CharField(help_text="The other system's code, for instance BR-03.")
    field = serializers.CharField()
    title = serializers.CharField()


class ScoreReason(Shape):
    """One part of a score."""

    about = serializers.CharField(help_text="statutory, due, discount, money, waiting or age.")
    points = serializers.IntegerField(help_text="0 where something is not known, such as an exchange rate.")
    text = serializers.CharField(help_text="In a sentence.")
    short = serializers.CharField(help_text="In a few words.")


class SnoozeShape(Shape):
    """Why it is not in the work lists for a while."""

    by = Person()
    until = serializers.DateTimeField(allow_null=True, help_text="It comes back by itself then.")
    event = serializers.CharField(help_text="arrival, target_well or comment; empty when it waits for the time alone.")


class ExceptionSummary(Shape):
    """An exception as it stands in a list."""

    ref = serializers.CharField(help_text="For instance EX-1042.")
    url = serializers.SerializerMethodField()
    kind = serializers.CharField(help_text="failed or held.")
    state = serializers.CharField(help_text="See docs/states.md.")
    outcome = serializers.CharField(help_text="How it ended; empty while it is open.")
    queue = QueueShape()
    entity = EntityShape(help_text="The legal entity.")
    connection = serializers.CharField(source="connection.slug")
    object_type = serializers.CharField()
    business_key = serializers.CharField(help_text="What the target would call the document.")
    category = serializers.CharField()
    sub = serializers.CharField()
    cause = CauseShape(help_text="What it has in common with others, without particulars.")
    problem = serializers.CharField(help_text="What is wrong with this one, in plain words.")
    assignee = serializers.SerializerMethodField()
    priority = serializers.IntegerField(help_text="1 is most urgent, 4 least.")
    score = serializers.IntegerField(help_text="How important it is: the sum of the points of its reasons.")
    score_reasons = ScoreReason(many=True, help_text="What the score is made of, the heaviest first.")
    due_at = serializers.DateTimeField(allow_null=True)
    held_until = serializers.DateTimeField(allow_null=True)
    waiting_for = serializers.CharField()
    snoozed = serializers.SerializerMethodField()
    tags = serializers.ListField(
        child=serializers.CharField(), help_text="Words that people put on it to find it again."
    )
    document_number = serializers.CharField()
    document_date = serializers.DateField(allow_null=True)
    counterparty = serializers.CharField()
    money = serializers.SerializerMethodField()
    reference = serializers.CharField(help_text="The target's own document reference, once it has booked it.")
    occurrences = serializers.IntegerField(source="occurrences_count", help_text="How often it came in.")
    revision = serializers.IntegerField(help_text="Raised by every change; the ETag of the exception.")
    opened_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, case: ExceptionCase) -> str:
        return str(reverse("api:exception", args=[case.ref], request=self.context["request"]))

    @extend_schema_field(Person(allow_null=True))
    def get_assignee(self, case: ExceptionCase) -> dict[str, str] | None:
        return person_of(case.assignee)

    @extend_schema_field(SnoozeShape(allow_null=True))
    def get_snoozed(self, case: ExceptionCase) -> dict[str, Any] | None:
        if case.snoozed_by is None:
            return None
        return {"by": person_of(case.snoozed_by), "until": case.snoozed_until, "event": case.snoozed_for}

    @extend_schema_field(Money(allow_null=True))
    def get_money(self, case: ExceptionCase) -> dict[str, str] | None:
        return money_of(case.amount, case.currency)


class RuleError(Shape):
    """One thing that stands against the document, in plain words and in the other system's."""

    code = serializers.CharField()
    severity = serializers.CharField(help_text="error, warning or info.")
    plain = serializers.CharField(help_text="What is wrong, in plain words.")
    text = serializers.CharField(help_text="The other system's own words.")
    term = serializers.CharField(help_text="Business term, for instance BT-2; empty when it points nowhere.")
    field = serializers.CharField(help_text="The field's label.")
    field_path = serializers.CharField(help_text="Where it stands in the payload.")
    path = serializers.CharField(help_text="The other system's own location.")
    said_by = serializers.CharField(
        help_text="Who found it where that was not the other system, such as a field map with its version."
    )
    was = serializers.CharField(help_text="What the source sent, where that is not what stands in the payload.")
    proposed_value = serializers.CharField(allow_null=True, help_text="A value that would mend it, when one is known.")
    allowed = serializers.ListField(
        child=serializers.CharField(), help_text="Values that would do there, where that is known; the first 100."
    )


class Check(Shape):
    name = serializers.CharField(help_text="Which check it was.")
    passed = serializers.BooleanField(allow_null=True, help_text="null for what was received and not checked here.")
    errors_ = RuleError(many=True)


class Change(Shape):
    term = serializers.CharField()
    label_ = serializers.CharField()
    group = serializers.CharField()
    path = serializers.CharField()
    was = serializers.CharField()
    will_be = serializers.CharField()


class OperationShape(Shape):
    op = serializers.CharField()
    path = serializers.CharField()
    value = serializers.CharField(required=False)


class VersionSummary(Shape):
    """One version of the payload bound for the target. Version 1 is what was received, byte for byte."""

    number = serializers.IntegerField()
    url = serializers.URLField()
    content_url = serializers.URLField(help_text="The exact bytes.")
    media_type = serializers.CharField()
    sha256 = serializers.CharField()
    author = Person(allow_null=True, help_text="null for what was received.")
    reason = serializers.CharField()
    check = Check()
    created_at = serializers.DateTimeField()


class UsedFieldMap(Shape):
    """A version of a field map that translated a payload."""

    direction = serializers.CharField(help_text="inbound or outbound.")
    object_type = serializers.CharField()
    number = serializers.IntegerField()


class Version(VersionSummary):
    """A version with all that it changed against the one before."""

    operations = OperationShape(many=True)
    changes = Change(many=True, help_text="What changed, in business fields.")
    field_maps = UsedFieldMap(many=True, help_text="The field maps that made it, when it was translated again.")


class DecisionShape(Shape):
    verdict = serializers.CharField()
    decider = Person()
    because = serializers.CharField()
    decided_at = serializers.DateTimeField()


class ProposalShape(Shape):
    """What a second person is asked to agree to, frozen."""

    kind = serializers.CharField(
        help_text="replay, release, decline, dismiss, reverse, confirm_booked, declare_absent."
    )
    state = serializers.CharField(help_text="open, approved, rejected, withdrawn, superseded or spent.")
    outcome = serializers.CharField()
    version = serializers.IntegerField()
    target = serializers.CharField(help_text="The connection to which it goes.")
    target_url = serializers.CharField(help_text="Its address, without user, password and query.")
    policy_version = serializers.CharField()
    content_sha256 = serializers.CharField()
    evidence_sha256 = serializers.CharField(help_text="Of the proof of a statement; empty where none is needed.")
    frozen_sha256 = serializers.CharField(help_text="Send this back to approve or reject exactly this.")
    needs_retyping = serializers.BooleanField(help_text="Whether it changes bank details of a payee: see to_retype.")
    proposer = Person()
    because = serializers.CharField()
    proposed_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_because = serializers.CharField()
    approvers = serializers.IntegerField(
        help_text="How many must agree to it in all, by the rules when it was proposed and those in force since."
    )
    roles = serializers.ListField(child=serializers.CharField(), help_text="Roles that each of them must have.")
    rules = serializers.ListField(child=serializers.CharField(), help_text="The rules that ask so, in words.")
    first_approval = DecisionShape(allow_null=True, help_text="Of two, the one that is there already.")
    decision = DecisionShape(allow_null=True)


class Attempt(Shape):
    phase = serializers.CharField(help_text="probe or send.")
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True, help_text="null when no answer was ever seen.")
    outcome = serializers.CharField()
    http_status = serializers.IntegerField(allow_null=True)
    reference = serializers.CharField()
    detail = serializers.CharField()
    sent_in = serializers.CharField(help_text="The file in which it was sent; empty when it was sent as it is.")
    sent_with = serializers.IntegerField(help_text="How many others were in that file.")


class DeliveryShape(Shape):
    operation = serializers.CharField(help_text="submit or write_back.")
    state = serializers.CharField()
    idempotency_key = serializers.CharField(help_text="The key under which the target recognises a repeat.")
    content_sha256 = serializers.CharField()
    sends = serializers.IntegerField()
    reference = serializers.CharField()
    detail = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    attempts = Attempt(many=True, help_text=f"The newest {MOST_ATTEMPTS}.")


class Arrival(Shape):
    message_id = serializers.CharField(help_text="The sender's own identifier of the message.")
    arrived_at = serializers.DateTimeField()
    payload_sha256 = serializers.CharField()
    definitive = serializers.BooleanField(help_text="Whether the refusal means that the target booked nothing.")
    errors_ = RuleError(many=True)


class RecordFieldShape(Shape):
    term = serializers.CharField()
    label_ = serializers.CharField()
    group = serializers.CharField()
    kind = serializers.CharField()
    path = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    hint = serializers.CharField()


class PartyShape(Shape):
    name = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2.")
    vat_id = serializers.CharField()
    identifiers = serializers.ListField(child=serializers.CharField())


class RecordShape(Shape):
    """The latest version as business fields: a read-only projection of the payload."""

    version = serializers.CharField(help_text="Kind and version of the record, such as invoice/1.")
    title = serializers.CharField(help_text="What it is, such as Invoice.")
    number = serializers.CharField()
    document_date = serializers.DateField(allow_null=True)
    due_date = serializers.DateField(allow_null=True)
    money = Money(allow_null=True, help_text="What goes back to the other side is negative.")
    counterparty = PartyShape()
    parties = serializers.DictField(child=PartyShape(), help_text="Role, such as Seller, and who has it.")
    totals = serializers.DictField(child=serializers.CharField(allow_null=True), help_text="Label and amount.")
    fields_ = RecordFieldShape(many=True)


class PossibleAction(Shape):
    action = serializers.CharField()
    label_ = serializers.CharField()
    url = serializers.URLField(help_text="Where to POST it.")
    allowed = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why not, in plain words; empty when it is allowed.")


class CommentShape(Shape):
    author = Person()
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class TotalsShape(Shape):
    count = serializers.IntegerField()
    sums = Money(many=True, help_text="One for each currency.")


class BatchShape(Shape):
    """What became of the file that a message answers, as a whole."""

    reference = serializers.CharField(help_text="What the sender called the file.")
    unit = serializers.CharField(help_text="The plural of what it holds, such as payments.")
    summary = serializers.CharField(help_text="All of it in words.")
    totals_agree = serializers.BooleanField()
    findings = serializers.ListField(child=serializers.CharField(), help_text="What does not agree or is not sure.")
    sent = TotalsShape()
    outcomes = serializers.DictField(
        child=TotalsShape(), help_text="accepted, rejected, pending, cancelled or unclear, and how many."
    )


class BatchOfException(BatchShape):
    exceptions = serializers.ListField(
        child=serializers.CharField(), help_text=f"Its other exceptions that the account sees, at most {MOST_OTHERS}."
    )


class Event(Shape):
    """One event of the audit trail."""

    event_id = serializers.UUIDField()
    sequence = serializers.IntegerField(allow_null=True, help_text="Its sealed number; null until it is sealed.")
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField()
    actor_kind = serializers.CharField(help_text="person, machine or service.")
    summary = serializers.CharField()
    because = serializers.CharField()
    data_ = serializers.JSONField()
