"""What a person may do everywhere, read at once: for lists, where a look-up per row would be one too many."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib.auth.models import AbstractUser
from django.db.models import Q

from exceptions_app.granted import ON_ENTITIES, ON_QUEUES, OWN, Kind, granted_to
from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.states import Verb


@dataclass(frozen=True, slots=True)
class Places:
    queues: frozenset[int]
    entities: frozenset[int]


@dataclass(frozen=True, slots=True)
class Reach:
    """The verbs granted on queues and on legal entities, by primary key.

    `lent` is where others may approve who let the person decide in their place, each by themselves: a queue of one and
    a legal entity of another are no place.
    """

    on_queues: dict[int, frozenset[str]]
    on_entities: dict[int, frozenset[str]]
    lent: tuple[Places, ...] = field(default=())

    def verbs_at(self, queue: int, entity: int) -> frozenset[Verb]:
        on_queue = self.on_queues.get(queue, frozenset())
        on_entity = self.on_entities.get(entity, frozenset())
        held = frozenset(verb for verb in Verb if verb in on_queue and verb in on_entity)
        is_lent = any(queue in places.queues and entity in places.entities for places in self.lent)
        return held | {Verb.APPROVE} if is_lent else held

    def verbs_of(self, case: ExceptionCase) -> frozenset[Verb]:
        """The same answer as `policies.verbs_of`, without a query."""
        return self.verbs_at(case.queue_id, case.entity_id)

    def has(self, verb: Verb) -> bool:
        """Whether there is any queue and any legal entity where the person holds the verb."""
        own = bool(self.queues(verb) and self.entities(verb))
        return own or (verb is Verb.APPROVE and any(places.queues and places.entities for places in self.lent))

    def queues(self, verb: Verb) -> list[int]:
        """Where the person holds it by themselves."""
        return sorted(place for place, verbs in self.on_queues.items() if verb in verbs)

    def entities(self, verb: Verb) -> list[int]:
        return sorted(place for place, verbs in self.on_entities.items() if verb in verbs)

    def where(self, verb: Verb, *, case: str = "") -> Q:
        """What has its queue and legal entity there; `case` leads to the exception, such as “case__”."""
        found = Q(**{f"{case}queue__in": self.queues(verb), f"{case}entity__in": self.entities(verb)})
        for places in self.lent if verb is Verb.APPROVE else ():
            found |= Q(**{f"{case}queue__in": places.queues, f"{case}entity__in": places.entities})
        return found


def cases_within(reach: Reach, verb: Verb = Verb.SEE) -> ExceptionCaseQuerySet:
    """The same exceptions as `visible_to`, or as `granting` of another verb.

    The places are written out instead of asked for in a subquery, so that the database knows how many rows to expect.
    """
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.filter(reach.where(verb))
    return cases


def reach_of(user: AbstractUser) -> Reach:
    """Two queries, whatever the number of queues and entities."""
    if not user.is_active:
        return Reach({}, {})
    on_queues, on_entities = _granted(user, ON_QUEUES), _granted(user, ON_ENTITIES)
    givers = sorted((set(on_queues) & set(on_entities)) - {OWN})
    lent = tuple(Places(frozenset(on_queues[giver]), frozenset(on_entities[giver])) for giver in givers)
    return Reach(_own(on_queues), _own(on_entities), lent)


def own_reach_of(user: AbstractUser) -> Reach:
    """Without what others let the person decide in their place: that is not theirs to give on."""
    found = reach_of(user)
    return Reach(found.on_queues, found.on_entities)


def _own(granted: Mapping[int, Mapping[int, set[str]]]) -> dict[int, frozenset[str]]:
    return {place: frozenset(codenames) for place, codenames in granted.get(OWN, {}).items()}


def _granted(user: AbstractUser, kind: Kind) -> dict[int, dict[int, set[str]]]:
    """By who holds it, the person or who lets them decide: place and verbs. One query."""
    verbs: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for place, codename, holder in granted_to(user, kind):
        verbs[holder][place].add(codename)
    return verbs
