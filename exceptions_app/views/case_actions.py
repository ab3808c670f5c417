"""What a person may do with an exception, as buttons and forms; and why not the rest, as sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import Form
from django.urls import reverse

from exceptions_app import policies
from exceptions_app.forms import MOVE_FORMS, AssignForm
from exceptions_app.models import PayloadVersion
from exceptions_app.queries.case_page import CasePage, people_who_may
from exceptions_app.states import TRANSITIONS, Action, Kind, ProposalKind, Verb

_ICONS: Mapping[Action, str] = {
    Action.CLAIM: "user",
    Action.ASSIGN: "assign",
    Action.HOLD: "hold",
    Action.RESUME: "resume",
    Action.CORRECT: "correct",
    Action.PROPOSE: "propose",
    Action.RELEASE: "release",
    Action.DECLINE: "decline",
    Action.DISMISS: "dismissed",
    Action.WITHDRAW: "withdraw",
    Action.APPROVE: "check",
    Action.REJECT: "close",
    Action.REOPEN: "reopen",
    Action.COMMENT: "comment",
}
# Where an action has its form in the middle of the page, the rail leads there.
_ANCHORS: Mapping[Action, str] = {
    Action.CORRECT: "case-correction",
    Action.PROPOSE: "case-propose",
    Action.RELEASE: "case-ways",
    Action.DECLINE: "case-ways",
    Action.APPROVE: "case-decision",
    Action.REJECT: "case-decision",
}
_CLOSING = frozenset({ProposalKind.DECLINE, ProposalKind.DISMISS})
_ORDER = (
    Action.APPROVE, Action.REJECT, Action.RESUME, Action.CLAIM, Action.CORRECT, Action.PROPOSE, Action.RELEASE,
    Action.DECLINE, Action.ASSIGN, Action.HOLD, Action.WITHDRAW, Action.REOPEN, Action.DISMISS, Action.COMMENT,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """One button of the page: its form, or the place of it; or the reason why not."""

    action: Action
    label: str
    icon: str
    url: str
    allowed: bool
    reason: str
    form: Form | None
    anchor: str = ""
    is_open: bool = False

    @property
    def has_inputs(self) -> bool:
        return self.form is not None and bool(self.form.visible_fields())


def action_items(
    page: CasePage, *, bound: Mapping[Action, Form], typed: Mapping[Action, Mapping[str, str]]
) -> dict[Action, ActionItem]:
    """Every action of this kind of exception. `bound` are forms with errors, `typed` values to begin with."""
    found: dict[Action, ActionItem] = {}
    for possibility in policies.possibilities(page.case, page.standing, _offered(page)):
        action = Action.APPROVE if possibility.action is Action.APPROVE_CLOSURE else possibility.action
        allowed, reason = possibility.allowed, possibility.reason
        if allowed and action in (Action.PROPOSE, Action.RELEASE) and page.latest.check_passed is False:
            allowed, reason = False, _not_passed(page.latest)
        form = (bound.get(action) or _form(action, page, typed.get(action, {}))) if allowed else None
        found[action] = ActionItem(
            action=action,
            label=possibility.label,
            icon=_ICONS[action],
            url=reverse(f"exceptions:{action.value}", kwargs={"ref": page.case.ref}),
            allowed=allowed,
            reason=reason,
            form=form,
            anchor=_ANCHORS.get(action, ""),
            is_open=action in bound or action in typed,
        )
    return found


def _offered(page: CasePage) -> list[Action]:
    proposal = page.standing.proposal
    closes = proposal is not None and ProposalKind(proposal.kind) in _CLOSING
    kind = Kind(page.case.kind)
    offered = [action for action in _ORDER if kind in TRANSITIONS[action].kinds]
    return [Action.APPROVE_CLOSURE if action is Action.APPROVE and closes else action for action in offered]


def _not_passed(version: PayloadVersion) -> str:
    count = len(version.check_errors)
    problems = "1 problem" if count == 1 else f"{count} problems"
    return f"Version {version.number} does not pass the check yet: {problems} left."


def _form(action: Action, page: CasePage, typed: Mapping[str, str]) -> Form | None:
    form_class = MOVE_FORMS.get(action)
    if form_class is None:
        return None
    more: dict[str, Any] = {"people": people_who_may(Verb.CORRECT, page.case)} if form_class is AssignForm else {}
    initial = {**_beginning(action, page), **{name: value for name, value in typed.items() if name != "agreed"}}
    form = form_class(initial=initial, auto_id=_auto_id(action, page), **more)
    if action is Action.APPROVE and not _changes_something(page):
        form.fields["agreed"].label = "I have checked what is proposed, and it is right."
    return form


def _changes_something(page: CasePage) -> bool:
    """Whether the open proposal sends something else than what came in."""
    proposal = page.standing.proposal
    return proposal is not None and ProposalKind(proposal.kind) not in _CLOSING and page.latest.number > 1


def _auto_id(action: Action, page: CasePage) -> str:
    """A comment that was added begins a new field, so that the old text is not preserved in it."""
    if action is Action.COMMENT:
        return f"comment-{sum(event.action == TRANSITIONS[action].past for event in page.events)}-%s"
    return f"{action.value}-%s"


def _beginning(action: Action, page: CasePage) -> dict[str, Any]:
    proposal = page.standing.proposal
    start: dict[str, Any] = {"revision": page.case.revision}
    if action is Action.ASSIGN:
        start["to"] = page.case.assignee_id or page.standing.user.pk
    if action in (Action.APPROVE, Action.REJECT) and proposal is not None:
        start["frozen_sha256"] = proposal.frozen_sha256
    if action in (Action.PROPOSE, Action.RELEASE):
        start["because"] = page.latest.reason
    return start


def rail(items: Mapping[Action, ActionItem], *, now_possible: bool = True) -> Sequence[ActionItem]:
    """The allowed actions for the rail, or those that are refused. Commenting has its place below the history."""
    return [item for item in items.values() if item.allowed is now_possible and item.action is not Action.COMMENT]


def kept_texts(
    items: Mapping[Action, ActionItem], bound: Mapping[Action, Form], typed: Mapping[Action, Mapping[str, str]]
) -> list[str]:
    """What was typed into forms that have no place on the page any more: shown, so that it can be copied."""
    texts = [(action, form.data.get(name)) for action, form in bound.items() for name in form.fields]
    texts += [(action, text) for action, values in typed.items() for text in values.values()]
    return [str(text) for action, text in texts if text and _is_words(str(text)) and not items[action].allowed]


def _is_words(text: str) -> bool:
    """Not a number, a hash or a tick."""
    return " " in text.strip()
