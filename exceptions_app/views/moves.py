"""One address for each move: translate what was sent, have one action done, translate what came of it."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from exceptions_app.actions import decide, propose, snoozing, tagging, unknown, work
from exceptions_app.actions import reverse as reversing
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retyping import FIELD as RETYPED
from exceptions_app.actions.retyping import NotTypedAgain, waiting_to_be_retyped
from exceptions_app.actions.translate import translate_again
from exceptions_app.attached_files import LARGEST_FILE, TOO_LARGE
from exceptions_app.forms import MOVE_FORMS, AssignForm, full_name
from exceptions_app.models import ExceptionCase, FirstApproval
from exceptions_app.queries.case_page import people_who_may
from exceptions_app.queries.mentioned import Mentioned, mentioned_in
from exceptions_app.queries.reversals import reversible_references
from exceptions_app.queries.tags import tags_in_use
from exceptions_app.refusing import note_typed_otherwise
from exceptions_app.states import Action, Outcome, Verb
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import carry_out, page_of_case
from exceptions_app.views.scope import person, reach_for, visible_case
from exceptions_app.wording import listed, say, together

_Typed = Mapping[str, Any]
_View = Callable[[HttpRequest, str], HttpResponse]


def _move(view: Callable[[HttpRequest, ExceptionCase], HttpResponse]) -> _View:
    """Signed in, by POST, on an exception that the person may see."""

    @posted_from(page_of_case)
    @wraps(view)
    def wrapped(request: HttpRequest, ref: str) -> HttpResponse:
        return view(request, visible_case(request, ref))

    return wrapped


def _form(request: HttpRequest, action: Action, **more: Any) -> Form:
    return MOVE_FORMS[action](request.POST, auto_id=f"{action.value}-%s", **more)


@_move
def claim(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(_: _Typed) -> object:
        return work.claim(case.pk, by=person(request), at=now())

    return carry_out(
        request, case, Action.CLAIM, _form(request, Action.CLAIM), act, words=say("You have {ref} now.", ref=case.ref)
    )


@_move
def assign(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    form = _form(request, Action.ASSIGN, people=people_who_may(Verb.CORRECT, case))

    def act(typed: _Typed) -> object:
        return work.assign(
            case.pk, to=typed["to"], by=person(request), at=now(), because=typed["because"], revision=typed["revision"]
        )

    to = form.cleaned_data.get("to") if form.is_valid() and isinstance(form, AssignForm) else None
    words = (
        say("{ref} is assigned to {person}.", ref=case.ref, person=full_name(to))
        if to
        else say("{ref} is back in its queue.", ref=case.ref)
    )
    return carry_out(request, case, Action.ASSIGN, form, act, words=words)


@_move
def hold(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return work.hold(
            case.pk, by=person(request), at=now(), waiting_for=typed["waiting_for"], until=typed["until"],
            revision=typed["revision"],
        )  # fmt: skip

    return carry_out(
        request, case, Action.HOLD, _form(request, Action.HOLD), act, words=say("{ref} is on hold.", ref=case.ref)
    )


@_move
def resume(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(_: _Typed) -> object:
        return work.resume(case.pk, by=person(request), at=now())

    return carry_out(
        request, case, Action.RESUME, _form(request, Action.RESUME), act, words=say("{ref} is resumed.", ref=case.ref)
    )


@_move
def snooze(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return snoozing.snooze(
            case.pk, by=person(request), at=now(), until=typed["until"], wakes_on=typed["wakes_on"],
            revision=typed["revision"],
        )  # fmt: skip

    words = say("{ref} is snoozed. It is among the snoozed ones of its list until it comes back.", ref=case.ref)
    return carry_out(request, case, Action.SNOOZE, _form(request, Action.SNOOZE), act, words=words)


@_move
def wake(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(_: _Typed) -> object:
        return snoozing.wake(case.pk, by=person(request), at=now())

    words = say("{ref} is back in the lists.", ref=case.ref)
    return carry_out(request, case, Action.WAKE, _form(request, Action.WAKE), act, words=words)


@_move
def tag(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return tagging.tag(
            case.pk, add=typed["add"], remove=typed["remove"], by=person(request), at=now(), revision=typed["revision"]
        )

    def words(moved: object) -> str:
        tags = moved.tags if isinstance(moved, ExceptionCase) else ()
        if not tags:
            return say("{ref} has no tag any more.", ref=case.ref)
        return say("{ref} is tagged {tags}.", ref=case.ref, tags=", ".join(tags))

    form = _form(request, Action.TAG, tags=case.tags, in_use=partial(tags_in_use, reach_for(request)))
    return carry_out(request, case, Action.TAG, form, act, words=words)


@_move
def translate(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return translate_again(case.pk, by=person(request), at=now(), revision=typed["revision"])

    words = say("{ref} is translated again. Look at what changed, then propose it.", ref=case.ref)
    return carry_out(request, case, Action.TRANSLATE, _form(request, Action.TRANSLATE), act, words=words)


def _proposing(
    action: Action, proposing: Callable[..., object], words: str
) -> Callable[[HttpRequest, ExceptionCase], HttpResponse]:
    """The views of the proposals differ in the action alone."""

    def view(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
        def act(typed: _Typed) -> object:
            return proposing(
                case.pk, by=person(request), at=now(), because=typed["because"], revision=typed["revision"]
            )

        return carry_out(
            request,
            case,
            action,
            _form(request, action),
            act,
            words=together(words, say("Someone else decides now.")),
        )

    return view


replay = _move(_proposing(Action.PROPOSE, propose.propose_replay, say("The replay is proposed.")))
release = _move(_proposing(Action.RELEASE, propose.propose_release, say("The release is proposed.")))
decline = _move(_proposing(Action.DECLINE, propose.propose_decline, say("It is proposed to decline it.")))


@_move
def dismiss(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return propose.propose_dismissal(
            case.pk, outcome=Outcome(typed["outcome"]), by=person(request), at=now(), because=typed["because"],
            revision=typed["revision"],
        )  # fmt: skip

    words = say("It is proposed to close it without sending. Someone else decides now.")
    return carry_out(request, case, Action.DISMISS, _form(request, Action.DISMISS), act, words=words)


@_move
def reverse(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return reversing.propose_reversal(
            case.pk, reference=typed["reference"], by=person(request), at=now(), because=typed["because"],
            revision=typed["revision"],
        )  # fmt: skip

    words = say("The reversal is proposed. Someone else decides now.")
    form = _form(request, Action.REVERSE, references=reversible_references(case))
    return carry_out(request, case, Action.REVERSE, form, act, words=words)


@_move
def report_wrong_booking(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return reversing.report_wrong_booking(
            case.pk, by=person(request), at=now(), because=typed["because"], revision=typed["revision"]
        )

    form = _form(request, Action.REPORT_WRONG_BOOKING)
    words = say("It is reported. The exception that follows this one is where it is reversed.")
    return carry_out(request, case, Action.REPORT_WRONG_BOOKING, form, act, words=words)


@_move
def withdraw(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return propose.withdraw(
            case.pk, by=person(request), at=now(), because=typed["because"], revision=typed["revision"]
        )

    words = say("The proposal is withdrawn.")
    return carry_out(request, case, Action.WITHDRAW, _form(request, Action.WITHDRAW), act, words=words)


@_move
def approve(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    to_retype = waiting_to_be_retyped(case.pk)

    def act(typed: _Typed) -> object:
        retyped = [typed[f"{RETYPED}_{place}"] for place in range(len(to_retype))]
        try:
            return decide.approve(
                case.pk, by=person(request), at=now(), frozen_sha256=typed["frozen_sha256"], because=typed["because"],
                retyped=retyped, as_first=typed["as_first"],
            )  # fmt: skip
        except NotTypedAgain as error:
            note_typed_otherwise(request, error, case=case)
            raise

    def words(opinion: object) -> str:
        if isinstance(opinion, FirstApproval):
            return say(
                "You approved what was proposed on {ref}, as the first of two. Nothing is done yet: somebody else must "
                "approve it as well.",
                ref=case.ref,
            )
        return say("You approved what was proposed on {ref}.", ref=case.ref)

    form = _form(request, Action.APPROVE, to_retype=to_retype)
    return carry_out(request, case, Action.APPROVE, form, act, words=words)


@_move
def reject(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return decide.reject(
            case.pk, by=person(request), at=now(), frozen_sha256=typed["frozen_sha256"], because=typed["because"]
        )

    words = say("You rejected what was proposed on {ref}.", ref=case.ref)
    return carry_out(request, case, Action.REJECT, _form(request, Action.REJECT), act, words=words)


@_move
def reopen(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return work.reopen(case.pk, by=person(request), at=now(), because=typed["because"], revision=typed["revision"])

    words = say("{ref} is open again.", ref=case.ref)
    return carry_out(request, case, Action.REOPEN, _form(request, Action.REOPEN), act, words=words)


@_move
def ask_again(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return unknown.ask_again(case.pk, by=person(request), at=now(), revision=typed["revision"])

    words = say("The target is being asked. Its answer is here in a few seconds.")
    return carry_out(request, case, Action.ASK_AGAIN, _form(request, Action.ASK_AGAIN), act, words=words)


def _stating(action: Action, stating: Callable[..., object]) -> Callable[[HttpRequest, ExceptionCase], HttpResponse]:
    def view(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
        def act(typed: _Typed) -> object:
            return stating(
                case.pk, proof=_proof_in(typed), by=person(request), at=now(), because=typed["because"],
                revision=typed["revision"],
            )  # fmt: skip

        words = say("What you found out is written down. Someone else decides now.")
        return carry_out(request, case, action, _form(request, action, files=request.FILES), act, words=words)

    return view


def _proof_in(typed: _Typed) -> unknown.Proof:
    reference, file = typed.get("reference", ""), typed["file"]
    if file is None:
        return unknown.Proof(reference)
    if file.size > unknown.LARGEST_FILE:  # not read into memory
        raise Invalid("file", unknown.FILE_TOO_LARGE)
    return unknown.Proof(reference, file.name, file.content_type or "application/octet-stream", file.read())


confirm_booked = _move(_stating(Action.CONFIRM_BOOKED, unknown.state_booked))
declare_absent = _move(_stating(Action.DECLARE_ABSENT, unknown.state_absent))


@_move
def comment(request: HttpRequest, case: ExceptionCase) -> HttpResponse:
    def act(typed: _Typed) -> object:
        return work.comment(case.pk, by=person(request), at=now(), text=typed["text"], file=_file_in(typed))

    words = _commented(mentioned_in(request.POST.get("text", ""), case))
    return carry_out(
        request, case, Action.COMMENT, _form(request, Action.COMMENT, files=request.FILES), act, words=words
    )


def _file_in(typed: _Typed) -> work.File | None:
    file = typed["file"]
    if file is None:
        return None
    if file.size > LARGEST_FILE:  # not read into memory
        raise Invalid("file", TOO_LARGE)
    return work.File(file.name, file.read())


def _commented(mentioned: Mentioned) -> str:
    people = listed([full_name(person) for person in mentioned.people])
    names = ", ".join(f"@{name}" for name in mentioned.unknown)
    return together(
        say("Your comment is added."),
        say("{people} will be told.", people=people) if people else "",
        say("Nobody who may see this exception is called {names}, so nobody is told by that.", names=names)
        if names
        else "",
    )
