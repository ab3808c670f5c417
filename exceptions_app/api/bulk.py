"""One action on many exceptions: each by the function of its own button, each with an outcome of its own.

The request is one transaction with a savepoint for each item. So an item that is refused leaves nothing, the others
stand, and a process that dies in the middle leaves none of them done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from django.db import transaction
from django.utils.timezone import now
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import actions, corrections, requests
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.actions import CaseAction
from exceptions_app.api.base import ActingView, person
from exceptions_app.api.bulk_shapes import EXAMPLES, Bulk, BulkOutcomes, answer_of, done, refused
from exceptions_app.api.documented import IDEMPOTENCY_KEY, WRITING, endpoint
from exceptions_app.api.idempotency import PASSING, find_answer, fingerprint_of, keep_answer, usable_key
from exceptions_app.api.preconditions import NoEntityTags, Precondition, etag_of
from exceptions_app.api.problems import Problem, asks_for_proof, pointer_to, problem_body, problem_of
from exceptions_app.api.problems import at as fault_at
from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import number_of
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.refusing import NOTHING_THERE, note_refusal
from exceptions_app.states import Action
from exceptions_app.veiling import speaks_of

VIEWS: Final[Mapping[str, type[CaseAction]]] = MappingProxyType(
    {
        Action.CLAIM.value: actions.Claim,
        Action.ASSIGN.value: actions.Assign,
        Action.HOLD.value: actions.Hold,
        Action.RESUME.value: actions.Resume,
        Action.SNOOZE.value: actions.Snooze,
        Action.WAKE.value: actions.Wake,
        Action.TAG.value: actions.Tag,
        Action.CORRECT.value: corrections.Correct,
        Action.TRANSLATE.value: actions.Translate,
        Action.PROPOSE.value: actions.Propose,
        Action.RELEASE.value: actions.Release,
        Action.DECLINE.value: actions.Decline,
        Action.DISMISS.value: actions.Dismiss,
        Action.REVERSE.value: actions.Reverse,
        Action.REPORT_WRONG_BOOKING.value: actions.ReportWrongBooking,
        Action.WITHDRAW.value: actions.Withdraw,
        Action.APPROVE.value: actions.Approve,
        Action.REJECT.value: actions.Reject,
        Action.REOPEN.value: actions.Reopen,
        Action.COMMENT.value: actions.Comment,
        Action.ASK_AGAIN.value: actions.AskAgain,
        Action.CONFIRM_BOOKED.value: actions.ConfirmBooked,
        Action.DECLARE_ABSENT.value: actions.DeclareAbsent,
    }
)
FORMS: Final[Mapping[str, type[serializers.Serializer[Any]]]] = MappingProxyType(
    {name: requests.CorrectMany if name == Action.CORRECT.value else view.form for name, view in VIEWS.items()}
)


@dataclass(frozen=True, slots=True)
class _Item:
    """One item at its place in the list. `shared` are the members of the request, `own` those of the item."""

    place: int
    ref: str
    if_match: str | None
    idempotency_key: str | None
    shared: Mapping[str, Any]
    own: Mapping[str, Any]

    def pointer(self, pointer: str) -> str:
        """Where in the bulk request that stands which has this pointer in the body of the single action."""
        name = pointer.split("/")[1] if pointer else ""
        where = ["items", self.place, "body"] if name in self.own or not self.shared else ["body"]
        return pointer_to(*where) + pointer


class BulkAction(ActingView):
    @endpoint(
        "act_on_many_exceptions",
        "Act on many",
        "One action on up to 500 exceptions; on up to 100 when each document is checked (correct, propose, release). "
        "Each item is carried out as the action on that exception alone would be, by the same rules and with the same "
        "audit event, and has an outcome of its own in the order of the items: done with the new ETag, or refused "
        "with the problem. The answer is 200 also when all are refused: look at every outcome. Each item names the "
        "revision that was seen. The request is one transaction: what is answered as done is committed, and without "
        "an answer either all of that was done or nothing. With an Idempotency-Key a repeat tells which.",
        tag=actions.TAG,
        request=Bulk,
        answers={200: BulkOutcomes},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
        examples=EXAMPLES,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = requests.body_of(request, Bulk)
        items = [
            _Item(
                place, sent["ref"], sent.get("if_match"), sent.get("idempotency_key"), asked.get("body", {}),
                sent.get("body", {}),
            )
            for place, sent in enumerate(asked["items"])
        ]  # fmt: skip
        return Response(answer_of(asked["action"], _carry_out(asked["action"], items, request, at=now())))

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        """The first answer; of exceptions that the account may not see any more, as of those that never were."""
        answer = json.loads(body)
        if "outcomes" not in answer:
            return body
        visible = _visible(request, [outcome["ref"] for outcome in answer["outcomes"]])
        for outcome in answer["outcomes"]:
            if outcome["status"] >= 400 and (case := visible.get(number_of(outcome["ref"]) or 0)) is not None:
                speaks_of(request, case)
        outcomes = [
            outcome
            if outcome["status"] == kinds.NOT_FOUND.status or number_of(outcome["ref"]) in visible
            else _not_there(outcome["ref"], request)
            for outcome in answer["outcomes"]
        ]
        if outcomes == answer["outcomes"]:
            return body
        return bytes(JSONRenderer().render(answer_of(answer["action"], outcomes)))


def _visible(request: Request, refs: Sequence[str]) -> dict[int, ExceptionCase]:
    """The exceptions that the account may see, by number. One query."""
    numbers = [number for ref in refs if (number := number_of(ref)) is not None]
    seen = cases_within(reach_of(person(request))).select_related("queue", "entity", "connection", "assignee")
    found: dict[int, ExceptionCase] = seen.in_bulk(numbers)
    return found


def _not_there(ref: str, request: Request) -> dict[str, Any]:
    return refused(ref, problem_body(Problem(kinds.NOT_FOUND), request))


@transaction.atomic
def _carry_out(action: str, items: Sequence[_Item], request: Request, *, at: datetime) -> list[dict[str, Any]]:
    """The outcome of each item, in their order. Locked in the order of their numbers: none waits in a ring."""
    visible = _visible(request, [item.ref for item in items])
    outcomes: dict[int, dict[str, Any]] = {}
    for item in sorted(items, key=lambda item: number_of(item.ref) or 0):
        case = visible.get(number_of(item.ref) or 0)
        if case is None:
            note_refusal(request, NOTHING_THERE, about=item.ref, move=action)
            outcomes[item.place] = _not_there(item.ref, request)
            continue
        try:
            with transaction.atomic():
                outcomes[item.place] = _outcome(action, item, case, request, at=at)
        except Exception as error:
            problem = _refusal(error)
            if problem is None:
                raise
            outcomes[item.place] = _refused(problem, item, case, request)
        if outcomes[item.place]["status"] == kinds.NOT_PERMITTED.status:
            told = outcomes[item.place]["problem"]
            if not asks_for_proof(told["type"], request):
                note_refusal(request, str(told["detail"]), about=case.ref, move=action, case=case)
    return [outcomes[item.place] for item in items]


def _outcome(action: str, item: _Item, case: ExceptionCase, request: Request, *, at: datetime) -> dict[str, Any]:
    """Act on one exception, or tell what became of it when an item with this key came before."""
    if item.idempotency_key is None:
        return _act(action, item, case, request, at=at)
    key = usable_key(item.idempotency_key)
    if key is None:
        raise _at(
            item, "idempotency_key", "The key is empty, too long, or has blanks.", "Send visible ASCII characters."
        )
    fingerprint = fingerprint_of("bulk item", action, case.pk, item.if_match, {**item.shared, **item.own})
    stored = find_answer(request, key, fingerprint, at=at)
    if stored is not None:
        return {**json.loads(bytes(stored.body)), "ref": case.ref, "replayed": True}
    try:
        with transaction.atomic():
            outcome = _act(action, item, case, request, at=at)
    except Exception as error:
        problem = _refusal(error)
        if problem is None:
            raise
        outcome = _refused(problem, item, case, request)
        if asks_for_proof(problem.kind.type, request):
            return outcome  # the same is sent again after the proof, and is answered then
    body = JSONRenderer().render(outcome)
    keep_answer(request, key, fingerprint, at=at, status=outcome["status"], body=body)
    return outcome


def _act(action: str, item: _Item, case: ExceptionCase, request: Request, *, at: datetime) -> dict[str, Any]:
    if item.if_match is None:
        missing = pointer_to("items", item.place, "if_match")
        errors = [fault_at(missing, "This is missing.", "Send the ETag that was seen, or *.")]
        raise Problem(kinds.PRECONDITION_REQUIRED, errors=errors)
    try:
        precondition = Precondition.parse(item.if_match)
    except NoEntityTags:
        raise _at(item, "if_match", "This is no entity tag.", f"Send {etag_of(case)}, with the quotes, or *.") from None
    form = FORMS[action](data={**item.shared, **item.own})
    form.is_valid(raise_exception=True)
    precondition.hold(case)
    VIEWS[action](request=request).carry_out(case, dict(form.validated_data), by=person(request), at=at)
    after = ExceptionCase.objects.only("pk", "revision", "state").get(pk=case.pk)
    return done(case.ref, status=VIEWS[action].success, etag=etag_of(after), state=after.state)


def _at(item: _Item, name: str, detail: str, remedy: str) -> Problem:
    return Problem(
        kinds.INVALID_CONTENT, detail, errors=[fault_at(pointer_to("items", item.place, name), detail, remedy)]
    )


def _refusal(error: Exception) -> Problem | None:
    """None for a fault of ours, and for what may pass by itself: it ends the request and undoes all of it."""
    problem = problem_of(error)
    return None if problem is None or problem.kind.status in PASSING else problem


def _refused(problem: Problem, item: _Item, case: ExceptionCase, request: Request) -> dict[str, Any]:
    speaks_of(request, case)  # a refusal may quote its document
    own = {pointer_to("items", item.place, name) for name in ("if_match", "idempotency_key")}
    errors = [
        {**found, "pointer": item.pointer(found["pointer"])}
        if "pointer" in found and found["pointer"] not in own
        else found
        for found in problem.errors
    ]
    body = problem_body(problem, request)
    return refused(case.ref, {**body, "errors": errors}, etag=problem.headers.get("ETag"))
