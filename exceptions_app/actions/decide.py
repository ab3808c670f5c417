"""Deciding: a second person approves or rejects exactly what they were shown."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Q, QuerySet

from exceptions_app import policies
from exceptions_app.actions import (
    batch_outcome,
    first_approval,
    handover_follow,
    notify,
    proposal_ends,
    resolving,
    unknown,
)
from exceptions_app.actions.decided_meanwhile import as_part_of, proposal_shown, refused_in_words, why_gone
from exceptions_app.actions.fresh_proof import require_fresh_proof
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid, lock, move
from exceptions_app.actions.propose import frozen_hash, open_proposal
from exceptions_app.actions.retyping import ALONE, require_retyped, to_retype, told_of
from exceptions_app.actions.telling import tell_source
from exceptions_app.actions.waiting import wait_of
from exceptions_app.models import (
    Decision,
    ExceptionCase,
    FirstApproval,
    Occurrence,
    PayloadVersion,
    Proposal,
)
from exceptions_app.payee_details import PayeeDetail, digest_of
from exceptions_app.states import APPROVING, PROPOSAL_WORDS, SENDING_KINDS, Action, ProposalKind, State
from exceptions_app.wording import say
from integrations import outbox
from integrations.connectors.registry import get_connector
from integrations.crash_points import Point, passing
from integrations.models import Delivery, DeliveryStatement
from integrations.promises import effective_capabilities
from integrations.restorations import Forgotten, forgotten_since


class ApprovalNoLongerHolds(Exception):
    """What was shown to the person is not what is proposed now; they must look again."""


class DecidedAlready(ApprovalNoLongerHolds):
    """The same person decided it before, as in another tab. Their decision stands, and nothing is left to do."""


@transaction.atomic
def approve(
    case_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    frozen_sha256: str,
    because: str = "",
    batch: str = "",
    retyped: Sequence[str] = (),
    as_first: bool = False,
) -> Decision | FirstApproval:
    """Agree to the proposal whose hash is `frozen_sha256`; what it sends is queued in the same transaction.

    Where it takes two, the first of them carries out nothing, and the exception waits as before.
    `batch` is the reference of the batch that they agreed to, when it is carried out for them. `retyped` are the
    payee's bank details that it changes, as the person typed them, in the order of `retyping.to_retype`. With
    `as_first` it is agreed to as the first of two only, and by nobody who would carry it out without knowing.

    Raises Invalid when one of these is not what is sent, policies.NotPermitted for anyone with a hand in it,
    ApprovalNoLongerHolds when the content changed, and FreshProofNeeded when it is about much money and a request asks
    whose proof of who asks is old.
    """
    case = lock(case_id)
    proposal, where = _proposal_as_shown(case, frozen_sha256, by=by, action=None)
    kind = ProposalKind(proposal.kind)
    _require_approvable(case, proposal, where, by=by, at=at, batch=batch, as_first=as_first)
    typed = _typed_again(proposal, retyped, batch=batch)
    retyped_sha256 = digest_of(typed)
    if first_approval.is_first(where):
        return first_approval.approve_first(
            case, proposal, by=by, at=at, because=because, retyped_sha256=retyped_sha256, where=where
        )
    if reason := first_approval.why_not_second(proposal):
        raise ApprovalNoLongerHolds(reason)
    verdict = Decision.Verdict.APPROVED
    decision = _decide(proposal, verdict, by=by, at=at, because=because, retyped_sha256=retyped_sha256)
    data, changes = _carry_out(case, proposal, decision)
    part = f", as a part of batch {batch}" if batch else ""
    waits = f" It waits: {data['waiting_for']}" if data.get("waiting_for") else ""
    move(
        case,
        APPROVING[kind],
        by=by,
        at=at,
        because=because,
        summary=f"{by} approved what {proposal.proposer} proposed on {case.ref}: {PROPOSAL_WORDS[kind]}{part}.{waits}",
        data=_told(proposal) | data | ({"batch": batch} if batch else {}) | told_of(typed),
        where=where,
        # The items of a batch are too many to be told one by one; its proposer is told of the batch.
        tells={} if batch else notify.prepared_by(proposal, where.contributors),
        **changes,
    )
    _close(proposal, decision)
    passing(Point.DECISION_WRITTEN)
    _follow_up(case, proposal, by=by, at=at)
    return decision


def _require_approvable(
    case: ExceptionCase, proposal: Proposal, where: policies.Standing, *, by: AbstractUser, at: datetime, batch: str,
    as_first: bool,
) -> None:  # fmt: skip
    """That this person may agree to these very bytes now, in the way in which they do."""
    kind = ProposalKind(proposal.kind)
    if batch and (reason := first_approval.why_not_alone(proposal)):
        raise ApprovalNoLongerHolds(reason)
    policies.require(APPROVING[kind], case, by, where=where)
    if as_first and (reason := first_approval.why_not_first(proposal, where)):
        raise ApprovalNoLongerHolds(reason)
    require_fresh_proof(lambda: [(case.amount, case.currency)], at=at)
    _refuse_changed_bytes(proposal)
    if kind in SENDING_KINDS:
        _refuse_overtaken(case, proposal)


def _told(proposal: Proposal) -> dict[str, object]:
    return {
        "proposal": proposal.kind,
        "version": proposal.version.number,
        "outcome": proposal.outcome,
        "frozen_sha256": proposal.frozen_sha256,
        "content_sha256": proposal.content_sha256,
        "proposer": proposal.proposer.get_username(),
    }


def _typed_again(proposal: Proposal, retyped: Sequence[str], *, batch: str) -> Sequence[PayeeDetail]:
    """What of a payee's bank details it changes, judged by the bytes themselves, once it was typed again."""
    details = to_retype(proposal.version, proposal.kind)
    if digest_of(details) != proposal.retype_sha256:
        raise ApprovalNoLongerHolds(
            say(
                "What has to be typed again is judged otherwise than when this was proposed. "
                "Have it withdrawn and proposed again."
            )
        )
    if details and batch:
        raise ApprovalNoLongerHolds(ALONE)
    require_retyped(details, retyped)
    return details


