"""One exception in a plain sentence, for whoever has a customer on the phone, and what may be told to the customer.

What is told outside has the document's number and nothing else of it: no amount, no name, no reason in anybody's words.
Of what a policy holds, such as a hit of a sanctions list, and of what an authority blocks or the law keeps from going
on, nothing is told but that it is being processed, and why it waits is for whoever reads the card alone: so is all of
what may not be told without asking. What is on its way or may be booked already is being checked,
whatever was wrong with it before. When either goes on cannot be told from how long others took.

The card is in the language in force, with its days, spans and amounts. Each sentence is translated as a whole: where
English has a preposition before the name of the target, German makes the target the one who does something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from babel.dates import format_date, format_timedelta
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language, to_locale

from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.queries.answers import FEWEST, History
from exceptions_app.states import Kind, Outcome, State
from exceptions_app.templatetags.presentation import money_text, with_amounts
from exceptions_app.wording import Said, say, shown, together
from integrations.connectors.base import Words
from integrations.connectors.registry import title_of
from integrations.refusals import Category

_OPENINGS = ("The ", "A ", "An ", "This ", "There ", "No ", "It ", "Its ")
_STOPPED_HERE = frozenset({"before_posting", "in_care"})
_HELD_BY_OTHERS = frozenset({"blocked_by_authority", "regulatory"})  # of a payment: told as what a policy holds
_PARTNERS = frozenset({"supplier", "customer"})
_IN_FLIGHT = frozenset({State.REPLAYING, State.OUTCOME_UNKNOWN})

_IN_WORK = "{document} is being checked by our accounting and goes on after that. Nothing is needed from you."
TOLD: Mapping[Category, str] = MappingProxyType(
    {
        Category.TRANSPORT: "{document} could not be passed on yet for a technical reason. Nothing is needed from you.",
        Category.SCHEMA: _IN_WORK,
        Category.BUSINESS_VALIDATION: _IN_WORK,
        Category.MASTER_DATA: "{document} is being checked by our accounting. We will ask you if we need anything "
        "confirmed.",
        Category.DUPLICATE: "{document} looks like one that we have already. We compare the two before it goes on.",
        Category.POLICY_HOLD: "{document} is being processed. We cannot say yet when it will be completed.",
        Category.PERIOD_CLOSED: _IN_WORK,
        Category.COMPLIANCE: "{document} did not pass a formal check on its way. We see to it and hand it in again; "
        "nothing is needed from you.",
        Category.PAYMENT_FAILURE: "{document} could not be carried out yet. We are looking into it, and will ask you "
        "if we need your bank details confirmed.",
        Category.SEQUENCING: _IN_WORK,
        Category.RECONCILIATION_BREAK: _IN_WORK,
        Category.UNCLASSIFIED: _IN_WORK,
    }
)
_NOTHING_NEEDED = say("Nothing is needed from the customer.")
_NEEDED: Mapping[Category, Said] = MappingProxyType(
    {
        Category.MASTER_DATA: say("Who has it asks the customer if something has to be confirmed."),
        Category.PAYMENT_FAILURE: say("Who has it asks for bank details if they are needed."),
        Category.POLICY_HOLD: say("Nothing may be asked of the customer about it."),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """In the reader's language. `to_tell` is empty when nothing may be told without asking first; `why_not` says whom.

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
    who, wrong = _who(case), with_amounts(shown(case.problem), case.currency)
    to_tell = shown(_to_tell(case))
    sentence = together(
        _at_first(case, words, wrong, with_amount=not is_changed),
        *([_changed_since(case)] if is_changed else []),
        *_how_it_stands(case, words, who),
        *([_in_short(case, history), _needed(case)] if case.is_open else []),
    )
    where = say(
        "{queue}, {entity}; it came in through {connection}",
        queue=case.queue.name, entity=case.entity.name, connection=case.connection.name,
    )  # fmt: skip
    ask = say("Ask {queue} before anything is told: it was not completed as it came in.", queue=case.queue.name)
    return Answer(
        sentence=shown(sentence),
        wrong=wrong,
        where=shown(where),
        who=who,
        expected=shown(_expected(case, history)),
        to_tell=to_tell,
        for_reader_alone=_is_on_hold(case) or not to_tell,
        why_not="" if to_tell else shown(ask),
    )


