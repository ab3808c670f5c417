"""What has happened before a newcomer opens the demonstration: real actions by its people, no invented rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions import correct, decide, propose, work
from exceptions_app.actions.saved_views import EVERYONE, pin, save_view
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion, Proposal
from exceptions_app.states import Kind, Outcome
from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.demo.messages import HERO_NUMBER

CORRECTION_REASONS = (
    "Recomputed from the lines; the billing run rounded per line.",
    "Taken from the customer's order confirmation.",
    "The totals did not follow the last line change.",
    "Agreed with billing; their master data is mended too.",
)


def tell(*, clerk: AbstractUser, controller: AbstractUser, at: datetime) -> None:
    """Move some exceptions on, so that every list has something to show. The README's invoice is left alone."""
    failed = _untouched(Kind.FAILED)
    mendable = _mendable(failed)
    _resolve_some(mendable, clerk, controller, at=at)
    _leave_for_approval(mendable, clerk, at=at)
    _reject_one(mendable, clerk, controller, at=at)
    remaining = iter([case for case in failed if ExceptionCase.objects.get(pk=case.pk).revision == 1])
    _work_on_some(remaining, clerk, controller, at=at)
    _hold_story(clerk, at=at)
    _keep_views(clerk, controller, at=at)


def _keep_views(clerk: AbstractUser, controller: AbstractUser, *, at: datetime) -> None:
    """What each would look at first thing in the morning, at the head of their lists."""
    overdue = save_view(
        "Overdue, largest first", "due=overdue&sort=largest", by=controller, at=at, shared_with=EVERYONE, pinned=True
    )
    pin(overdue.pk, by=clerk)
    save_view("Nobody has it yet", "assignee=nobody&sort=oldest", by=clerk, at=at, pinned=True)


def _untouched(kind: Kind) -> list[ExceptionCase]:
    cases = ExceptionCase.objects.select_related("connection").filter(kind=kind.value, connection__connector="en16931")
    return list(cases.exclude(document_number=HERO_NUMBER).order_by("opened_at", "pk"))


def _mendable(cases: list[ExceptionCase]) -> Iterator[tuple[ExceptionCase, list[Operation]]]:
    """Exceptions that the proposed values alone would mend, with the operations that do so."""
    for case in cases:
        connector = get_connector(case.connection.connector)
        content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
        errors = Occurrence.objects.filter(case=case).earliest("pk").errors
        changes = {e["field_path"]: e["proposed_value"] for e in errors if e["field_path"] and e["proposed_value"]}
        if not changes:
            continue
        try:
            operations = connector.operations_for(content, changes)
            if connector.check(connector.correct(content, operations)).passed:
                yield case, operations
        except CorrectionError:
            continue


def _correct_and_propose(
    case: ExceptionCase, operations: list[Operation], clerk: AbstractUser, *, at: datetime
) -> Proposal:
    reason = CORRECTION_REASONS[case.pk % len(CORRECTION_REASONS)]
    correct.correct(case.pk, by=clerk, at=at, because=reason, base_version=1, operations=operations)
    return propose.propose_replay(case.pk, by=clerk, at=at + timedelta(minutes=2), because=reason)


def _resolve_some(
    mendable: Iterator[tuple[ExceptionCase, list[Operation]]],
    clerk: AbstractUser,
    controller: AbstractUser,
    *,
    at: datetime,
) -> None:
    """Approved before the newcomer came; the worker brings them to the simulator's tax authority by itself."""
    for number, (case, operations) in enumerate(islice(mendable, 4)):
        then = _earliest(case, at - timedelta(hours=30 - 5 * number))
        proposal = _correct_and_propose(case, operations, clerk, at=then)
        decide.approve(
            case.pk,
            by=controller,
            at=then + timedelta(minutes=41),
            frozen_sha256=proposal.frozen_sha256,
            because="Checked against the order.",
        )


def _leave_for_approval(
    mendable: Iterator[tuple[ExceptionCase, list[Operation]]], clerk: AbstractUser, *, at: datetime
) -> None:
    for number, (case, operations) in enumerate(islice(mendable, 3)):
        _correct_and_propose(case, operations, clerk, at=_earliest(case, at - timedelta(hours=6 - number)))


def _reject_one(
    mendable: Iterator[tuple[ExceptionCase, list[Operation]]],
    clerk: AbstractUser,
    controller: AbstractUser,
    *,
    at: datetime,
) -> None:
    for case, operations in islice(mendable, 1):
        then = _earliest(case, at - timedelta(hours=8))
        proposal = _correct_and_propose(case, operations, clerk, at=then)
        decide.reject(
            case.pk,
            by=controller,
            at=then + timedelta(minutes=52),
            frozen_sha256=proposal.frozen_sha256,
            because="The order says something else; please ask the account manager before you change the amount.",
        )


def _work_on_some(
    cases: Iterator[ExceptionCase], clerk: AbstractUser, controller: AbstractUser, *, at: datetime
) -> None:
    for case in islice(cases, 2):
        work.claim(case.pk, by=clerk, at=_earliest(case, at - timedelta(hours=2)))
    for case in islice(cases, 1):
        work.comment(
            case.pk,
            by=clerk,
            at=_earliest(case, at - timedelta(hours=3)),
            text="Asked the customer for the missing number, mail of today.",
        )
        then = _earliest(case, at - timedelta(hours=3)) + timedelta(minutes=1)
        work.hold(case.pk, by=clerk, at=then, waiting_for="The customer's answer")
    for case in islice(cases, 1):
        then = _earliest(case, at - timedelta(days=1))
        reason = "Billing cancelled this invoice and issues a new one."
        proposal = propose.propose_dismissal(
            case.pk, outcome=Outcome.FIXED_AT_SOURCE, by=clerk, at=then, because=reason
        )
        decide.approve(case.pk, by=controller, at=then + timedelta(hours=2), frozen_sha256=proposal.frozen_sha256)


def _hold_story(clerk: AbstractUser, *, at: datetime) -> None:
    for case in islice(iter(_untouched(Kind.HELD)), 1):
        then = _earliest(case, at - timedelta(hours=4))
        propose.propose_release(
            case.pk, by=clerk, at=then, because="The order above the limit was signed by the board."
        )


def _earliest(case: ExceptionCase, at: datetime) -> datetime:
    """Nobody acts before the exception was there."""
    return max(case.opened_at + timedelta(minutes=20), at)
