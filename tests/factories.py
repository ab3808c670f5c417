"""Exceptions for tests, written with the audit events that the database asks for; no connector is involved.

What goes through the real intake, check and outbox is in `tests/journeys`. Nothing here commits by itself.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions import work
from exceptions_app.actions.mover import lock, move, record
from exceptions_app.actions.reveal import reveal
from exceptions_app.facts import fold
from exceptions_app.machines import INTAKE, WORKER, machine
from exceptions_app.models import (
    Cause,
    Contributor,
    Decision,
    ExceptionCase,
    Identifier,
    LegalEntity,
    Occurrence,
    PayloadVersion,
    Proposal,
    Queue,
    Reveal,
)
from exceptions_app.states import Action, Kind, Outcome, ProposalKind, State
from integrations.models import InboxContent, InboxMessage
from integrations.refusals import Category
from tests.cast import MORNING, Cast
from workbench.models import User

_numbers = count(1)
PAYLOAD = b"<Invoice><ID>INV-2026-0001</ID><IssueDate/></Invoice>"


def error(
    code: str = "BR-03", plain: str = "The issue date is missing.", *, field: str = "Issue date", term: str = "BT-2",
    field_path: str = "/Invoice/IssueDate", severity: str = "error",
) -> dict[str, str]:  # fmt: skip
    """One refused rule as an occurrence keeps it."""
    return {
        "code": code, "severity": severity, "text": f"[{code}]-{plain}", "plain": plain, "path": field_path,
        "field_path": field_path, "term": term, "field": field, "proposed_value": "", "language": "en",
    }  # fmt: skip


def make_cause(code: str = "BR-03", title: str = "The issue date is missing.", *, field: str = "Issue date") -> Cause:
    cause, _ = Cause.objects.get_or_create(
        fingerprint=hashlib.sha256(f"{code}/{title}".encode()).hexdigest(),
        defaults={"connector": "en16931", "code": code, "field": field, "title": title, "first_seen_at": MORNING},
    )
    return cause


@transaction.atomic
def make_case(
    cast: Cast,
    *,
    number: str = "",
    counterparty: str = "Van Loon Koeltechniek B.V.",
    amount: Decimal | str | None = "1250.00",
    currency: str = "EUR",
    queue: Queue | None = None,
    entity: LegalEntity | None = None,
    kind: Kind = Kind.FAILED,
    category: Category = Category.COMPLIANCE,
    cause: Cause | None = None,
    errors: Sequence[Mapping[str, str]] | None = None,
    priority: int = 3,
    opened_at: datetime = MORNING,
    due_at: datetime | None = None,
    payload: bytes = PAYLOAD,
    identifiers: Mapping[str, str] | None = None,
    **more: Any,
) -> ExceptionCase:
    """A new exception with its message, first version, occurrence and identifiers."""
    number = number or f"INV-2026-{next(_numbers):04}"
    message = make_message(cast, payload=payload, external_id=f"message-{number}-{next(_numbers)}", at=opened_at)
    amount = Decimal(amount) if amount is not None else None
    cause = cause or make_cause()
    problem = errors[0]["plain"] if errors else cause.title
    case = ExceptionCase(
        **{
            "connection": cast.connection, "object_type": "invoice", "business_key": number, "kind": kind.value,
            "state": State.NEW.value, "queue": queue or cast.einvoicing, "entity": entity or cast.netherlands,
            "category": category.value, "sub": "", "cause": cause, "problem": problem, "priority": priority,
            "due_at": due_at or opened_at + timedelta(days=2), "document_number": number,
            "document_date": date(2026, 11, 2), "counterparty": counterparty, "amount": amount,
            "currency": currency if amount is not None else "", "opened_at": opened_at, "changed_at": opened_at,
        }
        | more
    )  # fmt: skip
    case._history_user = machine(INTAKE)
    case.save()
    record(
        case, "case.opened", by=machine(INTAKE), at=opened_at, data={"category": case.category, "kind": case.kind},
        summary=f"{case.ref} opened for {number}: {problem}",
    )  # fmt: skip
    sha256 = hashlib.sha256(payload).hexdigest()
    PayloadVersion.objects.create(
        case=case, number=1, content=payload, media_type="application/xml", sha256=sha256, created_at=opened_at
    )
    Occurrence.objects.create(
        case=case, inbox_message=message, arrived_at=opened_at, payload_sha256=sha256, definitive=True,
        errors=[dict(found) for found in (errors if errors is not None else [error()])],
    )  # fmt: skip
    known = {"Invoice number": number, "Buyer": counterparty, **(identifiers or {})}
    Identifier.objects.bulk_create(
        Identifier(case=case, label=label, value=value, folded=fold(value)) for label, value in known.items()
    )
    return case


def make_message(
    cast: Cast,
    *,
    payload: bytes = PAYLOAD,
    media_type: str = "application/xml",
    external_id: str = "",
    at: datetime = MORNING,
    status: InboxMessage.Status = InboxMessage.Status.PROCESSED,
    **more: Any,
) -> InboxMessage:
    """A message in the inbox, read unless `status` says otherwise."""
    external_id = external_id or f"message-{next(_numbers)}"
    message = InboxMessage.objects.create(
        connection=cast.connection, external_id=external_id, via=InboxMessage.Via.API, status=status, received_at=at,
        content_sha256=hashlib.sha256(payload).hexdigest(), received_by="source", processed_at=at, **more,
    )  # fmt: skip
    InboxContent.objects.create(message=message, payload=payload, payload_media_type=media_type)
    return message


def have_shown(case: ExceptionCase, by: User) -> Reveal:
    """Whoever may has the masked values of the exception shown from now on."""
    return reveal(case.pk, purpose=Reveal.Purpose.CORRECT, because="To compare it.", by=by, at=MORNING)


def claim(case: ExceptionCase, by: User, *, at: datetime = MORNING) -> ExceptionCase:
    return work.claim(case.pk, by=by, at=at)


def assign(case: ExceptionCase, to: User, *, by: User, at: datetime = MORNING) -> ExceptionCase:
    return work.assign(case.pk, to=to, by=by, at=at)


@transaction.atomic
def make_version(
    case: ExceptionCase,
    by: User,
    *,
    changes: Sequence[Mapping[str, str]] = (),
    operations: Sequence[Mapping[str, str]] = (),
    at: datetime = MORNING,
    because: str = "Date taken from the order.",
    passed: bool = True,
) -> PayloadVersion:
    """The next version of the payload, corrected by that person; the check's verdict is given, not found."""
    locked = lock(case.pk)
    latest = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    number = latest.number + 1
    content = bytes(latest.content) + f"<!-- version {number} -->".encode()
    default = {"term": "BT-2", "label": "Issue date", "group": "Document", "path": "/Invoice/IssueDate",
               "was": "", "will_be": "2026-11-02"}  # fmt: skip
    version = PayloadVersion.objects.create(
        case=locked, number=number, content=content, media_type=latest.media_type, author=by, reason=because,
        sha256=hashlib.sha256(content).hexdigest(), changes=[dict(change) for change in changes] or [default],
        operations=[dict(step) for step in operations],
        check_name="official EN 16931 validator", check_passed=passed,
        check_errors=[] if passed else [error()], created_at=at,
    )  # fmt: skip
    move(
        locked, Action.CORRECT, by=by, at=at, because=because, summary=f"{by} corrected {locked.ref}.",
        data={"version": number}, assignee=locked.assignee or by,
    )  # fmt: skip
    return version


