"""Proposing: what exactly shall happen, frozen with its hash, for a second person to decide."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import authority, policies
from exceptions_app.actions.correct import latest_version
from exceptions_app.actions.mover import ChangedMeanwhile, Held, Invalid, lock, move
from exceptions_app.actions.retyping import to_retype
from exceptions_app.hands import arrival_hands, hands_of
from exceptions_app.models import Contributor, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.payee_details import digest_of
from exceptions_app.states import (
    CLOSED_WITHOUT_SENDING,
    DECIDED_IN,
    Action,
    Kind,
    Outcome,
    ProposalKind,
    State,
    target_of,
)
from exceptions_app.wording import say
from integrations.connectors.base import CheckReport
from integrations.connectors.registry import get_connector
from integrations.models import Connection


class CheckFailed(Exception):
    """The latest version does not pass the check, so it cannot be proposed. `report` says what stands against it."""

    def __init__(self, report: CheckReport) -> None:
        super().__init__(
            say("This version does not pass the {check}. Correct what is listed first.", check=report.check)
        )
        self.report = report


@dataclass(frozen=True, slots=True)
class _Kind:
    action: Action
    kind: ProposalKind
    sends: bool
    words: str


_REPLAY = _Kind(Action.PROPOSE, ProposalKind.REPLAY, True, "proposed to replay")
_RELEASE = _Kind(Action.RELEASE, ProposalKind.RELEASE, True, "proposed to release")
_DECLINE = _Kind(Action.DECLINE, ProposalKind.DECLINE, False, "proposed to decline")
_DISMISS = _Kind(Action.DISMISS, ProposalKind.DISMISS, False, "proposed to dismiss")
REVERSE = _Kind(Action.REVERSE, ProposalKind.REVERSE, True, "proposed to reverse")


def propose_replay(
    case_id: int, *, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to send the latest version to the target. Raises CheckFailed when it does not pass the check."""
    return _propose(case_id, _REPLAY, by=by, at=at, because=because, revision=revision)


def propose_replay_locked(held: Held, *, by: AbstractUser, at: datetime, because: str) -> Proposal:
    """The same of an exception that is locked already, in the caller's transaction."""
    return _propose_locked(held, _REPLAY, by=by, at=at, because=because)


