"""What can be read from a bank's free text: only what leads to one value in the file, or is a validator's own sentence.

Codes decide wherever there is one. A text decides nothing about the category, save the sentences in which validators
of XML say that a value does not have its type.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from integrations.connectors.iso20022.fields import fields_of
from integrations.connectors.iso20022.initiation import Payment, PaymentFile
from integrations.connectors.iso20022.values import decimal_of
from integrations.records.record import RecordField, ValueKind

SHORTEST_VALUE: Final = 4  # characters of a value that is looked for in a text

_QUOTES: Final = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb"
_VALUE: Final = rf"[{_QUOTES}]?(?P<value>[^{_QUOTES}]{{1,140}}?)[{_QUOTES}]?"
_NOT_OF_ITS_TYPE: Final = (
    re.compile(rf"(?:^|[\s:;.(]){_VALUE}\s+is not a valid value (?:for|of)\b", re.IGNORECASE),
    re.compile(rf"\bvalue:?\s+{_VALUE}\s+is (?:invalid|not valid)\b", re.IGNORECASE),
    re.compile(r"\bvalue [\"'](?P<value>[^\"']{1,140})[\"'] is not (?:facet-valid|accepted by)", re.IGNORECASE),
)
_DECIMAL_COMMA: Final = re.compile(r"[0-9]{1,15},[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that a text names by its value. `proposed` is what it should be, where there is no doubt."""

    field: RecordField
    proposed: str | None


def value_not_of_its_type(text: str) -> str:
    """The value that a validator of XML objects to; empty when the text is no such sentence."""
    found = next((match for pattern in _NOT_OF_ITS_TYPE if (match := pattern.search(text))), None)
    return found["value"].split()[-1].strip() if found and found["value"].split() else ""


def fault_in(text: str, file: PaymentFile, payment: Payment) -> Fault | None:
    """The one field of a payment whose value stands in the text, other than the identifiers of the file."""
    objected = value_not_of_its_type(text)
    fields = [field for field in fields_of(file, payment) if field.value and field.group != "File"]
    if objected:
        fields = [field for field in fields if (field.value or "").strip() == objected]
    else:
        fields = [field for field in fields if _stands_in(field.value or "", text)]
    if not fields:
        return None
    return Fault(fields[0], _proposal(fields[0]))


def payments_named_in(texts: Sequence[str], payments: Sequence[Payment]) -> list[Payment]:
    """The payments with a value of their own that stands in one of the texts."""
    read = [(text, value_not_of_its_type(text)) for text in texts]
    named = []
    for payment in payments:
        values = {(leaf.text or "").strip() for leaf in payment.element.iter("*") if len(leaf) == 0}
        if any(objected in values if objected else _any_stands_in(values, text) for text, objected in read):
            named.append(payment)
    return named


def _any_stands_in(values: set[str], text: str) -> bool:
    return any(value in text and _stands_in(value, text) for value in values)


def _stands_in(value: str, text: str) -> bool:
    if len(value) < SHORTEST_VALUE:
        return False
    return re.search(rf"(?<![\w.,]){re.escape(value)}(?![\w]|[.,]\w)", text) is not None


def _proposal(field: RecordField) -> str | None:
    """An amount with a decimal comma, and nothing else, is meant with a point."""
    value = (field.value or "").strip()
    if field.kind is not ValueKind.AMOUNT or not _DECIMAL_COMMA.fullmatch(value):
        return None
    proposed = value.replace(",", ".")
    return proposed if decimal_of(proposed) is not None else None
