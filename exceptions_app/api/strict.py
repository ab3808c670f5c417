"""Fields that take a JSON value for what it is: no number for a text, no unknown key, no guessing."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.validators import ProhibitSurrogateCharactersValidator

_DECLARED_ENCODING = re.compile(r"""^\ufeff?<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_WHAT_TEXT_IS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class _NoSurrogates(ProhibitSurrogateCharactersValidator):
    """The same verdict, after the encoder: looking at each character of a document costs more than to store it."""

    def __call__(self, value: Any) -> None:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            super().__call__(value)


class Text(serializers.CharField):
    """A JSON string, kept as it was sent."""

    default_error_messages = {"invalid": "This is not a text. Send a JSON string."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)
        self.validators = [
            _NoSurrogates() if isinstance(validator, ProhibitSurrogateCharactersValidator) else validator
            for validator in self.validators
        ]

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, bool | int | float | Decimal | list | dict):
            self.fail("invalid")
        return super().run_validation(data)


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction."""

    default_error_messages = {"invalid": "This is not a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Moment(serializers.DateTimeField):
    """An RFC 3339 time that says its offset: a time without one would be read differently here and there."""

    default_error_messages = {
        "invalid": "This is not a date and time after RFC 3339.",
        "no_offset": "This time does not say its offset from UTC.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None:
            self.fail("invalid")
        if moment.tzinfo is None:
            self.fail("no_offset")
        return moment


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObject(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of any content. Numbers with a fraction are kept as texts, which are exact."""

    default_error_messages = {"invalid": "This is not a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return {key: _storable(value) for key, value in data.items()}

    def to_representation(self, value: Any) -> Any:
        return value


class Anything(serializers.Field[Any, Any, Any, Any]):
    """A value that is looked at later."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _storable(value: Any) -> Any:
    """Depth is bounded by the parser."""
    match value:
        case Decimal():
            return str(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {key: _storable(item) for key, item in value.items()}
    return value


class StrictSerializer(serializers.Serializer[Any]):
    """An object whose keys are all known: a misspelt optional field would otherwise be ignored in silence."""

    default_error_messages = {"invalid": "This is not a JSON object."}

    def get_fields(self) -> dict[str, Any]:
        """A trailing underscore is dropped: it keeps `context_` apart from what serializers have themselves."""
        return {name.removesuffix("_"): field for name, field in super().get_fields().items()}

    def to_internal_value(self, data: Any) -> Any:
        unknown = [key for key in data if key not in self.fields] if isinstance(data, Mapping) else []
        problems: dict[str, Any] = {}
        value: Any = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not unknown or not isinstance(error.detail, dict):
                raise
            problems = dict(error.detail)
        for key in unknown:
            problems[key] = [ErrorDetail(f"There is no field “{key[:60]}” here.", code="unknown")]
        if problems:
            raise serializers.ValidationError(problems)
        return value


class Content(StrictSerializer):
    """The bytes of a document: as text in UTF-8, or exactly, as base64."""

    text = Text(required=False, allow_blank=True, help_text="The document as text; it is kept in UTF-8.")
    base64 = Text(required=False, allow_blank=True, help_text="The exact bytes, RFC 4648 section 4 with padding.")

    default_error_messages = {
        "both": "Both text and base64 are given.",
        "neither": "Neither text nor base64 is given.",
        "not_base64": "This is not base64.",
        "declared_encoding": "The text declares the encoding {encoding}, but text is kept in UTF-8.",
    }
    content_required = True

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "text" in attrs and "base64" in attrs:
            self.fail("both")
        if self.content_required and not {"text", "base64"} & attrs.keys():
            self.fail("neither")
        attrs["content"] = self._bytes(attrs)
        return attrs

    def _bytes(self, attrs: Mapping[str, str]) -> bytes:
        if "base64" in attrs:
            try:
                return base64.b64decode("".join(attrs["base64"].split()), validate=True)
            except (binascii.Error, ValueError):
                raise self._at("base64", "not_base64") from None
        text = attrs.get("text", "")
        declared = _DECLARED_ENCODING.match(text)
        if declared is not None and declared[1].lower() not in _WHAT_TEXT_IS:
            raise self._at("text", "declared_encoding", encoding=declared[1])
        return text.encode()

    def _at(self, name: str, code: str, **words: str) -> serializers.ValidationError:
        message = self.error_messages[code].format(**words)
        return serializers.ValidationError({name: [ErrorDetail(message, code=code)]})