PROPOSING = {
    ProposalKind.REPLAY: Action.PROPOSE,
    ProposalKind.RELEASE: Action.RELEASE,
    ProposalKind.DECLINE: Action.DECLINE,
    ProposalKind.DISMISS: Action.DISMISS,
}


@transaction.atomic
def make_proposal(
    case: ExceptionCase,
    by: User,
    *,
    kind: ProposalKind = ProposalKind.REPLAY,
    outcome: Outcome | None = None,
    at: datetime = MORNING,
    because: str = "Date taken from the order.",
) -> Proposal:
    """The latest version of a claimed exception, proposed; its hash is not the one that approval recomputes."""
    locked = lock(case.pk)
    version = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    closing = {ProposalKind.DECLINE: Outcome.DECLINED, ProposalKind.DISMISS: Outcome.FIXED_AT_SOURCE}
    ending = outcome or closing.get(kind)
    proposal = Proposal.objects.create(
        case=locked, kind=kind.value, outcome=ending.value if ending else "", version=version, target=locked.connection,
        policy_version=policies.POLICY_VERSION, content_sha256=version.sha256,
        frozen_sha256=hashlib.sha256(f"{locked.ref}/{version.number}/{kind}".encode()).hexdigest(),
        proposer=by, because=because, proposed_at=at,
    )  # fmt: skip
    authors = PayloadVersion.objects.filter(case=locked, author__isnull=False).values_list("author_id", flat=True)
    people = {(by.pk, "proposed")} | {(author, "corrected") for author in authors}
    Contributor.objects.bulk_create(
        Contributor(proposal=proposal, person_id=person, part=part) for person, part in sorted(people)
    )
    move(
        locked, PROPOSING[kind], by=by, at=at, because=because, summary=f"{by} proposed {kind} of {locked.ref}.",
        data={"proposal": kind.value}, assignee=locked.assignee or by,
    )  # fmt: skip
    return proposal


@transaction.atomic
def dismiss(case: ExceptionCase, by: User, *, approver: User, at: datetime = MORNING) -> ExceptionCase:
    """A dismissed exception: proposed by one person and approved by another."""
    proposal = make_proposal(case, by, kind=ProposalKind.DISMISS, at=at)
    Decision.objects.create(
        proposal=proposal, verdict=Decision.Verdict.APPROVED, decider=approver, frozen_sha256=proposal.frozen_sha256,
        decided_at=at,
    )  # fmt: skip
    locked = lock(case.pk)
    closed = move(
        locked, Action.APPROVE_CLOSURE, by=approver, at=at, summary=f"{approver} approved the dismissal.",
        outcome=proposal.outcome, closed_at=at,
    )  # fmt: skip
    proposal.state = Proposal.State.APPROVED
    proposal.closed_at = at
    proposal.save(update_fields=["state", "closed_at"])
    return closed


@transaction.atomic
def resolve(
    case: ExceptionCase,
    by: User,
    *,
    approver: User,
    changes: Sequence[Mapping[str, str]] = (),
    at: datetime = MORNING,
) -> ExceptionCase:
    """One that was corrected by a person, approved by another, and accepted by the target; nothing was sent."""
    make_version(case, by, changes=changes, at=at)
    proposal = make_proposal(case, by, at=at)
    Decision.objects.create(
        proposal=proposal, verdict=Decision.Verdict.APPROVED, decider=approver, frozen_sha256=proposal.frozen_sha256,
        decided_at=at,
    )  # fmt: skip
    move(lock(case.pk), Action.APPROVE, by=approver, at=at, summary=f"{approver} approved the replay.")
    resolved = move(
        lock(case.pk), Action.RESOLVE, by=machine(WORKER), at=at, summary=f"{case.ref} is resolved.",
        outcome=Outcome.REPLAYED.value, closed_at=at,
    )  # fmt: skip
    proposal.state = Proposal.State.APPROVED
    proposal.closed_at = at
    proposal.save(update_fields=["state", "closed_at"])
    return resolved
