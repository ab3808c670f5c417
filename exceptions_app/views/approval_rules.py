"""Rules of approval: what they ask, who wants another one, and who decides on that."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from exceptions_app.actions import approval_rules as rules
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ApprovalRule
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.approval_rules import rules_for
from exceptions_app.views.approval_rule_forms import RuleForm, RuleMoveForm, as_typed
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for

DONE = {"approve": "is approved", "reject": "is rejected", "withdraw": "is withdrawn", "end": "is proposed to be ended"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule with the form of what the reader may do with it. `is_mine`: they proposed it, so another one decides."""

    rule: ApprovalRule
    form: RuleMoveForm | None
    is_mine: bool


@require_safe
@signed_in
def approval_rules(request: HttpRequest) -> HttpResponse:
    """With `?change=` and the number of a rule in force, the form begins with what that asks."""
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:approval_rules")


@posted_from(_page)
def approval_rule_propose(request: HttpRequest, _ref: str) -> HttpResponse:
    if not rules.may_keep_rules(person(request)):
        raise NotPermitted(rules.NOT_PERMITTED)
    form = RuleForm(request.POST)
    if form.is_valid():
        try:
            rule = rules.propose_rule(
                form.asked(), by=person(request), at=now(), because=form.cleaned_data["because"],
                replaces=form.cleaned_data["replaces"],
            )  # fmt: skip
        except Invalid as error:
            form.add_error(error.field if error.field != "replaces" else None, error.problem)
        except ApprovalRule.DoesNotExist:
            form.add_error(None, "The rule to be changed is not there.")
        else:
            messages.success(request, f"{rule.ref} is proposed. Someone else decides now.")
            return HttpResponseRedirect(_page(request, None))
    return _show(request, form=form, status=422)


@posted_from(_page)
def approval_rule_move(request: HttpRequest, _ref: str) -> HttpResponse:
    if not rules.may_keep_rules(person(request)):
        raise NotPermitted(rules.NOT_PERMITTED)
    form = RuleMoveForm(request.POST)
    status = 422
    if form.is_valid():
        try:
            rule = _move(request, form)
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, error.problem)
        except NotPermitted as error:
            form.add_error(None, error.reason)
            status = 403
        except ApprovalNoLongerHolds as error:
            form.add_error(None, str(error))
            status = 409
        except ApprovalRule.DoesNotExist:
            form.add_error(None, "There is no such rule.")
        else:
            messages.success(request, f"{rule.ref} {DONE[form.cleaned_data['move']]}.")
            return HttpResponseRedirect(_page(request, None))
    return _show(request, move_form=form, status=status)


def _move(request: HttpRequest, form: RuleMoveForm) -> ApprovalRule:
    typed, by, at = form.cleaned_data, person(request), now()
    number, because, shown = typed["rule"], typed["because"], typed["frozen_sha256"]
    match typed["move"]:
        case "approve":
            return rules.approve_rule(number, by=by, at=at, frozen_sha256=shown, because=because)
        case "reject":
            return rules.reject_rule(number, by=by, at=at, frozen_sha256=shown, because=because)
        case "withdraw":
            return rules.withdraw_rule(number, by=by, at=at, because=because)
        case _:
            return rules.propose_end(number, by=by, at=at, because=because)


def _show(
    request: HttpRequest, *, form: RuleForm | None = None, move_form: RuleMoveForm | None = None, status: int = 200
) -> HttpResponse:
    keeps = rules.may_keep_rules(person(request))
    found = rules_for(reach_for(request), keeps=keeps)
    changed = request.GET.get("change") if form is None else form.data.get("replaces")
    chosen = [rule for rule in found.in_force if str(rule.pk) == changed]
    if keeps and form is None:
        form = RuleForm(None, initial=as_typed(chosen[0]) if chosen else None)

    def shown(listed: Sequence[ApprovalRule]) -> list[Shown]:
        return [_shown(request, rule, move_form, keeps=keeps) for rule in listed]

    context = {
        "waiting": shown(found.waiting),
        "in_force": shown(found.in_force),
        "past": found.past,
        "keeps": keeps,
        "form": form,
        "move_form": move_form,
        "changed": chosen[0] if chosen else None,
        "at": now(),
        "notices": unknown_names(request, {"change": ""}),
    }
    return render(request, "exceptions/approval_rules.html", context, status=status)


def _shown(request: HttpRequest, rule: ApprovalRule, bound: RuleMoveForm | None, *, keeps: bool) -> Shown:
    """The form that was refused is shown as it was typed, where its rule is."""
    is_mine = rule.proposer_id == person(request).pk
    if not keeps:
        return Shown(rule, None, is_mine)
    is_refused = bound is not None and bound.data.get("rule") == str(rule.pk)
    form = bound if bound is not None and is_refused else RuleMoveForm(None, rule=rule)
    form.fields["because"].help_text = _when_needed(rule, is_mine=is_mine)
    return Shown(rule, form, is_mine)


def _when_needed(rule: ApprovalRule, *, is_mine: bool) -> str:
    if rule.state == ApprovalRule.State.IN_FORCE:
        return "Needed to end it. A change is proposed with a reason of its own."
    return "Not needed to withdraw it." if is_mine else "Needed to reject it."
