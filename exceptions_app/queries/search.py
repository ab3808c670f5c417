"""One box for everything: our reference, a number in any spelling, a name, the target's reference, an amount."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from exceptions_app.amounts import TypedAmount, read_amount
from exceptions_app.facts import fold
from exceptions_app.models import ExceptionCase, Identifier
from exceptions_app.models.case import REF_PREFIX, ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Verb

MOST_MATCHES = 50
SHORTEST_PART = 3  # characters, without separators, before anything but whole numbers is looked for
# Names are shared by many documents; whoever types one wants the list.
NAMES = frozenset({"Buyer", "Seller"})
_REFERENCE = "Exception"
_AMOUNT = "Amount"


@dataclass(frozen=True, slots=True)
class Match:
    """An exception that was found, and by what: the field's name and its value."""

    case: ExceptionCase
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """`only` is set when the text is the whole number of exactly one exception."""

    matches: tuple[Match, ...] = ()
    only: ExceptionCase | None = None
    is_capped: bool = False
    is_too_short: bool = False


def search(reach: Reach, text: str, *, within: ExceptionCaseQuerySet | None = None) -> Found:
    """What the person may see of what the text names: whole numbers first, then amounts, beginnings and parts.

    `within` are the exceptions, all of them visible to the person, to which filters narrow the search; without a text
    they are found by themselves, the newest first.

    The whole number of one exception ends it there, after two queries at most; nothing takes more than five.
    """
    text = text.strip()
    if not text and within is not None:
        return _newest(within)
    folded = fold(text)
    if not folded:
        return Found(is_too_short=bool(text))
    cases = cases_within(reach) if within is None else within
    matches = _distinct([*_by_reference(cases, text), *_by_identifier(reach, folded, "exact", within)])
    numbers = [match for match in matches if match.label not in NAMES]
    if len(numbers) == 1:
        return Found(matches=tuple(matches), only=numbers[0].case)
    amount = read_amount(text)
    if amount is not None:
        matches = _distinct(matches + list(_by_amount(cases, amount)))
    long_enough = len(folded) >= SHORTEST_PART
    for kind in ("startswith", "contains") if long_enough else ():
        if len(matches) <= MOST_MATCHES:
            matches = _distinct(matches + list(_by_identifier(reach, folded, kind, within)))
    return Found(
        matches=tuple(matches[:MOST_MATCHES]),
        is_capped=len(matches) > MOST_MATCHES,
        is_too_short=not matches and not long_enough and amount is None,
    )


def _by_reference(cases: ExceptionCaseQuerySet, text: str) -> Iterator[Match]:
    compact = "".join(text.split()).upper()
    if compact.startswith(REF_PREFIX.rstrip("-")):
        compact = REF_PREFIX + compact.removeprefix(REF_PREFIX.rstrip("-")).lstrip("-")
    for case in _shown(cases.with_ref(compact)):
        yield Match(case, _REFERENCE, case.ref)


def _newest(cases: ExceptionCaseQuerySet) -> Found:
    matches = [Match(case, "", "") for case in _shown(cases).order_by("-opened_at", "-id")[: MOST_MATCHES + 1]]
    return Found(matches=tuple(matches[:MOST_MATCHES]), is_capped=len(matches) > MOST_MATCHES)


def _by_identifier(reach: Reach, folded: str, kind: str, within: ExceptionCaseQuerySet | None) -> list[Match]:
    """One match per identifier; `_distinct` keeps the first of each exception."""
    # As `cases_within`. Written out, because a subquery costs more to plan than such a search to run.
    places = {"case__queue__in": reach.queues(Verb.SEE), "case__entity__in": reach.entities(Verb.SEE)}
    narrowed = places if within is None else {"case__in": within.order_by()}
    found = Identifier.objects.filter(**{f"folded__{kind}": folded}, **narrowed).select_related(
        "case", "case__entity", "case__cause"
    )
    # An exception has several identifiers, so some rows more than matches are read.
    ordered = found.order_by("-case__opened_at", "-case_id", "id")[: (MOST_MATCHES + 1) * 4]
    return [Match(identifier.case, identifier.label, identifier.value) for identifier in ordered]


def _by_amount(cases: ExceptionCaseQuerySet, amount: TypedAmount) -> Iterator[Match]:
    values = {value for typed in amount.values for value in (typed, -typed)}
    found = cases.filter(amount__in=sorted(values))
    if amount.currency:
        found = found.filter(currency=amount.currency)
    for case in _shown(found).order_by("-opened_at", "-id")[: MOST_MATCHES + 1]:
        yield Match(case, _AMOUNT, f"{_plain(case.amount)} {case.currency}")


def _plain(amount: Decimal | None) -> str:
    return f"{amount.normalize():f}" if amount is not None else ""


def _shown(cases: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
    return cases.select_related("entity", "cause")


def _distinct(matches: list[Match]) -> list[Match]:
    """The first match of each exception, in order."""
    first: dict[int, Match] = {}
    for match in matches:
        first.setdefault(match.case.pk, match)
    return list(first.values())
