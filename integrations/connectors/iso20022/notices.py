"""Answers that are no status report: a notice in JSON, or nothing but an HTTP status."""

from typing import Final

from integrations.refusals import Category, MessageNotUnderstood, Refusal, RefusalError, Severity
from integrations.safe_json import UnsafeJson, loads

_SEND_REPORT: Final = "Send the bank's status report (pain.002), or the HTTP status of its answer."
_MAX_TEXT: Final = 2000
_SUBS: Final = {401: "auth", 403: "auth", 429: "rate_limit", 408: "timeout", 504: "timeout"}
_WORDS: Final = {
    "auth": "The bank refused our sign-in.",
    "rate_limit": "The bank asked us to slow down.",
    "timeout": "The bank did not answer in time. It may have booked the payments.",
    "server_error": "The bank had a fault. It may have booked the payments.",
}


def notice_refusal(body: bytes, status: int | None) -> Refusal:
    """What such an answer says of every payment of the file; raises MessageNotUnderstood when it says nothing."""
    if status in _SUBS or (status is not None and status >= 500):
        return _transport(status)
    if not body.strip():
        raise MessageNotUnderstood("The refusal is empty.", field="refusal", remedy=_SEND_REPORT)
    try:
        said = loads(body)
    except UnsafeJson as unsafe:
        raise MessageNotUnderstood(unsafe.problem, field="refusal", remedy=_SEND_REPORT) from None
    notice = said if isinstance(said, dict) else {}
    code = _word(notice, "code")
    text = _word(notice, "detail", "message", "title") or code
    if not text:
        raise MessageNotUnderstood("The refusal names no code and no reason.", field="refusal", remedy=_SEND_REPORT)
    error = RefusalError(code or f"HTTP {status}", Severity.ERROR, text, plain=f"The bank says: {text}")
    return Refusal(Category.UNCLASSIFIED, "", auto_retry=False, errors=(error,))


def _transport(status: int) -> Refusal:
    """The way there failed, not the file. Only sign-in and throttling tell for certain that nothing was booked."""
    sub = _SUBS.get(status, "server_error")
    error = RefusalError(
        f"HTTP {status}", Severity.ERROR, f"HTTP status {status} without a status report.", plain=_WORDS[sub]
    )
    certain = sub in ("auth", "rate_limit")
    return Refusal(Category.TRANSPORT, sub, auto_retry=sub != "auth", errors=(error,), definitive=certain)


def _word(said: dict[str, object], *keys: str) -> str:
    return next((" ".join(str(said[key]).split())[:_MAX_TEXT] for key in keys if isinstance(said.get(key), str)), "")
