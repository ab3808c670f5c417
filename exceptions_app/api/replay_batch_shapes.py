"""Batches of replays as JSON: what is asked, and what is answered."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from exceptions_app.api.requests import Approve, Reject
from exceptions_app.api.responses import Money, OpinionShape, Person, Shape, money_of, opinion_as_json, person_of
from exceptions_app.api.strict import StrictSerializer, Text, WholeNumber
from exceptions_app.batch_states import MOST_ITEMS, USUAL_FAILURE_LIMIT, BatchState, ItemState, plan_of
from exceptions_app.models import BatchItem, ReplayBatch
from exceptions_app.queries.replay_batches import Progress
from exceptions_app.queries.replay_batches import money_of as sums_of

REF: Final = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance B-7."
)  # fmt: skip


class ProposeBatch(StrictSerializer):
    """Exceptions that are to be replayed, decided on as one list."""

    exceptions = serializers.ListField(
        child=Text(max_length=30, help_text="For instance EX-1042."), min_length=1, max_length=MOST_ITEMS,
        help_text="All of them or none is proposed. They are sent in the order in which they came in.",
        error_messages={
            "not_a_list": "This is not a list of references.",
            "min_length": "The list is empty. Send at least one reference.",
            "max_length": "There are more than {max_length} references in this request.",
        },
    )  # fmt: skip
    because = Text(max_length=500, help_text="Why; the person who decides reads it.")
    failure_limit = WholeNumber(
        min_value=0, max_value=100, required=False, default=USUAL_FAILURE_LIMIT,
        help_text="Per cent of failed items above which it stops by itself.",
    )  # fmt: skip


class ApproveBatch(Approve):
    """Agree to the list whose hash is named."""


class RejectBatch(Reject):
    """Say no to the list whose hash is named."""


class BatchCounts(Shape):
    """How many items stand where; their sum is the count."""

    waiting = serializers.IntegerField()
    under_way = serializers.IntegerField()
    proven = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    given_back = serializers.IntegerField()


class ReplayBatchShape(Shape):
    """A batch of replays, and how far it is."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(BatchState))
    connection = serializers.CharField()
    count = serializers.IntegerField()
    sums = Money(many=True)
    because = serializers.CharField()
    proposer = Person()
    proposed_at = serializers.DateTimeField()
    failure_limit = serializers.IntegerField()
    policy_version = serializers.CharField()
    frozen_sha256 = serializers.CharField(help_text="What an approval is bound to.")
    step = serializers.IntegerField(help_text="The step under way; 0 before the first.")
    steps = serializers.IntegerField()
    stopped_because = serializers.CharField(help_text="Why it stopped, was suspended or cancelled; else empty.")
    items_ = BatchCounts()
    outcome_unknown = serializers.IntegerField(help_text="Of those under way.")
    decision = OpinionShape(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class BatchItemShape(Shape):
    """One line of the frozen list, and what came of it."""

    position = serializers.IntegerField()
    exception = serializers.CharField()
    document_number = serializers.CharField()
    amount = Money(allow_null=True)
    content_sha256 = serializers.CharField(help_text="Of the bytes that were approved and are sent.")
    frozen_sha256 = serializers.CharField(help_text="Of the proposal on this exception.")
    state = serializers.CharField(help_text=", ".join(ItemState))
    by_batch = serializers.BooleanField(help_text="Whether this batch had it sent.")
    reference = serializers.CharField(help_text="The target's own, once it is proven.")
    code = serializers.CharField(help_text="The kind of error of one that failed.")
    detail = serializers.CharField()


def batch_as_json(batch: ReplayBatch, progress: Progress) -> dict[str, Any]:
    decision = getattr(batch, "decision", None)
    return {
        "ref": batch.ref,
        "state": batch.state,
        "connection": batch.connection.slug,
        "count": batch.count,
        "sums": [money_of(amount, currency) for currency, amount in sums_of(batch).items()],
        "because": batch.because,
        "proposer": person_of(batch.proposer),
        "proposed_at": batch.proposed_at,
        "failure_limit": batch.failure_limit,
        "policy_version": batch.policy_version,
        "frozen_sha256": batch.frozen_sha256,
        "step": batch.step,
        "steps": len(plan_of(batch.count)),
        "stopped_because": batch.stopped_because,
        "items": {state.value: progress.of(state) for state in ItemState},
        "outcome_unknown": progress.unknown,
        "decision": opinion_as_json(decision),
        "finished_at": batch.finished_at,
    }


def item_as_json(item: BatchItem) -> dict[str, Any]:
    progress = item.progress
    booked = progress.delivery if progress.state == ItemState.PROVEN else None
    return {
        "position": item.position,
        "exception": item.case.ref,
        "document_number": item.case.document_number,
        "amount": money_of(item.amount, item.currency),
        "content_sha256": item.content_sha256,
        "frozen_sha256": item.frozen_sha256,
        "state": progress.state,
        "by_batch": progress.by_batch,
        "reference": booked.reference if booked is not None else "",
        "code": progress.code,
        "detail": progress.detail,
    }
