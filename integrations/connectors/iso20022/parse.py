"""A payment file and what the bank said of it: one refused transaction for each payment that did not go through."""

from dataclasses import replace
from typing import Final

from integrations.connectors.base import IncomingMessage
from integrations.connectors.iso20022.envelope import single
from integrations.connectors.iso20022.identity import business_key_of
from integrations.connectors.iso20022.initiation import PaymentFile, file_of, read_file
from integrations.connectors.iso20022.names import INITIATION, STATUS_REPORT, Message, read_message
from integrations.connectors.iso20022.notices import notice_refusal
from integrations.connectors.iso20022.outcomes import Outcomes, outcomes_of
from integrations.connectors.iso20022.read import record_of
from integrations.connectors.iso20022.reasons import guilty_payments, refusal_of
from integrations.connectors.iso20022.rebuild import rebuild
from integrations.connectors.iso20022.status import StatusReport, outcome_of, report_of
from integrations.connectors.iso20022.totals import totals_of_the_report
from integrations.records.payment import PaymentRecord
from integrations.refusals import (
    Batch,
    BatchOutcome,
    BatchPosition,
    MessageNotUnderstood,
    Refusal,
    RefusedTransaction,
)

OBJECT_TYPE: Final = "payment"
XML_MEDIA_TYPE: Final = "application/xml"

_NOT_DONE: Final = frozenset({BatchOutcome.REJECTED, BatchOutcome.UNCLEAR})
_UNIT: Final = "payments"
_REBUILT: Final = "The payment file did not come with the report; the totals are of the rejected payments alone."


def parse(message: IncomingMessage) -> list[RefusedTransaction]:
    """One transaction for each payment that was rejected, none for the others; raises MessageNotUnderstood."""
    initiation, answer = _sorted_out(message)
    if answer is None:
        return _of_a_notice(message, initiation)
    report = report_of(answer)
    if initiation is None:
        return _without_the_file(message, report)
    file = file_of(initiation)
    outcomes = outcomes_of(file, report)
    return _transactions(message, file, report, outcomes)


def batch(message: IncomingMessage) -> Batch | None:
    """The whole file, where none of its payments was rejected; raises MessageNotUnderstood."""
    initiation, answer = _sorted_out(message)
    if answer is None:
        return None
    report = report_of(answer)
    if initiation is None:
        return Batch(report.message_id, _UNIT, totals_of_the_report(report))
    file = file_of(initiation)
    return _whole(file, outcomes_of(file, report))


def _whole(file: PaymentFile, outcomes: Outcomes) -> Batch:
    return Batch(file.message_id, _UNIT, outcomes.totals)


def _sorted_out(message: IncomingMessage) -> tuple[Message | None, Message | None]:
    """The payment file and the status report, whichever of the two places each was sent in."""
    found: dict[str, Message] = {}
    for data, field in ((message.payload, "payload"), (message.refusal, "refusal")):
        if _is_xml(data) or (field == "payload" and data.strip()):
            read = read_message(data, field=field)
            if read.kind not in (INITIATION, STATUS_REPORT):
                raise MessageNotUnderstood(
                    f"The document is “{read.name or read.kind}”, neither a pain.001 nor a pain.002.",
                    field=field,
                    remedy="Send the payment file (pain.001) and the bank's status report (pain.002).",
                )
            found.setdefault(read.kind, read)
    return found.get(INITIATION), found.get(STATUS_REPORT)


