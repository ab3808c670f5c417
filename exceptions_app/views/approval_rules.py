"""Rules of approval: what they ask, who wants another one, and who decides on that."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from exceptions_app.actions import approval_rules as rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ApprovalRule
from exceptions_app.queries.approval_reach import MOST_READ, Effect, effect_of
from exceptions_app.queries.approval_rules import rules_within
from exceptions_app.queries.kept_rules import rules_among
from exceptions_app.states import Verb
from exceptions_app.views import kept_rules
from exceptions_app.views.approval_rule_forms import RuleForm, as_typed
from exceptions_app.views.interrupted import forget, signed_in
from exceptions_app.views.kept_rule_forms import RuleMoveForm
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown

_MOVES: kept_rules.Moves = {
    "approve": rules.approve_rule,
    "reject": rules.reject_rule,
    "withdraw": rules.withdraw_rule,
    "end": rules.propose_end,
}


@require_safe
@signed_in
def approval_rules(request: HttpRequest) -> HttpResponse:
    """With `?rule=` and the number of a rule it shows who could approve under it, with `?change=` the form begins with
    what that asks.
    """
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:approval_rules")


@posted_from(_page)
def approval_rule_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    """The first time it shows whom the rule leaves to approve; what was shown is proposed, and nothing else."""
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = RuleForm(request.POST)
    if not form.is_valid():
        return _show(request, form=form, status=422)
    draft, typed = None, form.cleaned_data
    try:
        draft = rules.draft_of(form.asked(), replaces=typed["replaces"])
        if request.POST.get("previewed") != rules.frozen_hash_of(draft):
            return _show(request, form=form, draft=draft)
        rule = rules.propose_rule(
            form.asked(), by=person(request), at=now(), because=typed["because"], replaces=typed["replaces"]
        )
    except Invalid as error:
        form.add_error(error.field if error.field != "replaces" else None, shown(error.problem))
    else:
        forget(request, _page(request, None))
        messages.success(request, shown(say("{ref} is proposed. Someone else decides now.", ref=rule.ref)))
        return HttpResponseRedirect(_page(request, None))
    return _show(request, form=form, draft=draft, status=422)


@posted_from(_page)
def approval_rule_move(request: HttpRequest, _ref: str) -> HttpResponse:
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = RuleMoveForm(request.POST)
    status = kept_rules.move(request, form, _MOVES, _page(request, None))
    if status == 302:
        return HttpResponseRedirect(_page(request, None))
    return _show(request, move_form=form, status=status)


def _show(
    request: HttpRequest,
    *,
    form: RuleForm | None = None,
    draft: ApprovalRule | None = None,
    move_form: RuleMoveForm | None = None,
    status: int = 200,
) -> HttpResponse:
    keeps, page = rules.may_keep_rules(person(request)), _page(request, None)
    found = rules_among(rules_within(reach_for(request), keeps=keeps))
    looked_at = kept_rules.looked_at(request, found, move_form, page) if keeps else None
    chosen = kept_rules.to_be_changed(request, found, form, page)
    if keeps and form is None:
        form = RuleForm(None, initial=as_typed(chosen) if chosen else None)
        kept_rules.propose_again(request, form, page)
    context = {
        **kept_rules.page_of(request, found, page=page, form=form, move_form=move_form, keeps=keeps, changed=chosen),
        "heading": gettext("Rules of approval"),
        "propose_url": reverse("exceptions:approval_rule_propose"),
        "move_url": reverse("exceptions:approval_rule_move"),
        "looks": True,
        "effect_template": "exceptions/_approval_effect.html",
        "effect": _effect(request, looked_at) if looked_at else None,
        "proposed_effect": _effect(request, draft) if draft is not None else None,
        "most_read": MOST_READ,
        "notices": unknown_names(request, {"change": "", "rule": ""}),
    }
    return render(request, "exceptions/approval_rules.html", context, status=status)


def _effect(request: HttpRequest, rule: ApprovalRule) -> Effect:
    reach = reach_for(request)
    return effect_of(rule, reach, sees=reach.has(Verb.SEE), shown=rules.frozen_hash_of(rule))
