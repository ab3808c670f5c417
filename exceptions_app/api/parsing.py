"""Reading a request body that may be hostile: bounded, strict JSON in UTF-8."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, at, pointer_to
from integrations import safe_json


class SafeJSONParser(BaseParser):
    """JSON without NaN, duplicate keys, deep nesting, NUL or lone surrogates; numbers with a fraction stay exact."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        data = _bounded(stream, parser_context or {})
        try:
            return safe_json.loads(data, max_bytes=len(data))
        except safe_json.UnsafeJson as error:
            raise _malformed(error) from None


class JsonLinesParser(BaseParser):
    """A message on each line. A line that cannot be read is the problem of that line, which stands in its place."""

    media_type = "application/x-ndjson"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        lines = _bounded(stream, parser_context or {}).split(b"\n")
        return {"messages": [_line(line, place) for place, line in enumerate(_written(lines))]}


def _written(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip())


def _line(line: bytes, place: int) -> Any:
    try:
        return safe_json.loads(line, max_bytes=len(line))
    except safe_json.UnsafeJson as error:
        return _malformed(error, "messages", place)


def _bounded(stream: IO[Any], context: Mapping[str, Any]) -> bytes:
    """The body, in UTF-8 and no longer than this address takes."""
    request = context["request"]
    charset = request.content_params.get("charset", "utf-8").strip("'\" ").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, f"The body is declared as {charset[:40]}. Send it as UTF-8.")
    limit: int = getattr(context.get("view"), "most_bytes", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    data: bytes = stream.read(limit + 1)
    if len(data) > limit:
        raise _too_large(limit)
    return data


def _malformed(error: safe_json.UnsafeJson, *steps: object) -> Problem:
    pointer = pointer_to(*steps) + error.pointer
    return Problem(kinds.MALFORMED, error.problem, errors=[at(pointer, error.problem, error.remedy)])


def _too_large(limit: int) -> Problem:
    return Problem(kinds.TOO_LARGE, f"The request has more than the {limit:,} bytes that are accepted. Split it.")