def _is_xml(data: bytes) -> bool:
    start = data.lstrip(b" \t\r\n")
    return start.startswith((b"<", b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff"))


def _of_a_notice(message: IncomingMessage, initiation: Message | None) -> list[RefusedTransaction]:
    """No status report came: the answer is a notice in JSON, or nothing but an HTTP status."""
    if initiation is None:
        raise MessageNotUnderstood(
            "The message holds no payment file.",
            remedy="Send the payment file (pain.001) together with the bank's status report (pain.002).",
        )
    file = file_of(initiation)
    refusal = notice_refusal(message.refusal, message.refusal_status)
    made = []
    for payment in file.payments:
        payload = single(file, payment)
        batch = BatchPosition(file.message_id, payment.position, len(file.payments))
        made.append(_transaction(message, payload, read_file(payload), refusal, batch))
    return made


def _without_the_file(message: IncomingMessage, report: StatusReport) -> list[RefusedTransaction]:
    """Only a report came. What it repeats of the payments may be enough; what rejects nothing needs no file."""
    if not report.rejects_anything:
        return []
    file = rebuild(report)
    if file is None:
        name = report.message_id or "that it answers"
        raise MessageNotUnderstood(
            f"The status report rejects {_rejected_in_words(report)}, and the payment file did not come with it.",
            field="payload",
            remedy=f"Send the payment file (pain.001) {name} as the payload, together with this report.",
        )
    outcomes = outcomes_of(file, report)
    totals = replace(outcomes.totals, findings=(_REBUILT,))
    return _transactions(message, file, report, replace(outcomes, totals=totals))


def _rejected_in_words(report: StatusReport) -> str:
    rejected = [entry for entry in report.payments if outcome_of(entry.status) is BatchOutcome.REJECTED]
    if rejected:
        codes = {entry: ", ".join(reason.code or reason.text for reason in entry.reasons) for entry in rejected}
        named = [f"{entry.name} ({code or 'no reason'})" for entry, code in codes.items()]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        return f"{len(rejected)} payment(s): {', '.join(named[:5])}{more}"
    levels = [report.level, *(block.level for block in report.blocks)]
    reasons = [reason for level in levels for reason in level.reasons]
    said = "; ".join(f"{reason.code} {reason.text}".strip() for reason in reasons[:3])
    return f"the file {report.message_id}".strip() + (f" ({said})" if said else "")


def _transactions(
    message: IncomingMessage, file: PaymentFile, report: StatusReport, outcomes: Outcomes
) -> list[RefusedTransaction]:
    guilty = guilty_payments(file, report)
    whole = _whole(file, outcomes)
    made = []
    for verdict in outcomes.verdicts:
        if verdict.outcome in _NOT_DONE:
            payload = single(file, verdict.payment)
            own = read_file(payload)
            refusal = refusal_of(verdict, file, own, guilty=guilty)
            position = BatchPosition(file.message_id, verdict.payment.position, len(file.payments), whole)
            made.append(_transaction(message, payload, own, refusal, position))
    return made


def _transaction(
    message: IncomingMessage, payload: bytes, own: PaymentFile, refusal: Refusal, batch: BatchPosition
) -> RefusedTransaction:
    payment = own.payments[0]
    record = record_of(own, payment)
    return RefusedTransaction(
        object_type=OBJECT_TYPE,
        business_key=business_key_of(own, payment),
        refusal=replace(refusal, keys=_keys(record, batch), money=payment.money, batch=batch),
        record=record,
        payload=payload,
        media_type=XML_MEDIA_TYPE,
        context={**message.context, **_context(record, batch)},
    )


def _keys(record: PaymentRecord, batch: BatchPosition) -> dict[str, str]:
    keys = {
        "end_to_end_id": record.end_to_end_id,
        "instruction_id": record.instruction_id,
        "uetr": record.uetr,
        "message_id": batch.reference,
        "debtor_account": record.debtor_account,
        "creditor_account": record.creditor_account,
    }
    return {key: value for key, value in keys.items() if value}


def _context(record: PaymentRecord, batch: BatchPosition) -> dict[str, str]:
    """What a person wants to know of the payment before opening it, as plain text."""
    totals = batch.totals
    values = {
        "end_to_end_id": record.end_to_end_id,
        "creditor_name": record.creditor.name,
        "creditor_account": record.creditor_account,
        "debtor_name": record.debtor.name,
        "debtor_account": record.debtor_account,
        "currency": record.currency,
        "amount": f"{record.amount:f}" if record.amount is not None else "",
        "execution_date": record.execution_date.isoformat() if record.execution_date else "",
        "batch_reference": batch.reference,
        "batch_position": f"{batch.position} of {batch.size}",
        "batch_totals": totals.in_words(unit=_UNIT) if totals is not None else "",
        "batch_findings": " ".join(totals.findings) if totals is not None else "",
    }
    return {key: value for key, value in values.items() if value}
