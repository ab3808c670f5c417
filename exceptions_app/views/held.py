"""What the target holds beside what we would send, as the page of the exception shows it, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from exceptions_app.field_classes import masked_value
from exceptions_app.queries.case_page import CasePage
from exceptions_app.queries.conflicts import DIFFERENT, Conflict, HeldBeside, Match, Pair, Why, conflict_of_case
from exceptions_app.queries.sensitive import shown_until
from exceptions_app.states import Action
from exceptions_app.templatetags.presentation import field_text
from exceptions_app.views.case_actions import ActionItem
from exceptions_app.wording import say, shown, together
from integrations.connectors.base import Words
from integrations.connectors.held import ShowsContent
from integrations.records.record import label_with_term

MOST_ROWS = 200  # of each kind, on the page; the documents and the API have more


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """One field; `icon` and `mark` say how the sides differ, and are empty where they do not."""

    label: str
    group: str
    ours: str
    theirs: str
    icon: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldView:
    """One document of the target. The counts are of all fields, the rows of the first MOST_ROWS of each kind."""

    reference: str
    booked_at: Any
    came_in: str
    sha256: str
    same_bytes: bool
    only_hash: bool
    told: str  # how much it tells, in a sentence; empty when all
    differing: Sequence[HeldRow]
    same: Sequence[HeldRow]
    untold: Sequence[HeldRow]
    count_differing: int
    count_same: int
    count_untold: int
    more: int  # fields that are not listed here


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the person can do from here: a sentence, and the link to where it is done."""

    text: str
    label: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictView:
    conflict: Conflict
    documents: Sequence[HeldView]
    not_shown: str  # why nothing of the target's content is shown, in a sentence; else empty
    more_documents: int


def conflict_view(page: CasePage, words: Words) -> ConflictView | None:
    """None when the exception is in no conflict."""
    found = conflict_of_case(page)
    if found is None:
        return None
    shown = () if found.why is not None else found.documents
    shows = shown_until(page.case, page.standing.verbs) is not None
    return ConflictView(
        conflict=found,
        documents=[_document(document, found.ours.sha256, words, shows=shows) for document in shown],
        not_shown=not_shown(found.why, words) if found.why is not None else "",
        more_documents=found.named - len(shown) if shown else 0,
    )


def not_shown(why: Why, words: Words) -> str:
    """A sentence that says why nothing of what the target holds can be shown."""
    target = words.target
    match why:
        case Why.NOT_ASKED:
            return shown(
                say(
                    "{begin} said that it has the document, and cannot be asked with which content.",
                    begin=_begin(target),
                )
            )
        case Why.NOT_THERE:
            return shown(
                say(
                    "{begin} said that it has the document. When it was asked for it, it did not have it.",
                    begin=_begin(target),
                )
            )
        case Why.TOO_LARGE:
            return shown(
                say(
                    "The answer of {target} is too large to be shown beside ours. It is kept whole with the attempt.",
                    target=target,
                )
            )
        case Why.UNREADABLE:
            return gettext("The two cannot be laid side by side, because our own document cannot be read any more.")
    return shown(say("{begin} does not tell what it holds under this name.", begin=_begin(target)))


def _begin(target: str) -> str:
    return target[:1].upper() + target[1:]


def _document(beside: HeldBeside, ours_sha256: str, words: Words, *, shows: bool) -> HeldView:
    held, counts = beside.held, beside.counts
    rows = {match: [_row(pair, words, shows=shows) for pair in beside.pairs if pair.match is match] for match in Match}
    differing = [_row(pair, words, shows=shows) for pair in beside.pairs if pair.match in DIFFERENT][:MOST_ROWS]
    same, untold = rows[Match.SAME][:MOST_ROWS], rows[Match.NOT_TOLD][:MOST_ROWS]
    return HeldView(
        reference=held.reference,
        booked_at=held.booked_at,
        came_in=held.came_in,
        sha256=held.sha256,
        same_bytes=held.sha256 == ours_sha256,
        only_hash=held.shows is ShowsContent.HASH,
        told=_told(held.shows, words),
        differing=differing,
        same=same,
        untold=untold,
        count_differing=beside.different,
        count_same=counts[Match.SAME],
        count_untold=counts[Match.NOT_TOLD],
        more=sum(counts.values()) - len(differing) - len(same) - len(untold),
    )


