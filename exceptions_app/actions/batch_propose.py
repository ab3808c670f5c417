"""Proposing many replays as one batch: judged item by item, frozen as a list with its hash."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.timezone import now

from exceptions_app import authority, policies
from exceptions_app.actions import batch_log
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import CheckFailed, open_proposal, propose_replay
from exceptions_app.actions.retyping import ALONE
from exceptions_app.batch_states import GROWTH, MOST_AT_ONCE, MOST_ITEMS, POLICY, USUAL_FAILURE_LIMIT
from exceptions_app.models import BatchItem, BatchProgress, ExceptionCase, PayloadVersion, Proposal, ReplayBatch
from exceptions_app.payee_details import changed_details
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Action, Kind, ProposalKind, State, TransitionNotAllowed
from exceptions_app.wording import say
from integrations.connectors.registry import get_connector

_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An exception that somebody wants in a batch. `refusal` says why it cannot be; empty when it can."""

    case: ExceptionCase
    version: int
    refusal: str = ""


class ItemsRefused(Exception):
    """Some of the items cannot be proposed, so nothing was. `refused` are those, each with its reason."""

    def __init__(self, refused: Sequence[Candidate]) -> None:
        number = len(refused)
        words = "1 exception" if number == 1 else f"{number} exceptions"
        super().__init__(f"Nothing was proposed: {words} cannot be in this batch. Leave them out, or mend them first.")
        self.refused = tuple(refused)


class ListChanged(Exception):
    """What was to be proposed is not what was looked at: something changed between the two."""

    def __init__(self) -> None:
        super().__init__("Something in this list changed after it was shown. Nothing was proposed; look at it again.")


def judge(cases: Iterable[ExceptionCase], *, by: AbstractUser) -> list[Candidate]:
    """Of each exception whether it could be in one batch with the others, in the order in which they came in.

    Nothing is written. Seven queries at most; a version that was never checked is checked now, some milliseconds each.
    """
    ordered = sorted(cases, key=lambda case: case.pk)
    reach, target = reach_of(by), _most_common_target(ordered)
    latest = PayloadVersion.objects.filter(case__in=ordered).order_by("case", "-number").distinct("case")
    versions = {version.case_id: version for version in latest}
    opened = Proposal.objects.filter(case__in=ordered, state=Proposal.State.OPEN).select_related(
        "proposer", "batch_item__batch"
    )
    proposals = {proposal.case_id: proposal for proposal in opened}
    alone = _with_other_bank_details(versions.values())
    demands = authority.demands_on([case.pk for case in ordered], at=now())
    candidates = []
    for case in ordered:
        standing = policies.Standing(by, reach.verbs_of(case))
        refusal = _refusal_before_the_check(case, proposals.get(case.pk), target=target, by=standing)
        refusal = refusal or authority.why_alone(demands[case.pk])
        if not refusal and case.pk in alone:
            refusal = ALONE
        if not refusal and case.pk not in proposals:
            refusal = _refusal_of_the_check(case, versions[case.pk])
        candidates.append(Candidate(case=case, version=versions[case.pk].number, refusal=refusal))
    return candidates


def _with_other_bank_details(versions: Iterable[PayloadVersion]) -> set[int]:
    """The exceptions whose latest version pays into another account than the one that came in."""
    corrected = {version.case_id: version for version in versions if version.number > 1}
    if not corrected:
        return set()
    came_in = PayloadVersion.objects.filter(case__in=corrected, number=1).values_list("case_id", "content")
    return {case for case, content in came_in if changed_details(bytes(content), bytes(corrected[case].content))}


def _most_common_target(cases: Sequence[ExceptionCase]) -> int:
    numbers = Counter(case.connection_id for case in cases)
    return numbers.most_common(1)[0][0] if numbers else 0


def _refusal_before_the_check(
    case: ExceptionCase, proposal: Proposal | None, *, target: int, by: policies.Standing
) -> str:
    if case.connection_id != target:
        return f"It goes to {case.connection}; a batch goes to one target."
    if case.kind == Kind.HELD:
        return "It is held. What is held is released one by one, since somebody must look at each."
    if proposal is not None:
        return _refusal_of_proposed(proposal, by=by.user)
    return policies.may(Action.PROPOSE, case, by).reason


def _refusal_of_the_check(case: ExceptionCase, version: PayloadVersion) -> str:
    if version.check_passed:
        return ""
    report = get_connector(case.connection.connector).check(bytes(version.content))
    return "" if report.passed else str(CheckFailed(report))


def _refusal_of_proposed(proposal: Proposal, *, by: AbstractUser) -> str:
    """What a person proposed by itself already, they may put into a batch as it is."""
    item = getattr(proposal, "batch_item", None)
    if item is not None:
        return f"It is in batch {item.batch.ref} already."
    if proposal.proposer_id != by.pk:
        return f"{proposal.proposer} proposed it already; that is decided by itself."
    if proposal.approvers > 1 or proposal.roles:
        return f"It is decided by itself: {proposal.demanded_by[0]['words']}"
    if proposal.kind != ProposalKind.REPLAY:
        return f"You proposed something else for it: {proposal.kind}."
    return ""


