"""The bank over HTTP: ask whether it has a payment, send a payment file once.

The bank answers a file with a status report, also one that it rejects: the report decides, not the HTTP status. It
takes a message identifier once, and our files derive theirs from their content, so a repeat shows itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from integrations.answers import (
    MISCONFIGURED_STATUSES,
    answer,
    json_object,
    not_answered,
    observation,
    reference_of,
    text_of,
    turned_away,
)
from integrations.connectors.base import (
    Answer,
    AnswerKind,
    Bundle,
    BundleAnswer,
    CannotList,
    Endpoint,
    Listed,
    Observation,
    Presence,
    Throttle,
    WaitIn,
)
from integrations.connectors.iso20022.files import one_for_all, take_apart
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, read_file
from integrations.connectors.iso20022.names import read_message
from integrations.connectors.iso20022.outcomes import Verdict, outcomes_of
from integrations.connectors.iso20022.reasons import guilty_payments, refusal_of
from integrations.connectors.iso20022.status import StatusReport, report_of
from integrations.connectors.iso20022.values import NOT_PROVIDED, decimal_of, looks_like
from integrations.http import Exchange, Outcome, exchange
from integrations.refusals import BatchOutcome, Category, MessageNotUnderstood, Refusal, RefusalError, Severity
from integrations.target_lists import entries, entries_of, time_in

_NO_FILE_CODES: Final = frozenset({"NOT_XML", "DOCTYPE_FORBIDDEN", "NOT_A_PAYMENT_FILE", "TOO_LARGE"})
# The bank documents that it answers these before it looks at the file.
THROTTLES: Final = (
    Throttle(429, "TOO_MANY_REQUESTS", WaitIn.RETRY_AFTER),
    Throttle(403, "RATE_LIMITED", WaitIn.RATE_LIMIT_RESET),
    Throttle(400, "REQUEST_LIMIT_EXCEEDED", WaitIn.TEXT),
    Throttle(503, "DOWN", WaitIn.RETRY_AFTER),
)
_SIGNED_OUT: Final = frozenset({"TOKEN_REFUSED", "TOKEN_EXPIRED"})
_REPORT_STATUSES: Final = frozenset({200, 201, 202, 400, 409, 422})


class BankClient:
    """Payments live at `<endpoint.url>/payments`. The bank takes each message identifier once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._payments = endpoint.url.rstrip("/") + "/payments"

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        try:
            file = read_file(content)
        except MessageNotUnderstood as error:
            return Observation(Presence.UNANSWERED, detail=error.problem)
        asked = self._ask(file)
        presence, reference = _presence(asked, file)
        told = json_object(asked)
        said, code = text_of(told, "detail"), text_of(told, "code")
        return observation(presence, asked, reference=reference, said=said, code=code, throttles=THROTTLES)

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
        headers = {**self._headers(), "Content-Type": media_type, "Idempotency-Key": key}
        sent = exchange("POST", self._payments, headers=headers, body=content, timeout=self._endpoint.timeout)
        return not_answered(sent) or _read(sent, content)

    def submit_bundle(self, *, key: str, bundle: Bundle, contents: Sequence[bytes]) -> BundleAnswer:
        headers = {**self._headers(), "Content-Type": bundle.media_type, "Idempotency-Key": key}
        sent = exchange("POST", self._payments, headers=headers, body=bundle.body, timeout=self._endpoint.timeout)
        failed = not_answered(sent)
        if failed is not None:
            return one_for_all(failed, contents)
        if _is_report(sent):
            return take_apart(sent, bundle.body, contents)
        return one_for_all(_read(sent, bundle.body), contents)

    def booked_between(self, since: datetime, until: datetime) -> Iterator[Listed]:
        found = entries(
            f"{self._payments}/booked",
            "payments",
            since=since,
            until=until,
            headers=self._headers(),
            timeout=self._endpoint.timeout,
        )
        return map(_listed, found)

    def booked_under(self, content: bytes) -> Sequence[Listed]:
        try:
            file = read_file(content)
        except MessageNotUnderstood as error:
            raise CannotList(error.problem) from error
        return [_listed(entry) for entry in entries_of(self._ask(file), "payments")]

    def is_same(self, listed: Listed, content: bytes) -> bool:
        try:
            file = read_file(content)
        except MessageNotUnderstood:
            return False
        return any(_like(payment, [dict(listed.told)]) for payment in file.payments)

    def _ask(self, file: PaymentFile) -> Exchange:
        url = f"{self._payments}?{urlencode(_question(file))}"
        return exchange("GET", url, headers=self._headers(), timeout=self._endpoint.timeout)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._endpoint.token}", "Accept": "application/xml, application/json"}


def _listed(entry: Mapping[str, Any]) -> Listed:
    """Under the name that a payment has with all: the debtor's account and the end-to-end identifier."""
    reference = reference_of(entry, "reference")
    if not reference:
        raise CannotList("An entry of the bank's list has no reference.")
    name = text_of(entry, "end_to_end_id")
    if name in ("", NOT_PROVIDED):
        name = text_of(entry, "instruction_id")
    key = f"{text_of(entry, 'debtor_account')}|{name}" if name else ""
    return Listed(key, reference, time_in(entry, "booked_at"), entry)


