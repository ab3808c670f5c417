"""What a person may do with an exception, as buttons and forms; and why not the rest, as sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.forms import Field, Form, Textarea, TextInput
from django.urls import reverse
from django.utils.translation import gettext_lazy

from exceptions_app.forms import MOVE_FORMS, ApproveForm, AssignForm, CorrectionForm, RawForm, ReverseForm
from exceptions_app.queries.case_page import (
    CasePage,
    people_who_may,
    possible_actions,
    was_refused_as_it_is,
)
from exceptions_app.queries.reach import Reach
from exceptions_app.queries.retyping import retyping_on
from exceptions_app.queries.reversals import reversible_references
from exceptions_app.queries.tags import tags_in_use
from exceptions_app.shortcuts import ACTION_KEYS
from exceptions_app.states import SENDING_KINDS, STATING_KINDS, Action, ProposalKind, Verb
from exceptions_app.tag_form import TagForm
from exceptions_app.wording import shown
from integrations.records.record import Record

_ICONS: Mapping[Action, str] = {
    Action.CLAIM: "user",
    Action.ASSIGN: "assign",
    Action.HOLD: "hold",
    Action.RESUME: "resume",
    Action.SNOOZE: "clock",
    Action.WAKE: "resume",
    Action.TAG: "tag",
    Action.CORRECT: "correct",
    Action.TRANSLATE: "reopen",
    Action.PROPOSE: "propose",
    Action.RELEASE: "release",
    Action.DECLINE: "decline",
    Action.DISMISS: "dismissed",
    Action.REVERSE: "reopen",
    Action.REPORT_WRONG_BOOKING: "danger",
    Action.WITHDRAW: "withdraw",
    Action.APPROVE: "check",
    Action.REJECT: "close",
    Action.REOPEN: "reopen",
    Action.COMMENT: "comment",
    Action.ASK_AGAIN: "reopen",
    Action.CONFIRM_BOOKED: "check",
    Action.DECLARE_ABSENT: "close",
}
_BEGIN_WITH_THE_REASON = frozenset({Action.PROPOSE, Action.RELEASE})  # of the correction, so that it is typed once
# Where an action has its form in the middle of the page, the rail leads there.
_ANCHORS: Mapping[Action, str] = {
    Action.CORRECT: "case-correction",
    Action.PROPOSE: "case-propose",
    Action.RELEASE: "case-ways",
    Action.DECLINE: "case-ways",
    Action.APPROVE: "case-decision",
    Action.REJECT: "case-decision",
}


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
    def key(self) -> str:
        return ACTION_KEYS.get(self.action, "")

    @property
    def has_inputs(self) -> bool:
        return self.form is not None and bool(self.form.visible_fields())


def action_items(
    page: CasePage, reach: Reach, *, bound: Mapping[Action, Form], typed: Mapping[Action, Mapping[str, str]]
) -> dict[Action, ActionItem]:
    """Every action of this kind of exception. `bound` are forms with errors, `typed` values to begin with.

    `reach` is the reader's.
    """
    found: dict[Action, ActionItem] = {}
    for possible in possible_actions(page):
        action = possible.action
        form = (bound.get(action) or _form(action, page, typed.get(action, {}), reach)) if possible.allowed else None
        found[action] = ActionItem(
            action=action,
            label=shown(possible.label),
            icon=_ICONS[action],
            url=reverse(f"exceptions:{action.value}", kwargs={"ref": page.case.ref}),
            allowed=possible.allowed,
            reason=shown(possible.reason),
            form=form,
            anchor=_ANCHORS.get(action, ""),
            is_open=action in bound or action in typed,
        )
    return found


def _form(action: Action, page: CasePage, typed: Mapping[str, str], reach: Reach) -> Form | None:
    form_class = MOVE_FORMS.get(action)
    if form_class is None:
        return None
    more: dict[str, Any] = {"people": people_who_may(Verb.CORRECT, page.case)} if form_class is AssignForm else {}
    if form_class is ReverseForm:
        more = {"references": reversible_references(page.case)}
    if form_class is ApproveForm:
        more = {"to_retype": retyping_on(page)}
    if form_class is TagForm:
        more = {"tags": page.case.tags, "in_use": partial(tags_in_use, reach)}
    initial = {**_beginning(action, page), **{name: value for name, value in typed.items() if name != "agreed"}}
    form = form_class(initial=initial, auto_id=_auto_id(action, page), **more)
    if action is Action.APPROVE and _states_something(page):
        form.fields["agreed"].label = gettext_lazy("I have looked at the proof, and it is right.")
    elif action is Action.APPROVE and not _changes_something(page):
        form.fields["agreed"].label = gettext_lazy("I have checked what is proposed, and it is right.")
    if action in _BEGIN_WITH_THE_REASON and page.latest.reason:
        form.fields["because"].help_text = gettext_lazy(
            "It begins with the reason of the correction. The person who decides reads both."
        )
    if action is Action.PROPOSE and was_refused_as_it_is(page):
        form.fields["because"].help_text = gettext_lazy(
            "This version was refused as it is. Say what has changed since, or correct it first."
        )
    return form


def _states_something(page: CasePage) -> bool:
    proposal = page.standing.proposal
    return proposal is not None and ProposalKind(proposal.kind) in STATING_KINDS


def _changes_something(page: CasePage) -> bool:
    """Whether the open proposal sends something else than what came in."""
    proposal = page.standing.proposal
    return proposal is not None and ProposalKind(proposal.kind) in SENDING_KINDS and page.latest.number > 1


def _auto_id(action: Action, page: CasePage) -> str:
    """A comment that was added begins a new field, so that the old text is not preserved in it."""
    return f"comment-{page.comments_count}-%s" if action is Action.COMMENT else f"{action.value}-%s"


def _beginning(action: Action, page: CasePage) -> dict[str, Any]:
    proposal = page.standing.proposal
    start: dict[str, Any] = {"revision": page.case.revision}
    if action is Action.ASSIGN:
        start["to"] = page.case.assignee_id or page.standing.user.pk
    if action in (Action.APPROVE, Action.REJECT) and proposal is not None:
        start["frozen_sha256"] = proposal.frozen_sha256
    if action is Action.APPROVE:
        start["as_first"] = page.standing.missing > 1
    if action in _BEGIN_WITH_THE_REASON:
        start["because"] = page.latest.reason
    return start


def rail(items: Mapping[Action, ActionItem], *, now_possible: bool = True) -> Sequence[ActionItem]:
    """The allowed actions for the rail, or those that are refused. Commenting has its place below the history."""
    return [item for item in items.values() if item.allowed is now_possible and item.action is not Action.COMMENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptText:
    """What was typed into a field that has no place on the page any more."""

    label: str
    text: str


def kept_texts(
    items: Mapping[Action, ActionItem],
    *,
    bound: Mapping[Action, Form],
    typed: Mapping[Action, Mapping[str, str]],
    record: Record | None,
) -> list[KeptText]:
    """What was typed for actions that are not possible any more, or never were: shown, so that it can be copied."""
    possible = {action for action, item in items.items() if item.allowed}
    kept: list[KeptText] = []
    for action, form in bound.items():
        if action not in possible:
            kept += _typed_into(form.fields, form.data)
    for action, values in typed.items():
        if action not in possible:
            kept += _typed_into(_fields_of(action, values, record), values)
    return kept


def _fields_of(action: Action, values: Mapping[str, str], record: Record | None) -> Mapping[str, Field]:
    """The fields of an action's form; of the business fields those in which something else was typed."""
    if action is not Action.CORRECT:
        return MOVE_FORMS[action].base_fields
    if record is None:
        return RawForm.base_fields
    form = CorrectionForm(record=record, typed=values)
    return {**RawForm.base_fields, **{name: form.fields[name] for name in form.record_fields if form.differs(name)}}


def _typed_into(fields: Mapping[str, Field], values: Mapping[str, Any]) -> list[KeptText]:
    """The texts among what was sent; no choice, tick, number or hash."""
    return [
        KeptText(label=str(field.label or name), text=str(values[name]))
        for name, field in fields.items()
        if isinstance(field.widget, (TextInput, Textarea)) and str(values.get(name) or "").strip()
    ]
