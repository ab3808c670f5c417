"""The bank's reasons for one payment as a refusal: category, plain words, and the field that they speak of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from integrations.connectors.iso20022.codes import Reason, reason_of
from integrations.connectors.iso20022.fields import field_about
from integrations.connectors.iso20022.initiation import Payment, PaymentFile
from integrations.connectors.iso20022.names import text
from integrations.connectors.iso20022.narrative import fault_in, payments_named_in, value_not_of_its_type
from integrations.connectors.iso20022.outcomes import Verdict
from integrations.connectors.iso20022.reason_groups import About
from integrations.connectors.iso20022.status import BLOCKED, StatusReason, StatusReport, outcome_of
from integrations.refusals import BatchOutcome, Category, Refusal, RefusalError, Severity

UNDETERMINED: Final = "und"  # BCP 47: the bank does not say in which language it writes
NO_CODE: Final = "NARR"

_MAX_TEXT: Final = 2000


def refusal_of(verdict: Verdict, file: PaymentFile, own: PaymentFile, *, guilty: Sequence[Payment]) -> Refusal:
    """Why a payment of `file` did not go through. `own` is the file that holds it alone, into which paths lead.

    `guilty` are the payments because of which the bank refused the file as a whole, where it names any.
    """
    found = [_error(reason, file, own) for reason in verdict.reasons] or [_no_reason(verdict)]
    category, sub, auto_retry = _classified(verdict, found)
    errors = tuple(dict.fromkeys(error for error, _ in found))
    if verdict.level == "file" and guilty and verdict.payment not in guilty:
        names = ", ".join(other.end_to_end_id or str(other.position) for other in guilty[:3])
        words = f"The bank refused the whole file; its text names payment {names}. Nothing is said against this one."
        sub, errors = "file_refused", tuple(replace(error, plain=words) for error in errors)
    if verdict.outcome is BatchOutcome.UNCLEAR:
        errors = (*errors, _UNCLEAR)
    certain = verdict.is_certain and verdict.status != BLOCKED and verdict.outcome is BatchOutcome.REJECTED
    return Refusal(
        category=category,
        sub=sub,
        auto_retry=auto_retry and certain,
        errors=errors,
        # A repeat may be booked already, and so may be what the bank blocked or does not tell apart.
        definitive=certain and category is not Category.DUPLICATE,
    )


_UNCLEAR: Final = RefusalError(
    code="UNCLEAR",
    severity=Severity.WARNING,
    text="The report fits several payments of the file.",
    plain="The bank's report does not tell this payment from another one of the file. Ask the bank which one it means.",
)

_Found = tuple[RefusalError, Reason | None]


def _classified(verdict: Verdict, found: Sequence[_Found]) -> tuple[Category, str, bool]:
    """By the first reason that says anything; a machine may try again only when every reason allows it."""
    if verdict.status == BLOCKED:
        return Category.POLICY_HOLD, "blocked", False
    known = [reason for _, reason in found if reason is not None and reason.category is not Category.UNCLASSIFIED]
    if known:
        every = all(reason is not None and reason.auto_retry for _, reason in found)
        return known[0].category, known[0].sub, every
    vague = next((reason for _, reason in found if reason is not None), None)
    return Category.UNCLASSIFIED, vague.sub if vague is not None else "", False


def _error(reason: StatusReason, file: PaymentFile, own: PaymentFile) -> _Found:
    known = reason_of(reason.code)
    objected = value_not_of_its_type(reason.text)
    if objected and (known is None or known.category in (Category.UNCLASSIFIED, Category.SCHEMA)):
        known = Reason(reason.code or NO_CODE, Category.SCHEMA, "format", auto_retry=False, plain="")
    payment = own.payments[0]
    about = known.about if known is not None else About.PAYMENT
    place = field_about(about, own, payment)
    fault = fault_in(reason.text, own, payment) if place is None and reason.text else None
    field = place or (fault.field if fault is not None else None)
    error = RefusalError(
        code=(reason.code or NO_CODE)[:100],
        severity=Severity.ERROR,
        text=(reason.text or (known.plain if known is not None else "") or reason.code)[:_MAX_TEXT],
        plain=_plain(reason, known, objected, field.label if field else "", file),
        path=reason.path,
        field_path=field.path if field else "",
        term=field.term if field else "",
        field=field.label if field else "",
        proposed_value=fault.proposed if fault is not None else None,
        language=UNDETERMINED if reason.text else "en",
    )
    return error, known


def _plain(reason: StatusReason, known: Reason | None, objected: str, label: str, file: PaymentFile) -> str:
    if objected:
        if _is_stated_total(objected, file):
            return f"The file states a control sum of “{objected}”, which is not written as a number."
        return f"{label or 'A field'}: “{objected}” is not written as the format asks."
    if known is not None and known.plain:
        return known.plain
    if reason.text:
        return f"The bank says: {reason.text[:_MAX_TEXT]}"
    if reason.is_proprietary:
        return f"The bank gives its own code {reason.code}. Look it up in the bank's description, or ask the bank."
    return f"The bank gives the code {reason.code or NO_CODE} without a text. Ask it what is meant."


def _is_stated_total(value: str, file: PaymentFile) -> bool:
    return any(text(holder, "CtrlSum") == value for holder in (file.header, *file.blocks))


def _no_reason(verdict: Verdict) -> _Found:
    error = RefusalError(
        code=verdict.status or NO_CODE,
        severity=Severity.ERROR,
        text=f"Status {verdict.status or 'unknown'} without a reason.",
        plain="The bank rejects it and gives no reason. Ask it for the reason.",
        path=verdict.entry.path if verdict.entry is not None else "",
    )
    return error, reason_of("MS03")


def guilty_payments(file: PaymentFile, report: StatusReport) -> list[Payment]:
    """The payments with a value that the bank's text on the whole file names, where it refused the file as a whole."""
    texts = [reason.text for reason in report.level.reasons if reason.text]
    if outcome_of(report.level.status) is not BatchOutcome.REJECTED or not texts:
        return []
    return payments_named_in(texts, file.payments)
