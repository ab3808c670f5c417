"""The sums of EN 16931 over one document: which do not hold, and whether one wrong amount explains them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from lxml import etree

from integrations.connectors.en16931.document import UblDocument
from integrations.connectors.en16931.lines import expected_net_amount
from integrations.connectors.en16931.terms import Anchor
from integrations.connectors.en16931.values import CENT, decimal_of, to_cents

_EXACT: Final = CENT / 2
_LOOSE: Final = Decimal(1)  # the official rules forgive less than one unit where a rate is applied
_ZERO: Final = Decimal(0)
_ABSENT_IS_ZERO: Final = ("BT-107", "BT-108", "BT-113", "BT-114")
_GIVEN: Final = ("BT-113", "BT-114", "BT-92", "BT-99")  # facts from outside, never to be worked out


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount of the document; `value` is None when it is missing or unreadable."""

    term: str
    path: str
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Equation:
    """The weighted amounts add up to nothing, give or take `tolerance`; `rules` are the rules that demand it."""

    rules: tuple[str, ...]
    parts: tuple[tuple[Amount, Decimal], ...]
    tolerance: Decimal

    def difference(self, path: str = "", value: Decimal = _ZERO) -> Decimal | None:
        """What is left over, with the amount at `path` taken as `value`; None when an amount is missing."""
        total = _ZERO
        for amount, weight in self.parts:
            stands = value if amount.path == path else amount.value
            if stands is None:
                return None
            total += weight * stands
        return total

    def holds(self, path: str = "", value: Decimal = _ZERO) -> bool:
        difference = self.difference(path, value)
        return difference is not None and abs(difference) < self.tolerance

    def solve(self, path: str) -> Decimal | None:
        """The amount at `path` with which the equation holds exactly."""
        weight = next((weight for amount, weight in self.parts if amount.path == path), None)
        rest = self.difference(path)
        return None if weight is None or rest is None else to_cents(-rest / weight)


@dataclass(frozen=True, slots=True)
class RootCause:
    """One amount which, set to `value`, makes every broken sum hold; `rules` are the rules this settles."""

    amount: Amount
    value: Decimal
    rules: frozenset[str]


def find_root_cause(document: UblDocument) -> RootCause | None:
    """The single wrong or missing amount behind all broken sums, when exactly one explains them."""
    lines = [(_amount(document, "BT-131", line), line) for line in document.anchors(Anchor.LINE)]
    equations = list(_equations(document, [amount for amount, _ in lines]))
    broken = [equation for equation in equations if not equation.holds()]
    if not broken:
        return None
    expected = {amount.path: expected_net_amount(line) for amount, line in lines}
    candidates = {
        amount.path: amount
        for equation in broken
        for amount, _ in equation.parts
        if amount.term not in _GIVEN and (amount.term != "BT-131" or expected[amount.path] not in (None, amount.value))
    }
    causes: list[RootCause] = []
    for path, amount in candidates.items():
        value = _value_that_mends(path, broken, equations)
        if value is not None and expected.get(path, value) == value:
            causes.append(RootCause(amount, value, frozenset(rule for equation in broken for rule in equation.rules)))
    return causes[0] if len(causes) == 1 else None


def _value_that_mends(path: str, broken: list[Equation], equations: list[Equation]) -> Decimal | None:
    exact = [equation for equation in broken if equation.tolerance == _EXACT] or broken
    values = {equation.solve(path) for equation in exact}
    value = values.pop() if len(values) == 1 else None
    if value is None or not all(equation.holds(path, value) for equation in broken):
        return None
    touched = [equation for equation in equations if any(amount.path == path for amount, _ in equation.parts)]
    return value if all(equation.holds(path, value) for equation in touched) else None


def _amount(document: UblDocument, term: str, row: etree._Element | None = None) -> Amount:
    place = document.place(term) if row is None else document.place_in(term, row)
    value = decimal_of(place.value)
    if place.value is None and term in _ABSENT_IS_ZERO:
        value = _ZERO
    return Amount(term, place.path, value)


