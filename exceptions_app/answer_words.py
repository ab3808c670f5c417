"""One exception in a plain sentence, for whoever has a customer on the phone, and what may be told to the customer.

What is told outside has the document's number and nothing else of it: no amount, no name, no reason in anybody's words.
Of what a policy holds, such as a hit of a sanctions list, and of what an authority blocks or the law keeps from going
on, nothing is told but that it is being processed, and why it waits is for whoever reads the card alone: so is all of
what may not be told without asking. What is on its way or may be booked already is being checked,
whatever was wrong with it before. When either goes on cannot be told from how long others took.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from babel.dates import format_date, format_timedelta
from django.utils import timezone

from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.queries.answers import FEWEST, History
from exceptions_app.states import Kind, Outcome, State
from exceptions_app.templatetags.presentation import money_text, with_amounts
from integrations.connectors.base import Words
from integrations.connectors.registry import title_of
from integrations.refusals import Category

_OPENINGS = ("The ", "A ", "An ", "This ", "There ", "No ", "It ", "Its ")
_STOPPED_HERE = frozenset({"before_posting", "in_care"})
_HELD_BY_OTHERS = frozenset({"blocked_by_authority", "regulatory"})  # of a payment: told as what a policy holds
_IN_FLIGHT = frozenset({State.REPLAYING, State.OUTCOME_UNKNOWN})
# Between a document and whom it is about.
_JOINED: Mapping[str, str] = MappingProxyType({"payment": "to", "journal": "for", "supplier": "", "customer": ""})

_IN_WORK = "is being checked by our accounting and goes on after that. Nothing is needed from you."
TOLD: Mapping[Category, str] = MappingProxyType(
    {
        Category.TRANSPORT: "could not be passed on yet for a technical reason. Nothing is needed from you.",
        Category.SCHEMA: _IN_WORK,
        Category.BUSINESS_VALIDATION: _IN_WORK,
        Category.MASTER_DATA: "is being checked by our accounting. We will ask you if we need anything confirmed.",
        Category.DUPLICATE: "looks like one that we have already. We compare the two before it goes on.",
        Category.POLICY_HOLD: "is being processed. We cannot say yet when it will be completed.",
        Category.PERIOD_CLOSED: _IN_WORK,
        Category.COMPLIANCE: "did not pass a formal check on its way. We see to it and hand it in again; nothing is "
        "needed from you.",
        Category.PAYMENT_FAILURE: "could not be carried out yet. We are looking into it, and will ask you if we need "
        "your bank details confirmed.",
        Category.SEQUENCING: _IN_WORK,
        Category.RECONCILIATION_BREAK: _IN_WORK,
        Category.UNCLASSIFIED: _IN_WORK,
    }
)
_COMPLETED = "is completed on our side."
_CHECKED = "is being checked on our side. Nothing is needed from you."
_NOTHING_NEEDED = "Nothing is needed from the customer."
_NEEDED: Mapping[Category, str] = MappingProxyType(
    {
        Category.MASTER_DATA: "Who has it asks the customer if something has to be confirmed.",
        Category.PAYMENT_FAILURE: "Who has it asks for bank details if they are needed.",
        Category.POLICY_HOLD: "Nothing may be asked of the customer about it.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`to_tell` is empty when nothing may be told without asking first; `why_not` says whom.

    `for_reader_alone` says that nothing but `to_tell` may be read out or passed on, the sentence least of all.
    """

    sentence: str
    wrong: str
    where: str
    who: str
    expected: str
    to_tell: str
    for_reader_alone: bool
    why_not: str = ""


def answer_of(case: ExceptionCase, words: Words, history: History | None, *, is_changed: bool) -> Answer:
    """Of an exception with its queue, entity, connection and assignee.

    `is_changed` says that its content is another by now than what was refused or held: then the fault is told of what
    came in, and the amount of what stands now.
    """
    document = f"{title_of(case.object_type)} {case.document_number or 'without a number'}"
    who, wrong = _who(case), with_amounts(case.problem, case.currency)
    parts = [
        f"{document}{_about(case, with_amount=not is_changed)} {_what_happened(case, words)}{_because(wrong)}",
        *([_changed_since(case)] if is_changed else []),
        *_how_it_stands(case, words, who),
        *([_in_short(case, history), _needed(case)] if case.is_open else []),
    ]
    to_tell = _to_tell(case, document)
    return Answer(
        sentence=" ".join(parts),
        wrong=wrong,
        where=f"{case.queue.name}, {case.entity.name}; it came in through {case.connection.name}",
        who=who,
        expected=_expected(case, history),
        to_tell=to_tell,
        for_reader_alone=_is_on_hold(case) or not to_tell,
        why_not=""
        if to_tell
        else f"Ask {case.queue.name} before anything is told: it was not completed as it came in.",
    )


def _about(case: ExceptionCase, *, with_amount: bool) -> str:
    joined = _JOINED.get(case.object_type, "of")
    name = f" {joined} {case.counterparty}" if joined and case.counterparty else ""
    return name + (f", {money_text(case.amount, case.currency)}," if with_amount and case.amount is not None else "")


