"""What a person may do everywhere, read at once: for lists, where a look-up per row would be one too many."""

from collections import defaultdict
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser

from exceptions_app.models import (
    ExceptionCase,
    LegalEntityGroupGrant,
    LegalEntityUserGrant,
    QueueGroupGrant,
    QueueUserGrant,
)
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.states import Verb


@dataclass(frozen=True, slots=True)
class Reach:
    """The verbs granted on queues and on legal entities, by primary key."""

    on_queues: dict[int, frozenset[str]]
    on_entities: dict[int, frozenset[str]]

    def verbs_of(self, case: ExceptionCase) -> frozenset[Verb]:
        """The same answer as `policies.verbs_of`, without a query."""
        on_queue = self.on_queues.get(case.queue_id, frozenset())
        on_entity = self.on_entities.get(case.entity_id, frozenset())
        return frozenset(verb for verb in Verb if verb in on_queue and verb in on_entity)

    def has(self, verb: Verb) -> bool:
        """Whether there is any queue and any legal entity where the person holds the verb."""
        return bool(self.queues(verb) and self.entities(verb))

    def queues(self, verb: Verb) -> list[int]:
        return sorted(place for place, verbs in self.on_queues.items() if verb in verbs)

    def entities(self, verb: Verb) -> list[int]:
        return sorted(place for place, verbs in self.on_entities.items() if verb in verbs)


def cases_within(reach: Reach, verb: Verb = Verb.SEE) -> ExceptionCaseQuerySet:
    """The same exceptions as `visible_to`, or as `granting` of another verb.

    The places are written out instead of asked for in a subquery, so that the database knows how many rows to expect.
    """
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.filter(
        queue_id__in=reach.queues(verb), entity_id__in=reach.entities(verb)
    )
    return cases


def reach_of(user: AbstractUser) -> Reach:
    """Two queries, whatever the number of queues and entities."""
    if not user.is_active:
        return Reach({}, {})
    return Reach(
        _granted(user, QueueUserGrant, QueueGroupGrant), _granted(user, LegalEntityUserGrant, LegalEntityGroupGrant)
    )


def _granted(
    user: AbstractUser,
    user_grant: type[QueueUserGrant | LegalEntityUserGrant],
    group_grant: type[QueueGroupGrant | LegalEntityGroupGrant],
) -> dict[int, frozenset[str]]:
    direct = user_grant.objects.filter(user=user).values_list("content_object_id", "permission__codename")
    by_group = group_grant.objects.filter(group__user=user).values_list("content_object_id", "permission__codename")
    verbs: defaultdict[int, set[str]] = defaultdict(set)
    for place, codename in direct.union(by_group):
        verbs[place].add(codename)
    return {place: frozenset(codenames) for place, codenames in verbs.items()}
