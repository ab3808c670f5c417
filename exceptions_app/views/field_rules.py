"""Field rules: who may correct which fields, who wants another rule, and who decides on that."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from exceptions_app.actions import field_rules as rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import FieldRule
from exceptions_app.queries.field_rules import field_rules_within
from exceptions_app.queries.kept_rules import rules_among
from exceptions_app.views import kept_rules
from exceptions_app.views.field_rule_forms import STEP, ReleaseForm, as_typed
from exceptions_app.views.interrupted import forget, signed_in
from exceptions_app.views.kept_rule_forms import RuleMoveForm
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown

_MOVES: kept_rules.Moves = {
    "approve": rules.approve_field_rule,
    "reject": rules.reject_field_rule,
    "withdraw": rules.withdraw_field_rule,
    "end": rules.propose_field_end,
}


@require_safe
@signed_in
def field_rules(request: HttpRequest) -> HttpResponse:
    """With `?change=` and the number of a rule in force, the form begins with what that asks."""
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:field_rules")


@posted_from(_page)
def field_rule_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = ReleaseForm(request.POST)
    if form.is_valid():
        try:
            rule = rules.propose_field_rule(
                form.asked(), by=person(request), at=now(), because=form.cleaned_data["because"],
                replaces=form.cleaned_data["replaces"],
            )  # fmt: skip
        except Invalid as error:
            form.add_error(error.field if error.field != "replaces" else None, shown(error.problem))
        except FieldRule.DoesNotExist:
            form.add_error(None, gettext_lazy("The rule to be changed is not there."))
        else:
            forget(request, _page(request, None))
            messages.success(request, shown(say("{ref} is proposed. Someone else decides now.", ref=rule.ref)))
            return HttpResponseRedirect(_page(request, None))
    return _show(request, form=form, status=422)


@posted_from(_page)
def field_rule_move(request: HttpRequest, _ref: str) -> HttpResponse:
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = RuleMoveForm(request.POST)
    status = kept_rules.move(request, form, _MOVES, _page(request, None))
    if status == 302:
        return HttpResponseRedirect(_page(request, None))
    return _show(request, move_form=form, status=status)


def _show(
    request: HttpRequest, *, form: ReleaseForm | None = None, move_form: RuleMoveForm | None = None, status: int = 200
) -> HttpResponse:
    keeps, page = rules.may_keep_rules(person(request)), _page(request, None)
    found = rules_among(field_rules_within(reach_for(request), keeps=keeps))
    found = replace(found, in_force=sorted(found.in_force, key=lambda rule: (rule.position, rule.pk)))
    chosen = kept_rules.to_be_changed(request, found, form, page)
    if keeps and form is None:
        last = max((rule.position for rule in (*found.waiting, *found.in_force)), default=0)
        initial = as_typed(chosen) if chosen else {"position": min(last + STEP, rules.MOST_POSITION)}
        form = ReleaseForm(None, initial=initial)
        kept_rules.propose_again(request, form, page)
    context = {
        **kept_rules.page_of(request, found, page=page, form=form, move_form=move_form, keeps=keeps, changed=chosen),
        "heading": gettext("Field rules"),
        "propose_url": reverse("exceptions:field_rule_propose"),
        "move_url": reverse("exceptions:field_rule_move"),
        "notices": unknown_names(request, {"change": ""}),
    }
    return render(request, "exceptions/field_rules.html", context, status=status)
