"""Policies of retention and legal holds as a page and the API list them."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from exceptions_app.models import LegalHold, PurgeRun, RetentionPolicy
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb

MOST_PAST = 50
MOST_RUNS = 20
State = RetentionPolicy.State
_LIVE = (State.PROPOSED, State.IN_FORCE)


@dataclass(frozen=True, slots=True)
class Policies:
    """Those that wait for a second person, those in force, and the newest of those that are over."""

    waiting: list[RetentionPolicy]
    in_force: list[RetentionPolicy]
    past: list[RetentionPolicy]


@dataclass(frozen=True, slots=True)
class Holds:
    """Those that stand, and the newest of those that were lifted."""

    standing: list[LegalHold]
    lifted: list[LegalHold]


def policies_within(reach: Reach, *, keeps: bool) -> QuerySet[RetentionPolicy]:
    """Whoever keeps the policies sees all; others those that speak of what they may see."""
    found = RetentionPolicy.objects.select_related("entity", "proposer", "decision__decider").order_by("-id")
    if keeps:
        return found
    if not reach.has(Verb.SEE):
        return found.none()
    return found.filter(Q(entity=None) | Q(entity__in=reach.entities(Verb.SEE)))


def holds_within(reach: Reach, *, keeps: bool) -> QuerySet[LegalHold]:
    """Whoever keeps them sees all; who exports the audit trail of a place, those on an exception or an entity there.

    A hold says that somebody is at law with somebody, so that nobody else sees it.
    """
    found = LegalHold.objects.select_related("entity", "placed_by", "lifted_by").order_by("-id")
    if keeps:
        return found
    return found.filter(reach.where(Verb.EXPORT, case="case__") | Q(entity__in=reach.entities(Verb.EXPORT)))


def policies_for(reach: Reach, *, keeps: bool) -> Policies:
    """Two queries."""
    found = policies_within(reach, keeps=keeps)
    live = list(found.filter(state__in=_LIVE))
    return Policies(
        [policy for policy in live if policy.state == State.PROPOSED],
        [policy for policy in live if policy.state == State.IN_FORCE],
        list(found.exclude(state__in=_LIVE)[:MOST_PAST]),
    )


def holds_for(reach: Reach, *, keeps: bool) -> Holds:
    """Two queries."""
    found = holds_within(reach, keeps=keeps)
    return Holds(
        list(found.filter(lifted_at=None)), list(found.exclude(lifted_at=None).order_by("-lifted_at")[:MOST_PAST])
    )


def newest_runs(*, keeps: bool) -> list[PurgeRun]:
    """What was erased last, for who keeps the policies: a run may be of any legal entity. One query, or none."""
    runs = PurgeRun.objects.order_by("-id")
    return list(runs[:MOST_RUNS]) if keeps else []
