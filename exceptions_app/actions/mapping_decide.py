"""Deciding on a change of a value mapping: a second person approves or rejects exactly the rows they were shown."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import mapping_log, notify
from exceptions_app.actions.batch_decide import approve_batch, reject_batch
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.fresh_proof import Money, require_fresh_proof
from exceptions_app.actions.mapping_propose import entries_holding, frozen_rows_hash, told
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import POLICY, MappingAction, MappingState
from exceptions_app.models import MappingDecision, MappingEntry, MappingProposal, MappingRow, ValueMapping
from exceptions_app.queries.mapping_standing import require_on_proposal
from exceptions_app.value_rows import WrittenRow
from exceptions_app.wording import say

_DAY = timedelta(days=1)


@transaction.atomic
def approve_mapping(
    proposal_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> MappingProposal:
    """Agree to the rows whose hash is `frozen_sha256`: from now on they hold, as the next version of the mapping.

    The batch that goes with them is approved by the same decision, or neither is. Raises policies.NotPermitted for the
    proposer and for whoever may not approve every item of the batch, ApprovalNoLongerHolds when what the rows replace
    is not what was shown any more, FreshProofNeeded as `decide.approve` does.
    """
    proposal = _as_shown(proposal_id, frozen_sha256, action=MappingAction.APPROVE, by=by)
    require_fresh_proof(lambda: _money_of(proposal), at=at)
    rows = list(proposal.rows.order_by("position"))
    replaced = _still_replaced(proposal, rows)
    _close(proposal, MappingDecision.Verdict.APPROVED, by=by, at=at, because=because)
    mapping = proposal.mapping
    mapping.version += 1
    mapping.save(update_fields=["version"])
    _write(mapping, rows, replaced)
    if proposal.batch is not None:
        approve_batch(proposal.batch.pk, by=by, at=at, frozen_sha256=proposal.batch.frozen_sha256, because=because)
    summary = f"{by} approved {proposal.ref}: {mapping.ref} ({mapping.title}) is at version {mapping.version}."
    _record(proposal, "value_mapping.approved", rows, by=by, at=at, because=because, summary=summary)
    notify.mapping_decided(proposal, by=by, at=at, words="approved")
    return proposal


@transaction.atomic
def reject_mapping(
    proposal_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str
) -> MappingProposal:
    """Say no, with the reason; what holds stays as it is."""
    if not because.strip():
        raise Invalid("because", say("Say why you reject it; the person who proposed it needs to know what to change."))
    proposal = _as_shown(proposal_id, frozen_sha256, action=MappingAction.REJECT, by=by)
    _close(proposal, MappingDecision.Verdict.REJECTED, by=by, at=at, because=because)
    if proposal.batch is not None:
        reject_batch(proposal.batch.pk, by=by, at=at, frozen_sha256=proposal.batch.frozen_sha256, because=because)
    summary = f"{by} rejected {proposal.ref} for {proposal.mapping.ref}: {because}"
    rows = list(proposal.rows.order_by("position"))
    _record(proposal, "value_mapping.rejected", rows, by=by, at=at, because=because, summary=summary)
    notify.mapping_decided(proposal, by=by, at=at, words="rejected")
    return proposal


def _money_of(proposal: MappingProposal) -> Iterable[Money]:
    """What the batch that goes with it is about. Of rows alone nobody knows what documents they will be for."""
    return proposal.batch.items.values_list("amount", "currency") if proposal.batch is not None else [(None, "")]


def _as_shown(proposal_id: int, frozen_sha256: str, *, action: MappingAction, by: AbstractUser) -> MappingProposal:
    proposal = mapping_log.lock_proposal(proposal_id)
    decision = MappingDecision.objects.filter(proposal=proposal).select_related("decider").first()
    if decision is not None:
        verdict = say(decision.get_verdict_display().lower())
        if decision.decider_id == by.pk:
            raise DecidedAlready(say("You {verdict} {ref} already.", verdict=verdict, ref=proposal.ref))
        raise ApprovalNoLongerHolds(
            say(
                "Somebody was faster: {decider} {verdict} {ref}.",
                decider=decision.decider,
                verdict=verdict,
                ref=proposal.ref,
            )
        )
    require_on_proposal(action, proposal, by)
    same = proposal.policy_version == POLICY and frozen_hash_of(proposal) == proposal.frozen_sha256
    if frozen_sha256 != proposal.frozen_sha256 or (action is MappingAction.APPROVE and not same):
        raise ApprovalNoLongerHolds(
            say(
                "{ref} is not what you were shown, or the rules for mappings changed after it was proposed. "
                "Look at it again; if it stays so, have it withdrawn and proposed anew.",
                ref=proposal.ref,
            )
        )
    return proposal


def frozen_hash_of(proposal: MappingProposal) -> str:
    """The hash of what stands there now, by the rules under which it was proposed."""
    rows, policy = proposal.rows.order_by("position"), proposal.policy_version
    return frozen_rows_hash(proposal.mapping, rows, batch=proposal.batch, policy=policy)


def _still_replaced(proposal: MappingProposal, rows: Sequence[MappingRow]) -> list[MappingEntry]:
    """What the rows replace, which is what the proposer saw; another proposal may have been approved meanwhile."""
    holding = entries_holding(proposal.mapping, {row.source_value for row in rows})
    by_source: defaultdict[str, list[MappingEntry]] = defaultdict(list)
    for entry in holding:
        by_source[entry.source_value].append(entry)
    replaced: dict[int, MappingEntry] = {}
    for row in rows:
        written = WrittenRow(source_value=row.source_value, valid_from=row.valid_from, valid_to=row.valid_to)
        there = {entry.pk: entry for entry in by_source[row.source_value] if written.overlaps(entry)}
        replaced |= there
        if sorted(there) != row.replaces:
            raise ApprovalNoLongerHolds(
                say(
                    "“{source_value}” was mapped otherwise after {ref} was proposed. Have it withdrawn and "
                    "proposed anew.",
                    source_value=row.source_value,
                    ref=proposal.ref,
                )
            )
    return list(replaced.values())


@refused_in_words()
def _close(
    proposal: MappingProposal, verdict: MappingDecision.Verdict, *, by: AbstractUser, at: datetime, because: str
) -> None:
    MappingDecision.objects.create(
        proposal=proposal,
        verdict=verdict,
        decider_id=by.pk,
        frozen_sha256=proposal.frozen_sha256,
        because=because.strip()[:500],
        decided_at=at,
    )
    proposal.state = MappingState(verdict.value)
    proposal.closed_at = at
    proposal.save(update_fields=["state", "closed_at"])


def _write(mapping: ValueMapping, rows: Sequence[MappingRow], replaced: Sequence[MappingEntry]) -> None:
    """Retire what the rows replace, keep of it the days before and after, and let the rows themselves hold."""
    by_source: defaultdict[str, list[MappingRow]] = defaultdict(list)
    for row in rows:
        by_source[row.source_value].append(row)
    kept = [piece for entry in replaced for piece in _left_of(entry, by_source[entry.source_value])]
    MappingEntry.objects.filter(pk__in=[entry.pk for entry in replaced]).update(retired_in=mapping.version)
    MappingEntry.objects.bulk_create(
        MappingEntry(
            mapping=mapping,
            row_id=found.row_id if isinstance(found, MappingEntry) else found.pk,
            source_value=found.source_value,
            target_value=found.target_value,
            valid_from=found.valid_from,
            valid_to=found.valid_to,
            version=mapping.version,
        )
        for found in [*kept, *(row for row in rows if row.target_value)]
    )


def _left_of(entry: MappingEntry, rows: Sequence[MappingRow]) -> list[MappingEntry]:
    """Its days that none of the rows takes."""
    left = [entry]
    for row in rows:
        left = [piece for found in left for piece in _beside(found, row)]
    return left


def _beside(entry: MappingEntry, row: MappingRow) -> list[MappingEntry]:
    """What is left of an entry beside the days of a row: itself, or the days before and after, not saved."""
    written = WrittenRow(source_value=row.source_value, valid_from=row.valid_from, valid_to=row.valid_to)
    if not written.overlaps(entry):
        return [entry]
    left = []
    if row.valid_from is not None and (entry.valid_from is None or entry.valid_from < row.valid_from):
        left.append(_piece(entry, begins=entry.valid_from, ends=row.valid_from - _DAY))
    if row.valid_to is not None and (entry.valid_to is None or row.valid_to < entry.valid_to):
        left.append(_piece(entry, begins=row.valid_to + _DAY, ends=entry.valid_to))
    return left


def _piece(entry: MappingEntry, *, begins: date | None, ends: date | None) -> MappingEntry:
    return MappingEntry(
        row_id=entry.row_id, source_value=entry.source_value, target_value=entry.target_value, valid_from=begins,
        valid_to=ends,
    )  # fmt: skip


def _record(
    proposal: MappingProposal,
    name: str,
    rows: Sequence[MappingRow],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    summary: str,
) -> None:
    mapping_log.record(
        proposal.mapping,
        name,
        by=by,
        at=at,
        because=because,
        summary=summary,
        data={
            "proposal": proposal.ref,
            "version": proposal.mapping.version,
            "rows": told(rows),
            "rows_total": len(rows),
            "proposer": proposal.proposer.get_username(),
            "batch": proposal.batch.ref if proposal.batch else "",
            "frozen_sha256": proposal.frozen_sha256,
        },
    )
