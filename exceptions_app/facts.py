"""The business facts of a transaction that a case carries for lists and search."""

import unicodedata
from typing import Any

from exceptions_app.discounts import discount_until
from exceptions_app.models import ExceptionCase, Identifier
from integrations.records.record import Record

# Letters with a stroke, which Unicode does not take apart into a letter and a mark.
_STROKES = str.maketrans({"Ł": "L", "Ø": "O", "Đ": "D", "Ħ": "H", "Æ": "AE", "Œ": "OE"})


def fold(text: str) -> str:
    """One spelling for all: upper case, without separators and accents, in any script.

    So `inv 2026/123` is `INV-2026-123`, and who has no ø on the keyboard finds Ørsted by `orsted`.
    """
    apart = unicodedata.normalize("NFKD", text.upper().translate(_STROKES))
    return "".join(character for character in apart if character.isalnum())


def facts_of(record: Record) -> dict[str, Any]:
    """The narrow columns of an exception that repeat its document."""
    headline = record.headline
    currency = headline.currency if len(headline.currency) == 3 else ""
    return {
        "document_number": headline.number[:200],
        "document_date": headline.document_date,
        "counterparty": next(iter(headline.counterparty.known_by), "")[:200],
        "amount": headline.amount if currency else None,
        "currency": currency,
        "payable_on": headline.due_date,
        "discount_until": discount_until(record),
    }


def remember_identifiers(case: ExceptionCase, record: Record, **more: str) -> None:
    """Keep every spelling by which a person may ask for it: numbers, names, tax numbers, references."""
    headline = record.headline
    found: dict[str, tuple[str, ...]] = {
        headline.number_label: (headline.number,),
        **{role: party.known_by for role, party in headline.parties.items()},
        **headline.identifiers,
        **{label: (value,) for label, value in more.items()},
    }
    Identifier.objects.bulk_create(
        [
            Identifier(case=case, label=label, value=value[:300], folded=fold(value)[:300])
            for label, values in found.items()
            for value in values
            if value and fold(value)
        ],
        ignore_conflicts=True,
    )
