"""The ERP's master data over HTTP: ask which changes of a partner it has, put a partner once.

To put the same again changes nothing, so that a repeat is harmless while nobody else changes the partner. Whether ours
arrived is therefore asked of the list of changes and not of what is there now: another may have come after it.
"""

from typing import Any
from urllib.parse import quote

from integrations.answers import MISCONFIGURED_STATUSES, answer, not_answered, observation, turned_away
from integrations.connectors.base import Answer, AnswerKind, Endpoint, Observation, Presence
from integrations.connectors.erp.client import SIGNED_OUT, THROTTLES, error_in, head_of, json_of
from integrations.connectors.erp_master.codes import meaning_of
from integrations.connectors.erp_master.document import Partner, read_partner, says_the_same
from integrations.connectors.erp_master.parse import refusal_of
from integrations.http import Exchange, Outcome, exchange
from integrations.refusals import Category, MessageNotUnderstood

_REFUSED = frozenset({400, 409, 412, 422, 423})


class MasterDataClient:
    """Partners live at `<endpoint.url>/partners/<kind>/<number>`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._partners = endpoint.url.rstrip("/") + "/partners"

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        """Absent also where the partner is there and our change never came: to put it is what changes it."""
        try:
            partner = read_partner(content)
        except MessageNotUnderstood as error:
            return Observation(Presence.UNANSWERED, detail=error.problem)
        asked = exchange("GET", self._address(partner), headers=self._headers(), timeout=self._endpoint.timeout)
        presence, reference, detail = _presence(asked, partner)
        code, said = head_of(error_in(asked))
        return observation(
            presence, asked, reference=reference, detail=detail, said=said, code=code, throttles=THROTTLES
        )

    def submit(
        self,
        *,
        key: str,
        object_type: str,
        business_key: str,
        content: bytes,
        media_type: str,
        despite_warnings: bool = False,
    ) -> Answer:
        try:
            partner = read_partner(content)
        except MessageNotUnderstood as error:
            return Answer(AnswerKind.MISCONFIGURED, detail=error.problem, turned_away=True)
        headers = {
            **self._headers(),
            "Content-Type": media_type,
            "Idempotency-Key": key,
            "Prefer": f"handling={'lenient' if despite_warnings else 'strict'}",
        }
        timeout = self._endpoint.timeout
        sent = exchange("PUT", self._address(partner), headers=headers, body=content, timeout=timeout)
        return not_answered(sent) or _read(sent, partner)

    def _address(self, partner: Partner) -> str:
        return f"{self._partners}/{partner.kind}/{quote(partner.number, safe='')}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._endpoint.token}", "Accept": "application/json"}


def _read(sent: Exchange, partner: Partner) -> Answer:
    error = error_in(sent)
    code, text = head_of(error)
    away = turned_away(sent, THROTTLES, code=code, text=text, signed_out=SIGNED_OUT)
    if away is not None:
        return away
    match sent.status:
        case 200 | 201 if error is not None:
            if all(meaning_of(message.code) is not None for message in error.messages):
                return _read_refusal(sent, partner)
            return answer(AnswerKind.UNKNOWN, sent, detail=f"Answered with success and an error: {text}")
        case 200 | 201:
            reference = _reference(json_of(sent), partner)
            if not reference:
                return answer(AnswerKind.UNKNOWN, sent, detail="Accepted without the partner's number and version.")
            return answer(AnswerKind.CONFIRMED, sent, reference=reference)
        case status if status in _REFUSED and error is not None:
            return _read_refusal(sent, partner)
        case status if status in MISCONFIGURED_STATUSES:
            return answer(AnswerKind.MISCONFIGURED, sent, detail=text or f"HTTP {status}.")
        case status:
            return answer(AnswerKind.UNKNOWN, sent, detail=f"HTTP {status} with a body that means nothing to us.")


def _read_refusal(sent: Exchange, partner: Partner) -> Answer:
    try:
        refusal = refusal_of(partner, body=sent.body, status=sent.status)
    except MessageNotUnderstood as error:
        return answer(AnswerKind.UNKNOWN, sent, detail=f"The answer cannot be read: {error.problem}")
    if refusal.category is Category.DUPLICATE:
        return answer(AnswerKind.ALREADY_EXISTS, sent, detail=refusal.errors[0].text)
    return answer(AnswerKind.REFUSED, sent, refusal=refusal)


def _reference(told: dict[str, Any], partner: Partner) -> str:
    """`S-2001/3`: number and version, for the partner that was sent."""
    version = told.get("version")
    named = told.get("partner") == partner.number and type(version) is int and version >= 1
    return f"{partner.number}/{version}" if named else ""


def _presence(asked: Exchange, partner: Partner) -> tuple[Presence, str, str]:
    changes = json_of(asked).get("changes")
    if asked.outcome is not Outcome.ANSWERED or asked.status != 200 or not isinstance(changes, list):
        return Presence.UNANSWERED, "", ""
    if not changes:
        return Presence.ABSENT, "", ""
    if not all(
        isinstance(row, dict) and _reference(row, partner) and isinstance(row.get("content"), dict) for row in changes
    ):
        return Presence.UNANSWERED, "", "The ERP's answer lacks a version or the partner itself."
    newest = _reference(changes[-1], partner)
    ours = [row for row in changes if says_the_same(partner, row["content"])]
    if not ours:
        return Presence.ABSENT, "", f"The ERP has it as {newest}, with other content; this change is not among its own."
    found = _reference(ours[-1], partner)
    changed_since = "" if found == newest else f"It was changed again since, to {newest}."
    return Presence.SAME, found, changed_since
