"""What a bulk request says, and what it is answered."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from exceptions_app.api.documented import ProblemDocument
from exceptions_app.api.responses import Shape
from exceptions_app.api.strict import Anything, StrictSerializer, Text
from exceptions_app.models.case import number_of
from exceptions_app.states import HAS_NO_BUTTON, TRANSITIONS, Action

MOST_ITEMS: Final = 500
MOST_CHECKED: Final = 100
CHECKED: Final = frozenset({Action.CORRECT, Action.PROPOSE, Action.RELEASE})
"""Each of these has the document checked as the target would, which takes longer than everything else."""

ACTIONS: Final = tuple(
    action.value for action, row in TRANSITIONS.items() if not row.by_machine and action not in HAS_NO_BUTTON
)


@extend_schema_field({"type": "object", "additionalProperties": True})
class Members(Anything):
    """A JSON object that is looked at later, member by member."""

    default_error_messages = {"invalid": "This is not a JSON object."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_null = False

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


class BulkItem(StrictSerializer):
    """One exception, and what is its own."""

    ref = Text(max_length=30, help_text="For instance EX-1042.")
    if_match = Text(
        required=False, max_length=1000,
        help_text="The ETag of the exception as it was read, with its quotes; or * for whatever revision it is at. "
        "Without it the item is refused with 428.",
    )  # fmt: skip
    idempotency_key = Text(
        required=False, max_length=255,
        help_text="A repeat of this item with the same key, in whatever request, receives the first outcome.",
    )  # fmt: skip
    body = Members(required=False, help_text="Members that are this item's own; they go before those of the request.")


class Bulk(StrictSerializer):
    """One action on many exceptions."""

    action = serializers.ChoiceField(choices=ACTIONS, help_text="As in the address of the action on one exception.")
    body = Members(required=False, help_text="What the action takes, the same for each item.")
    items = serializers.ListField(
        child=BulkItem(), min_length=1, max_length=MOST_ITEMS,
        help_text=f"At most {MOST_ITEMS}; at most {MOST_CHECKED} when each document is checked "
        f"({', '.join(sorted(CHECKED))}).",
        error_messages={
            "not_a_list": "This is not a list of items.",
            "min_length": "The list is empty. Send at least one item.",
            "max_length": "There are more than {max_length} items in this request.",
        },
    )  # fmt: skip

    default_error_messages = {
        "too_many": "There are more than {most} items in this request.",
        "twice": "{ref} is in the list twice.",
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["action"] in CHECKED and len(attrs["items"]) > MOST_CHECKED:
            said = self.error_messages["too_many"].format(most=MOST_CHECKED)
            raise serializers.ValidationError({"items": [ErrorDetail(said, code="max_length")]})
        times = Counter(_same(item["ref"]) for item in attrs["items"])
        twice: dict[str, Any] = {
            str(index): {"ref": [ErrorDetail(self.error_messages["twice"].format(ref=item["ref"]), code="twice")]}
            for index, item in enumerate(attrs["items"])
            if times[_same(item["ref"])] > 1
        }
        if twice:
            raise serializers.ValidationError({"items": twice})
        return attrs


def _same(ref: str) -> int | str:
    """What two spellings of one reference have in common."""
    number = number_of(ref)
    return ref if number is None else number


class BulkOutcome(Shape):
    """What became of one item."""

    ref = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["done", "refused"])
    status = serializers.IntegerField(help_text="The status that the action on this exception alone would have had.")
    etag = serializers.CharField(
        allow_null=True, help_text="The ETag now, for the next change; null when it is not told."
    )
    state = serializers.CharField(allow_null=True, help_text="The state after it was done; null when refused.")
    replayed = serializers.BooleanField(help_text="Whether this is the outcome of an earlier item with the same key.")
    problem = ProblemDocument(allow_null=True, help_text="Why, for refused; pointers lead into this request.")


class BulkOutcomes(Shape):
    """What became of each item, in the order in which they were sent."""

    action = serializers.CharField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    outcomes = BulkOutcome(many=True)


def answer_of(action: str, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    counts = Counter(outcome["outcome"] for outcome in outcomes)
    return {"action": action, "done": counts["done"], "refused": counts["refused"], "outcomes": outcomes}


def done(ref: str, *, status: int, etag: str, state: str) -> dict[str, Any]:
    return {
        "ref": ref, "outcome": "done", "status": status, "etag": etag, "state": state, "replayed": False,
        "problem": None,
    }  # fmt: skip


def refused(ref: str, problem: Mapping[str, Any], *, etag: str | None = None) -> dict[str, Any]:
    return {
        "ref": ref, "outcome": "refused", "status": problem["status"], "etag": etag, "state": None, "replayed": False,
        "problem": dict(problem),
    }  # fmt: skip


EXAMPLES: Final = [
    OpenApiExample(
        "Put on hold",
        value={
            "action": "hold",
            "body": {"waiting_for": "The customer's order numbers", "until": "2026-12-01T09:00:00Z"},
            "items": [{"ref": "EX-1042", "if_match": '"3"'}, {"ref": "EX-1043", "if_match": '"1"'}],
        },
        request_only=True,
    ),
    OpenApiExample(
        "Correct the same field",
        value={
            "action": "correct",
            "body": {
                "because": "The purchase order was renumbered.",
                "changes": [{"field": "BT-13", "was": "PO-17", "will_be": "4500017"}],
            },
            "items": [{"ref": "EX-1042", "if_match": '"3"'}, {"ref": "EX-1043", "if_match": '"1"'}],
        },
        request_only=True,
    ),
    OpenApiExample(
        "Approve, each what was looked at",
        value={
            "action": "approve",
            "body": {"because": "Compared with the orders."},
            "items": [
                {
                    "ref": "EX-1042",
                    "if_match": '"5"',
                    "body": {"frozen_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
                }
            ],
        },
        request_only=True,
    ),
]  # fmt: skip
