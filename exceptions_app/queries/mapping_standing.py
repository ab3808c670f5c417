"""Who may see a value mapping, who may propose a change of it and decide on one, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q

from exceptions_app.duties import kept_from_mapping
from exceptions_app.mapping_states import (
    MAPPING_MOVES,
    MappingAction,
    MappingMoveNotAllowed,
    MappingState,
    mapping_destination,
)
from exceptions_app.models import LegalEntity, MappingProposal, Queue, Route, ValueMapping
from exceptions_app.models.mapping_proposal import MappingProposalQuerySet
from exceptions_app.models.value_mapping import ValueMappingQuerySet
from exceptions_app.policies import ALLOWED, NotPermitted, Ruling
from exceptions_app.queries.reach import Reach, own_reach_of
from exceptions_app.states import Verb
from integrations.models import Connection

_DECIDING = frozenset({MappingAction.APPROVE, MappingAction.REJECT})
_WORDS: Mapping[Verb, str] = {Verb.APPROVE: "approve", Verb.PROPOSE: "propose"}


def mappings_within(reach: Reach) -> ValueMappingQuerySet:
    """Mappings of which the person sees the owner's queue and the legal entity; of those for all, any one of them."""
    entities = reach.entities(Verb.SEE)
    where = Q(entity__in=entities) | (Q(entity=None) if entities else Q(pk__in=[]))
    found: ValueMappingQuerySet = ValueMapping.objects.filter(where, queue__in=reach.queues(Verb.SEE))
    return found


@dataclass(frozen=True, slots=True)
class Places:
    """Where a person may propose a mapping."""

    connections: list[Connection]
    entities: list[LegalEntity]
    queues: list[Queue]


def places_to_propose(reach: Reach) -> Places:
    """Targets to which the routes of one's queues lead, with these queues and legal entities. Four queries."""
    queues, entities = reach.queues(Verb.PROPOSE), reach.entities(Verb.PROPOSE)
    leading = set(
        Route.objects.filter(queue__in=queues, entity__in=entities).order_by().values_list("connection", flat=True)
    )
    connections = Connection.objects.order_by("name")
    return Places(
        list(connections if None in leading else connections.filter(pk__in=leading)),
        list(LegalEntity.objects.filter(pk__in=entities).order_by("code")),
        list(Queue.objects.filter(pk__in=queues).order_by("name")),
    )


def waiting_for_mapping_decision_of(user: AbstractUser, reach: Reach) -> MappingProposalQuerySet:
    """Proposals that the person could decide on, without those of their own."""
    waiting: MappingProposalQuerySet = MappingProposal.objects.filter(state=MappingState.AWAITING_APPROVAL)
    if not reach.entities(Verb.APPROVE):
        return waiting.none()
    entities = reach.entities(Verb.APPROVE)
    routes = Route.objects.filter(Q(connection=OuterRef("mapping__connection")) | Q(connection=None))
    everywhere = Q(Exists(routes)) & ~Q(Exists(routes.exclude(entity__in=entities)))
    where = Q(mapping__entity__in=entities) | Q(mapping__entity=None) & everywhere
    return waiting.filter(where, mapping__queue__in=reach.queues(Verb.APPROVE)).exclude(proposer=user.pk)


@dataclass(frozen=True, slots=True)
class MappingStanding:
    """All that a ruling looks at, read once: the verbs that the person holds where the mapping counts."""

    user: AbstractUser
    verbs: frozenset[Verb]
    kept: str = ""  # what keeps them from deciding on the proposal that is asked about, beside their own part in it


def mapping_standing(
    mapping: ValueMapping, user: AbstractUser, proposal: MappingProposal | None = None
) -> MappingStanding:
    """Three queries, and one more where that proposal could be decided on.

    What counts for all legal entities, only somebody who may approve in all of them approves.
    """
    reach = own_reach_of(user)
    on_queue = reach.on_queues.get(mapping.queue_id, frozenset())
    held = {verb for verb in Verb if verb in on_queue and _on_entities(reach, verb, mapping)}
    is_decider = proposal is not None and Verb.APPROVE in held and proposal.proposer_id != user.pk
    kept = kept_from_mapping(user, proposal) if proposal is not None and is_decider else ""
    return MappingStanding(user, frozenset(held), kept)


def _on_entities(reach: Reach, verb: Verb, mapping: ValueMapping) -> bool:
    if mapping.entity_id is not None:
        return verb in reach.on_entities.get(mapping.entity_id, frozenset())
    if verb is Verb.APPROVE:
        routes = Route.objects.filter(Q(connection=mapping.connection_id) | Q(connection=None))
        led_to = set(routes.order_by().values_list("entity", flat=True))
        return bool(led_to) and led_to <= set(reach.entities(verb))
    return bool(reach.entities(verb))


def may_propose(mapping: ValueMapping, by: MappingStanding) -> Ruling:
    return ALLOWED if Verb.PROPOSE in by.verbs else Ruling(False, _lacks(Verb.PROPOSE, mapping))


def ruling_on_proposal(action: MappingAction, proposal: MappingProposal, by: MappingStanding) -> Ruling:
    """May they, and if not, why. Permission first, then the state of the proposal."""
    reason = _why_not(action, proposal, by)
    if reason:
        return Ruling(False, reason)
    try:
        mapping_destination(action, state=MappingState(proposal.state))
    except MappingMoveNotAllowed as error:
        return Ruling(False, str(error))
    return ALLOWED


def require_on_proposal(action: MappingAction, proposal: MappingProposal, by: AbstractUser) -> None:
    """Raise NotPermitted with the reason unless the person may, then MappingMoveNotAllowed; on the locked row."""
    reason = _why_not(action, proposal, mapping_standing(proposal.mapping, by, proposal))
    if reason:
        raise NotPermitted(reason)
    mapping_destination(action, state=MappingState(proposal.state))


def _why_not(action: MappingAction, proposal: MappingProposal, by: MappingStanding) -> str:
    own = proposal.proposer_id == by.user.pk
    if action in _DECIDING:
        if own:
            return "You proposed this mapping; someone else must decide."
        return by.kept if Verb.APPROVE in by.verbs else _lacks(Verb.APPROVE, proposal.mapping)
    return "" if own else "Only the person who proposed it may withdraw it."


def _lacks(verb: Verb, mapping: ValueMapping) -> str:
    if mapping.entity is not None:
        where = f"for {mapping.entity.name}"
    elif verb is Verb.APPROVE:
        where = "for every legal entity to which this connection leads"
    else:
        where = "for any legal entity"
    return f"You may not {_WORDS[verb]} in {mapping.queue.name} {where}. An administrator can grant it on both."


@dataclass(frozen=True, slots=True)
class MappingPossibility:
    """A button: what it does, whether the person may, and why not."""

    action: MappingAction
    label: str
    allowed: bool
    reason: str


def mapping_possibilities(proposal: MappingProposal, by: MappingStanding) -> list[MappingPossibility]:
    found = []
    for action, row in MAPPING_MOVES.items():
        ruling = ruling_on_proposal(action, proposal, by)
        found.append(MappingPossibility(action, row.label, ruling.allowed, ruling.reason))
    return found
