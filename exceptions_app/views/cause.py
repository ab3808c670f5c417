"""One cause: how it goes, how its exceptions ended, what people know of it and who has to mend it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.causes import OwnerChanged, note_cause, set_cause_owner
from exceptions_app.actions.mover import Invalid
from exceptions_app.cause_states import RULES
from exceptions_app.forms import OUTCOME_WORDS
from exceptions_app.models import Cause, CauseOwner
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import cause_page as reads
from exceptions_app.queries.causes import CauseLine
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb
from exceptions_app.views.cause_forms import NoteForm, OwnerForm
from exceptions_app.views.cause_parts import JOIN, SPLIT, one_or_two
from exceptions_app.views.causes import row_of
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import NOTHING_WAS_DONE, shown, told_by
from integrations.connectors.registry import CONNECTORS

NOTE, OWNER, ONE_OR_TWO = "note", "owner", "one_or_two"


@require_safe
@never_cache
@signed_in
def cause(request: HttpRequest, ref: str) -> HttpResponse:
    line = visible_cause(request, ref)
    if line.cause.ref != ref and Cause.objects.with_ref(ref).exclude(pk=line.cause.pk).exists():
        return HttpResponseRedirect(url_of_cause(line.cause))  # one with another: told there
    return show_cause(request, line)


def visible_cause(request: HttpRequest, ref: str) -> CauseLine:
    """The cause, when the person sees an exception of it; 404 otherwise, as if it were not there."""
    found = reads.find_cause(reach_for(request), ref, at=now())
    if found is None:
        raise Http404
    return found


def url_of_cause(found: Cause) -> str:
    return reverse("exceptions:cause", args=[found.ref])


def page_of_cause(request: HttpRequest, ref: str) -> str:
    return url_of_cause(visible_cause(request, ref).cause)


def show_cause(
    request: HttpRequest, line: CauseLine, *, bound: Mapping[str, Form] | None = None, status: int = 200
) -> HttpResponse:
    reach, found = reach_for(request), line.cause
    owners = reads.ownership_of(found)
    owner = owners[0] if owners and str(owners[0]) else None
    resolution = reads.resolution_of(found, reach)
    connector = CONNECTORS.get(found.connector)
    context = {
        "cause": found,
        "row": row_of(line, owner),
        "line": line,
        "rule": RULES[line.state],
        "connector_title": connector.title if connector else found.connector,
        "owner": owner,
        "owners": owners,
        "notes": reads.notes_of(found),
        "resolution": resolution,
        "outcomes": [(OUTCOME_WORDS[outcome], number) for outcome, number in resolution.outcomes] if resolution else [],
        "values_used": reads.values_used(found, reach) if resolution else [],
        "values_lacking": reads.values_lacking(found, reach) if line.open else [],
        "batches": reads.batches_of(found, reach),
        "failed_form": next((form for form in (bound or {}).values() if form.is_bound), None),
        "forms": _forms(request, line, owner=owners[0] if owners else None, bound=bound or {}),
        "may_propose": reach.has(Verb.PROPOSE),
        "is_kept_for_playbook": interrupted_at(request, url_of_cause(found)).action.startswith("playbook_"),
        "trail": [{"label": gettext("Causes"), "url": reverse("exceptions:causes")}],
        "at": now(),
    }
    return render(request, "exceptions/cause.html", context, status=status)


def _forms(
    request: HttpRequest, line: CauseLine, *, owner: CauseOwner | None, bound: Mapping[str, Form]
) -> dict[str, dict[str, Any]]:
    """A form for each thing that the person may do here, with what they typed before their sign-in ended."""
    reach, found = reach_for(request), line.cause
    kept = interrupted_at(request, url_of_cause(found))
    typed = {name: dict(kept.typed) if kept.action == name else {} for name in (NOTE, OWNER, JOIN, SPLIT)}
    forms: dict[str, dict[str, Any]] = {}
    if reads.may_on_cause(found, reads.NOTING, reach).allowed:
        form = bound.get(NOTE) or NoteForm(initial=typed[NOTE], auto_id="note-%s")
        forms[NOTE] = {"form": form, "url": reverse("exceptions:cause_note", args=[found.ref])}
    if reads.may_on_cause(found, reads.OWNING, reach).allowed:
        forms[ONE_OR_TWO] = one_or_two(request, line, bound=bound, typed=typed)
        initial = {
            "person": owner.person_id if owner else None,
            "team": owner.team if owner else "",
            **typed[OWNER],
            "seen": owner.pk if owner else 0,
        }
        form = bound.get(OWNER) or owner_form(reach, owner, initial=initial)
        forms[OWNER] = {
            "form": form,
            "url": reverse("exceptions:cause_owner", args=[found.ref]),
            "is_open": OWNER in bound or bool(typed[OWNER]),
        }
    return forms


def owner_form(reach: Reach, current: CauseOwner | None, *args: Any, **more: Any) -> OwnerForm:
    """With the current owner among the choices: else it would show nobody, and sending it would make that true."""
    people = reads.people_who_may_own(reach, owner=current.person_id if current else None)
    return OwnerForm(*args, people=people, auto_id="owner-%s", **more)


def _carry_out(
    request: HttpRequest, ref: str, name: str, form: Form, act: Callable[[CauseLine, Form], object], done: str
) -> HttpResponse:
    line = visible_cause(request, ref)
    if not form.is_valid():
        return show_cause(request, line, bound={name: form}, status=422)
    try:
        act(line, form)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return show_cause(request, line, bound={name: form}, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except OwnerChanged as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=url_of_cause(line.cause))
    forget(request, url_of_cause(line.cause))
    messages.success(request, done)
    return HttpResponseRedirect(url_of_cause(line.cause))


@posted_from(page_of_cause)
def note(request: HttpRequest, ref: str) -> HttpResponse:
    def act(line: CauseLine, form: Form) -> object:
        return note_cause(line.cause.pk, text=form.cleaned_data["text"], by=person(request), at=now())

    form = NoteForm(request.POST, auto_id="note-%s")
    return _carry_out(request, ref, NOTE, form, act, gettext("Your note is kept with the cause."))


@posted_from(page_of_cause)
def owner(request: HttpRequest, ref: str) -> HttpResponse:
    def act(line: CauseLine, form: Form) -> object:
        given = form.cleaned_data
        return set_cause_owner(
            line.cause.pk, person=given["person"], team=given["team"], seen=given["seen"], because=given["because"],
            by=person(request), at=now(),
        )  # fmt: skip

    form = owner_form(reach_for(request), reads.owner_of(ref), request.POST)
    return _carry_out(request, ref, OWNER, form, act, gettext("The owner of the cause is set."))
