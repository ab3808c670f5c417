"""Batches of replays: proposed as one list, decided by a second person, carried out step by step."""

import json
from collections.abc import Callable
from typing import Any, Final

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import batch_decide
from exceptions_app.actions.batch_propose import ItemsRefused, propose_batch
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import replay_batch_shapes as shapes
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.moving import Move, move
from exceptions_app.api.pagination import NEWEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import Problem, at, chosen, pointer_to
from exceptions_app.batch_states import BatchState, ItemState
from exceptions_app.models import BatchItem, ReplayBatch
from exceptions_app.models.case import number_of
from exceptions_app.queries.batch_standing import batches_within
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.queries.replay_batches import IN_ORDER, progress_of

_TAG: Final = "Batches"
_PROBLEMS: Final = (*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW)
_DECIDING: Final = (*_PROBLEMS, kinds.FRESH_PROOF_NEEDED, kinds.APPROVAL_NO_LONGER_HOLDS)
_BECAUSE = OpenApiExample("Request", value={"because": "The master data are there now."}, request_only=True)
_SHOWN = OpenApiExample(
    "Request",
    value={
        "frozen_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "because": "Compared with the list of the source.",
    },
    request_only=True,
)


def _batch_for(request: Request, ref: str) -> ReplayBatch:
    """The batch, when the account may see every item of it; otherwise the same answer as for none."""
    found = batches_within(reach_of(person(request))).with_ref(ref)
    batch: ReplayBatch | None = found.select_related("connection", "proposer", "decision__decider").first()
    if batch is None:
        raise Http404
    return batch


def _answer(request: Request, ref: str, *, status: int = 200, **headers: str) -> Response:
    batch = _batch_for(request, ref)
    return Response(shapes.batch_as_json(batch, progress_of([batch])[batch.pk]), status=status, headers=headers or None)


