"""Letting somebody decide in one's place, and ending that: forms on the page of approvals."""

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app.actions.delegations import delegate, end_delegation
from exceptions_app.actions.mover import Invalid
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.delegations import delegations_of
from exceptions_app.refusing import note_refused_move
from exceptions_app.views.approvals import show_approvals
from exceptions_app.views.delegation_forms import delegations_context, form_of
from exceptions_app.views.interrupted import forget
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:approvals")


@posted_from(_page)
def delegation_give(request: HttpRequest, ref: str) -> HttpResponse:
    form = form_of(request)
    if form.is_valid():
        typed = form.cleaned_data
        taker = get_user_model().objects.get(username=typed.pop("taker"))
        try:
            given = delegate(taker, **typed, by=person(request), at=now())
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        except NotPermitted as error:
            note_refused_move(request, error)
            form.add_error(None, shown(error.reason))
        else:
            forget(request, request.path)
            messages.success(
                request,
                shown(
                    say(
                        "{taker} decides in your place from {first_day} to {last_day}.",
                        taker=given.taker,
                        first_day=given.first_day,
                        last_day=given.last_day,
                    )
                ),
            )
            return HttpResponseRedirect(_page(request, ref))
    return show_approvals(request, delegations_context(request, form), status=422)


@posted_from(_page)
def delegation_end(request: HttpRequest, ref: int) -> HttpResponse:
    if not delegations_of(person(request)).filter(pk=ref).exists():
        raise Http404
    given = end_delegation(ref, by=person(request), at=now())
    messages.success(
        request,
        shown(say("{taker} does not decide in place of {giver} any more.", taker=given.taker, giver=given.giver)),
    )
    return HttpResponseRedirect(_page(request, ref))
