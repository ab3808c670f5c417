"""What a person does with any rule that two people keep, on the page of its kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AbstractUser
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


def shown(rules: Sequence[KeptRule], reader: AbstractUser, bound: RuleMoveForm | None, *, keeps: bool) -> list[Shown]:
    """The form that was refused is shown as it was typed, where its rule is."""

    def one(rule: KeptRule) -> Shown:
        is_mine = rule.proposer_id == reader.pk
        return Shown(rule, _form(rule, bound, is_mine=is_mine) if keeps else None, is_mine)

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
    form: KeptRuleForm | None,
    move_form: RuleMoveForm | None,
    keeps: bool,
    changed: Rule | None,
) -> dict[str, Any]:
    """The context of `exceptions/kept_rules.html`, but for its heading and addresses."""
    reader = person(request)
    return {
        "waiting": shown(found.waiting, reader, move_form, keeps=keeps),
        "in_force": shown(found.in_force, reader, move_form, keeps=keeps),
        "past": found.past,
        "keeps": keeps,
        "form": form,
        "move_form": move_form,
        "changed": changed,
        "at": now(),
    }


def to_be_changed(request: HttpRequest, found: Rules[Rule], form: KeptRuleForm | None) -> Rule | None:
    """The rule in force in whose place another one is being typed; one that was refused stays a change of that rule."""
    asked = request.GET.get("change") if form is None else form.data.get("replaces")
    return next((rule for rule in found.in_force if str(rule.pk) == asked), None)


def require_keeper(request: HttpRequest, *, reason: str) -> None:
    if not may_keep_rules(person(request)):
        raise NotPermitted(reason)


def move(request: HttpRequest, form: RuleMoveForm, moves: Moves) -> int:
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
    messages.success(request, in_words(say("{ref} {done}.", ref=rule.ref, done=DONE[form.cleaned_data["move"]])))
    return 302


def _done(request: HttpRequest, form: RuleMoveForm, moves: Moves) -> KeptRule:
    typed = form.cleaned_data
    said = {"by": person(request), "at": now(), "because": typed["because"]}
    if typed["move"] in ("approve", "reject"):
        said["frozen_sha256"] = typed["frozen_sha256"]
    return moves[typed["move"]](typed["rule"], **said)
