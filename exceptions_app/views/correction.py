"""A correction, in business fields or as the whole document: saved as the next version and checked.

What was sent and not saved, for whatever reason, is kept as the person's draft before they are told so.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy

from exceptions_app.actions.correct import correct as save_version
from exceptions_app.actions.drafts import Kept, save_draft
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.form_fields import focus_on_fault
from exceptions_app.forms import CorrectionForm, RawForm, mine_of, offered_name
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.notation import as_filled_in
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.case_page import CasePage, content_of, read_case_page
from exceptions_app.queries.precedents import Precedent
from exceptions_app.refusing import note_refused_move
from exceptions_app.releases import NotReleased
from exceptions_app.states import TRANSITIONS, Action, TransitionNotAllowed
from exceptions_app.views.case_context import Asked, Notice, record_of
from exceptions_app.views.conflict import show_conflict
from exceptions_app.views.draft_texts import to_keep
from exceptions_app.views.posted import posted_from
from exceptions_app.views.precedents import offered_in, suggestions_for
from exceptions_app.views.problems import problems_of
from exceptions_app.views.raw_text import NotText, as_payload
from exceptions_app.views.replies import case_url, done, page_of_case, refusal_notice, show
from exceptions_app.views.scope import person, reach_for, visible_case
from exceptions_app.wording import say, shown, together, told_by
from integrations.connectors.base import CorrectionError
from integrations.connectors.registry import get_connector
from integrations.refusals import MessageNotUnderstood

_Form = CorrectionForm | RawForm


@posted_from(page_of_case)
def correct(request: HttpRequest, ref: str) -> HttpResponse:
    """Save what was typed as the next version. `show`, `use` and `keep` save none: see below."""
    page = read_case_page(visible_case(request, ref), person(request))
    case, form = page.case, _form(request, page)
    base = content_of(case, _base_number(request))
    if "show" in request.POST or "use" in request.POST:
        _keep(request, case, base, form)
        return _with_more_of_it(request, case, form)
    if "keep" in request.POST and _keep(request, case, base, form):
        messages.info(request, gettext("Your draft is kept. Nobody else sees what is in it."))
        return HttpResponseRedirect(case_url(case))
    if base is not None and base.number != page.latest.number and _may_type(page):
        kept = _keep(request, case, base, form)
        return show_conflict(request, case, mine_of(request.POST.dict()), base_version=base.number, kept=kept)
    what = _judged(form, case, base)
    if form is None or base is None or what is None:
        _keep(request, case, base, form)
        return _again(request, case, form, status=422)
    try:
        version = save_version(
            case.pk, by=person(request), at=now(), because=form.cleaned_data["because"], base_version=base.number,
            offered=_offered(request, page), **what,
        )  # fmt: skip
    except (Invalid, CorrectionError) as error:
        _name(error, form)
        _keep(request, case, base, form)
        return _again(request, case, form, status=422)
    except ChangedMeanwhile as error:
        kept = _keep(request, case, base, form)
        return show_conflict(request, error.case, mine_of(request.POST.dict()), base_version=base.number, kept=kept)
    except (NotPermitted, TransitionNotAllowed) as error:
        note_refused_move(request, error)
        notice, status = refusal_notice(error, case)
        _name_closed(error, form)
        _keep(request, case, base, form)
        return _again(request, case, form, status=status, notice=notice)
    return done(request, case, _what_came_of_it(version), tone="success" if version.check_passed else "warning")


def _base_number(request: HttpRequest) -> int:
    """The version that the person began with; 0 when it is not said."""
    typed = request.POST.get("base_version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else 0


def _may_type(page: CasePage) -> bool:
    """Whether they could correct it, were it not that a colleague has it by now."""
    return TRANSITIONS[Action.CORRECT].verb in page.standing.verbs and page.case.is_open


def _keep(request: HttpRequest, case: ExceptionCase, base: PayloadVersion | None, form: _Form | None) -> bool:
    """As a draft, which survives the page. False when nothing was typed, it is not theirs to type, or a newer one is
    there."""
    if base is None or not _has_words(form):
        return False
    mine = mine_of(request.POST.dict())
    try:
        kept = save_draft(
            case.pk, by=person(request), at=now(), base_version=base.number,
            typed=to_keep(mine, case, base.number), without=request.POST.keys() - mine.keys(),
        )  # fmt: skip
    except NotPermitted:
        return False
    return kept is not Kept.NOT


def _has_words(form: _Form | None) -> bool:
    if isinstance(form, CorrectionForm):
        typed = str(form.data.get("because", "")).strip()
        return bool(typed) or any(form.differs(name) for name in form.record_fields)
    return form is not None


def _form(request: HttpRequest, page: CasePage) -> _Form | None:
    """The form that was sent, with the fields of the latest version; None when that has no fields to read."""
    if "payload" in request.POST:
        return RawForm(request.POST, auto_id="correct-%s")
    record = record_of(page, page.latest_content)
    if record is None:
        return None
    return CorrectionForm(mine_of(request.POST.dict()), record=record, auto_id="correct-%s")


def _judged(form: _Form | None, case: ExceptionCase, base: PayloadVersion | None) -> Mapping[str, Any] | None:
    """What to save; None when something is wrong with it, and then everything that is wrong stands at its field."""
    if form is None:
        return None
    form.is_valid()
    if base is None:
        form.add_error(
            None, gettext_lazy("The version that you started from is not known. Reload the page, then enter it again.")
        )
        return None
    what: Mapping[str, Any] = {}
    try:
        what = _what_to_save(form, case, base)
        if form.errors and "payload" in what:
            get_connector(case.connection.connector).read(what["payload"])
    except MessageNotUnderstood as error:
        _name(CorrectionError(error.problem, remedy=error.remedy), form)
    except (CorrectionError, NotText) as error:
        _name(error, form)
    return None if form.errors else what


def _what_to_save(form: _Form, case: ExceptionCase, base: PayloadVersion) -> Mapping[str, Any]:
    """The two ways to correct. Raises NotText."""
    before = bytes(base.content)
    if isinstance(form, RawForm):
        return {"payload": as_payload(form.cleaned_data["payload"], like=before)}
    connector = get_connector(case.connection.connector)
    return {"operations": connector.operations_for(before, form.cleaned_data["changes"])}


def _name(error: Invalid | CorrectionError | NotText, form: _Form) -> None:
    """Put an error beside the field that it is about."""
    if isinstance(error, Invalid):
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
    elif isinstance(error, CorrectionError):
        beside = form.name_at(error.path) if isinstance(form, CorrectionForm) else "payload"
        form.add_error(beside, f"{error.problem} {error.remedy}".strip())
    else:
        form.add_error("payload", told_by(error))


def _name_closed(error: Exception, form: _Form) -> None:
    """Each field that is not released to the person, beside its input."""
    for one in error.closed if isinstance(error, NotReleased) else ():
        beside = form.name_at(one.field.path) if isinstance(form, CorrectionForm) else "payload"
        form.add_error(beside, shown(one.words))


def _again(
    request: HttpRequest, case: ExceptionCase, form: _Form | None, *, status: int, notice: Notice | None = None
) -> HttpResponse:
    if form is not None and notice is None:  # what is wrong with it all is told first
        focus_on_fault(form)
    asked = Asked(correction=form, raw=form is None or isinstance(form, RawForm), notice=notice)
    return show(request, visible_case(request, case.ref), asked, status=status)


def _with_more_of_it(request: HttpRequest, case: ExceptionCase, form: _Form | None) -> HttpResponse:
    """The form without its errors, with further fields, or with the suggested value in one. What is typed stays."""
    typed = {name: value for name, value in request.POST.dict().items() if name != "base_version"}
    if not isinstance(form, CorrectionForm):
        return _again(request, case, form, status=200)
    notice = None
    used = request.POST.get("use", "")
    if used in form.record_fields and offered_name(used) in typed:
        typed[used] = as_filled_in(typed[offered_name(used)], form.record_fields[used])
        notice = Notice(
            tone="info",
            text=shown(say("“{used}” is filled in and not saved yet. Say why it is right.", used=typed[used])),
        )
    fresh = CorrectionForm(
        record=form.record,
        typed=typed,
        initial={"base_version": request.POST.get("base_version")},
        auto_id="correct-%s",
    )
    return show(request, case, Asked(correction=fresh, groups=request.POST.getlist("show"), notice=notice))


def _offered(request: HttpRequest, page: CasePage) -> list[Precedent]:
    """The suggestions that the person saw. Nothing is read where the page that was sent had none."""
    if not any(name.startswith(offered_name("")) for name in request.POST):
        return []
    record = record_of(page, page.latest_content)
    first = record if page.latest.number == 1 else record_of(page, page.first_content)
    suggested = suggestions_for(page, record, first, problems_of(page, record, first), reach_for(request))
    return offered_in(request.POST.dict(), suggested.values())


def _what_came_of_it(version: PayloadVersion) -> str:
    if version.check_passed:
        return shown(say("Version {number} is saved and passes the check.", number=version.number))
    count = len(version.check_errors)
    left = say("1 problem is left.") if count == 1 else say("{count} problems are left.", count=count)
    return shown(together(say("Version {number} is saved.", number=version.number), left))
