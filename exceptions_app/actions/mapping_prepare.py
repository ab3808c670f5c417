"""Preparing the exceptions that go with a proposed mapping: each is corrected and proposed, then all are frozen.

In small transactions under the lock of the proposal. A worker that dies leaves every exception either as it was or
prepared with its outcome; the next one goes on from the rows. Nobody can decide before the list is whole.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from exceptions_app.actions import mapping_log, notify
from exceptions_app.actions.batch_propose import freeze_list
from exceptions_app.actions.correct import correct_locked
from exceptions_app.actions.mapping_propose import frozen_rows_hash, mend_reason, rows_of
from exceptions_app.actions.mover import ChangedMeanwhile, Held, Invalid, lock_all
from exceptions_app.actions.propose import CheckFailed, propose_replay_locked, withdraw
from exceptions_app.actions.refused import record_refused_by_task
from exceptions_app.authority import any_rule_holds
from exceptions_app.machines import WORKER, machine
from exceptions_app.mapping_states import MappingState
from exceptions_app.models import MappingMend, MappingProposal, MendOutcome, Proposal
from exceptions_app.policies import NotPermitted, Standing
from exceptions_app.queries.mapping_effect import Mend, mends_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.score_facts import waiting_for
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.wording import say
from integrations.connectors.base import CorrectionError
from integrations.doorbell import TimeIsUp

log = logging.getLogger(__name__)

BUDGET = 5.0  # seconds of one sweep; the next one, two seconds later, goes on
AT_A_TIME = 10  # exceptions in one transaction: so many are locked, for less than a second

_REFUSED = (NotPermitted, TransitionNotAllowed, Invalid, CheckFailed, CorrectionError)
CHANGED = say("It changed after it was shown.")
GONE = say("It is closed, or these rows say nothing for its value and its day.")
_FAULT = say("The workbench failed at it, and nothing was done. The time of this attempt leads to its log.")


def carry_on_due() -> int:
    """Go on with all proposals that are being prepared, or given back, in turns. How many exceptions moved."""
    ends_at = time.monotonic() + BUDGET
    done = 0
    while time.monotonic() < ends_at:
        due = [(pk, prepare_some) for pk in _preparing()] + [(pk, give_some_back) for pk in _withdrawn()]
        moved = sum(_unless_broken(step, pk) for pk, step in due if time.monotonic() < ends_at)
        done += moved
        if not moved:
            break
    return done


def _preparing() -> list[int]:
    found = MappingProposal.objects.filter(state=MappingState.PREPARING).order_by("pk")
    return list(found.values_list("pk", flat=True))


def _withdrawn() -> list[int]:
    """Those with a prepared exception that nobody gave back yet."""
    found = _to_give_back().order_by().values_list("item__proposal", flat=True)
    return sorted(set(found.distinct()))


def _to_give_back() -> QuerySet[MendOutcome]:
    """Exceptions whose mapping was withdrawn before its list was whole."""
    return MendOutcome.objects.filter(
        returned_at=None,
        proposal__state=Proposal.State.OPEN,
        item__proposal__state=MappingState.WITHDRAWN,
        item__proposal__batch=None,
    )


def _unless_broken(step: Callable[[int], int], proposal_id: int) -> int:
    """A proposal that cannot be prepared keeps no other from it."""
    try:
        return step(proposal_id)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("Mapping proposal %s could not go on; the next sweep takes it up.", proposal_id)
        return 0


def _ours(proposal_id: int, state: MappingState) -> MappingProposal | None:
    """The proposal in that state, locked; None while another worker or a person has it."""
    rows = MappingProposal.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    related = rows.select_related("proposer", "mapping__connection", "mapping__entity", "mapping__queue")
    return related.filter(pk=proposal_id, state=state).first()


@transaction.atomic
def prepare_some(proposal_id: int) -> int:
    """The next few of the list, each with its outcome; the whole list frozen when none is left. How many moved."""
    proposal = _ours(proposal_id, MappingState.PREPARING)
    if proposal is None:
        return 0
    left = MappingMend.objects.filter(proposal=proposal, outcome__isnull=True).order_by("position")
    items = list(left[:AT_A_TIME])
    if not items:
        _freeze(proposal, at=now())
        return 1
    found = _held(proposal, items)
    outcomes = []
    for item in items:
        at = now()
        prepared, detail = _attempt(proposal, item, *found.get(item.case_id, (None, None)), at=at)
        outcomes.append(MendOutcome(item=item, proposal=prepared, detail=detail[:500], at=at))
    MendOutcome.objects.bulk_create(outcomes)
    return len(items)


def _held(proposal: MappingProposal, items: Sequence[MappingMend]) -> dict[int, tuple[Mend, Held]]:
    """Each that can be mended still, with what both steps need: all locked first, then read with a query of all.

    So whatever is read of one, such as the rights of who proposed it, is as it stands after its row was locked.
    """
    by, numbers = proposal.proposer, [item.case_id for item in items]
    cases = lock_all(numbers)
    reach, waiting, without_rules = reach_of(by), waiting_for(numbers), not any_rule_holds()
    found = mends_of(rows_of(proposal.mapping, list(proposal.rows.all())), by=by, reach=reach, among=numbers)
    held = {}
    for mend in found:
        case = cases[mend.case.pk]
        held[case.pk] = mend, Held(
            case=case, where=Standing(by, reach.verbs_of(case)), latest=mend.latest, waiting=waiting[case.pk],
            without_rules=without_rules,
        )  # fmt: skip
    return held


def _attempt(
    proposal: MappingProposal, item: MappingMend, mend: Mend | None, held: Held | None, *, at: datetime
) -> tuple[Proposal | None, str]:
    """In the name of who proposed the mapping: may they, and is it as they saw it, is judged now. Or why not."""
    if mend is None or held is None:
        return None, GONE
    if mend.refusal:
        return None, mend.refusal
    try:
        with transaction.atomic():
            return _prepare(proposal, item, mend, held, at=at), ""
    except ChangedMeanwhile:
        return None, CHANGED
    except _REFUSED as error:
        record_refused_by_task(error, "mend by a mapping", mend.case, by=proposal.proposer, at=at, about=proposal.ref)
        remedy = getattr(error, "remedy", "")
        return None, f"{error} {remedy}".strip() or type(error).__name__
    except (TimeIsUp, OperationalError, InterfaceError):
        raise  # nothing is wrong with the exception: its turn comes again
    except Exception:
        log.exception("Item %s of mapping proposal %s failed.", item.pk, proposal.pk)
        return None, _FAULT


def _prepare(proposal: MappingProposal, item: MappingMend, mend: Mend, held: Held, *, at: datetime) -> Proposal:
    if held.case.revision != item.revision:
        raise ChangedMeanwhile(held.case)
    by, reason = proposal.proposer, mend_reason(proposal.mapping, proposal.because)
    version = correct_locked(
        held, by=by, at=at, because=reason, base_version=mend.version, operations=mend.operations, by_mapping=True
    )
    return propose_replay_locked(replace(held, latest=version), by=by, at=at, because=reason)


def _freeze(proposal: MappingProposal, *, at: datetime) -> None:
    """What was prepared becomes one batch, and rows and batch the hash that a second person decides on.

    What somebody decided on or changed since it was prepared is not in it, nor what a rule asks more for: that is
    decided on by itself.
    """
    opened = Proposal.objects.select_for_update(of=("self",), no_key=True).select_related("case", "target")
    usual = opened.filter(
        mend_outcome__item__proposal=proposal, state=Proposal.State.OPEN, approvers=1, roles=[], retype_sha256=""
    )
    prepared = list(usual.order_by("case_id"))
    reason = mend_reason(proposal.mapping, proposal.because)
    batch = freeze_list(prepared, by=proposal.proposer, at=at, because=reason) if prepared else None
    proposal.batch = batch
    rows = proposal.rows.order_by("position")
    policy = proposal.policy_version
    proposal.frozen_sha256 = frozen_rows_hash(proposal.mapping, rows, batch=batch, policy=policy)
    proposal.state = MappingState.AWAITING_APPROVAL
    proposal.save(update_fields=["batch", "frozen_sha256", "state"])
    left_out = proposal.mends - len(prepared)
    mapping_log.record(
        proposal.mapping,
        "value_mapping.prepared",
        by=machine(WORKER),
        at=at,
        summary=f"{proposal.ref} is prepared: {len(prepared)} exceptions go with it, {left_out} were left out.",
        data={
            "proposal": proposal.ref,
            "mends": proposal.mends,
            "left_out": left_out,
            "batch": batch.ref if batch else "",
            "frozen_sha256": proposal.frozen_sha256,
        },
    )
    notify.mapping_prepared(proposal, at=at, number=len(prepared))


@transaction.atomic
def give_some_back(proposal_id: int) -> int:
    """What was prepared for a mapping that was withdrawn meanwhile goes back to work. How many moved."""
    proposal = _ours(proposal_id, MappingState.WITHDRAWN)
    if proposal is None:
        return 0
    found = _to_give_back().filter(item__proposal=proposal).select_related("item").order_by("item__position")
    outcomes = list(found[:AT_A_TIME])
    for outcome in outcomes:
        at = now()
        try:
            with transaction.atomic():
                words = f"{proposal.ref} was withdrawn: {proposal.closed_because}"
                withdraw(outcome.item.case_id, by=proposal.proposer, at=at, because=words)
        except (NotPermitted, TransitionNotAllowed, ChangedMeanwhile) as error:
            case, by = outcome.item.case, proposal.proposer
            record_refused_by_task(error, "give back of a mapping", case, by=by, at=at, about=proposal.ref)
            log.warning("Item %s of %s waits for somebody else's decision: %s", outcome.pk, proposal.ref, error)
        outcome.returned_at = at
        outcome.save(update_fields=["returned_at"])
    return len(outcomes)
