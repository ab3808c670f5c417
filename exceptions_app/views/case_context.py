"""What the templates of one exception get: the reads of the page, arranged, with what the reader may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.forms import Form
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app.actions.unknown import can_be_asked
from exceptions_app.authority import asked_of
from exceptions_app.form_fields import takes_focus
from exceptions_app.forms import OUTCOME_WORDS, CorrectionForm, RawForm
from exceptions_app.models import ExceptionCase, Proposal, Transaction
from exceptions_app.policies import REVERSIBLE, TWICE_THERE
from exceptions_app.queries.case_history import attachments_of, corrections_up_to
from exceptions_app.queries.case_page import CasePage, Judge, present_errors
from exceptions_app.queries.erasures import erasure_of
from exceptions_app.queries.precedents import Precedent
from exceptions_app.queries.presence import BEAT
from exceptions_app.queries.reach import Reach
from exceptions_app.queries.replay_batches import live_batch_of
from exceptions_app.queries.reversals import reversible_references
from exceptions_app.queries.transactions import taken_up_by
from exceptions_app.queries.unmapped_of_case import lacking_of
from exceptions_app.queries.who_decides import who_could_decide
from exceptions_app.releases import releases_of
from exceptions_app.states import SENDING_KINDS, STATING_KINDS, Action, Kind, Outcome, ProposalKind, State, Verb
from exceptions_app.targets import without_secrets
from exceptions_app.views.answer import answer_context
from exceptions_app.views.case_actions import ActionItem, action_items, kept_texts, rail
from exceptions_app.views.case_history import history_context
from exceptions_app.views.changes import for_the_table, shown_changes
from exceptions_app.views.correction_fields import lay_out
from exceptions_app.views.draft_texts import to_show
from exceptions_app.views.held import conflict_view, next_steps
from exceptions_app.views.lines import lines_of
from exceptions_app.views.masked_values import masked_values, may_edit_raw, raw_masked
from exceptions_app.views.parties import stranger_in
from exceptions_app.views.precedents import suggestions_for
from exceptions_app.views.presence import presence_url
from exceptions_app.views.problems import Problem, Standing, groups_of, named_paths, problems_of, said_by_of
from exceptions_app.views.raw_text import NotText, as_text
from exceptions_app.views.undo_offer import Undo
from exceptions_app.wording import listed, shown
from integrations import delivery as engine
from integrations.connectors.registry import get_connector
from integrations.models import Delivery
from integrations.records.record import Record
from integrations.refusals import MessageNotUnderstood

WORKABLE = frozenset({State.NEW, State.IN_PROGRESS})
_IN_BATCHES = frozenset({State.AWAITING_APPROVAL, State.REPLAYING, State.OUTCOME_UNKNOWN})
IN_FLIGHT = frozenset({State.REPLAYING, State.OUTCOME_UNKNOWN})
POLL_QUICKLY_FOR = timedelta(minutes=5)
# Parts of the page that hold the forms of actions, and where they are.
_ANCHORS = {
    "_decision_form": "case-decision",
    "_propose_form": "case-propose",
    "_held_ways": "case-ways",
    "_correction_form": "case-correction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What became of the last thing the person did. `lines` are details, one sentence each.

    `undo` takes it back, where that is possible.
    """

    tone: str  # info, success, warning, danger
    text: str
    title: str = ""
    lines: Sequence[str] = ()
    undo: Undo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the page is to be shown: what was typed before, and which parts are open."""

    bound: Mapping[Action, Form] = field(default_factory=dict)  # forms with errors
    correction: CorrectionForm | RawForm | None = None  # the same for the correction
    reveal: Form | None = None  # and for having the masked values shown
    typed: Mapping[Action, Mapping[str, str]] = field(default_factory=dict)  # values to begin with
    use: Sequence[str] = ()  # names of fields whose proposed value is wanted
    groups: Sequence[str] = ()  # titles of further groups of fields
    raw: bool = False
    tab: str = ""
    after: str = ""  # the place in the history after which it is shown
    notice: Notice | None = None


def record_of(page: CasePage, content: bytes) -> Record | None:
    """The business fields of a payload; None when the connector cannot read it any more."""
    try:
        return get_connector(page.case.connection.connector).read(content)
    except MessageNotUnderstood:
        return None


def case_context(page: CasePage, asked: Asked, reach: Reach) -> dict[str, Any]:
    """The context of `exceptions/case.html` and of each fragment of it; `reach` is the reader's."""
    case, words = page.case, get_connector(page.case.connection.connector).words
    record = record_of(page, page.latest_content)
    first = record if page.latest.number == 1 else record_of(page, page.first_content)
    problems = problems_of(page, record, first)
    typed = _typed_with_draft(page, asked, record)
    items = action_items(page, reach, bound=asked.bound, typed=typed)
    changes, transactions = _changes(page, first, record), taken_up_by(case)
    context: dict[str, Any] = {
        "case": case,
        "page": page,
        "record": record,
        "url": reverse("exceptions:case", kwargs={"ref": case.ref}),
        "now": now(),
        "notice": asked.notice,
        "failed_form": _failed_form(asked),
        "focus_in_field": asked.correction is not None and takes_focus(asked.correction),
        "stranger": stranger_in(page, record),
        "problems": problems,
        "problem_groups": groups_of(problems),
        "lines": lines_of(record, problems),
        **_counts(problems),
        "said_by": said_by_of(page),
        "words": words,
        "refused_again": present_errors(page)[0] is Judge.TARGET,
        **_state(case),
        "items": {action.value: item for action, item in items.items()},
        "possible": rail(items),
        "refused": rail(items, now_possible=False),
        "changes": changes,
        **_proposal(page.proposal, missing=page.standing.missing),
        "corrections": corrections_up_to(page.latest) if _is_proposed(page) else [],
        "target_can_be_asked": can_be_asked(case),
        "target_address": without_secrets(page.case.connection.target_url),
        **_decided(page),
        "submission": page.submission,
        "hold": _hold_of(page),
        "held": conflict_view(page, words),
        "twice_there": reversible_references(case) if case.is_open and case.sub == TWICE_THERE else [],
        "write_back": page.write_back,
        "transactions": transactions,
        **_deciders(page, items, transactions),
        "lacking": lacking_of(case, page.standing.user),
        "batch_item": live_batch_of(case) if State(case.state) in _IN_BATCHES else None,
        "may_read_audit": Verb.EXPORT in page.standing.verbs,
        "kept": kept_texts(items, bound=asked.bound, typed=typed, record=record),
        "attachments": attachments_of(case),
        "erased": erasure_of(case) if not page.latest_content else None,
        **masked_values(page, asked.reveal),
        **_at_work(page, asked, typed),
        **answer_context(case, page.standing.user, is_changed=page.is_changed),
    }
    may_type = items[Action.CORRECT].allowed and not asked.raw
    suggested = suggestions_for(page, record, first, problems, reach) if may_type else {}
    context |= _correction(page, record, problems, items, asked, typed.get(Action.CORRECT, {}), suggested)
    context |= _arranged(context, items, page)
    return context | history_context(page.case, tab=asked.tab, after=asked.after, verbs=page.standing.verbs)