def _told(shows: ShowsContent, words: Words) -> str:
    match shows:
        case ShowsContent.FIELDS:
            return shown(
                say("{begin} tells some fields of a document that it has, and no more.", begin=_begin(words.target))
            )
        case ShowsContent.HASH:
            return shown(
                say(
                    "{begin} gives no document back. It tells its own number, and the hash of the bytes that it took.",
                    begin=_begin(words.target),
                )
            )
        case ShowsContent.NOTHING:
            return shown(say("{begin} tells nothing of this document but that it has it.", begin=_begin(words.target)))
    return ""


def _row(pair: Pair, words: Words, *, shows: bool) -> HeldRow:
    field = pair.field
    theirs = pair.theirs if shows else masked_value(pair.theirs or "", path=field.path, term=field.term)
    icon, mark = _mark(pair.match, words)
    return HeldRow(
        label=label_with_term(shown(field.label), field.term),
        group=shown(field.group),
        ours=field_text(pair.ours, field.currency),
        theirs=field_text(theirs, pair.currency_there),
        icon=icon,
        mark=mark,
    )


def _mark(match: Match, words: Words) -> tuple[str, str]:
    match match:
        case Match.DIFFERS:
            return "warning", gettext("Differs")
        case Match.ONLY_OURS:
            return "minus", shown(say("Not at {target}", target=words.target))
        case Match.ONLY_THEIRS:
            return "plus", shown(say("Only at {target}", target=words.target))
    return "", ""


def next_steps(
    page: CasePage, items: Mapping[Action, ActionItem], anchors: Sequence[str], *, words: Words, can_be_asked: bool
) -> list[Step]:
    """The actions of the page that end a conflict, as far as the reader may do them now."""
    found = [
        _step(items, anchors, action, text)
        for action, text in (
            (Action.CORRECT, _correct(words, can_be_asked=can_be_asked)),
            (
                Action.REVERSE,
                shown(
                    say("What stands at {target} is wrong: propose the entry that takes it back.", target=words.target)
                ),
            ),
            (Action.PROPOSE, _again(words, can_be_asked=can_be_asked)),
            (Action.RELEASE, _again(words, can_be_asked=can_be_asked)),
            (
                Action.DISMISS,
                shown(say("What {target} holds is right: propose to close this without sending.", target=words.target)),
            ),
        )
    ]
    steps = [step for step in found if step is not None]
    if page.submission is not None:
        url = f"{reverse('exceptions:case', args=[page.case.ref])}?tab=attempts#case-history"
        text = shown(say("What {target} answered is kept as it came.", target=words.target))
        steps.append(Step(text=text, label=gettext("Show the answer"), url=url, icon="eye"))
    return steps


def _correct(words: Words, *, can_be_asked: bool) -> str:
    wrong = say("Ours is wrong: correct it, and propose it again.")
    same = say("With the content that {target} holds, it closes without being sent.", target=words.target)
    return shown(together(wrong, same if can_be_asked else ""))


def _again(words: Words, *, can_be_asked: bool) -> str:
    right = say("Ours is right: have the other one taken back there first, then propose this one.")
    asked = say("{begin} is asked again before anything is sent.", begin=_begin(words.target))
    return shown(together(right, asked if can_be_asked else ""))


def _step(items: Mapping[Action, ActionItem], anchors: Sequence[str], action: Action, text: str) -> Step | None:
    item = items.get(action)
    if item is None or not item.allowed:
        return None
    place = item.anchor if item.anchor in anchors else f"action-{action.value}"
    return Step(text=text, label=item.label, url=f"#{place}", icon=item.icon)
