"""The shapes of one exception as the API answers it whole, and of a conflict."""

from rest_framework import serializers

from exceptions_app.api.responses import (
    Arrival,
    BatchOfException,
    Change,
    Check,
    CommentShape,
    DeliveryShape,
    ExceptionSummary,
    Person,
    PossibleAction,
    ProposalShape,
    RecordShape,
    RuleError,
    Shape,
    VersionSummary,
)
from exceptions_app.queries.case_history import PAGE_SIZE
from exceptions_app.queries.conflicts import MOST_DOCUMENTS, MOST_PAIRS, Match, Why
from integrations.connectors.held import ShowsContent


class ErasedShape(Shape):
    """That documents, messages and comments were erased, and under what."""

    at = serializers.DateTimeField()
    run = serializers.CharField()
    under = serializers.CharField(help_text="The policy of retention, or the request of a counterparty, in words.")


class FieldBeside(Shape):
    """One business field on both sides. A side that does not have it is null."""

    term = serializers.CharField()
    label_ = serializers.CharField()
    group = serializers.CharField()
    kind = serializers.CharField()
    path = serializers.CharField(help_text="In our document.")
    match = serializers.ChoiceField(choices=[match.value for match in Match])
    ours = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    theirs = serializers.CharField(allow_null=True)
    currency_there = serializers.CharField()


class HeldShape(Shape):
    """One document that the target holds under our name."""

    reference = serializers.CharField()
    shows = serializers.ChoiceField(choices=[shows.value for shows in ShowsContent], help_text="How much it tells.")
    sha256 = serializers.CharField(help_text="Of the bytes that it took; empty where it does not tell.")
    booked_at = serializers.DateTimeField(allow_null=True)
    came_in = serializers.CharField(help_text="The file in which it came, or empty.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="How many fields stand how, of all.")
    fields_ = FieldBeside(many=True, help_text=f"The first {MOST_PAIRS}, what differs first.")


class OursShape(Shape):
    version = serializers.IntegerField(allow_null=True, help_text="null for what was sent and is no version.")
    sha256 = serializers.CharField()


class ConflictShape(Shape):
    """What the target holds under the name of our document, beside what we would send."""

    reference = serializers.CharField()
    told_at = serializers.DateTimeField()
    why_not_shown = serializers.ChoiceField(
        choices=[*(why.value for why in Why), ""], help_text="Why there is no content of the target; empty when shown."
    )
    ours = OursShape()
    held_count = serializers.IntegerField(help_text="How many documents the target named.")
    held = HeldShape(many=True, help_text=f"The first {MOST_DOCUMENTS} of them.")


class Deciders(Shape):
    """Who could still decide: granted approval there, and kept from it by nothing."""

    people = Person(many=True)
    words = serializers.CharField(help_text="The same as a sentence; when nobody can, what an administrator could do.")


class MaskedValues(Shape):
    """Whether the account reads the masked values of the exception in clear, and whether it may."""

    shown_until = serializers.DateTimeField(allow_null=True, help_text="null while they are masked.")
    may_reveal = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it may not; empty when it may.")


class ExceptionDetail(ExceptionSummary):
    """An exception with all that is known about it, and what the asking person may do."""

    follows = serializers.CharField(allow_null=True, help_text="The closed exception for the same document before it.")
    errors_from = serializers.CharField(help_text="Who says so: source, check or target.")
    errors_ = RuleError(many=True, help_text="What stands against the latest version.")
    record = RecordShape(allow_null=True, help_text="null when the payload can no longer be read.")
    arrivals = Arrival(
        many=True, help_text=f"The newest {PAGE_SIZE} times it came in, of `occurrences`, with what was refused then."
    )
    batch = BatchOfException(allow_null=True, help_text="The file in which it came in last; null when it came alone.")
    versions_count = serializers.IntegerField()
    versions = VersionSummary(many=True, help_text=f"The newest {PAGE_SIZE}; each is read whole at its url.")
    proposal = ProposalShape(allow_null=True, help_text="The newest, open or not.")
    to_retype = serializers.ListField(
        child=serializers.CharField(),
        help_text="Which bank details of a payee the open proposal changes. Whoever approves sends them as retyped.",
    )
    deciders = Deciders(
        allow_null=True,
        help_text="On what is proposed, or on what the account could propose now; null where there is neither.",
    )
    conflict = ConflictShape(allow_null=True, help_text="Beside the latest version; null where there is none.")
    deliveries_count = serializers.IntegerField()
    deliveries = DeliveryShape(many=True, help_text=f"The newest {PAGE_SIZE}.")
    comments_count = serializers.IntegerField()
    comments = CommentShape(many=True, help_text=f"The newest {PAGE_SIZE}; all of them are in the timeline.")
    actions = PossibleAction(many=True)
    erased = ErasedShape(allow_null=True, help_text="null while its documents are there.")
    masked = MaskedValues(help_text="Bank details and personal data in this answer.")


class Corrected(Shape):
    """A stored correction with the verdict of the check. One that does not pass cannot be proposed yet."""

    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    check = Check()
    changes = Change(many=True)
    exception = ExceptionDetail()