def _document(case: ExceptionCase) -> Said:
    title = say(title_of(case.object_type))
    if not case.document_number:
        return say("{title} without a number", title=title)
    return say("{title} {number}", title=title, number=case.document_number)


def _with_whom(case: ExceptionCase) -> Said:
    """The document and whom it is about. What is about a partner itself names nobody else."""
    document, name = _document(case), case.counterparty
    if not name or case.object_type in _PARTNERS:
        return document
    match case.object_type:
        case "payment":
            return say("{document} to {name}", document=document, name=name)
        case "journal":
            return say("{document} for {name}", document=document, name=name)
        case _:
            return say("{document} of {name}", document=document, name=name)


def _at_first(case: ExceptionCase, words: Words, wrong: str, *, with_amount: bool) -> Said:
    document = _with_whom(case)
    if with_amount and case.amount is not None:
        document = say("{document}, {amount},", document=document, amount=money_text(case.amount, case.currency))
    happened = _what_happened(case, words, document)
    if not wrong:
        return say("{words}.", words=happened)
    return say("{happened}: {wrong}.", happened=happened, wrong=_going_on(case, wrong).rstrip("."))


def _going_on(case: ExceptionCase, wrong: str) -> str:
    """English words go on in the sentence when they begin with one that is no name; German has a capital there."""
    is_english = shown(case.problem) == case.problem
    return wrong[:1].lower() + wrong[1:] if is_english and wrong.startswith(_OPENINGS) else wrong


def _what_happened(case: ExceptionCase, words: Words, document: Said) -> Said:
    target, day = say(words.target), _day(case.opened_at)
    if case.category == Category.RECONCILIATION_BREAK:
        return say(
            "{document} was found by a comparison with {target} on {day}", document=document, target=target, day=day
        )
    if case.sub == HELD_BY_FIELD_MAP:
        return say(
            "{document} could not be translated for {target} on {day}", document=document, target=target, day=day
        )
    if case.sub in _STOPPED_HERE:
        return say(
            "{document} was stopped before it was sent to {target} on {day}", document=document, target=target, day=day
        )
    if case.kind == Kind.HELD:
        return say("{document} was held back on {day}", document=document, day=day)
    return say("{document} was refused by {target} on {day}", document=document, target=target, day=day)


def _changed_since(case: ExceptionCase) -> Said:
    """A field map may have made the new content, which is no correction."""
    by_map = case.sub == HELD_BY_FIELD_MAP
    if case.amount is None:
        return say("It was changed since.") if by_map else say("It was corrected since.")
    amount = money_text(case.amount, case.currency)
    if by_map:
        return say("It was changed since, and says {amount} now.", amount=amount)
    return say("It was corrected since, and says {amount} now.", amount=amount)


def _who(case: ExceptionCase) -> str:
    """Shown already: a name is no word, whatever such a word means elsewhere."""
    if not case.is_open:
        return shown(say("Nobody has it: it is closed"))
    if case.assignee is None:
        return shown(say("Nobody has it yet; it waits in {queue}", queue=case.queue.name))
    return case.assignee.get_full_name() or case.assignee.get_username()


def _how_it_stands(case: ExceptionCase, words: Words, who: str) -> list[Said]:
    if not case.is_open:
        return [_how_it_ended(case, words)]
    stands = _what_it_waits_for(case, words)
    if case.assignee is not None:
        return [*([stands] if stands else []), say("{who} has it.", who=who)]
    return [stands or say("{words}.", words=who)]