def _question(file: PaymentFile) -> dict[str, str]:
    """By the end-to-end identifier; a payment without one, and a bundle, by the file that it went in."""
    first = file.payments[0]
    if len(file.payments) == 1 and first.given_end_to_end_id:
        return {"debtor": first.debtor_account, "end_to_end_id": first.given_end_to_end_id}
    return {"debtor": first.debtor_account, "message_id": file.message_id}


def _presence(asked: Exchange, file: PaymentFile) -> tuple[Presence, str]:
    told = json_object(asked).get("payments")
    if asked.outcome is not Outcome.ANSWERED or asked.status != 200 or not isinstance(told, list):
        return Presence.UNANSWERED, ""
    if not told:
        return Presence.ABSENT, ""
    if not all(isinstance(found, dict) and reference_of(found, "reference") for found in told):
        return Presence.UNANSWERED, ""
    same = {payment: _like(payment, told) for payment in file.payments}
    if all(same.values()):
        return Presence.SAME, reference_of(same[file.payments[0]][0], "reference")
    return Presence.DIFFERENT, reference_of(told[0], "reference")


def _like(payment: Payment, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the bank has that moves the same money to the same account."""
    money = payment.money
    return [
        found
        for found in told
        if money is not None
        and _amount(found) == money.amount
        and text_of(found, "currency") == money.currency
        and looks_like(text_of(found, "creditor_account")) == payment.creditor_account
        and text_of(found, "end_to_end_id") == payment.end_to_end_id
    ]


def _amount(found: Mapping[str, Any]) -> Decimal | None:
    return decimal_of(text_of(found, "amount"))


def _read(sent: Exchange, content: bytes) -> Answer:
    told = json_object(sent)
    code, detail = text_of(told, "code"), text_of(told, "detail")
    away = turned_away(sent, THROTTLES, code=code, text=detail, signed_out=_SIGNED_OUT)
    if away is not None:
        return away
    match sent.status:
        case _ if _is_report(sent):
            return _read_report(sent, content)
        case 400 | 413 if code in _NO_FILE_CODES:
            return answer(AnswerKind.REFUSED, sent, refusal=_no_file(told))
        case status if status in MISCONFIGURED_STATUSES:
            return answer(AnswerKind.MISCONFIGURED, sent, detail=detail or f"HTTP {status}.")
        case status:
            return answer(AnswerKind.UNKNOWN, sent, detail=f"HTTP {status} with a body that means nothing to us.")


def _is_report(sent: Exchange) -> bool:
    return sent.status in _REPORT_STATUSES and sent.media_type in ("application/xml", "text/xml")


def _read_report(sent: Exchange, content: bytes) -> Answer:
    try:
        file = read_file(content)
        report = report_of(read_message(sent.body, field="refusal"))
        outcomes = outcomes_of(file, report)
    except MessageNotUnderstood as error:
        return answer(AnswerKind.UNKNOWN, sent, detail=f"The status report cannot be read: {error.problem}")
    if report.message_id != file.message_id:
        return answer(AnswerKind.UNKNOWN, sent, detail="The status report does not name the file that was sent.")
    said = {verdict.outcome for verdict in outcomes.verdicts}
    if said == {BatchOutcome.ACCEPTED}:
        return answer(AnswerKind.CONFIRMED, sent, reference=_reference(outcomes.verdicts, report))
    if said != {BatchOutcome.REJECTED}:
        words = outcomes.totals.in_words(unit="payments")
        decided_on_some = said & {BatchOutcome.ACCEPTED, BatchOutcome.REJECTED}
        kind = AnswerKind.UNKNOWN if decided_on_some else AnswerKind.PENDING
        return answer(kind, sent, detail=f"The bank has not decided on everything: {words}.")
    refusal = refusal_of(outcomes.verdicts[0], file, file, guilty=guilty_payments(file, report))
    if refusal.category is Category.DUPLICATE:
        return answer(AnswerKind.ALREADY_EXISTS, sent, detail=refusal.errors[0].plain)
    return answer(AnswerKind.REFUSED, sent, refusal=refusal)


def _reference(verdicts: tuple[Verdict, ...], report: StatusReport) -> str:
    """The bank's reference of the booking, else of its report."""
    given = verdicts[0].entry.reference if len(verdicts) == 1 and verdicts[0].entry is not None else ""
    return reference_of({"reference": given or report.report_id}, "reference")


def _no_file(told: Mapping[str, Any]) -> Refusal:
    text = text_of(told, "detail")
    error = RefusalError(code=text_of(told, "code"), severity=Severity.ERROR, text=text, plain=text)
    return Refusal(category=Category.SCHEMA, sub="not_a_document", auto_retry=False, errors=(error,))
