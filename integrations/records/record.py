"""What every canonical record has in common: what a person asks for first, and the fields with their places.

A record is a read-only projection of a payload. Whoever lists, searches, routes or corrects a transaction needs no more
than this, whatever its kind; the kinds beside this module add what only they have.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

_NUMBERED = re.compile(r"[A-Z]+-[0-9]+(?:-[0-9]+)?")


class ValueKind(StrEnum):
    TEXT = "text"
    DATE = "date"
    AMOUNT = "amount"
    PERCENT = "percent"
    QUANTITY = "quantity"
    CODE = "code"
    IDENTIFIER = "identifier"


def readable_term(term: str) -> str:
    """The standard's identifier where people use it, as BT-2; nothing of an element's name, as CdtrAcct/Id/IBAN."""
    return term if _NUMBERED.fullmatch(term) else ""


def label_with_term(label: str, term: str) -> str:
    """`Issue date (BT-2)`."""
    readable = readable_term(term)
    return f"{label} ({readable})" if readable and label else label


@dataclass(frozen=True, slots=True)
class RecordField:
    """One business field: what a person calls it, and where it stands in the payload.

    `path` leads into the payload (XPath for XML, JSON Pointer for JSON); when the payload lacks the field, it is the
    path at which it would stand. `value` is the text as it stands there, None when it is absent.
    """

    term: str  # the standard's identifier of the field, such as "BT-2"; empty where the standard has none
    label: str
    group: str  # heading in the form: "Document", "Seller", "Totals", "Line 1" …
    kind: ValueKind
    path: str
    value: str | None
    hint: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    country: str = ""  # ISO 3166-1 alpha-2
    vat_id: str = ""
    identifiers: tuple[str, ...] = ()

    @property
    def known_by(self) -> tuple[str, ...]:
        """Everything that says who it is, in the order in which a person would say it."""
        return tuple(dict.fromkeys(text for text in (self.name, self.vat_id, *self.identifiers) if text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What a person wants to know of a transaction before anything else, in its own words.

    `parties` and `totals` are labels with what they name, in the order of reading. `amount` has the sign of the money:
    what goes back to the other side is negative, so that sums are right.
    """

    title: str  # "Invoice", "Journal entry", "Payment"
    number: str
    number_label: str  # "Invoice number"
    document_date: date | None
    date_label: str  # "Issued", "Posting date"
    counterparty: Party  # the other side: who bought, who is paid
    amount: Decimal | None
    currency: str  # ISO 4217
    due_date: date | None = None
    due_label: str = "Payment due"
    parties: Mapping[str, Party] = field(default_factory=dict)
    totals: Mapping[str, Decimal | None] = field(default_factory=dict)
    grand_total: str = ""  # which of the totals stands out
    identifiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # further names to search by


class Record(ABC):
    """The canonical projection of one payload."""

    __slots__ = ()

    version: str  # kind and version of the record: "invoice/1"
    fields: tuple[RecordField, ...]

    @property
    @abstractmethod
    def headline(self) -> Headline: ...

    @property
    def line_columns(self) -> tuple[str, ...]:
        """Labels of the fields by which its lines read as a table; none where they do not."""
        return ()

    def field_at(self, path: str) -> RecordField | None:
        return next((field for field in self.fields if field.path == path), None)
