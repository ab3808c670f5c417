"""Bulk runs as JSON: what is asked, and what is answered."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from exceptions_app.api.responses import Money, Shape, money_of
from exceptions_app.api.strict import StrictSerializer, Text
from exceptions_app.bulk_states import (
    LEFT,
    LONGEST_REASON,
    LONGEST_TEXT,
    LONGEST_VALUE,
    MOST_ITEMS,
    OUTCOME_WORDS,
    BulkKind,
    Instruction,
    RunState,
)
from exceptions_app.models import BulkItem, BulkRun
from exceptions_app.queries.bulk_runs import BulkProgress, money_of_run
from exceptions_app.tags import LONGEST_TEXT as LONGEST_TAGS

REF: Final = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance BU-7."
)  # fmt: skip


def _optional(most: int, words: str, *, trimmed: bool = False) -> Text:
    return Text(max_length=most, required=False, allow_blank=True, default="", help_text=words, trim_whitespace=trimmed)


class StartBulkRun(StrictSerializer):
    """One action on many exceptions, done in the background."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in BulkKind])
    exceptions = serializers.ListField(
        child=Text(max_length=30, help_text="For instance EX-1042."), min_length=1, max_length=MOST_ITEMS,
        help_text="Frozen as they are now. One that changes before its turn is skipped, but for a comment.",
        error_messages={
            "not_a_list": "This is not a list of references.",
            "min_length": "The list is empty. Send at least one reference.",
            "max_length": "There are more than {max_length} references in this request.",
        },
    )  # fmt: skip
    because = _optional(LONGEST_REASON, "Needed for set_value, propose and write_off.")
    to = _optional(150, "User name of the colleague, for assign.")
    term = _optional(150, "Of the field, as the standard calls it, for set_value; empty where it has no name there.")
    label_ = _optional(150, "Of the field, as the correction form calls it, for set_value.")
    # Blanks around a value are none of it, in a document as on the page.
    was = _optional(LONGEST_VALUE, "The value that is replaced; empty where the field is missing.", trimmed=True)
    will_be = _optional(LONGEST_VALUE, "The value that it gets; empty to take the field away.", trimmed=True)
    text = _optional(LONGEST_TEXT, "The comment.")
    tags = _optional(LONGEST_TAGS, "For tag and untag, with commas between them.")
    playbook = _optional(30, "Reference of the playbook that holds for their code, for playbook; such as PB-3.")


class BulkCounts(Shape):
    """How many exceptions stand where; their sum is the count."""

    done = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Refused, each with its reason.")
    skipped = serializers.IntegerField(
        help_text="Nothing was to be done, or it had changed. A comment is written at any revision."
    )
    left = serializers.IntegerField()


class BulkRunShape(Shape):
    """A bulk run, and how far it is."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(RunState))
    kind = serializers.CharField(help_text=", ".join(BulkKind))
    parameters = serializers.DictField(child=serializers.CharField())
    because = serializers.CharField()
    count = serializers.IntegerField()
    sums = Money(many=True)
    frozen_sha256 = serializers.CharField()
    items_ = BulkCounts()
    per_minute = serializers.IntegerField(allow_null=True, help_text="Since it was started or last resumed.")
    seconds_left = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class BulkItemShape(Shape):
    """One exception of the frozen list, and what came of it."""

    position = serializers.IntegerField()
    exception = serializers.CharField()
    document_number = serializers.CharField()
    amount = Money(allow_null=True)
    state = serializers.CharField(help_text=", ".join(OUTCOME_WORDS))
    detail = serializers.CharField(help_text="Why it was not done; else empty.")
    at = serializers.DateTimeField(allow_null=True)


def instruction_of(asked: dict[str, Any]) -> Instruction:
    given = {name: value for name, value in asked.items() if name not in ("kind", "exceptions")}
    return Instruction(kind=BulkKind(asked["kind"]), **given)


def run_as_json(run: BulkRun, progress: BulkProgress) -> dict[str, Any]:
    return {
        "ref": run.ref,
        "state": run.state,
        "kind": run.kind,
        "parameters": run.parameters,
        "because": run.because,
        "count": run.count,
        "sums": [money_of(amount, currency) for currency, amount in money_of_run(run).items()],
        "frozen_sha256": run.frozen_sha256,
        "items": {state: progress.of(state) for state in OUTCOME_WORDS},
        "per_minute": progress.per_minute,
        "seconds_left": progress.seconds_left if run.state == RunState.RUNNING else None,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def bulk_item_as_json(item: BulkItem) -> dict[str, Any]:
    outcome = getattr(item, "outcome", None)
    return {
        "position": item.position,
        "exception": item.case.ref,
        "document_number": item.case.document_number,
        "amount": money_of(item.amount, item.currency),
        "state": outcome.state if outcome is not None else LEFT,
        "detail": outcome.detail if outcome is not None else "",
        "at": outcome.at if outcome is not None else None,
    }
