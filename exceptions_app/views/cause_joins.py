"""Joining two causes, taking that back, and taking exceptions out into a cause of their own."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import now

from exceptions_app.actions import cause_joins
from exceptions_app.actions.cause_joins import CausesChanged
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.models import Cause
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.causes import CauseLine
from exceptions_app.views.cause import page_of_cause, show_cause, url_of_cause, visible_cause
from exceptions_app.views.cause_forms import JoinForm, SplitForm, TakeBackForm
from exceptions_app.views.cause_parts import JOIN, SPLIT, TAKE_BACK, ticked_of
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import forget
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by


def _carry_out(
    request: HttpRequest, line: CauseLine, name: str, form: Form, act: Callable[[dict[str, Any]], tuple[Cause, str]]
) -> HttpResponse:
    """`act` gives the cause to whose page it leads, and what to say there."""
    if not form.is_valid():
        return show_cause(request, line, bound={name: form}, status=422)
    try:
        leads_to, words = act(form.cleaned_data)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return show_cause(request, line, bound={name: form}, status=422)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    except (CausesChanged, ChangedMeanwhile) as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=url_of_cause(line.cause))
    forget(request, url_of_cause(line.cause))
    messages.success(request, words)
    return HttpResponseRedirect(url_of_cause(leads_to))


@posted_from(page_of_cause)
def join(request: HttpRequest, ref: str) -> HttpResponse:
    """The cause of the address, and not the one that it was joined with since the page was made."""
    line, named = visible_cause(request, ref), Cause.objects.with_ref(ref).get()

    def act(given: dict[str, Any]) -> tuple[Cause, str]:
        said = cause_joins.join_causes(named.pk, **given, by=person(request), at=now())
        into = said.into or named
        return into, shown(say("{ref} is one with {into} now.", ref=named.ref, into=into.ref))

    return _carry_out(request, line, JOIN, JoinForm(request.POST, auto_id="join-%s"), act)


@posted_from(page_of_cause)
def take_back(request: HttpRequest, ref: str) -> HttpResponse:
    line = visible_cause(request, ref)
    member = Cause.objects.with_ref(ref).get()
    form = TakeBackForm(request.POST, ref=member.ref, auto_id="take-back-%s")

    def act(given: dict[str, Any]) -> tuple[Cause, str]:
        said = cause_joins.take_back(member.pk, because=given["because"], by=person(request), at=now())
        return said.cause, shown(say("{ref} stands by itself again.", ref=member.ref))

    return _carry_out(request, line, TAKE_BACK, form, act)


@posted_from(page_of_cause)
def split(request: HttpRequest, ref: str) -> HttpResponse:
    line = visible_cause(request, ref)

    def act(given: dict[str, Any]) -> tuple[Cause, str]:
        numbers = list(ticked_of(request, line.cause).values_list("pk", flat=True))
        own = cause_joins.split_cause(line.cause.pk, numbers, by=person(request), at=now(), **given)
        return own, shown(
            say(
                "{ref} has its exceptions now. What arrives later with its code stays with {ref_2}.",
                ref=own.ref,
                ref_2=line.cause.ref,
            )
        )

    return _carry_out(request, line, SPLIT, SplitForm(request.POST, auto_id="split-%s"), act)