def _arranged(context: Mapping[str, Any], items: Mapping[Action, ActionItem], page: CasePage) -> dict[str, Any]:
    """Which parts stand below each other, and what leads to them."""
    names = _sections(context, items, page)
    anchors = [_ANCHORS[name] for name in names if name in _ANCHORS]
    arranged: dict[str, Any] = {"sections": [f"exceptions/{name}.html" for name in names], "anchors": anchors}
    if context["held"] is not None:
        askable = context["target_can_be_asked"]
        arranged["held_steps"] = next_steps(page, items, anchors, words=context["words"], can_be_asked=askable)
    return arranged


def _state(case: ExceptionCase) -> dict[str, Any]:
    """Where the exception stands."""
    state = State(case.state)
    return {
        "is_held": case.kind == Kind.HELD,
        "is_workable": state in WORKABLE,
        "in_flight": state in IN_FLIGHT,
        "poll_every": 2 if now() - case.changed_at < POLL_QUICKLY_FOR else 30,
        "outcome_words": _outcome_words(case.outcome),
    }


def _proposal(proposal: Proposal | None, *, missing: int) -> dict[str, Any]:
    """What is proposed, and what kind of proposal that is."""
    kind = None if proposal is None else ProposalKind(proposal.kind)
    return {
        "proposal": proposal,
        "proposal_sends": kind in SENDING_KINDS,
        "proposal_states": kind in STATING_KINDS,
        "proposal_outcome": _outcome_words(proposal.outcome if proposal else ""),
        "approvals": _approvals(proposal, missing=missing),
    }