def propose_release(
    case_id: int, *, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to let a held transaction go to the target, as it is or as corrected."""
    return _propose(case_id, _RELEASE, by=by, at=at, because=because, revision=revision)


def propose_decline(
    case_id: int, *, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to send a held transaction back to its source, with the reason."""
    return _propose(case_id, _DECLINE, by=by, at=at, because=because, revision=revision, outcome=Outcome.DECLINED)


def propose_dismissal(
    case_id: int, *, outcome: Outcome, by: AbstractUser, at: datetime, because: str, revision: int | None = None
) -> Proposal:
    """Propose to close without sending: fixed at the source, a duplicate, or written off."""
    if outcome not in CLOSED_WITHOUT_SENDING:
        words = ", ".join(CLOSED_WITHOUT_SENDING)
        raise Invalid("outcome", say("Choose how it ends: {words}.", words=words))
    return _propose(case_id, _DISMISS, by=by, at=at, because=because, revision=revision, outcome=outcome)


@transaction.atomic
def _propose(
    case_id: int,
    what: _Kind,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    revision: int | None,
    outcome: Outcome | None = None,
) -> Proposal:
    if not because.strip():
        raise Invalid("because", say("Say why; the person who decides will read it."))
    held = Held(case=lock(case_id, revision=revision))
    return _propose_locked(held, what, by=by, at=at, because=because, outcome=outcome)


def _propose_locked(
    held: Held, what: _Kind, *, by: AbstractUser, at: datetime, because: str, outcome: Outcome | None = None
) -> Proposal:
    case = held.case
    where = policies.require(what.action, case, by, where=held.where)
    target_of(what.action, state=State(case.state), kind=Kind(case.kind))  # before anything is written
    version = held.latest or latest_version(case)
    if what.sends:
        _check(case, version)
    # What comes into force meanwhile is asked when it is decided on, of this as of all that are open.
    demands: Sequence[authority.Demand] | None = () if held.without_rules else None
    proposal = freeze(case, version, what.kind, by=by, at=at, because=because, outcome=outcome, demands=demands)
    record_proposal(case, proposal, version, what, by=by, at=at, because=because, where=where)
    return proposal


def record_proposal(
    case: ExceptionCase,
    proposal: Proposal,
    version: PayloadVersion,
    what: _Kind,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    data: Mapping[str, object] | None = None,
    where: policies.Standing | None = None,
) -> None:
    """The move to a second person, with what it is bound to. `where` as in `move`."""
    move(
        case,
        what.action,
        by=by,
        at=at,
        because=because,
        summary=f"{by} {what.words} {case.ref} ({case.document_number}), version {version.number}.",
        data={
            "proposal": proposal.kind,
            "version": version.number,
            "outcome": proposal.outcome,
            "content_sha256": proposal.content_sha256,
            "frozen_sha256": proposal.frozen_sha256,
            "target": proposal.target.slug,
            "policy": proposal.policy_version,
            "approvers": proposal.approvers,
            "rules": [one["rule"] for one in proposal.demanded_by],
            "contributors": sorted(set(proposal.contributors.values_list("person__username", flat=True))),
            **(data or {}),
        },
        where=where,
        assignee=case.assignee or by,
    )


def propose_by_policy(
    case: ExceptionCase, *, policy_version: str, by: AbstractUser, at: datetime, because: str
) -> Proposal:
    """The latest version of a locked exception, frozen for a decision under a policy of the machine.

    Unchecked: it is what the target was to judge when it failed. The exception does not move before it is decided,
    in the same transaction.
    """
    version = latest_version(case)
    return freeze(case, version, ProposalKind.REPLAY, by=by, at=at, because=because, policy_version=policy_version)


def _check(case: ExceptionCase, version: PayloadVersion) -> None:
    """A correction carries its report; the version that was received is checked now."""
    if version.check_passed:
        return
    report = get_connector(case.connection.connector).check(bytes(version.content))
    if not report.passed:
        raise CheckFailed(report)


def frozen_hash(
    *, content_sha256: str, target: Connection, kind: str, outcome: str, policy_version: str, evidence_sha256: str = ""
) -> str:
    """What a decision is bound to: these bytes, to this target, to this end, under this policy, on this evidence."""
    parts = {
        "content_sha256": content_sha256,
        "target": target.slug,
        "target_url": target.target_url,
        "kind": kind,
        "outcome": outcome,
        "policy": policy_version,
    }
    if evidence_sha256:
        parts["evidence_sha256"] = evidence_sha256
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def freeze(
    case: ExceptionCase,
    version: PayloadVersion,
    kind: ProposalKind,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    outcome: Outcome | None = None,
    evidence_sha256: str = "",
    policy_version: str = policies.POLICY_VERSION,
    demands: Sequence[authority.Demand] | None = None,
) -> Proposal:
    """Write the proposal and who had a hand in it, in the caller's transaction. `demands` when they are known."""
    ending = outcome.value if outcome else ""
    if demands is None:
        demands = authority.demands_on([case.pk], at=at)[case.pk]
    proposal = Proposal.objects.create(
        case=case,
        kind=kind,
        outcome=ending,
        version=version,
        target=case.connection,
        policy_version=policy_version,
        content_sha256=version.sha256,
        frozen_sha256=frozen_hash(
            content_sha256=version.sha256,
            target=case.connection,
            kind=kind,
            outcome=ending,
            policy_version=policy_version,
            evidence_sha256=evidence_sha256,
        ),
        retype_sha256=digest_of(to_retype(version, kind)),
        proposer_id=by.pk,
        because=because[:500],
        proposed_at=at,
        approvers=authority.approvers_of(demands),
        roles=authority.roles_of(demands),
        demanded_by=[{"rule": demand.rule, "words": demand.words} for demand in demands],
    )
    people = {(hand.person, hand.part) for hand in (*hands_of(proposal), *arrival_hands(case))}
    Contributor.objects.bulk_create(
        Contributor(proposal=proposal, person_id=person, part=part) for person, part in sorted(people)
    )
    return proposal


@transaction.atomic
def withdraw(
    case_id: int, *, by: AbstractUser, at: datetime, because: str = "", revision: int | None = None
) -> ExceptionCase:
    """Take one's own proposal back before it is decided."""
    case = lock(case_id, revision=revision)
    policies.require(Action.WITHDRAW, case, by)
    proposal = open_proposal(case)
    move(
        case,
        Action.WITHDRAW,
        by=by,
        at=at,
        because=because,
        summary=f"{by} withdrew the proposal on {case.ref}.",
        data={"frozen_sha256": proposal.frozen_sha256},
    )
    proposal.state = Proposal.State.WITHDRAWN
    proposal.closed_at = at
    proposal.closed_because = because[:500] or f"Withdrawn by {by}."
    proposal.save(update_fields=["state", "closed_at", "closed_because"])
    return case


def open_proposal(case: ExceptionCase) -> Proposal:
    """The proposal that waits for a decision; ChangedMeanwhile when there is none."""
    proposal = (
        Proposal.objects.select_for_update(of=("self",), no_key=True)
        .select_related("version", "target", "proposer")
        .filter(case=case, state=Proposal.State.OPEN)
        .first()
    )
    if proposal is None or State(case.state) not in DECIDED_IN:
        raise ChangedMeanwhile(case, say("Nothing is proposed on {ref} any more.", ref=case.ref))
    return proposal
