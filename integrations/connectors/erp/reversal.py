"""The entry that takes a posting back: the same with the other sign, linked to the document that it reverses."""

import json
from datetime import date
from decimal import Decimal
from typing import Any, Final

from integrations.connectors.base import CannotReverse
from integrations.connectors.erp.document import read_posting
from integrations.connectors.erp.terms import LINES, NUMERIC, Term
from integrations.connectors.erp.values import decimal_of
from integrations.refusals import MessageNotUnderstood

REVERSES: Final = "reverses"
_SIDES: Final = ("debit", "credit")
_UNIT_PRICE: Final = "unit_price"


def reversal(payload: bytes, *, reference: str, on: date) -> bytes:
    """The reversing entry of a posting that the ERP booked as `reference` (document/fiscal year), posted `on` a day.

    It has a name of its own that follows from the reference, so that the ERP knows a second one of the same document.
    Raises CannotReverse.
    """
    try:
        posting = read_posting(payload)
    except MessageNotUnderstood as error:
        raise CannotReverse(error.problem) from error
    document, _, year = reference.partition("/")
    if not document or not year:
        raise CannotReverse(f"“{reference}” is no document of the ERP with its fiscal year, such as 1000001/2026.")
    content = {
        **posting.content,
        posting.layout.number: f"REV-{document}-{year}",
        "posting_date": on.isoformat(),
        REVERSES: reference,
    }
    if "text" in posting.layout.head:
        content["text"] = f"Reversal of {reference}"
    if posting.layout.object_type == "journal":
        content[LINES] = [_other_side(line) for line in posting.lines]
    else:
        content |= _negative(posting.content, posting.layout.head)
        content[LINES] = [{**line, **_negative(line, posting.layout.line)} for line in posting.lines]
    return json.dumps(content, ensure_ascii=False, indent=2, default=_digits).encode()


def _other_side(line: Any) -> dict[str, Any]:
    """What was debited is credited."""
    debit, credit = (line.get(side) for side in _SIDES)
    swapped = {"debit": credit, "credit": debit}
    rest = {name: value for name, value in line.items() if name not in _SIDES}
    return rest | {side: value for side, value in swapped.items() if value is not None}


def _negative(holder: Any, terms: Any) -> dict[str, Any]:
    """The amounts and quantities with the other sign; a price stays what it is."""
    found: dict[str, Any] = {}
    named: dict[str, Term] = dict(terms)
    for name, term in named.items():
        amount = decimal_of(holder.get(name)) if term.kind in NUMERIC and name != _UNIT_PRICE else None
        if amount is not None:
            found[name] = f"{-amount if amount else amount:f}"
    return found


def _digits(value: object) -> str:
    """A number as the text of its digits, which the ERP takes as well."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is not part of a posting.")