def _carry_out(
    case: ExceptionCase, proposal: Proposal, decision: Decision
) -> tuple[dict[str, object], dict[str, object]]:
    """Do what was approved; what the audit event tells of it, and what changes with the exception."""
    at = decision.decided_at
    match ProposalKind(proposal.kind):
        case ProposalKind.REPLAY | ProposalKind.RELEASE | ProposalKind.REVERSE:
            delivery = _queue(case, proposal, at=at)
            return {"idempotency_key": delivery.key, "waiting_for": delivery.waiting_for}, {}
        case ProposalKind.DECLINE | ProposalKind.DISMISS:
            return {}, {"outcome": proposal.outcome, "closed_at": at}
        case ProposalKind.CONFIRM_BOOKED:
            delivery = unknown.agree(case, proposal, decision)
            batch_outcome.note_end(case, delivery, at=at)
            outcome = unknown.outcome_of(case, delivery)
            found: dict[str, object] = {"outcome": outcome.value, "closed_at": at, "reference": delivery.reference}
            return unknown.told(proposal, delivery), found
        case ProposalKind.DECLARE_ABSENT:
            delivery = unknown.agree(case, proposal, decision)
            batch_outcome.note_end(case, delivery, at=at)
            proposal_ends.spend(case, at=at, because="It was stated that the target does not have it.")
            return unknown.told(proposal, delivery), {}


def _follow_up(case: ExceptionCase, proposal: Proposal, *, by: AbstractUser, at: datetime) -> None:
    """Tell those who wait for the end of an exception, when this was it."""
    if case.state == State.RESOLVED:
        resolving.follow_up(case, by=by, at=at)
    elif case.state == State.DISMISSED:
        event = "declined" if proposal.kind == ProposalKind.DECLINE else "dismissed"
        tell_source(case, event, by=by, at=at, because=proposal.because)
        handover_follow.case_ended(case, by=by.get_username(), at=at)


