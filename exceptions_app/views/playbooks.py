"""Playbooks: all of them, and that for the error code of a cause with what holds, what waits and the next version."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.playbooks import PlaybookChanged, decide_playbook, save_playbook
from exceptions_app.models import PlaybookVersion
from exceptions_app.playbook_steps import MOST_STEPS, steps_of
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import playbooks as reads
from exceptions_app.queries.causes import CauseLine
from exceptions_app.views.addresses import address
from exceptions_app.views.cause import url_of_cause, visible_cause
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import begin_again, forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of, unknown_names
from exceptions_app.views.playbook_forms import DecidePlaybookForm, PlaybookFilterForm, PlaybookForm
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, together, told_by


def _url(line: CauseLine) -> str:
    return reverse("exceptions:playbook", args=[line.cause.ref])


def _page_of_playbook(request: HttpRequest, ref: str) -> str:
    return _url(visible_cause(request, ref))


@require_safe
@never_cache
@signed_in
def playbooks(request: HttpRequest) -> HttpResponse:
    """Those for codes of which the reader sees an exception, what was written last first."""
    form = PlaybookFilterForm(request.GET)
    notices = unknown_names(request, form.fields)
    asked = form.cleaned_data if form.is_valid() else {}
    reach = reach_for(request)
    page = page_of(
        request,
        lambda cursor, direction: reads.playbook_page(
            reach,
            search=asked.get("contains", ""),
            state=asked.get("state", ""),
            connector=asked.get("connector", ""),
            cursor=cursor,
            direction=direction,
        ),
        notices,
    )
    context = {
        "form": form,
        "rows": reads.playbook_lines(page.rows, reach),
        "is_narrowed": any(asked.values()),
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/playbooks.html", context)


@require_safe
@never_cache
@signed_in
def playbook(request: HttpRequest, ref: str) -> HttpResponse:
    return _show(request, visible_cause(request, ref))


def _show(
    request: HttpRequest,
    line: CauseLine,
    *,
    form: PlaybookForm | None = None,
    decide_form: DecidePlaybookForm | None = None,
    status: int = 200,
) -> HttpResponse:
    reach, cause = reach_for(request), line.cause
    versions = reads.versions_of(cause)
    newest, holds = versions[0] if versions else None, reads.holding(cause)
    waits = newest if newest is not None and _waits(newest) else None
    if waits is None or not reads.may_with_code(cause, reads.DECIDING, reach).allowed:
        decide_form = None
    elif decide_form is None:
        decide_form = DecidePlaybookForm(initial={"version": waits.pk}, auto_id="decide-%s")
        begin_again(request, decide_form, url_of_cause(cause), sent_to="playbook_decide", about=("version", waits.pk))
    context = {
        "cause": cause,
        "holds": holds,
        "steps": steps_of(holds.steps) if holds else [],
        "uses": reads.uses_of(cause, reach),
        "waits": waits,
        "waiting_steps": steps_of(waits.steps) if waits else [],
        "is_own": waits is not None and waits.author_id == person(request).pk,
        "decide_form": decide_form,
        "versions": versions,
        "most": MOST_STEPS,
        "form": _form(request, line, newest, form),
        "failed_form": next((one for one in (form, decide_form) if one is not None and one.is_bound), None),
        "trail": [
            {"label": gettext("Causes"), "url": reverse("exceptions:causes")},
            {"label": cause.ref, "url": reverse("exceptions:cause", args=[cause.ref])},
        ],
    }
    return render(request, "exceptions/playbook.html", context, status=status)


def _waits(version: PlaybookVersion) -> bool:
    return version.needs_second and not hasattr(version, "decision")


def _form(
    request: HttpRequest, line: CauseLine, newest: PlaybookVersion | None, form: PlaybookForm | None
) -> PlaybookForm | None:
    """For who may keep it. What they typed before their sign-in ended is still about the version that they saw then."""
    if form is not None or not reads.may_with_code(line.cause, reads.KEEPING, reach_for(request)).allowed:
        return form
    kept = interrupted_at(request, url_of_cause(line.cause))
    if kept.action == "playbook_save":
        return PlaybookForm(initial=dict(kept.typed))
    steps = steps_of(newest.steps) if newest is not None else []
    return PlaybookForm(initial={"seen": newest.number if newest is not None else 0}, steps=steps)


@posted_from(_page_of_playbook)
def save(request: HttpRequest, ref: str) -> HttpResponse:
    line, form = visible_cause(request, ref), PlaybookForm(request.POST)
    if not form.is_valid():
        return _show(request, line, form=form, status=422)
    given = form.cleaned_data
    try:
        version = save_playbook(
            line.cause.pk, form.steps(), seen=given["seen"], because=given["because"], by=person(request), at=now()
        )
    except Invalid as error:
        form.add_error(form.name_of(error.field), shown(error.problem))
        return _show(request, line, form=form, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except PlaybookChanged as error:
        return _over_a_newer_one(request, line, told_by(error, NOTHING_WAS_DONE))
    forget(request, url_of_cause(line.cause))
    written = say("Version {number} is written.", number=version.number)
    then = (
        say("It waits for somebody else, since it leads to values.") if version.needs_second else say("It holds now.")
    )
    messages.success(request, shown(together(written, then)))
    return HttpResponseRedirect(_url(line))


def _over_a_newer_one(request: HttpRequest, line: CauseLine, why: str) -> HttpResponse:
    """What was typed stays, to be sent again by who has looked at the version that is there by now."""
    newest, data = reads.newest(line.cause), request.POST.copy()
    data["seen"] = str(newest.number if newest is not None else 0)
    form = PlaybookForm(data)
    form.full_clean()
    form.add_error(None, why)
    return _show(request, line, form=form, status=409)


@posted_from(_page_of_playbook)
def decide(request: HttpRequest, ref: str) -> HttpResponse:
    line, form = visible_cause(request, ref), DecidePlaybookForm(request.POST, auto_id="decide-%s")
    if not form.is_valid():
        return _show(request, line, decide_form=form, status=422)
    given = form.cleaned_data
    waits = reads.newest(line.cause)
    if waits is None or waits.pk != given["version"]:
        reason = together(say("Another version is there by now."), NOTHING_WAS_DONE)
        return changed_meanwhile(request, shown(reason), back_url=_url(line))
    try:
        decide_playbook(
            waits.pk, approve=given["verdict"] == "approve", because=given["because"], by=person(request), at=now()
        )
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _show(request, line, decide_form=form, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except PlaybookChanged as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=_url(line))
    forget(request, url_of_cause(line.cause))
    messages.success(request, shown(say("You decided on version {number}.", number=waits.number)))
    return HttpResponseRedirect(_url(line))
