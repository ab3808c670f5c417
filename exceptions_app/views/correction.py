"""A correction, in business fields or as the whole document: saved as the next version and checked."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from exceptions_app import policies
from exceptions_app.actions.correct import correct as save_version
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.forms import CorrectionForm, RawForm
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.case_page import CasePage, content_of, read_case_page
from exceptions_app.states import Action, TransitionNotAllowed
from exceptions_app.views.case_context import Asked, Notice, record_of
from exceptions_app.views.conflict import show_conflict
from exceptions_app.views.posted import posted_from
from exceptions_app.views.raw_text import NotText, as_payload
from exceptions_app.views.replies import done, page_of_case, refusal_notice, show
from exceptions_app.views.scope import person, visible_case
from integrations.connectors.base import CorrectionError
from integrations.connectors.registry import get_connector
from integrations.refusals import MessageNotUnderstood

_Form = CorrectionForm | RawForm


@posted_from(page_of_case)
def correct(request: HttpRequest, ref: str) -> HttpResponse:
    """Save what was typed as the next version. `show` asks for further fields and saves nothing."""
    page = read_case_page(visible_case(request, ref), person(request))
    case, form = page.case, _form(request, page)
    if "show" in request.POST:
        return _with_more_fields(request, case, form)
    base = content_of(case, _base_number(request))
    if base is not None and base.number != page.latest.number and _may_correct(page):
        return show_conflict(request, case, request.POST.dict(), base_version=base.number)
    what = _judged(form, case, base)
    if form is None or base is None or what is None:
        return _again(request, case, form, status=422)
    try:
        version = save_version(
            case.pk, by=person(request), at=now(), because=form.cleaned_data["because"], base_version=base.number,
            **what,
        )  # fmt: skip
    except (Invalid, CorrectionError) as error:
        _name(error, form)
        return _again(request, case, form, status=422)
    except ChangedMeanwhile as error:
        return show_conflict(request, error.case, request.POST.dict(), base_version=base.number, reason=error.reason)
    except (NotPermitted, TransitionNotAllowed) as error:
        notice, status = refusal_notice(error, case)
        return _again(request, case, form, status=status, notice=notice)
    return done(request, case, _what_came_of_it(version), tone="success" if version.check_passed else "warning")


def _base_number(request: HttpRequest) -> int:
    """The version that the person began with; 0 when it is not said."""
    typed = request.POST.get("base_version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else 0


def _may_correct(page: CasePage) -> bool:
    return policies.may(Action.CORRECT, page.case, page.standing).allowed


def _form(request: HttpRequest, page: CasePage) -> _Form | None:
    """The form that was sent, with the fields of the latest version; None when that has no fields to read."""
    if "payload" in request.POST:
        return RawForm(request.POST, auto_id="correct-%s")
    record = record_of(page, page.latest_content)
    if record is None:
        return None
    return CorrectionForm(request.POST.dict(), record=record, auto_id="correct-%s")


def _judged(form: _Form | None, case: ExceptionCase, base: PayloadVersion | None) -> Mapping[str, Any] | None:
    """What to save; None when something is wrong with it, and then everything that is wrong stands at its field."""
    if form is None:
        return None
    form.is_valid()
    if base is None:
        form.add_error(None, "The version that you started from is not known. Reload the page, then enter it again.")
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
        form.add_error(error.field if error.field in form.fields else None, error.problem)
    elif isinstance(error, CorrectionError):
        beside = form.name_at(error.path) if isinstance(form, CorrectionForm) else "payload"
        form.add_error(beside, f"{error.problem} {error.remedy}".strip())
    else:
        form.add_error("payload", str(error))


def _again(
    request: HttpRequest, case: ExceptionCase, form: _Form | None, *, status: int, notice: Notice | None = None
) -> HttpResponse:
    asked = Asked(correction=form, raw=form is None or isinstance(form, RawForm), notice=notice)
    return show(request, visible_case(request, case.ref), asked, status=status)


def _with_more_fields(request: HttpRequest, case: ExceptionCase, form: _Form | None) -> HttpResponse:
    """What is typed stays, in a form that has no errors yet."""
    typed = {name: value for name, value in request.POST.dict().items() if name != "base_version"}
    if not isinstance(form, CorrectionForm):
        return _again(request, case, form, status=200)
    fresh = CorrectionForm(
        record=form.record,
        typed=typed,
        initial={"base_version": request.POST.get("base_version")},
        auto_id="correct-%s",
    )
    return show(request, case, Asked(correction=fresh, groups=request.POST.getlist("show")))


def _what_came_of_it(version: PayloadVersion) -> str:
    if version.check_passed:
        return f"Version {version.number} is saved and passes the check."
    count = len(version.check_errors)
    left = "1 problem is" if count == 1 else f"{count} problems are"
    return f"Version {version.number} is saved. {left} left."
