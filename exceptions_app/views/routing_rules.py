"""Routing rules: where what arrives goes, what another rule would change, and who decides on that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from exceptions_app.actions import routing_rules as rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import RoutingRule
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.kept_rules import Rules, rules_among
from exceptions_app.queries.routing_rules import routing_rules_within
from exceptions_app.queries.routing_sight import Sight, sight_by
from exceptions_app.states import Verb
from exceptions_app.triage.rule_preview import MOST_READ, Preview, preview_of
from exceptions_app.triage.rules import rules_in_force
from exceptions_app.views import kept_rules
from exceptions_app.views.interrupted import forget, signed_in
from exceptions_app.views.kept_rule_forms import RuleMoveForm
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.routing_rule_forms import RoutingForm, as_typed
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown

STEP = 10
"""Between the places that new rules are offered, so that another one fits in."""
_MOVES: kept_rules.Moves = {
    "approve": rules.approve_routing_rule,
    "reject": rules.reject_routing_rule,
    "withdraw": rules.withdraw_routing_rule,
    "end": rules.propose_routing_end,
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What one rule would change, or its end: for open exceptions as far as the reader sees them, and for people."""

    rule: RoutingRule
    preview: Preview
    sees: bool
    sight: Sight
    shown: str
    """What is decided on; empty for a rule that nobody proposed yet."""


@require_safe
@signed_in
def routing_rules(request: HttpRequest) -> HttpResponse:
    """With `?rule=` and the number of a rule its effect is shown, with `?change=` the form begins with what it asks."""
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:routing_rules")


@posted_from(_page)
def routing_rule_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    """The first time it shows what the rule would change; what was shown is proposed, and nothing else."""
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = _form(request, request.POST)
    if not form.is_valid():
        return _show(request, form=form, status=422)
    draft, status = None, 422
    try:
        draft = _draft(form)
        if request.POST.get("previewed") != rules.frozen_hash_of(draft):
            return _show(request, form=form, draft=draft)
        rule = rules.propose_routing_rule(
            form.asked(), by=person(request), at=now(), because=form.cleaned_data["because"],
            replaces=draft.replaces_id,
        )  # fmt: skip
    except Invalid as error:
        form.add_error(error.field if error.field != "replaces" else None, shown(error.problem))
    except NotPermitted as error:
        form.add_error(None, shown(error.reason))
        status = 403
    else:
        forget(request, _page(request, None))
        messages.success(request, shown(say("{ref} is proposed. Someone else decides now.", ref=rule.ref)))
        return HttpResponseRedirect(_page(request, None))
    return _show(request, form=form, draft=draft, status=status)


def _form(
    request: HttpRequest, data: QueryDict | None = None, *, initial: Mapping[str, Any] | None = None
) -> RoutingForm:
    """Whoever administers may name every connection, which they configure; others those that they may look at."""
    reader = person(request)
    seen = None if reader.is_staff else connection_reach_of(reader).seen
    return RoutingForm(data, reach=reach_for(request), seen=seen, initial=initial)


def _draft(form: RoutingForm) -> RoutingRule:
    asked, number = form.asked(), form.cleaned_data["replaces"]
    rules.require_sound(asked)
    old = rules_in_force().filter(pk=number).first() if number else None
    if number and old is None:
        raise Invalid("replaces", say("The rule to be changed is not in force."))
    return asked.as_rule(old)


@posted_from(_page)
def routing_rule_move(request: HttpRequest, _ref: str) -> HttpResponse:
    kept_rules.require_keeper(request, reason=rules.NOT_PERMITTED)
    form = RuleMoveForm(request.POST)
    status = kept_rules.move(request, form, _MOVES, _page(request, None))
    if status == 302:
        return HttpResponseRedirect(_page(request, None))
    return _show(request, move_form=form, status=status)


def _show(
    request: HttpRequest,
    *,
    form: RoutingForm | None = None,
    draft: RoutingRule | None = None,
    move_form: RuleMoveForm | None = None,
    status: int = 200,
) -> HttpResponse:
    reach = reach_for(request)
    keeps, page = rules.may_keep_rules(person(request)), _page(request, None)
    found = rules_among(routing_rules_within(reach, keeps=keeps))
    found = replace(found, in_force=sorted(found.in_force, key=lambda rule: rule.place))
    looked_at = kept_rules.looked_at(request, found, move_form, page) if keeps else None
    chosen = kept_rules.to_be_changed(request, found, form, page)
    if keeps and form is None:
        form = _form(request, initial=_beginning(found, chosen))
        kept_rules.propose_again(request, form, page)
    context: Mapping[str, Any] = {
        **kept_rules.page_of(request, found, page=page, form=form, move_form=move_form, keeps=keeps, changed=chosen),
        "heading": gettext("Routing rules"),
        "propose_url": reverse("exceptions:routing_rule_propose"),
        "move_url": reverse("exceptions:routing_rule_move"),
        "looks": True,
        "effect_template": "exceptions/_routing_effect.html",
        "effect": _effect(request, looked_at) if looked_at else None,
        "proposed_effect": _effect(request, draft) if draft is not None else None,
        "most_read": MOST_READ,
        "notices": unknown_names(request, {"change": "", "rule": ""}),
    }
    return render(request, "exceptions/routing_rules.html", context, status=status)


def _beginning(found: Rules[RoutingRule], chosen: RoutingRule | None) -> dict[str, Any]:
    if chosen:
        return as_typed(chosen)
    last = max((rule.position for rule in (*found.waiting, *found.in_force)), default=0)
    return {"position": min(last + STEP, rules.MOST_POSITION)}


def _effect(request: HttpRequest, rule: RoutingRule) -> Effect:
    """Of a rule in force it is its end that could be proposed."""
    reach = reach_for(request)
    if rule.state == RoutingRule.State.IN_FORCE:
        preview = preview_of(None, rule.pk, reach)
    else:
        preview = preview_of(None if rule.is_end else rule, rule.replaces_id, reach)
    return Effect(rule, preview, reach.has(Verb.SEE), sight_by(rule), rules.frozen_hash_of(rule))
