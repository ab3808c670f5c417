"""What a person gets back: the page or its fragment, after a move that worked and after one that did not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext

from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import CheckFailed
from exceptions_app.actions.translate import TranslationFailed
from exceptions_app.forms import typed_texts
from exceptions_app.models import ExceptionCase
from exceptions_app.navigation import add_fresh_counts
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.case_page import CasePage, events_since, full_names, read_case_page
from exceptions_app.refusing import note_refused_move
from exceptions_app.states import Action, TransitionNotAllowed
from exceptions_app.veiling import has_own_words
from exceptions_app.views.case_context import Asked, Notice, case_context
from exceptions_app.views.case_history import event_rows
from exceptions_app.views.interrupted import forget
from exceptions_app.views.scope import person, reach_for, visible_case
from exceptions_app.views.undo_offer import Undo, undo_of
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, together, told_by
from integrations.outbox import AlreadyUnderWay

NOTHING_DONE = together(NOTHING_WAS_DONE, say("What you typed is still here."))


def case_url(case: ExceptionCase) -> str:
    return reverse("exceptions:case", kwargs={"ref": case.ref})


def page_of_case(request: HttpRequest, ref: str) -> str:
    """The address of the exception's page, when the person may see it; else 404, as if it were not there."""
    return case_url(visible_case(request, ref))


def is_htmx(request: HttpRequest) -> bool:
    """Whether a fragment is wanted. A boosted link wants the page."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted


def fragment_or_page(
    request: HttpRequest, name: str, context: Mapping[str, Any], *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """`exceptions/NAME.html`, or for htmx the fragment of the same name with an underscore."""
    template = f"exceptions/{fragment or f'_{name}'}.html" if is_htmx(request) else f"exceptions/{name}.html"
    response = render(request, template, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request"])
    if is_htmx(request) and not fragment:
        add_fresh_counts(request, response)
    response["X-Fragment"] = "case"  # lets the page show an answer of 403, which htmx would leave out
    return response


def show(request: HttpRequest, case: ExceptionCase, asked: Asked, *, status: int = 200) -> HttpResponse:
    """The page of an exception as it stands now, with what was typed."""
    return _shown(request, read_case_page(case, person(request)), asked, status=status)


def _shown(request: HttpRequest, page: CasePage, asked: Asked, *, status: int) -> HttpResponse:
    typed = [*asked.typed.values(), typed_texts(page.draft.typed) if page.draft is not None else {}]
    has_own_words(request, [text for values in typed for text in values.values()])
    return fragment_or_page(request, "case", case_context(page, asked, reach_for(request)), status=status)


def done(
    request: HttpRequest, case: ExceptionCase, words: str, *, tone: str = "success", undo: Undo | None = None
) -> HttpResponse:
    """It worked: the page anew. Without htmx by redirect, so that a reload sends nothing again."""
    forget(request, case_url(case))
    if is_htmx(request):
        return show(request, visible_case(request, case.ref), Asked(notice=Notice(tone=tone, text=words, undo=undo)))
    level = messages.SUCCESS if tone == "success" else messages.WARNING
    messages.add_message(request, level, words, extra_tags=undo.as_tag() if undo else "")
    return HttpResponseRedirect(case_url(case))


def carry_out(
    request: HttpRequest,
    case: ExceptionCase,
    action: Action,
    form: Form,
    act: Callable[[Mapping[str, Any]], object],
    *,
    words: str | Callable[[object], str],
) -> HttpResponse:
    """Have an action done with what a form holds, and say what came of it. What was typed is never lost.

    `words` are said when it is done; those that depend on what came of it are made of that.
    """
    if not form.is_valid():
        return _again(request, case, action, form, None, status=422)
    try:
        moved = act(form.cleaned_data)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _again(request, case, action, form, None, status=422)
    except (CheckFailed, TranslationFailed, AlreadyUnderWay, NotPermitted, *CONFLICTS) as error:
        note_refused_move(request, error)
        notice, status = refusal_notice(error, case, seen=form.cleaned_data.get("revision"))
        return _again(request, case, action, form, notice, status=status)
    said = words if isinstance(words, str) else words(moved)
    return done(request, case, shown(said), undo=undo_of(action, moved))


def _for_now(sent: QueryDict, page: CasePage) -> QueryDict:
    """What was typed, for the exception as it is shown now. A tick was for what was shown before."""
    proposal, data = page.standing.proposal, sent.copy()
    data.pop("agreed", None)
    data["revision"] = str(page.case.revision)
    data["frozen_sha256"] = proposal.frozen_sha256 if proposal is not None else ""
    data["as_first"] = str(page.standing.missing > 1)
    return data


CONFLICTS = (TransitionNotAllowed, ChangedMeanwhile, ApprovalNoLongerHolds)


def _again(
    request: HttpRequest, case: ExceptionCase, action: Action, form: Form, notice: Notice | None, *, status: int
) -> HttpResponse:
    """The page as it stands now with the form as it was sent; sending it again is for what is seen now."""
    page = read_case_page(visible_case(request, case.ref), person(request))
    if status == 409:
        form.data = _for_now(request.POST, page)
    return _shown(request, page, Asked(bound={action: form}, notice=notice), status=status)


def refusal_notice(error: Exception, case: ExceptionCase, *, seen: int | None = None) -> tuple[Notice, int]:
    """The words for an action that was refused, and the status of the answer."""
    if isinstance(error, NotPermitted):
        return Notice(tone="warning", title=gettext("You may not do this"), text=told_by(error, NOTHING_DONE)), 403
    if isinstance(error, CheckFailed):
        lines = [problem.plain or problem.text for problem in error.report.errors]
        return Notice(tone="danger", title=gettext("It does not pass the check"), text=told_by(error), lines=lines), 422
    if isinstance(error, TranslationFailed):
        lines = [problem.plain for problem in error.errors]
        return Notice(tone="danger", title=gettext("It was not translated"), text=told_by(error), lines=lines), 422
    if isinstance(error, AlreadyUnderWay):
        return Notice(tone="danger", title=gettext("It is under way already"), text=told_by(error, NOTHING_DONE)), 422
    if isinstance(error, DecidedAlready):
        return Notice(tone="info", title=gettext("Nothing is left to decide"), text=told_by(error)), 409
    if isinstance(error, ApprovalNoLongerHolds):
        return Notice(tone="danger", title=gettext("Nothing was decided"), text=told_by(error)), 409
    text = told_by(error, NOTHING_DONE)
    return Notice(
        tone="warning", title=gettext("This changed meanwhile"), text=text, lines=_what_happened(case, seen)
    ), 409


def _what_happened(case: ExceptionCase, seen: int | None) -> Sequence[str]:
    """What others did since the person looked, oldest first."""
    if seen is None:
        return ()
    events = events_since(case, seen)
    rows = event_rows(events, full_names({event.actor for event in events}))
    return [f"{row.actor} {row.sentence}".strip() for row in reversed(rows)]
