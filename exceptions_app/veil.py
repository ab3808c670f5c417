"""What is left of a text for somebody who may not see every value in it.

A veil knows the sensitive values of one or more documents and finds them wherever they stand: in a field, in the words
of a check, in the answer of another system. Account numbers it knows by their check digits, also those of no document.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

from django.utils.html import escape as django_escape

from audit.account_numbers import account_numbers_in, fingerprint, without_account_numbers
from exceptions_app.field_classes import SHORTEST, FieldClass, class_of, mask
from integrations.records.record import RecordField

# Attributes in which a page repeats what people read or type; of others a word may be part of the program.
_ATTRIBUTE: Final = re.compile(
    r"""(\s(?:value|title|alt|placeholder|content|aria-label|href|action|data-[\w-]+)=)("[^"]*"|'[^']*')"""
)
_TAG: Final = re.compile(r"(<(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>)")


class Veil:
    """Masks the given values, and every account number that is not among the words of the person who asks."""

    def __init__(
        self,
        values: Mapping[str, FieldClass],
        *,
        own_words: Iterable[str] = (),
        shows: bool = False,
        finds_numbers: bool = True,
    ) -> None:
        """`own_words` are texts that the person sent; what a document holds is masked although they typed it.

        With `shows` only secrets are masked; without `finds_numbers` only the given values.
        """
        hidden = {text: kind for text, kind in values.items() if not shows or kind is FieldClass.SECRET}
        self._masks = {text: mask(text, kind) for text, kind in hidden.items()}
        self._finds_numbers = finds_numbers and not shows
        in_documents = {_joined(text) for text in values}
        self._known = {number for text in own_words for number in account_numbers_in(text)} - in_documents
        self._plain = _any_of(self._masks)
        self._escaped: dict[str, str] = {}
        for text, shown in self._masks.items():
            ways = (text, escape(text), django_escape(text), quote(text), quote_plus(text))
            self._escaped |= dict.fromkeys(ways, shown)
        self._in_html = _any_of(self._escaped)

    def text(self, text: str) -> str:
        if self._plain is not None:
            text = self._plain.sub(lambda found: self._masks[found[0]], text)
        return self._without_numbers(text)

    def source(self, text: str) -> str:
        """The text of a document, in which a value may be written with references."""
        return self._without_numbers(self._html(text))

    def html(self, page: str) -> str:
        """A page or a part of one: what is read of it, and what stands in its inputs."""
        if self._in_html is not None:
            parts = _TAG.split(page)
            page = "".join(
                _ATTRIBUTE.sub(lambda found: found[1] + self._html(found[2]), part) if place % 2 else self._html(part)
                for place, part in enumerate(parts)
            )
        return self._without_numbers(page)

    def json(self, body: bytes) -> bytes:
        """A JSON document with its texts masked; the very bytes when there is nothing to mask."""
        told = json.loads(body)
        shown = self.data(told)
        if shown == told:
            return body
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()

    def data(self, value: object) -> object:
        """The same of every text in a nested value; names stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.data(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(inner) for inner in value]
        return value

    def _html(self, text: str) -> str:
        return self._in_html.sub(lambda found: self._escaped[found[0]], text) if self._in_html is not None else text

    def _without_numbers(self, text: str) -> str:
        return without_account_numbers(text, known=self._known) if self._finds_numbers else text


class TrailVeil(Veil):
    """For an audit event: beside the mask a keyed fingerprint, so that it can be told later whether two were equal."""

    def __init__(self, values: Mapping[str, FieldClass]) -> None:
        super().__init__(values)
        self._masks = {text: f"{shown} #{fingerprint(text)}" for text, shown in self._masks.items()}


def veil_of_fields(fields: Iterable[RecordField]) -> Veil:
    """That of the business fields of one document, as a form shows them."""
    values = {(field.value or "").strip(): class_of(field.path, term=field.term) for field in fields}
    return Veil({
        text: kind for text, kind in values.items() if kind is not FieldClass.INTERNAL and len(text) >= SHORTEST
    })  # fmt: skip


def _any_of(texts: Collection[str]) -> re.Pattern[str] | None:
    """Any of these as a word of its own; the longest first, since one may be part of another."""
    if not texts:
        return None
    each = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{each})(?![^\W_])")


def _joined(text: str) -> str:
    return "".join(text.split()).upper()
