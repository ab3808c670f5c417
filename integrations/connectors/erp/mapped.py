"""Which of the ERP's complaints are about a value that a value mapping could give, and where it would stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from integrations.connectors.erp.document import Posting
from integrations.connectors.erp.values import date_of, text_of
from integrations.connectors.json_document.pointers import pointer_to
from integrations.mapped_values import Unmapped
from integrations.value_kinds import ValueKind


@dataclass(frozen=True, slots=True)
class _Place:
    """The field whose value is not known there, and the one that says in its stead what the ERP needs."""

    kind: ValueKind
    reads: str
    writes: str


_TAX_CODE: Final = _Place(ValueKind.TAX_CODE, "tax_code", "tax_code")
_COST_CENTER: Final = _Place(ValueKind.COST_CENTER, "cost_center", "cost_center")
_ACCOUNT: Final = _Place(ValueKind.GL_ACCOUNT, "account", "account")
_CUSTOMER: Final = _Place(ValueKind.CUSTOMER, "customer", "customer")
# By the second level of the category. A family has no account of its own in the ERP: the line names it itself.
_PLACES: Final[Mapping[str, _Place]] = {
    "unknown_tax_code": _TAX_CODE,
    "unknown_cost_center": _COST_CENTER,
    "blocked_cost_center": _COST_CENTER,
    "wrong_company": _COST_CENTER,
    "unknown_account": _ACCOUNT,
    "blocked_account": _ACCOUNT,
    "unknown_customer": _CUSTOMER,
    "blocked_customer": _CUSTOMER,
    "unmapped_product_family": _Place(ValueKind.PRODUCT_FAMILY, "product_family", "account"),
}


def unmapped_in(posting: Posting, steps: tuple[str, ...], sub: str) -> Unmapped | None:
    """The value that a complaint at that place is about; None where no mapping would help."""
    place = _PLACES.get(sub)
    if place is None or not steps or steps[-1] != place.reads:
        return None
    holder = posting.lines[int(steps[1])] if len(steps) == 3 else posting.content
    value = text_of(holder.get(place.reads)).strip()
    posted = date_of(posting.content.get("posting_date"))
    if not value:
        return None
    path = pointer_to(*steps[:-1], place.writes)
    return Unmapped(place.kind.value, value, posted.isoformat() if posted else "", path)
