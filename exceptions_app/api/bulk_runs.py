"""Bulk runs: one action on up to ten thousand exceptions, done in the background."""

import json
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import bulk_start
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import bulk_run_shapes as shapes
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.moving import Move, move
from exceptions_app.api.pagination import NEWEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import Problem, at, chosen, pointer_to
from exceptions_app.bulk_states import OUTCOME_WORDS
from exceptions_app.models import BulkRun
from exceptions_app.models.case import number_of
from exceptions_app.queries.bulk_runs import IN_ORDER, find_run, items_within, progress_of_runs
from exceptions_app.queries.reach import cases_within, reach_of

_TAG: Final = "Bulk runs"
_PROBLEMS: Final = (*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW)


def _run_for(request: Request, ref: str) -> BulkRun:
    """A run that the account started; otherwise the same answer as for none."""
    run = find_run(person(request), ref)
    if run is None:
        raise Http404
    return run


def _answer(run: BulkRun, *, status: int = 200, **headers: str) -> Response:
    body = shapes.run_as_json(run, progress_of_runs([run])[run.pk])
    return Response(body, status=status, headers=headers or None)


class BulkRuns(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_bulk_runs",
        "List bulk runs",
        "The bulk runs that the account started, newest first.",
        tag=_TAG,
        answers={200: documented_page(shapes.BulkRunShape, name="BulkRunPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        page = page_of(request, BulkRun.objects.filter(starter=person(request).pk), NEWEST)
        progress = progress_of_runs(page.rows)
        return answer_page(page, lambda rows: [shapes.run_as_json(row, progress[row.pk]) for row in rows])

    @endpoint(
        "start_bulk_run",
        "Start a bulk run",
        "One action on up to 10,000 exceptions, frozen as a list and done in the background: each by the rules and "
        "with the audit event of that action on it alone, in the name of the account, judged when its turn comes. "
        "Read the run for how far it is, and its items for the outcome of each.",
        tag=_TAG,
        request=shapes.StartBulkRun,
        answers={201: shapes.BulkRunShape},
        problems=(*WRITING, kinds.CHANGED_MEANWHILE),
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"kind": "comment", "text": "The authority's service is back.", "exceptions": ["EX-1042"]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = requests.body_of(request, shapes.StartBulkRun)
        places = {number_of(ref): place for place, ref in enumerate(asked["exceptions"])}
        visible = cases_within(reach_of(person(request))).filter(pk__in=[n for n in places if n is not None])
        cases = list(visible.only("pk", "amount", "currency", "revision").order_by("pk"))
        found = {case.pk for case in cases}
        missing = sorted(place for number, place in places.items() if number not in found)
        if missing:
            errors = [
                at(pointer_to("exceptions", place), "There is no such exception.", "Leave it out.") for place in missing
            ]
            raise Problem(kinds.INVALID_CONTENT, "Some of these exceptions do not exist.", errors=errors)
        instruction, revisions = shapes.instruction_of(asked), {case.pk: case.revision for case in cases}
        try:
            run = bulk_start.start_bulk(
                instruction, revisions, by=person(request), at=now(), key=uuid4(),
                frozen_sha256=bulk_start.frozen_bulk_hash(instruction, cases, revisions),
            )  # fmt: skip
        except Invalid as error:
            raise Invalid("exceptions" if error.field == "items" else error.field, error.problem) from error
        except bulk_start.BulkListChanged as error:
            raise Problem(kinds.CHANGED_MEANWHILE, str(error)) from error
        return _answer(run, status=201, Location=f"{request.build_absolute_uri(request.path)}/{run.ref}")

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        ref = json.loads(body).get("ref")
        if ref is not None:
            _run_for(request, ref)
        return body


class BulkRunOne(ApiView):
    @endpoint(
        "read_bulk_run",
        "Read a bulk run",
        "How far it is: done, failed, skipped and left, with its rate and the time that is left.",
        tag=_TAG,
        answers={200: shapes.BulkRunShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return _answer(_run_for(request, ref))


class BulkRunItems(ApiView):
    query_parameters = PARAMETERS | {"state"}

    @endpoint(
        "list_bulk_run_items",
        "List the items of a bulk run",
        "The frozen list in the order of the turns, and what came of each exception that the account may see.",
        tag=_TAG,
        answers={200: documented_page(shapes.BulkItemShape, name="BulkItemPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[
            shapes.REF, OpenApiParameter("state", OpenApiTypes.STR, enum=[str(state) for state in OUTCOME_WORDS]),
            CURSOR, PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request, ref: str) -> Response:
        run, state = _run_for(request, ref), chosen(request, "state", OUTCOME_WORDS)
        items = items_within(run, reach_of(person(request)), state=state or "")
        page = page_of(request, items, IN_ORDER)
        return answer_page(page, lambda rows: [shapes.bulk_item_as_json(row) for row in rows])


class _BulkRunMove(Move):
    def find(self, request: Request, ref: str) -> BulkRun:
        return _run_for(request, ref)

    def tell(self, request: Request, ref: str) -> Response:
        return _answer(_run_for(request, ref))


def _move(name: str, title: str, description: str) -> Callable[[type[Move]], type[Move]]:
    return move(
        name, title, description, form=requests.Nothing, answer=shapes.BulkRunShape, tag=_TAG, ref=shapes.REF,
        problems=_PROBLEMS,
    )  # fmt: skip


@_move("pause_bulk_run", "Pause a bulk run", "Begin with no further exception until it is resumed.")
class PauseBulkRun(_BulkRunMove):
    carry_out = staticmethod(bulk_start.pause_bulk)


@_move("resume_bulk_run", "Resume a bulk run", "Go on with the exceptions that have no outcome yet.")
class ResumeBulkRun(_BulkRunMove):
    carry_out = staticmethod(bulk_start.resume_bulk)


@_move("cancel_bulk_run", "Cancel a bulk run", "Begin with no further exception, for good. What is done stays done.")
class CancelBulkRun(_BulkRunMove):
    carry_out = staticmethod(bulk_start.cancel_bulk)
