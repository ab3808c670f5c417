"""Everything that the page of one exception shows, in a fixed number of queries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet

from audit.queries import LogEntry, timeline
from exceptions_app import policies
from exceptions_app.models import (
    Decision,
    Draft,
    ExceptionCase,
    LegalEntityGroupGrant,
    LegalEntityUserGrant,
    Occurrence,
    PayloadVersion,
    Proposal,
    QueueGroupGrant,
    QueueUserGrant,
)
from exceptions_app.states import Verb
from integrations.models import Delivery, DeliveryAttempt


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """What is known about one exception. Lists run from the oldest to the newest."""

    case: ExceptionCase
    standing: policies.Standing
    versions: list[PayloadVersion]  # without their content, which is in the next two
    first_content: bytes
    latest_content: bytes
    occurrences: list[Occurrence]
    proposal: Proposal | None  # the newest, open or not
    deliveries: list[Delivery]
    related: list[ExceptionCase]  # the same document, before and after; only what the reader may see
    events: list[LogEntry]
    names: Mapping[str, str]  # user name → full name, of everybody in the events
    draft: Draft | None

    @property
    def first(self) -> PayloadVersion:
        return self.versions[0]

    @property
    def latest(self) -> PayloadVersion:
        return self.versions[-1]

    @property
    def newest_versions(self) -> list[PayloadVersion]:
        return self.versions[::-1]

    @property
    def short_sha256(self) -> str:
        """Enough of the latest content's hash to tell it from another by eye."""
        return self.latest.sha256[:12]

    @property
    def content_differs(self) -> bool:
        """Whether it came in with other content than the first time."""
        return any(found.payload_sha256 != self.first.sha256 for found in self.occurrences)

    @property
    def decision(self) -> Decision | None:
        return getattr(self.proposal, "decision", None)

    def name_of(self, username: str) -> str:
        return self.names.get(username) or username


def read_case_page(case: ExceptionCase, user: AbstractUser) -> CasePage:
    """All of it, for a person who may see the exception; `case` comes with queue, entity, connection and assignee."""
    versions = list(
        PayloadVersion.objects.filter(case=case).select_related("author").defer("content").order_by("number")
    )
    contents = dict(
        PayloadVersion.objects.filter(pk__in={versions[0].pk, versions[-1].pk}).values_list("number", "content")
    )
    events = timeline(case.subject)
    return CasePage(
        case=case,
        standing=policies.standing(user, case),
        versions=versions,
        first_content=bytes(contents[versions[0].number]),
        latest_content=bytes(contents[versions[-1].number]),
        occurrences=list(
            Occurrence.objects.filter(case=case).select_related("inbox_message").order_by("arrived_at", "id")
        ),
        proposal=_newest_proposal(case),
        deliveries=list(
            Delivery.objects.filter(subject=case.subject).select_related("connection").order_by("created_at", "id")
        ),
        related=_related(case, user),
        events=events,
        names=full_names({event.actor for event in events}),
        draft=Draft.objects.filter(case=case, author_id=user.pk).first(),
    )


def _newest_proposal(case: ExceptionCase) -> Proposal | None:
    return (
        Proposal.objects.filter(case=case)
        .select_related("proposer", "target", "version", "version__author", "decision__decider")
        .defer("version__content")
        .order_by("-id")
        .first()
    )


def _related(case: ExceptionCase, user: AbstractUser) -> list[ExceptionCase]:
    """The exceptions before and after this one for the same document, as far as they are visible to the reader."""
    return list(
        ExceptionCase.objects.visible_to(user).filter(Q(pk=case.follows_id) | Q(follows=case.pk)).order_by("id")
    )


def full_names(usernames: Iterable[str]) -> dict[str, str]:
    """User name → full name, for accounts that have one."""
    people = get_user_model().objects.filter(username__in=sorted(usernames)).only("username", "first_name", "last_name")
    return {person.get_username(): person.get_full_name() for person in people if person.get_full_name()}


def content_of(case: ExceptionCase, number: int) -> PayloadVersion | None:
    """One version with its bytes; None when there is none of that number."""
    return PayloadVersion.objects.filter(case=case, number=number).select_related("author").first()


def attempts_of(deliveries: Iterable[Delivery]) -> dict[int, list[DeliveryAttempt]]:
    """Delivery → its attempts with their answers, in the order in which they were made."""
    found: dict[int, list[DeliveryAttempt]] = {delivery.pk: [] for delivery in deliveries}
    attempts = DeliveryAttempt.objects.filter(delivery__in=found).select_related("answer").order_by("started_at", "id")
    for attempt in attempts:
        found[attempt.delivery_id].append(attempt)
    return found


def events_since(case: ExceptionCase, revision: int) -> list[LogEntry]:
    """What happened to an exception after somebody looked at that revision of it; nothing for one unknown."""
    seen = case.history.filter(revision=revision).values_list("changed_at", flat=True).first()
    return [event for event in timeline(case.subject) if event.at > seen] if seen is not None else []


def people_who_may(verb: Verb, case: ExceptionCase) -> QuerySet[AbstractUser]:
    """Active people who hold a verb on the exception's queue and on its legal entity."""
    holds_on_queue = _holders(verb, case.queue_id, QueueUserGrant, QueueGroupGrant)
    holds_on_entity = _holders(verb, case.entity_id, LegalEntityUserGrant, LegalEntityGroupGrant)
    people: QuerySet[AbstractUser] = get_user_model().objects.filter(is_active=True)
    return people.filter(holds_on_queue).filter(holds_on_entity).order_by("first_name", "last_name", "username")


def _holders(
    verb: Verb,
    object_id: int,
    user_grant: type[QueueUserGrant | LegalEntityUserGrant],
    group_grant: type[QueueGroupGrant | LegalEntityGroupGrant],
) -> Q:
    granted = {"content_object": object_id, "permission__codename": verb.value}
    memberships = get_user_model().groups.through._default_manager
    in_groups = memberships.filter(group__in=group_grant.objects.filter(**granted).values("group"))
    return Q(pk__in=user_grant.objects.filter(**granted).values("user")) | Q(pk__in=in_groups.values("user"))
