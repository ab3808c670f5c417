"""Whether a text can be the value of a business field: one judgement for the pages and the API."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from exceptions_app.field_classes import is_masked
from exceptions_app.wording import Said, say, together
from integrations.records.record import Record, RecordField, ValueKind

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,12})?")
DECIMAL_KINDS = frozenset({ValueKind.AMOUNT, ValueKind.PERCENT, ValueKind.QUANTITY})
MASK_TYPED = together(
    say("This holds the mask of a value."), say("Type the whole value, or leave the field as it was.")
)
_MOST_QUOTED = 60  # characters of what was typed


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a text cannot be the value of a field, and what to write instead."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> Said:
        return together(self.problem, self.remedy)


def one_line_ending(text: str) -> str:
    """A text as the document has it, whatever line endings the sender has."""
    return text.replace("\r\n", "\n")


def misfit_of(text: str, field: RecordField) -> Misfit | None:
    """What keeps a text from being the value of a field; an empty one removes the field, which nothing keeps it from.

    Only its shape is judged here: whether the value is right, the check says.
    """
    typed = text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 1]}…"
    if is_masked(text):
        return Misfit(*MASK_TYPED.parts)
    if text and field.kind in DECIMAL_KINDS and not _is_decimal(text):
        remedy = say("Write digits with a point and no separators, such as 1428.00.")
        return Misfit(say("“{typed}” is not a number.", typed=typed), remedy)
    if text and field.kind is ValueKind.DATE and not _is_date(text):
        return Misfit(say("“{typed}” is not a date.", typed=typed), say("Write year-month-day, such as 2026-03-31."))
    return None


def is_same_value(one: str, other: str, field: RecordField) -> bool:
    """Whether two texts are one value of the field: the same text, or the same number."""
    if one == other or field.kind not in DECIMAL_KINDS:
        return one == other
    return _is_decimal(one) and _is_decimal(other) and Decimal(one) == Decimal(other)


def new_misfits(before: Record, after: Record) -> Sequence[tuple[RecordField, Misfit]]:
    """The fields that have an ill-formed value which they did not have before a correction.

    What came in ill-formed and is not touched is no fault of the correction, wherever it stands now.
    """
    known = {(field.term, field.value) for field in before.fields}
    changed = (field for field in after.fields if (field.term, field.value) not in known)
    judged = ((field, misfit_of((field.value or "").strip(), field)) for field in changed)
    return [(field, misfit) for field, misfit in judged if misfit is not None]


def _is_decimal(text: str) -> bool:
    try:
        return bool(_NUMBER.fullmatch(text)) and text.isascii() and Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False
