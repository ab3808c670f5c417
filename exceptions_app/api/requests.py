"""The bodies that the API takes, one for each kind of request."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from exceptions_app.actions.retyping import LONGEST as LONGEST_RETYPED
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, at
from exceptions_app.api.strict import Anything, Content, JsonObject, Moment, StrictSerializer, Text, WholeNumber
from exceptions_app.models import Reveal as RevealModel
from exceptions_app.states import CLOSED_WITHOUT_SENDING, WakesOn
from exceptions_app.tags import LONGEST_TAG, MOST_TAGS
from integrations.models import InboxMessage

REASON_LENGTH = 500
MOST_MESSAGES = 5000
MOST_HEADERS = 200

_MEDIA_TYPE = RegexValidator(
    r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;\s*[A-Za-z0-9_.-]+=(\"[^\"]*\"|[^\s;\"]+))*\Z",
    "This is not a media type. Send one such as application/xml.",
)
_SHA256 = RegexValidator(r"^[0-9a-f]{64}\Z", "This is not a SHA-256 in hexadecimal, as the proposal shows it.")


def body_of(request: Request, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The body, in the shape of `form`; raises Problem with a pointer to everything that does not fit."""
    if not isinstance(request.data, dict):
        problem = "The body is not a JSON object."
        raise Problem(kinds.INVALID_CONTENT, problem, errors=[at("", problem, "Send an object with named fields.")])
    filled = form(data=request.data)
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


# Messages ------------------------------------------------------------------------------------------------------------


class Payload(Content):
    """The refused or held document, as it was meant for the target."""

    media_type = Text(max_length=100, validators=[_MEDIA_TYPE], help_text="For instance application/xml.")