def _is_proposed(page: CasePage) -> bool:
    return page.proposal is not None and page.proposal.state == Proposal.State.OPEN


def _approvals(proposal: Proposal | None, *, missing: int) -> dict[str, Any] | None:
    """What the rules ask of it and who approved it first; whether an approval by the reader would be the first.

    None while nothing is proposed.
    """
    if proposal is None or proposal.state != Proposal.State.OPEN:
        return None
    asked = asked_of(proposal)
    return {
        "number": asked.approvers,
        "first": getattr(proposal, "first_approval", None),
        "rules": asked.rules,
        "would_be_first": missing > 1,
    }


def _decided(page: CasePage) -> dict[str, Any]:
    """What was decided last, and whoever approved it: both where there were two."""
    if page.decision is None:
        return {"decision": None, "approved_by": ""}
    proposal = page.proposal
    first = getattr(proposal, "first_approval", None) if proposal and proposal.pk == page.decision.proposal_id else None
    people = listed([str(said.decider) for said in (first, page.decision) if said is not None])
    return {"decision": page.decision, "approved_by": shown(people)}


def _deciders(
    page: CasePage, items: Mapping[Action, ActionItem], transactions: Sequence[Transaction]
) -> dict[str, Any]:
    left = who_could_decide(page, [item.action for item in items.values() if item.allowed], transactions=transactions)
    if left is None:
        return {}
    return {"who_can": left.words, "nobody_can": "" if left.is_enough else left.words, "rules_to_come": left.rules}


def _at_work(page: CasePage, asked: Asked, typed: Mapping[Action, Mapping[str, str]]) -> dict[str, Any]:
    """Who else is there, and what the reader had typed before."""
    return {
        "presence_url": presence_url(page.case, page.standing.user),
        "presence_beat": round(BEAT.total_seconds()),
        "draft_is_old": _draft_is_old(page),
        "draft_is_shown": Action.CORRECT in typed and Action.CORRECT not in asked.typed,
    }


def _counts(problems: Sequence[Problem]) -> dict[str, int]:
    """How many problems still stand, how many only the target can judge, and how many of those nobody touched."""
    unseen = [problem for problem in problems if problem.standing is Standing.UNSEEN]
    return {
        "standing_count": sum(problem.standing is Standing.STANDS for problem in problems),
        "unseen_count": len(unseen),
        "untouched_count": sum(not problem.changed for problem in unseen),
    }


def _failed_form(asked: Asked) -> Form | None:
    forms = (*asked.bound.values(), asked.correction, asked.reveal)
    return next((form for form in forms if form and form.is_bound), None)


def _outcome_words(outcome: str) -> str:
    return OUTCOME_WORDS[Outcome(outcome)] if outcome else ""


def _typed_with_draft(page: CasePage, asked: Asked, record: Record | None) -> dict[Action, Mapping[str, str]]:
    """What was typed before counts; a draft only when nothing newer is known and it is for the latest version.

    Of a closed exception any draft is shown: nothing is left to compare it with, and its words may still be wanted.
    """
    typed = dict(asked.typed)
    draft = page.draft
    if draft is None or asked.correction is not None or Action.CORRECT in typed:
        return typed
    if not (_draft_is_old(page) and page.case.is_open):
        typed[Action.CORRECT] = to_show(draft.typed, record)
    return typed


def _hold_of(page: CasePage) -> engine.Hold | None:
    """What keeps it from being sent now; nothing is read for one that is not on its way."""
    delivery = page.submission
    if delivery is None or delivery.state not in (Delivery.State.QUEUED, Delivery.State.UNKNOWN):
        return None
    return engine.hold_on(delivery.connection_id, delivery.operation)


