"""What clients share when they turn an HTTP exchange into an answer: what a status may mean, and when to come back.

A target turns a request away in the ways that its connector declares, by status and code together; the same status
without the code may come from anything in between, and says nothing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from integrations.connectors.base import Answer, AnswerKind, Observation, Presence, Throttle, WaitIn
from integrations.http import Exchange, Outcome
from integrations.refusals import Refusal

MAX_RETRY_AFTER = 24 * 3600.0  # seconds
MAX_TEXT = 500  # characters of a detail that another system gives
_SECONDS_IN_TEXT = re.compile(r"\bin ([0-9]{1,6}) seconds?\b", re.IGNORECASE)
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


def turned_away(
    sent: Exchange, throttles: Sequence[Throttle], *, code: str, text: str, signed_out: frozenset[str]
) -> Answer | None:
    """The answer of a target that did not look at the document, in one of the ways that it declares; else None.

    `signed_out` are the codes by which it refuses a sign-in: that is for a person to mend.
    """
    if sent.status == 401 and code in signed_out:
        return answer(AnswerKind.MISCONFIGURED, sent, detail=text or f"HTTP {sent.status}.", turned_away=True)
    throttle = _throttle(sent, throttles, code=code)
    if throttle is None:
        return None
    return replace(
        answer(AnswerKind.NOT_SENT, sent, detail=text), retry_after=_wait_asked_for(throttle, sent.headers, text)
    )


def _throttle(sent: Exchange, throttles: Sequence[Throttle], *, code: str) -> Throttle | None:
    return next((found for found in throttles if (found.status, found.code) == (sent.status, code)), None)


def _wait_asked_for(throttle: Throttle, headers: Mapping[str, str], text: str) -> float | None:
    """Seconds; None when it does not say."""
    match throttle.wait_in:
        case WaitIn.RATE_LIMIT_RESET:
            return _until_reset(headers)
        case WaitIn.TEXT:
            found = _SECONDS_IN_TEXT.search(text)
            return min(float(found[1]), MAX_RETRY_AFTER) if found else None
    return retry_after(headers)


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """By the target's own clock where it tells its time, since ours may differ from it."""
    reset = headers.get("x-ratelimit-reset", "").strip()
    if not reset.isascii() or not reset.isdigit():
        return None
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        now = datetime.now(UTC).timestamp()
    return min(max(float(reset[:12]) - now, 0.0), MAX_RETRY_AFTER)


def observation(
    presence: Presence,
    asked: Exchange,
    *,
    reference: str = "",
    detail: str = "",
    said: str = "",
    code: str = "",
    throttles: Sequence[Throttle] = (),
) -> Observation:
    """What a look-up found, with the evidence of its exchange; when it learned nothing, why, and whose fault.

    `said` and `code` are what the target's own error body holds, if it sent one.
    """
    wait = retry_after(asked.headers)
    detail = detail or asked.detail
    if presence is Presence.UNANSWERED:
        throttle = _throttle(asked, throttles, code=code)
        wrong = asked.outcome is Outcome.ANSWERED and asked.status in MISCONFIGURED_STATUSES
        if throttle is not None:
            wait = _wait_asked_for(throttle, asked.headers, said)
        elif wrong or asked.outcome is Outcome.FORBIDDEN:
            presence = Presence.MISCONFIGURED
        told = said or f"HTTP {asked.status}."
        detail = detail or (told if asked.status != 200 else "HTTP 200 with a body that means nothing to us.")
    return Observation(
        presence=presence,
        reference=reference,
        http_status=asked.status,
        headers=asked.evidence,
        body=asked.body,
        detail=detail,
        retry_after=wait,
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
