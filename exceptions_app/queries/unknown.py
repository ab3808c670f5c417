"""What was sent and of which nobody knows whether the target booked it: the longest unknown first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet

from exceptions_app.handover_states import TransactionState
from exceptions_app.models import ExceptionCase, Proposal, Transaction
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.transactions import sight_within
from exceptions_app.states import STATING_KINDS, State
from integrations.models import Delivery
from integrations.promises import effective_capabilities

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """One sending of unknown outcome. Exactly one of `case` and `transaction` says what it is for."""

    delivery: Delivery
    case: ExceptionCase | None = None
    transaction: Transaction | None = None
    statement: Proposal | None = None  # what somebody stated about it, and someone else has to agree to

    @property
    def number(self) -> str:
        about = self.case or self.transaction
        return about.document_number if about is not None else ""

    @property
    def since(self) -> datetime | None:
        return self.delivery.last_sent_at

    @property
    def can_be_asked(self) -> bool:
        return effective_capabilities(self.delivery.connection).can_be_asked


def unknown_cases(reach: Reach) -> ExceptionCaseQuerySet:
    return cases_within(reach).filter(state=State.OUTCOME_UNKNOWN)


def unknown_outcomes(user: AbstractUser, reach: Reach) -> list[Unknown]:
    """Up to MOST_SHOWN exceptions and as many transactions that the person may see. Six queries, however many."""
    cases = list(
        unknown_cases(reach).select_related("queue", "entity", "connection").order_by("changed_at", "id")[:MOST_SHOWN]
    )
    transactions = list(
        sight_within(reach, user)
        .transactions()
        .filter(state=TransactionState.OUTCOME_UNKNOWN)
        .select_related("connection", "queue", "entity")
        .order_by("id")[:MOST_SHOWN]
    )
    sent = _sendings([one.subject for one in cases] + [one.subject for one in transactions])
    statements = _statements(cases)
    found = [
        Unknown(delivery=sent[case.subject], case=case, statement=statements.get(case.pk))
        for case in cases
        if case.subject in sent
    ]
    found += [Unknown(delivery=sent[one.subject], transaction=one) for one in transactions if one.subject in sent]
    return sorted(found, key=lambda one: (one.since or one.delivery.created_at, one.delivery.pk))


def _sendings(subjects: Sequence[str]) -> dict[str, Delivery]:
    live = Delivery.objects.filter(
        Q(sends__gt=0) | Q(state=Delivery.State.UNKNOWN),
        subject__in=subjects,
        operation__in=Delivery.BOOKING,
        state__in=Delivery.LIVE,
    )
    return {delivery.subject: delivery for delivery in live.select_related("connection").order_by("id")}


def _statements(cases: Sequence[ExceptionCase]) -> dict[int, Proposal]:
    waiting: QuerySet[Proposal] = Proposal.objects.filter(
        case__in=cases, state=Proposal.State.OPEN, kind__in=sorted(STATING_KINDS)
    )
    return {proposal.case_id: proposal for proposal in waiting.select_related("proposer")}
