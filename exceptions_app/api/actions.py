"""One POST for each action on an exception. Each calls the very function that the button on the page calls."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import decide, propose, snoozing, tagging, unknown, work
from exceptions_app.actions import reverse as reversing
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retyping import NotTypedAgain
from exceptions_app.actions.translate import translate_again
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, case_for, person
from exceptions_app.api.case_document import respond
from exceptions_app.api.documented import IDEMPOTENCY_KEY, IF_MATCH, REF, WRITING, endpoint
from exceptions_app.api.exception_shapes import ExceptionDetail
from exceptions_app.api.preconditions import as_seen, precondition_of
from exceptions_app.models import ExceptionCase
from exceptions_app.refusing import note_typed_otherwise
from exceptions_app.states import TRANSITIONS, Action, Outcome, Verb, WakesOn

TAG = "Actions"
PROBLEMS = (
    *WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW, kinds.CHANGED_MEANWHILE, kinds.PRECONDITION_FAILED,
    kinds.PRECONDITION_REQUIRED,
)  # fmt: skip
_DECIDING = (kinds.FRESH_PROOF_NEEDED, kinds.APPROVAL_NO_LONGER_HOLDS, kinds.ALREADY_UNDER_WAY)


class CaseAction(ActingView):
    """Scope first, so that what is not visible does not exist; then shape; then one call into the domain."""

    form: type[serializers.Serializer[Any]] = requests.Nothing
    success = 200

    def act(self, request: Request, ref: str) -> Response:
        case = case_for(request, ref)
        data = requests.body_of(request, self.form)
        with as_seen(precondition_of(request, case), case):
            self.carry_out(case, data, by=person(request), at=now())
        return respond(request, ref, status=self.success)

    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        raise TypeError(f"{type(self).__name__} does nothing.")


def _action(
    action: Action,
    form: type[serializers.Serializer[Any]],
    description: str,
    *,
    success: int = 200,
    deciding: bool = False,
    sends: bool = False,
    translates: bool = False,
    example: Mapping[str, Any] | None = None,
) -> Callable[[type[CaseAction]], type[CaseAction]]:
    """Describe the POST of a CaseAction: its documentation, its form and its status."""

    def describe(view: type[CaseAction]) -> type[CaseAction]:
        row = TRANSITIONS[action]
        verb = row.verb.value if row.verb else Verb.SEE.value
        problems = (*PROBLEMS, *(_DECIDING if deciding else ()), *((kinds.CHECK_FAILED,) if sends else ()))
        problems += (kinds.NOT_TRANSLATED,) if translates else ()
        view.form, view.success = form, success
        described: type[CaseAction] = extend_schema_view(
            post=endpoint(
                f"{action.value}_exception",
                row.label,
                f"{description} Needs the verb {verb} on the queue and on the legal entity.",
                tag=TAG,
                request=form,
                answers={success: ExceptionDetail},
                problems=problems,
                parameters=[REF, IF_MATCH, IDEMPOTENCY_KEY],
                examples=[OpenApiExample("Request", value=dict(example), request_only=True)] if example else [],
            )
        )(view)
        return described

    return describe


@_action(Action.CLAIM, requests.Nothing, "Take an unassigned exception to work on it.")
class Claim(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.claim(case.pk, by=by, at=at)


@_action(
    Action.ASSIGN, requests.Assign, "Give it to a colleague who may work on it, or back to the queue.",
    example={"to": "clara", "because": "She knows this customer."},
)  # fmt: skip
class Assign(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.assign(case.pk, to=_colleague(data["to"], case), by=by, at=at, because=data["because"])


def _colleague(username: str | None, case: ExceptionCase) -> AbstractUser | None:
    if username is None:
        return None
    found: AbstractUser | None = get_user_model().objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Invalid(
            "to", f"Nobody called {username[:60]} may work on exceptions in {case.queue} for {case.entity}. "
            "Choose someone else."
        )  # fmt: skip
    return found


@_action(
    Action.HOLD, requests.Hold, "Put it on hold until something outside has happened.",
    example={"waiting_for": "The customer's order number", "until": "2026-12-01T09:00:00Z"},
)  # fmt: skip
class Hold(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.hold(case.pk, by=by, at=at, waiting_for=data["waiting_for"], until=data["until"])


@_action(Action.RESUME, requests.Nothing, "Take it up again after a hold.")
class Resume(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.resume(case.pk, by=by, at=at)


@_action(
    Action.SNOOZE, requests.Snooze,
    "Take it out of the work lists until a time, until something happens, or until whichever comes first. Nothing else "
    "changes: its due time and every deadline stay, and search finds it.",
    example={"until": "2026-12-01T09:00:00Z", "event": "arrival"},
)  # fmt: skip
class Snooze(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        event = WakesOn(data["event"]) if data["event"] else None
        snoozing.snooze(case.pk, by=by, at=at, until=data["until"], wakes_on=event)


@_action(Action.WAKE, requests.Nothing, "Bring a snoozed exception back into the work lists.")
class Wake(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        snoozing.wake(case.pk, by=by, at=at)


@_action(
    Action.TAG, requests.Tag,
    "Put tags on it and take others off: small letters, digits and hyphens. They change nothing else, and a snoozed "
    "exception stays snoozed.",
    example={"add": ["month-end", "vat"], "remove": ["call-customer"]},
)  # fmt: skip
class Tag(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        tagging.tag(case.pk, add=data["add"], remove=data["remove"], by=by, at=at, because=data["because"])


@_action(
    Action.TRANSLATE, requests.Nothing,
    "Of what a field map held: translate the source's message anew, by the field maps that are in use now, and keep "
    "the result as the next version. Nothing is sent; it is proposed and decided on like any correction, and neither "
    "who wrote the maps nor who put them to use decides.",
    translates=True,
)  # fmt: skip
class Translate(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        translate_again(case.pk, by=by, at=at)


@_action(
    Action.PROPOSE, requests.Because, "Propose to send the latest version to the target. It must pass the check.",
    sends=True, example={"because": "Issue date taken from the order confirmation."},
)  # fmt: skip
class Propose(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        propose.propose_replay(case.pk, by=by, at=at, because=data["because"])


@_action(
    Action.RELEASE, requests.Because, "Propose to let a held transaction go to the target, as it is or as corrected.",
    sends=True, example={"because": "The screening hit is another company of that name."},
)  # fmt: skip
class Release(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        propose.propose_release(case.pk, by=by, at=at, because=data["because"])


@_action(
    Action.DECLINE, requests.Because, "Propose to send a held transaction back to its source.",
    example={"because": "The contract does not cover this amount."},
)  # fmt: skip
class Decline(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        propose.propose_decline(case.pk, by=by, at=at, because=data["because"])


@_action(
    Action.DISMISS, requests.Dismiss, "Propose to close it without sending anything.",
    example={"outcome": "fixed_at_source", "because": "Billing issued it anew under the same order."},
)  # fmt: skip
class Dismiss(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        propose.propose_dismissal(case.pk, outcome=Outcome(data["outcome"]), by=by, at=at, because=data["because"])


@_action(
    Action.REVERSE, requests.Reverse,
    "Propose to send the entry that reverses a document of the target, linked to it. Of what a comparison found to "
    "stand there twice or unknown to us, and of a booking that was reported as wrong.",
    sends=True, example={"reference": "1000000042/2026", "because": "Booked twice after a time-out."},
)  # fmt: skip
class Reverse(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        reversing.propose_reversal(case.pk, reference=data["reference"], by=by, at=at, because=data["because"])


@_action(
    Action.REPORT_WRONG_BOOKING, requests.Because,
    "Say that what a resolved exception booked is wrong. It stays resolved; an exception that follows it is opened, "
    "where the reversal is proposed.",
    example={"because": "The invoice was issued to the wrong customer."},
)  # fmt: skip
class ReportWrongBooking(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        reversing.report_wrong_booking(case.pk, by=by, at=at, because=data["because"])


@_action(Action.WITHDRAW, requests.PerhapsBecause, "Take back what one proposed oneself, before it is decided.")
class Withdraw(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        propose.withdraw(case.pk, by=by, at=at, because=data["because"])


@_action(
    Action.APPROVE, requests.ApproveException,
    "Agree to exactly the proposal with this frozen hash; what it sends is queued in the same transaction. Refused for "
    "everybody who proposed or corrected. Where a rule asks for two approvers, the first approval carries out nothing: "
    "the exception goes on waiting, with `first_approval` in its proposal.",
    deciding=True,
    example={
        "frozen_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "because": "Compared with the order.",
    },
)  # fmt: skip
class Approve(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        try:
            decide.approve(case.pk, by=by, at=at, **data)
        except NotTypedAgain as error:
            note_typed_otherwise(self.request, error, case=case)
            raise


@_action(
    Action.REJECT, requests.Reject, "Say no to the proposal with this frozen hash; the exception goes back to work.",
    deciding=True,
    example={
        "frozen_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "because": "The date is the delivery date, not the issue date.",
    },
)  # fmt: skip
class Reject(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        decide.reject(case.pk, by=by, at=at, frozen_sha256=data["frozen_sha256"], because=data["because"])


@_action(
    Action.ASK_AGAIN, requests.Nothing, "Have the target asked at once what became of a sending of unknown outcome."
)
class AskAgain(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        unknown.ask_again(case.pk, by=by, at=at)


def _proof_in(data: Mapping[str, Any]) -> unknown.Proof:
    reference, file = str(data.get("reference", "")), data["file"]
    if file is None:
        return unknown.Proof(reference)
    return unknown.Proof(reference, file["name"], file["media_type"], file["content"])


@_action(
    Action.CONFIRM_BOOKED, requests.ConfirmBooked,
    "State, with proof, that the target has booked a sending of unknown outcome. Somebody else must agree; then the "
    "exception is resolved and nothing is sent again.",
    example={"reference": "1000004711", "because": "Seen in the journal of 21 November, with our number."},
)  # fmt: skip
class ConfirmBooked(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        unknown.state_booked(case.pk, proof=_proof_in(data), by=by, at=at, because=data["because"])


@_action(
    Action.DECLARE_ABSENT, requests.DeclareAbsent,
    "State, with proof, that the target does not have a sending of unknown outcome and will not book it any more. "
    "Somebody else must agree; then the exception is worked again.",
    example={"because": "The bank's service desk found no such file, ticket 88123."},
)  # fmt: skip
class DeclareAbsent(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        unknown.state_absent(case.pk, proof=_proof_in(data), by=by, at=at, because=data["because"])


@_action(
    Action.REOPEN, requests.Because, "Take up again what was closed without sending.",
    example={"because": "The source did not issue it anew after all."},
)  # fmt: skip
class Reopen(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.reopen(case.pk, by=by, at=at, because=data["because"])


@_action(
    Action.COMMENT, requests.Comment, "Add a comment; it changes no state and cannot be taken back.", success=201,
    example={"text": "Asked the customer for the order number."},
)  # fmt: skip
class Comment(CaseAction):
    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        work.comment(case.pk, by=by, at=at, text=data["text"])