class Batches(ActingView):
    query_parameters = PARAMETERS | {"state"}

    @endpoint(
        "list_batches",
        "List batches",
        "Batches of replays of which the account may see every item, newest first.",
        tag=_TAG,
        answers={200: documented_page(shapes.ReplayBatchShape, name="BatchPage")},
        problems=READING,
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in BatchState]), CURSOR, PAGE_SIZE
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        state = chosen(request, "state", BatchState)
        found = batches_within(reach_of(person(request)))
        found = found.filter(state=state) if state else found
        page = page_of(request, found.select_related("connection", "proposer", "decision__decider"), NEWEST)
        progress = progress_of(page.rows)
        return answer_page(page, lambda rows: [shapes.batch_as_json(row, progress[row.pk]) for row in rows])

    @endpoint(
        "propose_batch",
        "Propose a batch",
        "Propose to replay up to 1,000 exceptions of one target as one list, which somebody else decides on as a "
        "whole. Each is proposed as it would be alone, by the same rules; when one of them cannot be, none is, and "
        "errors has a line for each of those. What the account proposed already joins as it is. Nothing joins later.",
        tag=_TAG,
        request=shapes.ProposeBatch,
        answers={201: shapes.ReplayBatchShape},
        problems=_PROBLEMS,
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"exceptions": ["EX-1042", "EX-1043"], "because": "The authority's service is back."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = requests.body_of(request, shapes.ProposeBatch)
        places = {number_of(ref): place for place, ref in enumerate(asked["exceptions"])}
        visible = cases_within(reach_of(person(request))).filter(pk__in=[n for n in places if n is not None])
        found = list(visible.values_list("pk", flat=True))
        missing = [place for number, place in places.items() if number not in found]
        if missing:
            raise _refused([(place, "There is no such exception.") for place in sorted(missing)])
        try:
            batch = propose_batch(
                found, by=person(request), at=now(), because=asked["because"], failure_limit=asked["failure_limit"]
            )
        except ItemsRefused as error:
            raise _refused([(places[item.case.pk], item.refusal) for item in error.refused], str(error)) from error
        address = f"{request.build_absolute_uri(request.path)}/{batch.ref}"
        return _answer(request, batch.ref, status=201, Location=address)

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        ref = json.loads(body).get("ref")
        if ref is not None:
            _batch_for(request, ref)
        return body


def _refused(refusals: list[tuple[int, str]], words: str = "") -> Problem:
    errors = [
        at(pointer_to("exceptions", place), reason, "Leave it out, or mend it first.") for place, reason in refusals
    ]
    return Problem(kinds.INVALID_CONTENT, words or "Some of the exceptions cannot be in this batch.", errors=errors)


class BatchOne(ApiView):
    @endpoint(
        "read_batch",
        "Read a batch",
        "How far it is, and what was decided. It is complete when every item is proven.",
        tag=_TAG,
        answers={200: shapes.ReplayBatchShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return _answer(request, ref)


class BatchItems(ApiView):
    query_parameters = PARAMETERS | {"state"}

    @endpoint(
        "list_batch_items",
        "List the items of a batch",
        "The frozen list in the order of sending, and what came of each.",
        tag=_TAG,
        answers={200: documented_page(shapes.BatchItemShape, name="BatchItemPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[
            shapes.REF, OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in ItemState]), CURSOR,
            PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request, ref: str) -> Response:
        batch, state = _batch_for(request, ref), chosen(request, "state", ItemState)
        items = BatchItem.objects.filter(batch=batch).select_related("case", "progress__delivery")
        items = items.filter(progress__state=state) if state else items
        return answer_page(page_of(request, items, IN_ORDER), lambda rows: [shapes.item_as_json(row) for row in rows])


class _BatchMove(Move):
    def find(self, request: Request, ref: str) -> ReplayBatch:
        return _batch_for(request, ref)

    def tell(self, request: Request, ref: str) -> Response:
        return _answer(request, ref)


def _move(
    name: str, title: str, description: str, *, form: type[serializers.Serializer[Any]] = requests.Because
) -> Callable[[type[Move]], type[Move]]:
    """What decides says which list was looked at."""
    decides = form is not requests.Because
    return move(
        name, title, description, form=form, answer=shapes.ReplayBatchShape, tag=_TAG, ref=shapes.REF,
        problems=_DECIDING if decides else _PROBLEMS, examples=[_SHOWN if decides else _BECAUSE],
    )  # fmt: skip


@_move(
    "approve_batch",
    "Approve a batch",
    "Agree to the whole list. Each item is approved with it when its turn comes; what was decided or changed by "
    "then is left out. Needs the verb approve on the queue and the legal entity of every item, and no hand in any.",
    form=shapes.ApproveBatch,
)
class ApproveBatch(_BatchMove):
    carry_out = staticmethod(batch_decide.approve_batch)


@_move(
    "reject_batch",
    "Reject a batch",
    "Say no to the whole list, with the reason. Its exceptions go back to work.",
    form=shapes.RejectBatch,
)
class RejectBatch(_BatchMove):
    carry_out = staticmethod(batch_decide.reject_batch)


@_move(
    "suspend_batch",
    "Suspend a batch",
    "Begin nothing more until it is resumed. What is under way comes to its end.",
)
class SuspendBatch(_BatchMove):
    carry_out = staticmethod(batch_decide.suspend_batch)


@_move(
    "resume_batch",
    "Resume a batch",
    "Go on after it stopped or was suspended, the next item alone. The kinds of error seen so far do not stop it "
    "again. Needs what approving it needs.",
)
class ResumeBatch(_BatchMove):
    carry_out = staticmethod(batch_decide.resume_batch)


@_move(
    "cancel_batch",
    "Cancel a batch",
    "Send nothing more of it, for good. What was not sent goes back to work; what is under way comes to its end.",
)
class CancelBatch(_BatchMove):
    carry_out = staticmethod(batch_decide.cancel_batch)
