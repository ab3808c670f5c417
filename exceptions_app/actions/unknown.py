"""A sending of unknown outcome: ask the target again, or state with proof what a person found out there."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid, lock, move
from exceptions_app.actions.propose import freeze
from exceptions_app.models import Decision, Evidence, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.states import STATING_KINDS, Action, Kind, Outcome, ProposalKind, State, target_of
from exceptions_app.wording import say
from integrations import delivery as engine
from integrations.models import Delivery, DeliveryStatement
from integrations.promises import effective_capabilities

LARGEST_FILE = 5_000_000  # bytes
FILE_TOO_LARGE = say(
    "The file is larger than {most} MB. Attach the part that proves it.", most=LARGEST_FILE // 1_000_000
)
LONGEST_REFERENCE = 200

Says = DeliveryStatement.Says


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves a statement: the target's reference, where there is one, and a file, where one was attached."""

    reference: str = ""
    file_name: str = ""
    media_type: str = ""
    content: bytes = b""


@transaction.atomic
def ask_again(case_id: int, *, by: AbstractUser, at: datetime, revision: int | None = None) -> ExceptionCase:
    """Have the target asked at once whether it has the document. Raises Invalid where it cannot be asked."""
    case = lock(case_id, revision=revision)
    policies.require(Action.ASK_AGAIN, case, by)
    target_of(Action.ASK_AGAIN, state=State(case.state), kind=Kind(case.kind))
    delivery = _unknown_delivery(case)
    if not can_be_asked(case):
        raise Invalid(
            "", say("This target cannot be asked. Find out there whether it was booked, and state it with proof.")
        )
    try:
        engine.ask_now(delivery)
    except engine.NotUnknown as error:
        raise ChangedMeanwhile(case, str(error)) from error
    return move(
        case,
        Action.ASK_AGAIN,
        by=by,
        at=at,
        summary=f"{by} had the target asked about {case.ref} at once.",
        data={"delivery": delivery.pk},
    )


def can_be_asked(case: ExceptionCase) -> bool:
    return effective_capabilities(case.connection).can_be_asked


def state_booked(
    case_id: int, *, proof: Proof, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to take the document as booked, under the reference that was found at the target."""
    if not proof.reference.strip():
        raise Invalid("reference", say("Write the reference under which the target has it."))
    return _state(case_id, ProposalKind.CONFIRM_BOOKED, proof, by=by, at=at, because=because, revision=revision)


def state_absent(
    case_id: int, *, proof: Proof, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to take the document as not booked, so that the exception is worked again."""
    return _state(case_id, ProposalKind.DECLARE_ABSENT, proof, by=by, at=at, because=because, revision=revision)


_STATED = {
    ProposalKind.CONFIRM_BOOKED: (Action.CONFIRM_BOOKED, "stated that the target has"),
    ProposalKind.DECLARE_ABSENT: (Action.DECLARE_ABSENT, "stated that the target does not have"),
}


@transaction.atomic
def _state(
    case_id: int,
    kind: ProposalKind,
    proof: Proof,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    revision: int | None,
) -> Proposal:
    _refuse_poor(proof, because)
    action, words = _STATED[kind]
    case = lock(case_id, revision=revision)
    standing = policies.require(action, case, by)
    target_of(action, state=State(case.state), kind=Kind(case.kind))
    if policies.proposed_already(action, standing):
        raise policies.NotPermitted(policies.proposed_already(action, standing))
    delivery = _unknown_delivery(case)
    sent = PayloadVersion.objects.filter(case=case, sha256=delivery.content_sha256).order_by("-number").first()
    if sent is None:
        raise ChangedMeanwhile(case, say("What was sent is no version of this exception. Show it to support."))
    sha256 = proof_sha256(proof.reference, because, proof.file_name, proof.content)
    proposal = freeze(case, sent, kind, by=by, at=at, because=because, evidence_sha256=sha256)
    Evidence.objects.create(
        proposal=proposal,
        reference=proof.reference.strip(),
        file_name=proof.file_name,
        media_type=proof.media_type,
        content=proof.content,
        sha256=sha256,
    )
    move(
        case,
        action,
        by=by,
        at=at,
        because=because,
        summary=f"{by} {words} {case.document_number} ({case.ref}); someone else must agree.",
        data={
            "proposal": proposal.kind,
            "reference": proof.reference.strip(),
            "file": proof.file_name,
            "evidence_sha256": sha256,
            "frozen_sha256": proposal.frozen_sha256,
            "delivery": delivery.pk,
        },
    )
    return proposal


def _refuse_poor(proof: Proof, because: str) -> None:
    if not because.strip():
        raise Invalid("because", say("Say where you looked and what you saw; the person who decides will read it."))
    if len(proof.reference) > LONGEST_REFERENCE:
        raise Invalid(
            "reference",
            say("A reference has at most {longest_reference} characters.", longest_reference=LONGEST_REFERENCE),
        )
    if len(proof.content) > LARGEST_FILE:
        raise Invalid("file", FILE_TOO_LARGE)


def proof_sha256(reference: str, because: str, file_name: str, content: bytes) -> str:
    """One hash over all that the second person is shown."""
    file_sha256 = hashlib.sha256(content).hexdigest() if content else ""
    parts = {"reference": reference.strip(), "because": because[:500], "file": file_name, "file_sha256": file_sha256}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def hash_again(proposal: Proposal) -> str:
    """The hash of what is stored as proof, nothing trusted; empty for a proposal that needs none."""
    if ProposalKind(proposal.kind) not in STATING_KINDS:
        return ""
    kept = proposal.evidence
    return proof_sha256(kept.reference, proposal.because, kept.file_name, bytes(kept.content))


def _unknown_delivery(case: ExceptionCase) -> Delivery:
    delivery = engine.unknown_of(case.subject)
    if delivery is None:
        raise ChangedMeanwhile(case, say("It is known by now what became of it."))
    return delivery


def agree(case: ExceptionCase, proposal: Proposal, decision: Decision) -> Delivery:
    """End the sending as it was stated, in the transaction of the decision. Raises ChangedMeanwhile."""
    booked = proposal.kind == ProposalKind.CONFIRM_BOOKED
    statement = engine.Statement(
        says=Says.BOOKED if booked else Says.ABSENT,
        reference=proposal.evidence.reference,
        evidence_sha256=proposal.evidence.sha256,
        stated_by=proposal.proposer.get_username(),
        agreed_by=decision.decider.get_username(),
    )
    delivery = _unknown_delivery(case)
    if delivery.content_sha256 != proposal.content_sha256:
        raise ChangedMeanwhile(
            case, say("What was sent is not what the statement is about. Reject it, and look again.")
        )
    try:
        return engine.end_by(statement, delivery=delivery)
    except engine.NotUnknown as error:
        raise ChangedMeanwhile(case, str(error)) from error


def told(proposal: Proposal, delivery: Delivery) -> dict[str, object]:
    """What the audit event of the decision says about the statement."""
    return {
        "delivery": delivery.pk,
        "reference": delivery.reference,
        "evidence_sha256": proposal.evidence.sha256,
        "state": delivery.state,
    }


def outcome_of(case: ExceptionCase, delivery: Delivery) -> Outcome:
    """How an exception ends whose document two people found at the target."""
    if delivery.operation == Delivery.Operation.REVERSE:
        return Outcome.REVERSED
    return Outcome.RELEASED if case.kind == Kind.HELD else Outcome.REPLAYED