def _how_it_ended(case: ExceptionCase, words: Words) -> Said:
    day = _day(case.closed_at or case.changed_at)
    if case.state == State.DISMISSED:
        return say("It was closed without being sent on {day}.", day=day)
    if case.outcome == Outcome.REVERSED:
        return say("Its booking was reversed on {day}.", day=day)
    target = capfirst(shown(words.target))  # begins the sentence in both languages
    if not case.reference:
        return say("{target} took it on {day}.", target=target, day=day)
    reference = say(words.reference.lower())
    return say(
        "{target} took it under {reference} {number} on {day}.",
        target=target, reference=reference, number=case.reference, day=day,
    )  # fmt: skip


def _what_it_waits_for(case: ExceptionCase, words: Words) -> Said | None:
    target = say(words.target)
    match State(case.state):
        case State.AWAITING_APPROVAL:
            return say("What is to be done is prepared and waits for a second person.")
        case State.REPLAYING:
            return say("It is approved and on its way to {target}.", target=target)
        case State.OUTCOME_UNKNOWN:
            return say("It was sent to {target}, and it is not known yet whether it was taken.", target=target)
        case State.WAITING:
            if case.held_until:
                return say("It is on hold until {day}.", day=_day(case.held_until))
            return say("It is on hold.")
        case _:
            return None


def _locale() -> str:
    return to_locale(get_language() or "en")


def _day(moment: datetime) -> str:
    """The day where the reader is: `2 November 2026`, or `2. November 2026` where a point belongs to it."""
    locale = _locale()
    pattern = "d. MMMM y" if locale.startswith("de") else "d MMMM y"
    return format_date(timezone.localtime(moment).date(), pattern, locale=locale)


def _span(delta: timedelta) -> str:
    """`3 hours`; what took less than a minute took one."""
    return format_timedelta(max(delta, timedelta(minutes=1)), threshold=1.2, locale=_locale())


def _category(case: ExceptionCase) -> Category:
    """As which it is told: of what an authority or the law holds, no more may be said than of what a policy holds."""
    return Category.POLICY_HOLD if case.sub in _HELD_BY_OTHERS else Category(case.category)


def _is_on_hold(case: ExceptionCase) -> bool:
    return _category(case) == Category.POLICY_HOLD


def _in_short(case: ExceptionCase, history: History | None) -> Said:
    if case.state in _IN_FLIGHT:
        return say("It is being checked; when that ends cannot be said.")
    if _is_on_hold(case):
        return say("It is on hold by policy; when it goes on cannot be said.")
    if history is None:
        return say("There is no history of such exceptions yet.")
    return say(
        "Half of the newest {count} closed ones of its cause took up to {span}.",
        count=history.count, span=_span(history.median),
    )  # fmt: skip


def _expected(case: ExceptionCase, history: History | None) -> Said:
    if not case.is_open:
        return say("It is closed")
    if case.state in _IN_FLIGHT:
        return say("It is being checked whether it was taken: when that ends cannot be said")
    if _is_on_hold(case):
        return say("It is on hold by policy: when it goes on cannot be said")
    if history is None:
        return say("No history yet: fewer than {fewest} exceptions of this cause are closed", fewest=FEWEST)
    return say(
        "Half of the newest {count} closed exceptions of this cause took up to {half}, nine in ten up to {most}",
        count=history.count, half=_span(history.median), most=_span(history.ninetieth),
    )  # fmt: skip


def _needed(case: ExceptionCase) -> Said:
    if case.state in _IN_FLIGHT and not _is_on_hold(case):
        return _NOTHING_NEEDED
    return _NEEDED.get(_category(case), _NOTHING_NEEDED)


def _to_tell(case: ExceptionCase) -> str:
    """Of the document's kind and number alone."""
    document = _document(case)
    if case.state == State.DISMISSED or case.outcome == Outcome.REVERSED:
        return ""
    if case.state == State.RESOLVED:
        return say("{document} is completed on our side.", document=document)
    if case.state in _IN_FLIGHT and not _is_on_hold(case):
        return say("{document} is being checked on our side. Nothing is needed from you.", document=document)
    return say(TOLD[_category(case)], document=document)