def _draft_is_old(page: CasePage) -> bool:
    return page.draft is not None and page.draft.base_version != page.latest.number


def _changes(page: CasePage, first: Record | None, record: Record | None) -> list[dict[str, str]]:
    """Version 1 against the latest, in business fields, as the table of changes wants them."""
    if page.latest.number == 1:
        return []
    if first is None or record is None:
        return for_the_table(page.latest.changes, None, record)
    return shown_changes(first, record)


def _correction(
    page: CasePage,
    record: Record | None,
    problems: Sequence[Problem],
    items: Mapping[Action, ActionItem],
    asked: Asked,
    typed: Mapping[str, str],
    suggested: Mapping[str, Precedent],
) -> dict[str, Any]:
    """The correction form, in business fields or as the whole document; nothing for those who may not correct."""
    if not items[Action.CORRECT].allowed and asked.correction is None:
        return {"correction": None}
    number = page.latest.number
    shared = {
        "next_number": number + 1,
        "correct_url": items[Action.CORRECT].url,
        "draft_url": reverse("exceptions:draft", kwargs={"ref": page.case.ref}),
    }
    if asked.raw or record is None:
        if asked.correction is None and "payload" not in typed and not may_edit_raw(page):
            return {"correction": None, "raw": True, "correction_open": True, "raw_masked": raw_masked(page), **shared}
        form = asked.correction or _raw_form(page, typed)
        return {"correction": form, "raw": True, "correction_open": True, **shared}
    named = named_paths(problems)
    wanted = {found.name: found.to_type for found in named.values() if found.to_type and found.name in asked.use}
    form = asked.correction or CorrectionForm(
        record=record,
        typed={**typed, **wanted},
        initial={"base_version": number},
        auto_id="correct-%s",
    )
    layout = None
    if isinstance(form, CorrectionForm):
        closed = releases_of(page.standing.user, at=now()).closed_in(page.case, record)
        layout = lay_out(form, record, problems, asked_for=asked.groups, suggested=suggested, closed=closed)
    is_open = bool(typed or wanted or asked.correction or asked.groups)
    stands = any(problem.asks_for_work for problem in problems) or not page.latest.check_passed
    # What the target holds already is sent no more: to correct it here mends nothing there.
    stands = stands and page.case.sub not in REVERSIBLE
    is_next = page.case.kind == Kind.FAILED and State(page.case.state) in WORKABLE and stands
    return {
        "correction": form,
        "raw": False,
        "layout": layout,
        "correction_open": is_open or is_next,
        **shared,
    }


def _raw_form(page: CasePage, typed: Mapping[str, str]) -> RawForm | None:
    try:
        text = as_text(page.latest_content)
    except NotText:
        return None
    initial = {"base_version": page.latest.number, "payload": text, **typed}
    return RawForm(initial=initial, auto_id="correct-%s")


def _sections(context: Mapping[str, Any], items: Mapping[Action, ActionItem], page: CasePage) -> list[str]:
    """The parts of the middle column, the next step first."""
    proposal_open = _is_proposed(page)
    shows_diff = bool(context["changes"]) or (proposal_open and not context["proposal_states"])
    passed = bool(page.latest.check_passed) and (context["is_held"] or not context["standing_count"])
    is_next = not proposal_open and page.case.is_open
    in_conflict = context["held"] is not None
    sections: list[str] = ["_case_held"] if in_conflict and is_next else []
    if shows_diff and (proposal_open or (passed or not page.case.is_open)):
        sections.append("_case_diff")
    if proposal_open and items[Action.APPROVE].allowed:
        sections.append("_decision_form")
    if Action.PROPOSE in items and items[Action.PROPOSE].form and passed:
        sections.append("_propose_form")
    if in_conflict and not is_next:
        sections.append("_case_held")
    sections.append("_case_problems")
    if context["lines"] is not None:
        sections.append("_case_lines")
    if context["is_held"] and context["is_workable"]:
        sections.append("_held_ways")
    if context["correction"] is not None or "raw_masked" in context:
        sections.append("_correction_form")
    if shows_diff and "_case_diff" not in sections:
        sections.append("_case_diff")
    return sections