def _equations(document: UblDocument, lines: list[Amount]) -> Iterator[Equation]:
    total = {term: _amount(document, term) for term in _TOTALS}
    allowances = [_amount(document, "BT-92", row) for row in document.anchors(Anchor.ALLOWANCE)]
    charges = [_amount(document, "BT-99", row) for row in document.anchors(Anchor.CHARGE)]
    rows = document.anchors(Anchor.BREAKDOWN)
    yield _equation("BR-CO-10 BR-12", total["BT-106"], plus=lines)
    yield _equation("BR-CO-11", total["BT-107"], plus=allowances)
    yield _equation("BR-CO-12", total["BT-108"], plus=charges)
    yield _equation("BR-CO-13 BR-13", total["BT-109"], plus=[total["BT-106"], total["BT-108"]], minus=[total["BT-107"]])
    if rows:
        yield _equation(
            "BR-CO-14", total["BT-110"], plus=[_amount(document, "BT-117", row) for row in _same_total(document, rows)]
        )
    yield _equation("BR-CO-15 BR-14", total["BT-112"], plus=[total["BT-109"], *_vat(document, total["BT-110"])])
    yield _equation("BR-CO-16 BR-15", total["BT-115"], plus=[total["BT-112"], total["BT-114"]], minus=[total["BT-113"]])
    for row in rows:
        yield from _breakdown_equations(document, row)


_TOTALS: Final = ("BT-106", "BT-107", "BT-108", "BT-109", "BT-110", "BT-112", "BT-113", "BT-114", "BT-115")


def _vat(document: UblDocument, total: Amount) -> list[Amount]:
    """A document without any VAT total has no VAT to add."""
    return [] if total.value is None and document.tax_total() is None else [total]


def _same_total(document: UblDocument, rows: list[etree._Element]) -> list[etree._Element]:
    total = document.tax_total()
    return [row for row in rows if row.getparent() is total]


def _breakdown_equations(document: UblDocument, row: etree._Element) -> Iterator[Equation]:
    taxable, tax = _amount(document, "BT-116", row), _amount(document, "BT-117", row)
    category, rate = document.value_in("BT-118", row), decimal_of(document.value_in("BT-119", row))
    plus = [*_in_category(document, Anchor.LINE, "BT-131 BT-151 BT-152", category, rate)]
    plus += _in_category(document, Anchor.CHARGE, "BT-99 BT-102 BT-103", category, rate)
    minus = _in_category(document, Anchor.ALLOWANCE, "BT-92 BT-95 BT-96", category, rate)
    code = {"K": "IC", "L": "AF", "M": "AG"}.get(category, category)
    tolerance = _LOOSE if code in ("S", "AF", "AG") else _EXACT
    yield _equation(f"BR-{code}-08 BR-45", taxable, plus=plus, minus=minus, tolerance=tolerance)
    if rate is not None:
        parts = ((tax, Decimal(1)), (taxable, -rate / 100))
        yield Equation((f"BR-{code}-09", "BR-CO-17", "BR-46"), parts, _LOOSE)


def _in_category(
    document: UblDocument, anchor: Anchor, terms: str, category: str, rate: Decimal | None
) -> list[Amount]:
    amount, category_term, rate_term = terms.split()
    return [
        _amount(document, amount, row)
        for row in document.anchors(anchor)
        if document.value_in(category_term, row) == category
        and (category not in ("S", "L", "M") or decimal_of(document.value_in(rate_term, row)) == rate)
    ]


def _equation(
    rules: str,
    result: Amount,
    *,
    plus: list[Amount],
    minus: list[Amount] | None = None,
    tolerance: Decimal = _EXACT,
) -> Equation:
    parts = (
        (result, Decimal(1)),
        *((part, Decimal(-1)) for part in plus),
        *((part, Decimal(1)) for part in minus or []),
    )
    return Equation(tuple(rules.split()), parts, tolerance)
