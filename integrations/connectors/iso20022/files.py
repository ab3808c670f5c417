"""Approved payments that travel in one file: which fit together, the file that is sent, and its answer taken apart."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from lxml import etree

from integrations.answers import answer, reference_of
from integrations.connectors.base import Answer, AnswerKind, Bundle, BundleAnswer, CannotBundle
from integrations.connectors.iso20022.check import check
from integrations.connectors.iso20022.envelope import bundle, shared_by
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, read_file
from integrations.connectors.iso20022.names import child, local, read_message
from integrations.connectors.iso20022.outcomes import Verdict, outcomes_of
from integrations.connectors.iso20022.reasons import guilty_payments, refusal_of
from integrations.connectors.iso20022.status import StatusReport, report_of
from integrations.http import Exchange
from integrations.refusals import BatchOutcome, Category, MessageNotUnderstood

XML_MEDIA_TYPE: Final = "application/xml"
_MOST_EVIDENCE: Final = 4096  # bytes that each payment keeps of an answer that is not about it alone


def arrange(contents: Sequence[bytes], *, most: int) -> list[list[int]]:
    """Which payments travel together, in the order in which they came; positions in `contents`.

    One without an end-to-end identifier travels alone: no answer and no look-up could tell it from another.
    """
    alone: list[list[int]] = []
    groups: dict[object, list[dict[str, int]]] = {}
    for position, content in enumerate(contents):
        file = _single(content)
        if file is None:
            alone.append([position])
            continue
        name = file.payments[0].given_end_to_end_id
        alike = groups.setdefault(shared_by(file), [])
        roomy = next((group for group in alike if name not in group and len(group) < most), None)
        if roomy is None:
            alike.append({name: position})
        else:
            roomy[name] = position
    return [*(list(group.values()) for alike in groups.values() for group in alike), *alone]


def _single(content: bytes) -> PaymentFile | None:
    """A file with one payment that can be asked for under any message identifier."""
    try:
        file = read_file(content)
    except MessageNotUnderstood:
        return None
    return file if len(file.payments) == 1 and file.payments[0].given_end_to_end_id else None


def make(contents: Sequence[bytes], *, name: str) -> Bundle:
    """The payment file, held against the official schema and against what was approved; raises CannotBundle."""
    approved = [_single(content) for content in contents]
    if None in approved:
        raise CannotBundle("A payment without an end-to-end identifier is never sent under another file's name.")
    body = bundle(contents, name=name)
    made = read_file(body)
    report = check(body)
    if not report.passed:
        raise CannotBundle(f"The file would not pass the check: {report.errors[0].plain}")
    payments = [file.payments[0] for file in approved if file is not None]
    if sorted(map(_told, payments)) != sorted(map(_told, made.payments)):
        raise CannotBundle("The file would not hold exactly the payments that were approved.")
    return Bundle(
        reference=made.message_id,
        body=body,
        media_type=XML_MEDIA_TYPE,
        count=len(made.payments),
        sums=_sums(made.payments),
    )


def _told(payment: Payment) -> tuple[str, ...]:
    """All that a payment says, without layout and prefixes."""
    nodes = (
        f"{len(list(node.iterancestors()))}|{local(node)}|{sorted(node.items())}|{(node.text or '').strip()}"
        for node in payment.element.iter("*")
    )
    return (payment.debtor_account, payment.execution_date, *nodes)


def _sums(payments: Sequence[Payment]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for payment in payments:
        if payment.money is not None:
            currency = payment.money.currency
            sums[currency] = sums.get(currency, Decimal(0)) + payment.money.amount
    return sums


def one_for_all(whole: Answer, contents: Sequence[bytes]) -> BundleAnswer:
    """An answer that tells nothing apart, such as none at all."""
    return BundleAnswer(whole, (replace(whole, body=whole.body[:_MOST_EVIDENCE]),) * len(contents))


def take_apart(sent: Exchange, body: bytes, contents: Sequence[bytes]) -> BundleAnswer:
    """The bank's report on a file as one answer for each payment; each keeps what the report says of it."""
    try:
        file = read_file(body)
        told = read_message(sent.body, field="refusal")
        report = report_of(told)
        outcomes = outcomes_of(file, report)
    except MessageNotUnderstood as error:
        words = f"The status report cannot be read: {error.problem}"
        return one_for_all(answer(AnswerKind.UNKNOWN, sent, detail=words), contents)
    if report.message_id != file.message_id:
        words = "The status report does not name the file that was sent."
        return one_for_all(answer(AnswerKind.UNKNOWN, sent, detail=words), contents)
    words = f"{outcomes.totals.in_words(unit='payments')}."
    guilty = guilty_payments(file, report)
    group = child(told.body, "OrgnlGrpInfAndSts")
    verdicts = {verdict.payment.end_to_end_id: verdict for verdict in outcomes.verdicts}
    each = []
    for content in contents:
        own = read_file(content)
        verdict = verdicts[own.payments[0].end_to_end_id]
        part = verdict.entry.element if verdict.entry is not None else group
        evidence = etree.tostring(part, with_tail=False) if part is not None else b""
        each.append(replace(_answer_on(sent, verdict, file, own, report, guilty), body=evidence))
    kinds = {one.kind for one in each}
    whole = kinds.pop() if len(kinds) == 1 else AnswerKind.UNKNOWN
    return BundleAnswer(answer(whole, sent, detail=words, reference=report.report_id[:100]), tuple(each))


def _answer_on(
    sent: Exchange,
    verdict: Verdict,
    file: PaymentFile,
    own: PaymentFile,
    report: StatusReport,
    guilty: Sequence[Payment],
) -> Answer:
    if verdict.outcome is BatchOutcome.ACCEPTED:
        given = verdict.entry.reference if verdict.entry is not None else ""
        return answer(
            AnswerKind.CONFIRMED, sent, reference=reference_of({"reference": given or report.report_id}, "reference")
        )
    if verdict.outcome is not BatchOutcome.REJECTED or not verdict.is_certain:
        words = f"The bank has it and has not decided on it: {verdict.status or 'no status of its own'}."
        return answer(AnswerKind.PENDING, sent, detail=words)
    refusal = refusal_of(verdict, file, own, guilty=guilty)
    if refusal.category is Category.DUPLICATE:
        return answer(AnswerKind.ALREADY_EXISTS, sent, detail=refusal.errors[0].plain)
    return answer(AnswerKind.REFUSED, sent, refusal=refusal)
