"""Reading a request body that may be hostile: bounded, strict JSON in UTF-8."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import Problem, at
from integrations import safe_json


class SafeJSONParser(BaseParser):
    """JSON without NaN, duplicate keys, deep nesting, NUL or lone surrogates; numbers with a fraction stay exact."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {})["request"]
        charset = request.content_params.get("charset", "utf-8").strip("'\" ").lower()
        if charset not in ("utf-8", "utf8", "us-ascii"):
            raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, f"The body is declared as {charset[:40]}. Send it as UTF-8.")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise _too_large(limit)
        try:
            return safe_json.loads(data, max_bytes=limit)
        except safe_json.UnsafeJson as error:
            raise Problem(
                kinds.MALFORMED, error.problem, errors=[at(error.pointer, error.problem, error.remedy)]
            ) from None


def _too_large(limit: int) -> Problem:
    return Problem(kinds.TOO_LARGE, f"The request has more than the {limit:,} bytes that are accepted. Split it.")