def approve_by_policy(
    case: ExceptionCase, proposal: Proposal, *, by: AbstractUser, at: datetime, because: str
) -> Decision:
    """The decision of a named policy on a locked exception that nobody works on. Raises AlreadyUnderWay."""
    decision = _decide(proposal, Decision.Verdict.APPROVED, by=by, at=at, because=because)
    delivery = _queue(case, proposal, at=at)
    data = {
        "proposal": proposal.kind,
        "version": proposal.version.number,
        "frozen_sha256": proposal.frozen_sha256,
        "content_sha256": proposal.content_sha256,
        "policy": proposal.policy_version,
        "idempotency_key": delivery.key,
        "waiting_for": delivery.waiting_for,
    }
    summary = f"{case.ref} is sent again as it came in, by the policy {proposal.policy_version}."
    move(case, Action.RETRY, by=by, at=at, because=because, summary=summary, data=data)
    _close(proposal, decision)
    return decision


@transaction.atomic
def reject(
    case_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str, batch: str = ""
) -> Decision:
    """Say no, with the reason; the exception goes back to work. `batch` is as for `approve`."""
    if not because.strip():
        raise Invalid("because", say("Say why you reject it; the person who proposed it needs to know what to change."))
    case = lock(case_id)
    proposal, where = _proposal_as_shown(case, frozen_sha256, by=by, action=Action.REJECT)
    tells = {} if batch else notify.prepared_by(proposal, where.contributors)
    decision = _decide(proposal, Decision.Verdict.REJECTED, by=by, at=at, because=because)
    move(
        case,
        Action.REJECT,
        by=by,
        at=at,
        because=because,
        summary=f"{by} rejected what {proposal.proposer} proposed on {case.ref}: {because}",
        data={"proposal": proposal.kind, "frozen_sha256": proposal.frozen_sha256},
        tells=tells,
    )
    _close(proposal, decision)
    return decision


def _proposal_as_shown(
    case: ExceptionCase, frozen_sha256: str, *, by: AbstractUser, action: Action | None
) -> tuple[Proposal, policies.Standing]:
    """The open proposal, when it is the one that the person looked at, and how they stand to it: read once."""
    where = policies.standing(by, case, decides=True)
    if where.proposal is None or where.proposal.frozen_sha256 != frozen_sha256:
        _refuse_decided_before(case, frozen_sha256, by=by)
    if where.proposal is None:
        policies.require(action or Action.APPROVE, case, by, where=where)
        raise ApprovalNoLongerHolds(why_gone(case, frozen_sha256))
    if action is not None:
        policies.require(action, case, by, where=where)
    proposal = open_proposal(case)
    if proposal.frozen_sha256 != frozen_sha256:
        policies.require(action or Action.REJECT, case, by, where=where)
        raise ApprovalNoLongerHolds(why_gone(case, frozen_sha256))
    return proposal, where


def _refuse_decided_before(case: ExceptionCase, frozen_sha256: str, *, by: AbstractUser) -> None:
    shown = proposal_shown(case, frozen_sha256)
    decision = Decision.objects.filter(proposal=shown, decider_id=by.pk).first() if shown is not None else None
    if decision is not None:
        raise DecidedAlready(
            say(
                "You {verdict} this already{part}.",
                verdict=say(decision.get_verdict_display().lower()),
                part=as_part_of(shown),
            )
        )


def _refuse_changed_bytes(proposal: Proposal) -> None:
    """Trust nothing stored: hash the bytes again, with the target and policy as they are at this moment."""
    now_frozen = frozen_hash(
        content_sha256=hashlib.sha256(bytes(proposal.version.content)).hexdigest(),
        target=proposal.target,
        kind=proposal.kind,
        outcome=proposal.outcome,
        policy_version=policies.POLICY_VERSION,
        evidence_sha256=unknown.hash_again(proposal),
    )
    if now_frozen != proposal.frozen_sha256:
        raise ApprovalNoLongerHolds(
            say(
                "The target or the approval policy changed after this was proposed. "
                "Have it withdrawn and proposed again."
            )
        )