def _changed_since(case: ExceptionCase) -> str:
    """A field map may have made the new content, which is no correction."""
    changed = "changed" if case.sub == HELD_BY_FIELD_MAP else "corrected"
    now = f", and says {money_text(case.amount, case.currency)} now" if case.amount is not None else ""
    return f"It was {changed} since{now}."


def _what_happened(case: ExceptionCase, words: Words) -> str:
    on = f"on {_day(case.opened_at)}"
    if case.category == Category.RECONCILIATION_BREAK:
        return f"was found by a comparison with {words.target} {on}"
    if case.sub == HELD_BY_FIELD_MAP:
        return f"could not be translated for {words.target} {on}"
    if case.sub in _STOPPED_HERE:
        return f"was stopped before it was sent to {words.target} {on}"
    if case.kind == Kind.HELD:
        return f"was held back {on}"
    return f"was refused by {words.target} {on}"


def _because(wrong: str) -> str:
    """The plain words go on in the sentence when they begin with a word that is no name."""
    if not wrong:
        return "."
    text = wrong[:1].lower() + wrong[1:] if wrong.startswith(_OPENINGS) else wrong
    return f": {text.rstrip('.')}."


def _day(moment: datetime) -> str:
    """The day where the reader is."""
    return format_date(timezone.localtime(moment).date(), "d MMMM y", locale="en")


def _who(case: ExceptionCase) -> str:
    if not case.is_open:
        return "Nobody has it: it is closed"
    if case.assignee is None:
        return f"Nobody has it yet; it waits in {case.queue.name}"
    return case.assignee.get_full_name() or case.assignee.get_username()


def _how_it_stands(case: ExceptionCase, words: Words, who: str) -> list[str]:
    closed_at = case.closed_at or case.changed_at
    match State(case.state):
        case State.RESOLVED:
            reference = f" under {words.reference.lower()} {case.reference}" if case.reference else ""
            taken_back = case.outcome == Outcome.REVERSED
            done = "Its booking was reversed" if taken_back else f"{_first_upper(words.target)} took it{reference}"
            return [f"{done} on {_day(closed_at)}."]
        case State.DISMISSED:
            return [f"It was closed without being sent on {_day(closed_at)}."]
        case State.AWAITING_APPROVAL:
            stands = "What is to be done is prepared and waits for a second person."
        case State.REPLAYING:
            stands = f"It is approved and on its way to {words.target}."
        case State.OUTCOME_UNKNOWN:
            stands = f"It was sent to {words.target}, and it is not known yet whether it was taken."
        case State.WAITING:
            until = f" until {_day(case.held_until)}" if case.held_until else ""
            stands = f"It is on hold{until}."
        case _:
            stands = ""
    if case.assignee is not None:
        return [*([stands] if stands else []), f"{who} has it."]
    return [stands or f"{who}."]


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _span(delta: timedelta) -> str:
    """`3 hours`; what took less than a minute took one."""
    return format_timedelta(max(delta, timedelta(minutes=1)), threshold=1.2, locale="en")


def _category(case: ExceptionCase) -> Category:
    """As which it is told: of what an authority or the law holds, no more may be said than of what a policy holds."""
    return Category.POLICY_HOLD if case.sub in _HELD_BY_OTHERS else Category(case.category)


def _is_on_hold(case: ExceptionCase) -> bool:
    return _category(case) == Category.POLICY_HOLD


def _in_short(case: ExceptionCase, history: History | None) -> str:
    if case.state in _IN_FLIGHT:
        return "It is being checked; when that ends cannot be said."
    if _is_on_hold(case):
        return "It is on hold by policy; when it goes on cannot be said."
    if history is None:
        return "There is no history of such exceptions yet."
    return f"Half of the newest {history.count} closed ones of its cause took up to {_span(history.median)}."


def _expected(case: ExceptionCase, history: History | None) -> str:
    if not case.is_open:
        return "It is closed"
    if case.state in _IN_FLIGHT:
        return "It is being checked whether it was taken: when that ends cannot be said"
    if _is_on_hold(case):
        return "It is on hold by policy: when it goes on cannot be said"
    if history is None:
        return f"No history yet: fewer than {FEWEST} exceptions of this cause are closed"
    return (
        f"Half of the newest {history.count} closed exceptions of this cause took up to {_span(history.median)}, "
        f"nine in ten up to {_span(history.ninetieth)}"
    )


def _needed(case: ExceptionCase) -> str:
    if case.state in _IN_FLIGHT and not _is_on_hold(case):
        return _NOTHING_NEEDED
    return _NEEDED.get(_category(case), _NOTHING_NEEDED)


def _to_tell(case: ExceptionCase, document: str) -> str:
    if case.state == State.DISMISSED or case.outcome == Outcome.REVERSED:
        return ""
    if case.state == State.RESOLVED:
        return f"{document} {_COMPLETED}"
    return f"{document} {_CHECKED if case.state in _IN_FLIGHT and not _is_on_hold(case) else TOLD[_category(case)]}"
