"""What clients share when they turn an HTTP exchange into an answer: what a status may mean, and when to come back."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from integrations.connectors.base import Answer, AnswerKind, Observation, Presence
from integrations.http import Exchange, Outcome
from integrations.refusals import Refusal

MAX_RETRY_AFTER = 24 * 3600.0  # seconds
MAX_TEXT = 500  # characters of a detail that another system gives
_REFERENCE = re.compile(r"[!-~]{1,100}")
_NOT_ANSWERED = {
    Outcome.NOT_SENT: AnswerKind.NOT_SENT,
    Outcome.FORBIDDEN: AnswerKind.MISCONFIGURED,
    Outcome.UNKNOWN: AnswerKind.UNKNOWN,
}
# Statuses that say: the address or the sign-in is wrong, not the document. To try again is of no use.
MISCONFIGURED_STATUSES = frozenset({300, 301, 302, 303, 304, 305, 307, 308, 401, 403, 404, 405, 410})


def answer(
    kind: AnswerKind,
    sent: Exchange,
    *,
    detail: str = "",
    reference: str = "",
    refusal: Refusal | None = None,
    turned_away: bool = False,
) -> Answer:
    """An answer with the evidence of its exchange."""
    return Answer(
        kind=kind,
        reference=reference,
        refusal=refusal,
        http_status=sent.status,
        headers=sent.evidence,
        body=sent.body,
        detail=(detail or sent.detail)[:MAX_TEXT],
        retry_after=retry_after(sent.headers),
        turned_away=turned_away,
    )


def not_answered(sent: Exchange) -> Answer | None:
    """The answer when no whole one came, None when one did and has to be read."""
    kind = _NOT_ANSWERED.get(sent.outcome)
    return None if kind is None else answer(kind, sent, turned_away=sent.outcome is Outcome.FORBIDDEN)


def observation(presence: Presence, asked: Exchange, *, reference: str = "") -> Observation:
    """What a look-up found, with the evidence of its exchange; when it learned nothing, why, and whose fault."""
    detail = asked.detail
    if presence is Presence.UNANSWERED:
        wrong = asked.outcome is Outcome.ANSWERED and asked.status in MISCONFIGURED_STATUSES
        if wrong or asked.outcome is Outcome.FORBIDDEN:
            presence = Presence.MISCONFIGURED
        told = text_of(json_object(asked), "detail") or f"HTTP {asked.status}."
        detail = detail or (told if asked.status != 200 else "HTTP 200 with a body that means nothing to us.")
    return Observation(
        presence=presence,
        reference=reference,
        http_status=asked.status,
        headers=asked.evidence,
        body=asked.body,
        detail=detail,
        retry_after=retry_after(asked.headers),
    )


def json_object(sent: Exchange) -> dict[str, Any]:
    """The body as a JSON object; empty when it is anything else, which then means nothing to us."""
    if sent.media_type != "application/json":
        return {}
    try:
        content = json.loads(sent.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def text_of(content: Mapping[str, Any], name: str) -> str:
    """A text of another system, fit to be stored: without NUL and lone surrogates, not longer than a detail may be."""
    value = content.get(name)
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "").encode(errors="replace").decode()[:MAX_TEXT]


def reference_of(content: Mapping[str, Any], name: str) -> str:
    """A document reference of another system; empty when it is none: printable ASCII, up to 100 characters."""
    value = content.get(name)
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else ""


def retry_after(headers: Mapping[str, str], *, at: datetime | None = None) -> float | None:
    """Seconds until the target wants to be asked again, from its Retry-After header (RFC 9110 §10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    else:
        try:
            seconds = (parsedate_to_datetime(text) - (at or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
