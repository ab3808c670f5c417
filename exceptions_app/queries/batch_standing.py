"""Who may see a batch, who may do what with it, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q

from exceptions_app.batch_states import BATCH_MOVES, BatchAction, BatchMoveNotAllowed, BatchState, destination
from exceptions_app.duties import kept_from_batch
from exceptions_app.mapping_states import MappingState
from exceptions_app.models import BatchItem, MappingProposal, PayloadVersion, ReplayBatch
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.replay_batch import ReplayBatchQuerySet
from exceptions_app.policies import ALLOWED, NotPermitted, Ruling
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb

_DECIDING = frozenset({BatchAction.APPROVE, BatchAction.REJECT, BatchAction.RESUME})


def batches_within(reach: Reach, verb: Verb = Verb.SEE) -> ReplayBatchQuerySet:
    """Batches of which the person holds the verb on every item: its number and its money are those of all items."""
    beyond = BatchItem.objects.filter(~reach.where(verb, case="case__"), batch=OuterRef("pk"))
    found: ReplayBatchQuerySet = ReplayBatch.objects.filter(~Exists(beyond))
    return found


def waiting_for_batch_decision_of(user: AbstractUser, reach: Reach) -> ReplayBatchQuerySet:
    """Batches that the person could decide on: granted everywhere, and without a hand in any item."""
    if not reach.has(Verb.APPROVE):
        none: ReplayBatchQuerySet = ReplayBatch.objects.none()
        return none
    waiting = batches_within(reach, Verb.APPROVE).filter(state=BatchState.AWAITING_APPROVAL)
    handled = BatchItem.objects.filter(batch=OuterRef("pk")).filter(_hand_of(user))
    alone = waiting.exclude(mapping_proposal__state=MappingState.AWAITING_APPROVAL)
    return alone.exclude(proposer=user.pk).exclude(Exists(handled))


def _hand_of(user: AbstractUser) -> Q:
    """Items with a part of that person's: proposed, or a version or a value up to the proposed one written."""
    written = PayloadVersion.objects.filter(
        Q(author=user.pk)
        | Q(hands__contains=[{"person": user.pk}])
        | Q(field_maps__contains=[{"author": user.pk}])
        | Q(field_maps__contains=[{"put_to_use_by": user.pk}]),
        case=OuterRef("case"),
        number__lte=OuterRef("proposal__version__number"),
    )
    return Q(proposal__proposer=user.pk) | Q(proposal__contributors__person=user.pk) | Q(Exists(written))


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """All that a ruling on a batch looks at, read once."""

    user: AbstractUser
    verbs: frozenset[Verb]  # those that the person holds on every item
    hands: tuple[str, ...]  # references of exceptions in which the person had a hand; a few of them
    kept: str = ""  # what else keeps them from deciding

    @property
    def sees(self) -> bool:
        return Verb.SEE in self.verbs


def standing_on(batch: ReplayBatch, user: AbstractUser) -> BatchStanding:
    """Four queries, whatever the number of items, and one or two more for who could decide."""
    reach = reach_of(user)
    places = set(BatchItem.objects.filter(batch=batch).order_by().values_list("case__queue", "case__entity").distinct())
    verbs = frozenset(
        verb for verb in Verb if places and all(verb in reach.verbs_at(queue, entity) for queue, entity in places)
    )
    handled = BatchItem.objects.filter(batch=batch).filter(_hand_of(user))
    hands = handled.order_by("position").values_list("case__pk", flat=True).distinct()
    refs = tuple(f"{REF_PREFIX}{pk}" for pk in dict.fromkeys(hands))
    is_decider = Verb.APPROVE in verbs and not refs and batch.proposer_id != user.pk
    return BatchStanding(user, verbs, refs, kept_from_batch(user, batch.pk) if is_decider else "")


def ruling_on(action: BatchAction, batch: ReplayBatch, by: BatchStanding) -> Ruling:
    """May they, and if not, why. Permission first, then the state of the batch."""
    reason = _why_not(action, batch, by)
    if reason:
        return Ruling(False, reason)
    try:
        destination(action, state=BatchState(batch.state))
    except BatchMoveNotAllowed as error:
        return Ruling(False, str(error))
    return ALLOWED


def _why_not(action: BatchAction, batch: ReplayBatch, by: BatchStanding) -> str:
    with_it = MappingProposal.objects.filter(batch=batch, state=MappingState.AWAITING_APPROVAL).first()
    if with_it is not None:
        return f"It is a part of {with_it.ref} and is decided on with that mapping."
    if action in _DECIDING or (action is BatchAction.CANCEL and batch.proposer_id != by.user.pk):
        return _own_part(batch, by) or _lacks(by, Verb.APPROVE) or by.kept
    if Verb.PROPOSE in by.verbs or Verb.APPROVE in by.verbs:
        return ""
    return _lacks(by, Verb.PROPOSE)


def _own_part(batch: ReplayBatch, by: BatchStanding) -> str:
    if batch.proposer_id == by.user.pk:
        return "You proposed this batch; someone else must decide."
    if by.hands:
        more = f" and {len(by.hands) - 1} more" if len(by.hands) > 1 else ""
        return f"You prepared a part of it ({by.hands[0]}{more}); someone else must decide."
    return ""


_WORDS: Mapping[Verb, str] = {Verb.APPROVE: "approve", Verb.PROPOSE: "propose"}


def _lacks(by: BatchStanding, verb: Verb) -> str:
    if verb in by.verbs:
        return ""
    return (
        f"You may not {_WORDS[verb]} in every queue and legal entity of this batch. An administrator can grant it, "
        "or have the items of each place proposed as a batch of their own."
    )


def require_on_batch(action: BatchAction, batch: ReplayBatch, by: AbstractUser) -> BatchStanding:
    """Raise NotPermitted with the reason unless the person may, then BatchMoveNotAllowed; on the locked row."""
    where = standing_on(batch, by)
    reason = _why_not(action, batch, where)
    if reason:
        raise NotPermitted(reason)
    destination(action, state=BatchState(batch.state))
    return where


@dataclass(frozen=True, slots=True)
class BatchPossibility:
    """A button: what it does, whether the person may, and why not."""

    action: BatchAction
    label: str
    allowed: bool
    reason: str


def batch_possibilities(batch: ReplayBatch, by: BatchStanding) -> list[BatchPossibility]:
    found = []
    for action, row in BATCH_MOVES.items():
        ruling = ruling_on(action, batch, by)
        found.append(BatchPossibility(action, row.label, ruling.allowed, ruling.reason))
    return found
