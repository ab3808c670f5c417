"""Who could decide on an exception, before and after something is proposed on it, and what the rules ask of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.utils.timezone import now

from exceptions_app.authority import demands_on
from exceptions_app.duties import Decider, deciders_if_proposed, who_can
from exceptions_app.models import Transaction
from exceptions_app.queries.case_page import CasePage
from exceptions_app.states import Action

_PROPOSED_BY = frozenset(
    {
        Action.PROPOSE, Action.RELEASE, Action.DECLINE, Action.DISMISS, Action.REVERSE, Action.CONFIRM_BOOKED,
        Action.DECLARE_ABSENT,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Left:
    """Who could still decide, and the same as a sentence; without people it says what an administrator could do.

    `rules` are those that would ask more than one other person; of what is proposed, the proposal says them.
    """

    people: Sequence[Decider]
    is_enough: bool
    words: str
    rules: Sequence[str] = ()


def who_could_decide(
    page: CasePage, possible: Collection[Action], *, transactions: Iterable[Transaction] | None = None
) -> Left | None:
    """On what is proposed, or on what the reader could propose now; None, and no query, where there is neither."""
    deciders, is_proposed = page.standing.deciders, page.standing.proposal is not None
    if not is_proposed and not _PROPOSED_BY.isdisjoint(possible):
        by = page.standing.user
        deciders = deciders_if_proposed(page.case, page.latest, by=by, at=now(), transactions=transactions)
    if deciders is None:
        return None
    people = [decider for decider in deciders if decider.may_approve]
    is_enough = len(people) >= max((decider.missing for decider in people), default=1)
    words = who_can(deciders, page.case, is_proposed=is_proposed)
    is_ruled = any(decider.missing > 1 or decider.role for decider in deciders)
    return Left(people, is_enough, words, _rules_on(page) if is_ruled and not is_proposed else ())


def _rules_on(page: CasePage) -> list[str]:
    return [demand.words for demand in demands_on([page.case.pk], at=now())[page.case.pk]]
