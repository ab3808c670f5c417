"""One box for everything: our reference, a number in any spelling, a name, the target's reference, an amount."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from exceptions_app.amounts import TypedAmount, read_amount
from exceptions_app.facts import fold
from exceptions_app.found_by import AMOUNT, NAMES, OWN_NUMBERS, REFERENCE, why
from exceptions_app.models import ExceptionCase, Identifier
from exceptions_app.models.case import REF_PREFIX, ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Verb

MOST_MATCHES = 50
SHORTEST_PART = 3  # characters, without separators, before anything but whole numbers is looked for
_OWN = Q(label__in=sorted(OWN_NUMBERS))


@dataclass(frozen=True, slots=True)
class Match:
    """An exception that was found, and by what: the field's name and its value."""

    case: ExceptionCase
    label: str
    value: str

    @property
    def why(self) -> str:
        """In words: “by its purchase order PO-4580404”."""
        return why(self.label, self.value)


@dataclass(frozen=True, slots=True)
class Found:
    """`only` is set when the text is the whole number of exactly one exception."""

    matches: tuple[Match, ...] = ()
    only: ExceptionCase | None = None
    is_capped: bool = False
    is_too_short: bool = False


def search(reach: Reach, text: str, *, within: ExceptionCaseQuerySet | None = None) -> Found:
    """What the person may see of what the text names.

    First by whole identifiers, then by amount, then by the beginning or ending of the document's own number, then by
    another part of it, and last by a part of anything else, such as its purchase order; of equal rank the newest first.

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
    matches = _distinct([*_by_reference(cases, text), *_by_identifier(reach, folded, Q(folded=folded), within)])
    numbers = [match for match in matches if match.label not in NAMES]
    if len(numbers) == 1:
        return Found(matches=tuple(matches), only=numbers[0].case)
    amount = None if _has_leading_zero(text) else read_amount(text)
    if amount is not None:
        matches = _distinct(matches + list(_by_amount(cases, amount)))
    long_enough = len(folded) >= SHORTEST_PART
    # A beginning or ending of a document's own number is missed for no newer one that has the text anywhere.
    edge = Q(folded__startswith=folded) | Q(folded__endswith=folded)
    for which in (edge & _OWN, Q(folded__contains=folded)) if long_enough else ():
        if len(matches) <= MOST_MATCHES:
            matches = _distinct(matches + _by_identifier(reach, folded, which, within))
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
        yield Match(case, REFERENCE, case.ref)


def _newest(cases: ExceptionCaseQuerySet) -> Found:
    matches = [Match(case, "", "") for case in _shown(cases).order_by("-opened_at", "-id")[: MOST_MATCHES + 1]]
    return Found(matches=tuple(matches[:MOST_MATCHES]), is_capped=len(matches) > MOST_MATCHES)


def _by_identifier(reach: Reach, folded: str, which: Q, within: ExceptionCaseQuerySet | None) -> list[Match]:
    """One match per identifier; `_distinct` keeps the first of each exception."""
    # As `cases_within`. Written out, because a subquery costs more to plan than such a search to run.
    places = {"case__queue__in": reach.queues(Verb.SEE), "case__entity__in": reach.entities(Verb.SEE)}
    narrowed = places if within is None else {"case__in": within.order_by()}
    found = Identifier.objects.filter(which, **narrowed).select_related("case", "case__entity", "case__cause")
    # An exception has several identifiers, so some rows more than matches are read.
    newest = found.order_by("-case__opened_at", "-case_id", "id")[: (MOST_MATCHES + 1) * 4]
    # Not by the database: it reads from the newest on and stops, which it could not in an order by rank.
    ranked = sorted(newest, key=lambda identifier: _rank(identifier, folded))
    return [Match(identifier.case, identifier.label, identifier.value) for identifier in ranked]


def _rank(identifier: Identifier, folded: str) -> tuple[bool, int]:
    """The document's own number first; whole or its beginning before its ending, and that before any other part."""
    places = (identifier.folded.startswith(folded), identifier.folded.endswith(folded), True)
    return identifier.label not in OWN_NUMBERS, places.index(True)


def _has_leading_zero(text: str) -> bool:
    """Whether it is a part of a number, such as 0404, that nobody types for an amount."""
    return text.isdigit() and len(text) > 1 and text.startswith("0")


def _by_amount(cases: ExceptionCaseQuerySet, amount: TypedAmount) -> Iterator[Match]:
    values = {value for typed in amount.values for value in (typed, -typed)}
    found = cases.filter(amount__in=sorted(values))
    if amount.currency:
        found = found.filter(currency=amount.currency)
    for case in _shown(found).order_by("-opened_at", "-id")[: MOST_MATCHES + 1]:
        yield Match(case, AMOUNT, f"{_plain(case.amount)} {case.currency}")


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