@transaction.atomic
def propose_batch(
    case_ids: Iterable[int],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    failure_limit: int = USUAL_FAILURE_LIMIT,
    revisions: Mapping[int, int] | None = None,
) -> ReplayBatch:
    """Propose each of the exceptions and freeze the list, in one transaction: all of them or nothing.

    `failure_limit` is the per cent of failed items above which the batch stops by itself. `revisions` are those at
    which a person saw the exceptions. Raises Invalid, ItemsRefused, ListChanged.
    """
    chosen = _understood(case_ids, because=because, failure_limit=failure_limit)
    cases = _locked(chosen)
    if revisions is not None and any(revisions.get(case.pk) != case.revision for case in cases):
        raise ListChanged
    candidates = judge(cases, by=by)
    refused = [found for found in candidates if found.refusal]
    if refused:
        raise ItemsRefused(refused)
    proposals = [_proposal_for(found.case, by=by, at=at, because=because) for found in candidates]
    return freeze_list(proposals, by=by, at=at, because=because, failure_limit=failure_limit)


def _locked(case_ids: Sequence[int]) -> list[ExceptionCase]:
    """In the order of their numbers, so that two who want the same do not wait for each other in a ring."""
    rows = ExceptionCase.objects.select_for_update(of=("self",), no_key=True)
    related = rows.select_related("queue", "entity", "connection", "assignee", "cause")
    return list(related.filter(pk__in=case_ids).order_by("pk"))


def _understood(case_ids: Iterable[int], *, because: str, failure_limit: int) -> list[int]:
    if not because.strip():
        raise Invalid("because", say("Say why these are to be replayed; the person who decides will read it."))
    if not 0 <= failure_limit <= 100:
        raise Invalid("failure_limit", say("Write a number from 0 to 100."))
    chosen = sorted(set(case_ids))
    if not chosen:
        raise Invalid("exceptions", say("Choose at least one exception."))
    if len(chosen) > MOST_ITEMS:
        raise Invalid(
            "exceptions",
            say(
                "A batch has at most {most_items} exceptions. Propose the others as another.",
                most_items=f"{MOST_ITEMS:,}",
            ),
        )
    return chosen


def _proposal_for(case: ExceptionCase, *, by: AbstractUser, at: datetime, because: str) -> Proposal:
    try:
        if case.state == State.AWAITING_APPROVAL:
            return open_proposal(case)
        return propose_replay(case.pk, by=by, at=at, because=because)
    except (NotPermitted, TransitionNotAllowed, CheckFailed, ChangedMeanwhile) as error:
        raise ListChanged from error  # it was fit a moment ago, in this transaction


def frozen_list_hash(items: Iterable[BatchItem], *, connection: str, failure_limit: int, policy: str) -> str:
    """What the decision on a batch is bound to: the list in its order, each with the hash of its proposal."""
    parts = {
        "policy": policy,
        "growth": GROWTH,
        "most_at_once": MOST_AT_ONCE,
        "failure_limit": failure_limit,
        "target": connection,
        "items": [
            [item.position, item.case_id, item.content_sha256, item.frozen_sha256, _text(item.amount), item.currency]
            for item in items
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


def freeze_list(
    proposals: Sequence[Proposal],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    failure_limit: int = USUAL_FAILURE_LIMIT,
) -> ReplayBatch:
    """The batch of these open proposals, in this order, in the caller's transaction. `by` made all of them."""
    items = [
        BatchItem(
            position=position,
            case=proposal.case,
            proposal=proposal,
            content_sha256=proposal.content_sha256,
            frozen_sha256=proposal.frozen_sha256,
            amount=proposal.case.amount,
            currency=proposal.case.currency,
        )
        for position, proposal in enumerate(proposals, start=1)
    ]
    target = proposals[0].target
    money = _money_of(items)
    batch = ReplayBatch.objects.create(
        connection=target,
        policy_version=POLICY,
        count=len(items),
        money=money,
        failure_limit=failure_limit,
        frozen_sha256=frozen_list_hash(items, connection=target.slug, failure_limit=failure_limit, policy=POLICY),
        proposer_id=by.pk,
        because=because[:500],
        proposed_at=at,
        changed_at=at,
    )
    for item in items:
        item.batch = batch
    BatchItem.objects.bulk_create(items, batch_size=_ROWS_AT_ONCE)
    BatchProgress.objects.bulk_create((BatchProgress(item=item) for item in items), batch_size=_ROWS_AT_ONCE)
    batch_log.record(
        batch,
        "batch.proposed",
        by=by,
        at=at,
        because=because,
        summary=f"{by} proposed {batch.ref}: {batch.count} replays to {target}.",
        data={
            "count": batch.count,
            "money": money,
            "target": target.slug,
            "failure_limit": failure_limit,
            "policy": POLICY,
            "frozen_sha256": batch.frozen_sha256,
        },
    )
    return batch


def _money_of(items: Iterable[BatchItem]) -> dict[str, str]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for item in items:
        if item.amount is not None:
            sums[item.currency] += item.amount
    return {currency: _text(amount) for currency, amount in sorted(sums.items())}
