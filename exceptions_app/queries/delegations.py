"""Who decides in whose place, and who could."""
# ruff: noqa: S611 - made of a constant of `queries.access_conflicts`

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from exceptions_app.machines import PREFIX, SERVICE_PREFIX
from exceptions_app.models import Delegation
from exceptions_app.models.delegation import DelegationQuerySet
from exceptions_app.queries.access_conflicts import ON_ANY_CONNECTION
from exceptions_app.queries.case_page import people_within
from exceptions_app.queries.reach import Reach, own_reach_of
from exceptions_app.states import Verb

MOST_SHOWN = 20
_MACHINES = f"^({PREFIX}|{SERVICE_PREFIX})"
_ON_ANY_CONNECTION = Q(pk__in=RawSQL(ON_ANY_CONNECTION, []))


def delegations_of(user: AbstractUser) -> DelegationQuerySet:
    """What the person gave or was given; of everybody, for an administrator."""
    found: DelegationQuerySet = Delegation.objects.select_related("giver", "taker", "ended_by")
    return found if user.is_active and user.is_staff else found.filter(Q(giver=user.pk) | Q(taker=user.pk))


def standing_delegations_of(user: AbstractUser) -> list[Delegation]:
    """Those that count now or will: the newest first. One query."""
    return list(delegations_of(user).filter(ended_at=None, ends_at__gt=Now()).order_by("-pk")[:MOST_SHOWN])


def may_decide_for(giver: AbstractUser, reach: Reach | None = None) -> QuerySet[AbstractUser]:
    """People who see at least some of what the giver may approve by themselves, and administer nothing.

    `reach` is the giver's, when it is known.
    """
    reach = reach or own_reach_of(giver)
    people = people_within(Verb.SEE, reach.queues(Verb.APPROVE), reach.entities(Verb.APPROVE))
    return people.exclude(pk=giver.pk).exclude(username__regex=_MACHINES).exclude(is_staff=True)


def offered_to(giver: AbstractUser, reach: Reach | None = None) -> QuerySet[AbstractUser]:
    """Of those the people who hold nothing that no approver may hold as well, so that `delegate` takes each of them."""
    reach = reach or own_reach_of(giver)
    auditors = people_within(Verb.EXPORT, reach.queues(Verb.APPROVE), reach.entities(Verb.APPROVE))
    people = may_decide_for(giver, reach).exclude(pk__in=auditors.order_by().values("pk"))
    return people.exclude(_ON_ANY_CONNECTION)


def holds_a_right_against(taker: AbstractUser) -> bool:
    """Whether they hold what no approver may: to configure a connection or to hand messages in, wherever it leads."""
    return get_user_model().objects.filter(_ON_ANY_CONNECTION, pk=taker.pk).exists()
