"""What a person does with any rule that two people keep, on the page of its kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy

from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.kept_rules import may_keep_rules
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import KeptRule
from exceptions_app.models.kept_rule import RuleState
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.kept_rules import Rule, Rules
from exceptions_app.views.interrupted import begin_again, forget, interrupted_at
from exceptions_app.views.kept_rule_forms import KeptRuleForm, RuleMoveForm
from exceptions_app.views.scope import person
from exceptions_app.wording import say, told_by
from exceptions_app.wording import shown as in_words

DONE = {
    "approve": say("is approved"),
    "reject": say("is rejected"),
    "withdraw": say("is withdrawn"),
    "end": say("is proposed to be ended"),
}
Moves = Mapping[str, Callable[..., KeptRule]]
"""By the names in `DONE`, what each does with the number of a rule."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule with the form of what the reader may do with it. `is_mine`: they proposed it, so another one decides."""

    rule: KeptRule
    form: RuleMoveForm | None
    is_mine: bool


def shown(
    request: HttpRequest, rules: Sequence[KeptRule], bound: RuleMoveForm | None, *, page: str, keeps: bool
) -> list[Shown]:
    """The form that was refused or interrupted is shown as it was typed, where its rule is."""

    def one(rule: KeptRule) -> Shown:
        is_mine = rule.proposer_id == person(request).pk
        form = _form(rule, bound, is_mine=is_mine) if keeps else None
        if form is not None:
            begin_again(request, form, page, sent_to="move", about=("rule", rule.pk))
        return Shown(rule, form, is_mine)

    return [one(rule) for rule in rules]


def _form(rule: KeptRule, bound: RuleMoveForm | None, *, is_mine: bool) -> RuleMoveForm:
    is_refused = bound is not None and bound.data.get("rule") == str(rule.pk)
    form = bound if bound is not None and is_refused else RuleMoveForm(None, rule=rule)
    form.fields["because"].help_text = _when_needed(rule, is_mine=is_mine)
    return form


def _when_needed(rule: KeptRule, *, is_mine: bool) -> str:
    if rule.state == RuleState.IN_FORCE:
        return gettext("Needed to end it. A change is proposed with a reason of its own.")
    return gettext("Not needed to withdraw it.") if is_mine else gettext("Needed to reject it.")


def page_of(
    request: HttpRequest,
    found: Rules[Rule],
    *,
    page: str,
    form: KeptRuleForm | None,
    move_form: RuleMoveForm | None,
    keeps: bool,
    changed: Rule | None,
) -> dict[str, Any]:
    """The context of `exceptions/kept_rules.html`, but for its heading and where its forms are sent."""
    return {
        "page_url": page,
        "waiting": shown(request, found.waiting, move_form, page=page, keeps=keeps),
        "in_force": shown(request, found.in_force, move_form, page=page, keeps=keeps),
        "past": found.past,
        "keeps": keeps,
        "form": form,
        "move_form": move_form,
        "changed": changed,
        "at": now(),
    }


def to_be_changed(request: HttpRequest, found: Rules[Rule], form: KeptRuleForm | None, page: str) -> Rule | None:
    """The rule in force in whose place another one is being typed.

    One that was refused or interrupted stays a change of that rule.
    """
    if form is not None:
        asked = form.data.get("replaces")
    else:
        asked = request.GET.get("change") or _kept(request, page, "new", "replaces")
    return next((rule for rule in found.in_force if str(rule.pk) == asked), None)


def propose_again(request: HttpRequest, form: KeptRuleForm, page: str) -> None:
    """Go on with a proposal that was interrupted, unless a rule to be changed was chosen since."""
    if not request.GET.get("change"):
        begin_again(request, form, page, sent_to="new")


def looked_at(request: HttpRequest, found: Rules[Rule], move_form: RuleMoveForm | None, page: str) -> Rule | None:
    """The rule of which the effect is asked for, or that somebody was about to decide on."""
    if move_form is not None:
        asked = move_form.data.get("rule")
    else:
        asked = request.GET.get("rule") or _kept(request, page, "move", "rule")
    return next((rule for rule in (*found.waiting, *found.in_force) if str(rule.pk) == asked), None)


def _kept(request: HttpRequest, page: str, action: str, name: str) -> str:
    kept = interrupted_at(request, page)
    return kept.typed.get(name, "") if kept.action == action else ""


def require_keeper(request: HttpRequest, *, reason: str) -> None:
    if not may_keep_rules(person(request)):
        raise NotPermitted(reason)


def move(request: HttpRequest, form: RuleMoveForm, moves: Moves, page: str) -> int:
    """Do what the form says and tell so: 302. What is refused stands in the form, with another status."""
    if not form.is_valid():
        return 422
    try:
        rule = _done(request, form, moves)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, in_words(error.problem))
        return 422
    except NotPermitted as error:
        form.add_error(None, in_words(error.reason))
        return 403
    except ApprovalNoLongerHolds as error:
        form.add_error(None, told_by(error))
        return 409
    except ObjectDoesNotExist:
        form.add_error(None, gettext_lazy("There is no such rule."))
        return 422
    forget(request, page)
    messages.success(request, in_words(say("{ref} {done}.", ref=rule.ref, done=DONE[form.cleaned_data["move"]])))
    return 302


def _done(request: HttpRequest, form: RuleMoveForm, moves: Moves) -> KeptRule:
    typed = form.cleaned_data
    said = {"by": person(request), "at": now(), "because": typed["because"]}
    if typed["move"] in ("approve", "reject"):
        said["frozen_sha256"] = typed["frozen_sha256"]
    return moves[typed["move"]](typed["rule"], **said)