class RefusalPart(Content):
    """What the other system answered. Leave it out when there is none, for instance for a policy hold."""

    content_required = False
    media_type = Text(max_length=100, required=False, allow_blank=True, validators=[_MEDIA_TYPE])
    status = WholeNumber(min_value=100, max_value=599, required=False, allow_null=True, help_text="HTTP status.")
    headers = serializers.DictField(child=Text(allow_blank=True, max_length=8000), required=False)

    def validate_headers(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MOST_HEADERS:
            raise serializers.ValidationError(f"At most {MOST_HEADERS} headers are kept.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["content"] and not attrs.get("media_type"):
            raise serializers.ValidationError({"media_type": [ErrorDetail("This is missing.", code="required")]})
        return attrs


class MessageBody(StrictSerializer):
    """One refused or held transaction, with what the other system answered."""

    payload = Payload()
    refusal = RefusalPart(required=False, allow_null=True)
    context_ = JsonObject(required=False, help_text="What else the sender knows, kept with the message.")
    ordering_key = Text(
        max_length=200, required=False, allow_blank=True, default="",
        help_text="Messages of one connection and key are read in the order in which they were accepted.",
    )  # fmt: skip


class Message(MessageBody):
    """One refused or held transaction, with what the other system answered."""

    connection = Text(max_length=50, help_text="The name of the connection, as GET /connections lists it.")
    id = Text(max_length=200, help_text="The sender's own identifier: the same for every repeat of this message.")


class HookMessage(MessageBody):
    """A message as a webhook brings it: the connection is in the address, the identifier in webhook-id."""

    purpose = serializers.ChoiceField(
        choices=InboxMessage.Purpose.values, default=InboxMessage.Purpose.REFUSED.value,
        help_text="refused: the target refused or held it. deliver: it is to be delivered to the target.",
    )  # fmt: skip


class ManyMessages(StrictSerializer):
    """Several messages at once; each has an outcome of its own."""

    messages = serializers.ListField(
        child=Anything(), min_length=1, max_length=MOST_MESSAGES,
        error_messages={
            "not_a_list": "This is not a list of messages.",
            "min_length": "The list is empty. Send at least one message.",
            "max_length": "There are more than {max_length} messages in this request.",
        },
    )  # fmt: skip


class ManyMessagesDocumented(serializers.Serializer[Any]):
    """Several messages at once; each has an outcome of its own."""

    messages = serializers.ListField(child=Message(), min_length=1, max_length=MOST_MESSAGES)


# Actions -------------------------------------------------------------------------------------------------------------


def _reason(help_text: str, **more: Any) -> Text:
    return Text(max_length=REASON_LENGTH, help_text=help_text, **more)


def _tags(words: str) -> serializers.ListField:
    return serializers.ListField(
        child=Text(max_length=LONGEST_TAG + 1), max_length=MOST_TAGS, required=False, default=list, help_text=words
    )


class Nothing(StrictSerializer):
    """No fields: the address says it all. The body may be left out."""


class Assign(StrictSerializer):
    to = Text(max_length=150, allow_null=True, help_text="User name of the colleague; null gives it back to the queue.")
    because = _reason("Why, for the audit trail.", required=False, allow_blank=True, default="")


class Hold(StrictSerializer):
    waiting_for = Text(max_length=300, help_text="What must happen first.")
    until = Moment(required=False, allow_null=True, default=None, help_text="It resumes by itself then.")


class Snooze(StrictSerializer):
    """At least one of both; with both it is whichever comes first."""

    until = Moment(required=False, allow_null=True, default=None, help_text="It comes back by itself then.")
    event = serializers.ChoiceField(
        choices=[event.value for event in WakesOn], required=False, allow_null=True, default=None,
        help_text="What wakes it: something new arrives for it, its target is well again, or somebody comments.",
    )  # fmt: skip


class Tag(StrictSerializer):
    """At least one of both."""

    add = _tags("Tags to put on.")
    remove = _tags("Tags to take off.")
    because = _reason("Why, for the audit trail.", required=False, allow_blank=True, default="")


class Because(StrictSerializer):
    because = _reason("Why; the person who decides and the auditor read it.")


class Maintenance(Because):
    starts_at = Moment(help_text="From then on nothing is sent to the target.")
    ends_at = Moment(help_text="From then on it goes on by itself.")


class PerhapsBecause(StrictSerializer):
    because = _reason("Why, for the audit trail.", required=False, allow_blank=True, default="")


class Dismiss(Because):
    outcome = serializers.ChoiceField(
        choices=[outcome.value for outcome in CLOSED_WITHOUT_SENDING], help_text="How it ends without being sent."
    )


class Reverse(Because):
    reference = Text(max_length=200, help_text="The target's document that is to be reversed.")


class Approve(PerhapsBecause):
    frozen_sha256 = Text(validators=[_SHA256], help_text="The frozen_sha256 of the proposal that was looked at.")


class ApproveException(Approve):
    retyped = serializers.ListField(
        child=Text(max_length=LONGEST_RETYPED),
        required=False,
        default=list,
        max_length=50,
        help_text="A payee's bank details that the proposal changes, typed again from the payee's own record by "
        "whoever approves: one for each of the proposal's to_retype, in their order.",
    )
    as_first = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Only as the first of two, which carries out nothing: refused when it would be the last approval.",
    )


class Reject(Because):
    frozen_sha256 = Text(validators=[_SHA256], help_text="The frozen_sha256 of the proposal that was looked at.")


class ProofFile(Content):
    """A file that proves a statement, such as a screenshot or a page of the target's journal."""

    name = Text(max_length=200, help_text="The name of the file.")
    media_type = Text(max_length=100, validators=[_MEDIA_TYPE], help_text="For instance image/png.")


class DeclareAbsent(Because):
    """What was found out at the target. `file` may prove it."""

    file = ProofFile(required=False, allow_null=True, default=None)


class ConfirmBooked(DeclareAbsent):
    """What was found out at the target, with the reference under which it was found."""

    reference = Text(max_length=200, help_text="The target's own reference of the document.")


class Comment(StrictSerializer):
    text = Text(max_length=5000, help_text="The comment. It cannot be taken back.")


class Step(StrictSerializer):
    """One step of a correction, RFC 6902 in meaning; paths are XPaths when the payload is XML."""

    op = serializers.ChoiceField(choices=["test", "replace", "add", "remove"])
    path = Text(max_length=2000)
    value = Text(required=False, allow_blank=True, help_text="The text that shall stand there; none for remove.")


class ExpectedChange(StrictSerializer):
    """One field: what it holds now, and what it shall hold."""

    field_ = Text(max_length=2000, help_text="Business term (BT-2) or path.")
    was = Text(
        allow_blank=True,
        allow_null=True,
        help_text="The text that stands there, as the record shows it; null for none.",
    )
    will_be = Text(allow_blank=True, allow_null=True, help_text="The text that shall stand there; null removes.")


CORRECTING = ("operations", "fields", "changes", "payload")
"""The ways to say what a correction changes."""


class Correct(Because):
    """Exactly one of `operations`, `fields`, `changes` and `payload`."""

    base_version = WholeNumber(min_value=1, max_value=2**31 - 1, help_text="The version that was looked at.")
    operations = Step(many=True, required=False, allow_empty=False, help_text="Steps, applied all or none.")
    fields_ = serializers.DictField(
        child=Text(allow_blank=True, allow_null=True), required=False, allow_empty=False,
        help_text="Business term (BT-2) or path → new text as it shall stand in the document; null removes.",
    )  # fmt: skip
    changes = ExpectedChange(
        many=True, required=False, allow_empty=False, help_text="Fields with what is expected to stand in each."
    )
    payload = Content(required=False, help_text="The whole corrected document.")

    default_error_messages = {
        "one_way": "Give exactly one of operations, fields, changes and payload.",
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(set(CORRECTING) & attrs.keys()) != 1:
            self.fail("one_way")
        return attrs


class CorrectMany(Correct):
    """As for one exception; the version need not be named, because if_match says what was looked at."""

    base_version = WholeNumber(
        min_value=1, max_value=2**31 - 1, required=False, help_text="The version that was looked at; else the newest."
    )


class Reveal(StrictSerializer):
    purpose = serializers.ChoiceField(choices=RevealModel.Purpose.choices, help_text="What the values are needed for.")
    because = Text(max_length=300, help_text="The same in a sentence; the auditor reads it.")