def _refuse_overtaken(case: ExceptionCase, proposal: Proposal) -> None:
    """The source may mean something else by now: whoever agreed to the first document has not seen the second."""
    came_in = PayloadVersion.objects.filter(case=case, number=1).values("sha256")
    newer = Occurrence.objects.filter(case=case, arrived_at__gt=proposal.proposed_at).exclude(
        payload_sha256__in=came_in
    )
    if newer.exists():
        raise ApprovalNoLongerHolds(
            say(
                "The document came in again with other content after this was proposed. Compare the two; "
                "if this one is still right, reject it with that reason and have it proposed again."
            )
        )


def _decide(
    proposal: Proposal,
    verdict: Decision.Verdict,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    retyped_sha256: str = "",
) -> Decision:
    with refused_in_words():
        return Decision.objects.create(
            proposal=proposal,
            verdict=verdict,
            decider_id=by.pk,
            frozen_sha256=proposal.frozen_sha256,
            because=because[:500],
            decided_at=at,
            retyped_sha256=retyped_sha256,
        )


def _close(proposal: Proposal, decision: Decision) -> None:
    proposal.state = Proposal.State(decision.verdict)
    proposal.closed_at = decision.decided_at
    proposal.closed_because = decision.because
    proposal.save(update_fields=["state", "closed_at", "closed_because"])


def _queue(case: ExceptionCase, proposal: Proposal, *, at: datetime) -> Delivery:
    content = bytes(proposal.version.content)
    reverses = proposal.kind == ProposalKind.REVERSE
    business_key = get_connector(case.connection.connector).business_key(content)
    wait = None if reverses else wait_of(case)
    return outbox.enqueue(
        connection=proposal.target,
        operation=Delivery.Operation.REVERSE if reverses else Delivery.Operation.SUBMIT,
        object_type=case.object_type,
        business_key=business_key,
        content=content,
        media_type=proposal.version.media_type,
        subject=case.subject,
        correlation_id=case.ref,
        probe_first=_may_be_there(case, proposal, business_key),
        despite_warnings=True,
        amount=-case.amount if reverses and case.amount is not None else case.amount,
        currency=case.currency,
        waiting_for=wait.reason if wait else "",
        waits_at_most=wait.longest if wait else None,
        at=at,
    )


def _may_be_there(case: ExceptionCase, proposal: Proposal, business_key: str) -> bool:
    """Whether anything of this may have been booked: then the target is asked before the first send of this one.

    Whatever was sent before, for this exception or under this name, may have been; what came in with a doubt, its
    source may have sent; and what a restored backup knows may have been sent after the backup was made.
    """
    same_document = Q(connection=proposal.target, object_type=case.object_type, business_key=business_key)
    earlier = Delivery.objects.filter(Q(subject=case.subject) | same_document, operation__in=Delivery.BOOKING)
    forgotten = forgotten_since(case.opened_at)
    if effective_capabilities(proposal.target).can_be_asked:
        in_doubt = Occurrence.objects.filter(case=case, definitive=False)
        return forgotten is not None or earlier.exists() or in_doubt.exists()
    if proposal.kind == ProposalKind.REVERSE:
        earlier = earlier.filter(operation=Delivery.Operation.REVERSE)  # nobody doubts what is to be taken back
    return _people_must_say(case, proposal, earlier, forgotten)


def _people_must_say(
    case: ExceptionCase, proposal: Proposal, earlier: QuerySet[Delivery], forgotten: Forgotten | None
) -> bool:
    """Of a target that cannot be asked: whether anything is left that only people can find out.

    They may have said that it is not there; and what the target refused in its own words, sent once, it has not booked.
    """
    sources = Occurrence.objects.filter(case=case, definitive=False)
    stated = (
        DeliveryStatement.objects.filter(delivery__in=earlier, says=DeliveryStatement.Says.ABSENT)
        .order_by("-delivery")
        .first()
    )
    if stated is not None:
        earlier, sources = earlier.filter(pk__gt=stated.delivery_id), sources.filter(arrived_at__gt=stated.stated_at)
    if forgotten is not None and (stated is None or stated.stated_at <= forgotten.until):
        return True
    if earlier.exclude(state=Delivery.State.REFUSED, sends__lte=1).exists():
        return True
    return proposal.kind != ProposalKind.REVERSE and sources.exists()


__all__ = ["ApprovalNoLongerHolds", "ChangedMeanwhile", "DecidedAlready", "approve", "reject"]
