"""What has happened to postings and payments before a newcomer opens the demonstration: real actions by its people."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions import correct, decide, propose, work
from exceptions_app.actions.retyping import waiting_to_be_retyped
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from integrations.connectors.registry import get_connector
from integrations.demo import partners, payments, postings

_RESOLVED_POSTINGS = ("JE-2026-0102", "4900001225", "4900001226", "4900001228")
_PROPOSED_POSTINGS = ("JE-2026-0109", "4900001230")
_RESOLVED_PARTNERS = ("S-2044",)
_RESOLVED_PAYMENTS = ("ER-2026-20374", "ER-2026-20380")
_PROPOSED_PAYMENTS = ("ER-2026-51107",)
_POSTING_REASONS = {
    "JE-2026-0102": "Agreed with the owner of the cost centre; the template is mended too.",
    "JE-2026-0109": "Agreed with the owner of the cost centre; the template is mended too.",
    "4900001225": "The tax team named the code for this supply.",
    "4900001226": "The tax team named the code for this supply.",
    "4900001228": "The tax team named the code for this supply.",
    "4900001230": "The account as the customer's master data has it; a digit was mistyped.",
}
_PARTNER_REASON = "Agreed with procurement, as it stands in the contract."
_PAYMENT_REASON = "New account confirmed by telephone, under the number in the contract."


def tell_of_postings_and_payments(
    *, accountant: AbstractUser, treasurer: AbstractUser, controller: AbstractUser, at: datetime
) -> None:
    """Move some on, so that every queue has something in each state. What the README walks through is left alone."""
    payment_mends = payments.mends(today=at.date())
    for hours, number in enumerate(_RESOLVED_POSTINGS):
        then = at - timedelta(hours=20 - hours)
        _resolve(number, postings.MENDS, _POSTING_REASONS[number], accountant, controller, at=then)
    for number in _RESOLVED_PARTNERS:
        _resolve(number, partners.MENDS, _PARTNER_REASON, accountant, controller, at=at - timedelta(hours=5))
    for hours, number in enumerate(_RESOLVED_PAYMENTS):
        _resolve(number, payment_mends, _PAYMENT_REASON, treasurer, controller, at=at - timedelta(hours=9 - hours))
    for minutes, number in enumerate(_PROPOSED_POSTINGS):
        then = at - timedelta(hours=2, minutes=-7 * minutes)
        _correct_and_propose(number, postings.MENDS, _POSTING_REASONS[number], accountant, at=then)
    for number in _PROPOSED_PAYMENTS:
        _correct_and_propose(number, payment_mends, _PAYMENT_REASON, treasurer, at=at - timedelta(minutes=75))
    _ask_around(accountant, treasurer, at=at)


def _case(number: str) -> ExceptionCase:
    return ExceptionCase.objects.select_related("connection").get(document_number=number)


def _earliest(case: ExceptionCase, at: datetime) -> datetime:
    """Nothing happens to an exception before it is there."""
    return max(at, case.opened_at + timedelta(minutes=3))


def _correct_and_propose(
    number: str, mends: Mapping[str, Mapping[str, str]], reason: str, clerk: AbstractUser, *, at: datetime
) -> Proposal:
    """The refused fields get the values that mend them; fields are named by their labels, the first of each counts."""
    case = _case(number)
    connector = get_connector(case.connection.connector)
    content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
    fields = {field.label: field.path for field in reversed(connector.read(content).fields)}
    operations = connector.operations_for(content, {fields[label]: value for label, value in mends[number].items()})
    then = _earliest(case, at)
    correct.correct(case.pk, by=clerk, at=then, because=reason, base_version=1, operations=operations)
    return propose.propose_replay(case.pk, by=clerk, at=then + timedelta(minutes=2), because=reason)


def _resolve(
    number: str,
    mends: Mapping[str, Mapping[str, str]],
    reason: str,
    clerk: AbstractUser,
    controller: AbstractUser,
    *,
    at: datetime,
) -> None:
    """Approved before the newcomer came; the worker brings them to the simulator by itself."""
    proposal = _correct_and_propose(number, mends, reason, clerk, at=at)
    decide.approve(
        proposal.case_id,
        by=controller,
        at=proposal.proposed_at + timedelta(minutes=24),
        frozen_sha256=proposal.frozen_sha256,
        because="Compared with the evidence.",
        retyped=[detail.value for detail in waiting_to_be_retyped(proposal.case_id)],
    )


def _ask_around(accountant: AbstractUser, treasurer: AbstractUser, *, at: datetime) -> None:
    for number, clerk, text, waiting_for in (
        ("4900001242", accountant, "Asked sales which revenue the new family is.", "Product family from sales"),
        ("ER-2026-51109", treasurer, "The payee asks its bank why the account is blocked.", "The payee's answer"),
    ):
        case = _case(number)
        then = _earliest(case, at - timedelta(hours=1))
        work.comment(case.pk, by=clerk, at=then, text=text)
        work.hold(case.pk, by=clerk, at=then + timedelta(minutes=1), waiting_for=waiting_for)
    case = _case("JE-2026-0115")
    work.claim(case.pk, by=accountant, at=_earliest(case, at - timedelta(hours=1)))
