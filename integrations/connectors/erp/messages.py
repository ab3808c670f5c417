"""The messages in an answer of the ERP: SAP Gateway's error body (OData 2), and that of OData 4.

Source: SAP help, "Error Response Control" of SAP Gateway Foundation; OData JSON Format 4.01, section 21.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.connectors.erp.codes import meaning_of
from integrations.refusals import MessageNotUnderstood, Severity
from integrations.safe_json import UnsafeJson, loads

MAX_TEXT: Final = 2000  # characters kept of one message
MAX_MESSAGES: Final = 200
SEND_ERROR: Final = "Send the ERP's answer as it came: a JSON object with error, its code and its message."

_SEVERITIES: Final = {
    "error": Severity.ERROR,
    "abort": Severity.ERROR,
    "warning": Severity.WARNING,
    "info": Severity.INFO,
    "success": Severity.INFO,
}
_NUMERIC_SEVERITIES: Final = {1: Severity.INFO, 2: Severity.INFO, 3: Severity.WARNING, 4: Severity.ERROR}
_NUMERIC_SEVERITY: Final = ("@Common.numericSeverity", "@SAP__common.numericSeverity")


@dataclass(frozen=True, slots=True)
class Message:
    code: str
    text: str
    severity: Severity = Severity.ERROR
    place: str = ""  # as the ERP names it
    language: str = "en"


@dataclass(frozen=True, slots=True)
class ErrorBody:
    messages: tuple[Message, ...]
    transaction_id: str = ""


def read_error(body: bytes) -> ErrorBody:
    """Every message of an answer; raises MessageNotUnderstood when it is no error body."""
    try:
        content = loads(body)
    except UnsafeJson as unsafe:
        raise MessageNotUnderstood(unsafe.problem, field="refusal", remedy=SEND_ERROR) from None
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        raise MessageNotUnderstood("The refusal holds no error.", field="refusal", remedy=SEND_ERROR)
    inner = error.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    language = _language(error.get("message"))
    found = [_detail(row, language) for row in (*_rows(inner, "errordetails"), *_rows(error, "details"))]
    details = list(dict.fromkeys(message for message in found if message.code or message.text))
    head = Message(_line(error, "code"), _head_text(error), place=_line(error, "target"), language=language)
    messages = _with_head(head, details)
    if not messages:
        raise MessageNotUnderstood("The error names no code and no reason.", field="refusal", remedy=SEND_ERROR)
    return ErrorBody(tuple(messages), _line(inner, "transactionid"))


def _with_head(head: Message, details: list[Message]) -> list[Message]:
    """The head repeats a detail or announces them; it counts as a message of its own only where it says more."""
    if not head.code and not head.text:
        return details
    meaning = meaning_of(head.code)
    announces = meaning is None or meaning.generic
    repeats = any(detail.code == head.code for detail in details)
    return details if details and (announces or repeats) else [head, *details]


def _rows(holder: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = holder.get(name)
    return [row for row in rows[:MAX_MESSAGES] if isinstance(row, dict)] if isinstance(rows, list) else []


def _detail(row: Mapping[str, Any], language: str) -> Message:
    place = _line(row, "propertyref") or _line(row, "target")
    return Message(_line(row, "code"), _head_text(row), _severity(row), place, language)


def _severity(row: Mapping[str, Any]) -> Severity:
    """What does not say how grave it is counts as an error."""
    for name in _NUMERIC_SEVERITY:
        if type(row.get(name)) is int:
            return _NUMERIC_SEVERITIES.get(row[name], Severity.ERROR)
    return _SEVERITIES.get(_line(row, "severity").lower(), Severity.ERROR)


def _head_text(row: Mapping[str, Any]) -> str:
    message = row.get("message")
    return _line(message, "value") if isinstance(message, dict) else _line(row, "message")


def _language(message: Any) -> str:
    return (_line(message, "lang") if isinstance(message, dict) else "")[:10] or "en"


def _line(row: Mapping[str, Any], name: str) -> str:
    """A text or number as one line."""
    value = row.get(name)
    if value is None or isinstance(value, dict | list | bool):
        return ""
    return " ".join(str(value).split())[:MAX_TEXT]
