"""The filters of the pages as query parameters; what a page would leave out with a notice is refused here."""

from collections.abc import Mapping
from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem
from exceptions_app.filters import CaseFilter
from exceptions_app.models.case import ExceptionCaseQuerySet

FILTER_NAMES: Final = frozenset(CaseFilter.base_filters)

# What the filter set cannot tell by itself, because it depends on who asks.
_WORDS: Mapping[str, str] = {
    "text": "Part of the document number, the counterparty or another identifier, in any spelling.",
    "queue": "Slug of a queue.",
    "entity": "Code of a legal entity.",
    "assignee": "me, nobody, or a user name.",
    "code": "Code of the error that leads, such as BR-03.",
    "customer": "Part of the buyer's name or number, in any spelling.",
    "supplier": "Part of the seller's or the payee's name or number, in any spelling.",
    "cause": "Number of a cause.",
    "connection": "Slug of a connection.",
    "tag": "Tags that an exception has to have, all of them, with commas between them.",
    "currency": "ISO 4217.",
    "amount_min": "Smallest amount, such as 1250.00; of credit notes the amount is negative.",
    "amount_max": "Largest amount, such as 1250.00; of credit notes the amount is negative.",
    "amount_above": "Amounts larger than this one.",
    "amount_below": "Amounts smaller than this one.",
    "opened_from": "First day on which it was opened, such as 2026-11-02.",
    "opened_to": "Last day on which it was opened, such as 2026-11-02.",
    "age": "Opened at least so many days ago.",
    "age_max": "Opened within the last so many days.",
}


def filtered(request: Request, visible: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
    """What the request asks for of what is visible; raises Problem that names every parameter at fault."""
    filters = CaseFilter(request.query_params, visible, request=request)
    if not filters.is_valid():
        errors = [
            {"parameter": name, "detail": " ".join(messages), "remedy": _WORDS.get(name, "Send a known value.")}
            for name, messages in filters.errors.items()
        ]
        raise Problem(kinds.INVALID_PARAMETER, "A filter cannot be used; each is named below.", errors=errors)
    found: ExceptionCaseQuerySet = filters.qs
    return found


def _documented(name: str) -> OpenApiParameter:
    known = CaseFilter.base_filters[name]
    choices = [] if name in _WORDS else [value for value, _ in known.extra.get("choices", ())]
    return OpenApiParameter(
        name, OpenApiTypes.STR, description=_WORDS.get(name, f"{known.label}."), enum=choices or None
    )


FILTER_PARAMETERS: Final = [_documented(name) for name in sorted(FILTER_NAMES)]
