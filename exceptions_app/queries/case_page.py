"""What the page of one exception shows above its history: bounded, in a fixed number of queries, of one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Max, Q, QuerySet

from audit.queries import EventFilter, LogEntry
from audit.queries import events as audit_events
from exceptions_app import policies
from exceptions_app.authority import with_rules
from exceptions_app.models import (
    Decision,
    Draft,
    ExceptionCase,
    LegalEntity,
    LegalEntityGroupGrant,
    LegalEntityUserGrant,
    Occurrence,
    PayloadVersion,
    Proposal,
    QueueGroupGrant,
    QueueUserGrant,
    Route,
)
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.queries.batches import BatchInWords, batch_of_case
from exceptions_app.queries.playbooks import holding_of_case
from exceptions_app.states import APPROVING, TRANSITIONS, Action, Kind, ProposalKind, State, Verb
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import Delivery
from integrations.refusals import Category

MOST_READS = 3
MOST_CHECKED_IN_PASSING = 200_000  # bytes: some ten milliseconds for a usual invoice, half a second for this
MOST_EVENTS = 20  # that are told to a person whose page was out of date
_RELATED_TO_ONE = ("queue", "entity", "connection", "assignee", "cause", "follows", "snoozed_by")
# The order of the buttons: what decides and what comes next first.
_ORDER = (
    Action.APPROVE, Action.REJECT, Action.ASK_AGAIN, Action.CONFIRM_BOOKED, Action.DECLARE_ABSENT, Action.WAKE,
    Action.RESUME, Action.CLAIM, Action.TRANSLATE, Action.CORRECT, Action.PROPOSE, Action.RELEASE, Action.DECLINE,
    Action.REVERSE,
    Action.ASSIGN, Action.SNOOZE, Action.HOLD, Action.TAG, Action.WITHDRAW, Action.REOPEN, Action.REPORT_WRONG_BOOKING,
    Action.DISMISS, Action.COMMENT,
)  # fmt: skip
_UNKNOWN_ONLY = frozenset({Action.ASK_AGAIN, Action.CONFIRM_BOOKED, Action.DECLARE_ABSENT})


class Judge(StrEnum):
    """Who last looked at the latest version."""

    SOURCE = "source"
    CHECK = "check"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """What is known about one exception at one moment: `case` is read again when it moved while the rest was read."""

    case: ExceptionCase
    standing: policies.Standing
    first: PayloadVersion
    latest: PayloadVersion
    first_arrival: Occurrence | None
    newest_arrival: Occurrence | None  # the same as the first when it came in once
    content_differs: bool  # whether it came in with other content than the first time
    proposal: Proposal | None  # the newest, open or not
    submission: Delivery | None  # the newest sending of the document
    write_back: Delivery | None  # the newest message to the source
    refused_again: LogEntry | None  # the target's objection to the latest version
    related: list[ExceptionCase]  # the same document, before and after; only what the reader may see
    batch: BatchInWords | None  # in which it came in last
    draft: Draft | None
    comments_count: int
    playbook: int | None  # the version that holds for its code
    translated: int  # the newest version that the field maps made when it was translated again; 0 when none did
    by_hand: frozenset[str]  # paths that were corrected since

    def is_translated(self, path: str) -> bool:
        """Whether the field maps wrote what stands at a path now."""
        return bool(self.translated) and path not in self.by_hand

    @property
    def first_content(self) -> bytes:
        return bytes(self.first.content)

    @property
    def latest_content(self) -> bytes:
        return bytes(self.latest.content)

    @property
    def short_sha256(self) -> str:
        """Enough of the latest content's hash to tell it from another by eye."""
        return self.latest.sha256[:12]

    @property
    def is_changed(self) -> bool:
        """Whether what stands now is another content than the one that was refused or held last."""
        return self.latest.number > 1 and self.refused_again is None

    @property
    def decision(self) -> Decision | None:
        return getattr(self.proposal, "decision", None)

    @property
    def came_in(self) -> list[Mapping[str, Any]]:
        """The errors with which it came in last."""
        return list(self.newest_arrival.errors) if self.newest_arrival else []


def read_case_page(case: ExceptionCase, user: AbstractUser) -> CasePage:
    """All of it, for a person who may see the exception; `case` comes with queue, entity, connection and assignee.

    Each statement sees what was committed before it, so a correction could come between them, and the changes of one
    version be shown with the hash of another. Every such move raises the revision: then all is read again. When it
    does not come to rest, the page is without a proposal, and nobody can decide on it.
    """
    for _ in range(MOST_READS):
        now_there = ExceptionCase.objects.annotate(number=Count("comments"), playbook=holding_of_case())
        page = _read(case, user)
        revision, comments, playbook = now_there.values_list("revision", "number", "playbook").get(pk=case.pk)
        page = replace(page, comments_count=comments, playbook=playbook)
        if revision == case.revision and _is_of_one_moment(page):
            return page
        case = ExceptionCase.objects.select_related(*_RELATED_TO_ONE).get(pk=case.pk)
    undecidable = policies.Standing(page.standing.user, page.standing.verbs)
    return replace(page, proposal=None, standing=undecidable)


def _is_of_one_moment(page: CasePage) -> bool:
    """Whether what waits for a decision is the version that is shown."""
    waiting = page.standing.proposal
    return waiting is None or (waiting == page.proposal and waiting.version_id == page.latest.pk)


def _read(case: ExceptionCase, user: AbstractUser) -> CasePage:
    first, latest = _first_and_latest(case)
    first_arrival, newest_arrival = _first_and_newest(case)
    deliveries = _newest_deliveries(case)
    translated, by_hand = _translated(case, latest)
    return CasePage(
        case=case,
        standing=policies.standing(user, case),
        first=first,
        latest=latest,
        first_arrival=first_arrival,
        newest_arrival=newest_arrival,
        content_differs=_content_differs(case, first),
        proposal=_newest_proposal(case),
        submission=deliveries.get(Delivery.Operation.REVERSE) or deliveries.get(Delivery.Operation.SUBMIT),
        write_back=deliveries.get(Delivery.Operation.WRITE_BACK),
        refused_again=refused_again_in(case, latest),
        related=_related(case, user),
        batch=batch_of_case(newest_arrival, user),
        draft=Draft.objects.filter(case=case, author_id=user.pk).first(),
        comments_count=0,  # this and the next are read with the look whether all this is of one moment
        playbook=None,
        translated=translated,
        by_hand=by_hand,
    )


def _translated(case: ExceptionCase, latest: PayloadVersion) -> tuple[int, frozenset[str]]:
    if case.sub != HELD_BY_FIELD_MAP or latest.number == 1:
        return 0, frozenset()
    versions = PayloadVersion.objects.filter(case=case)
    number = versions.exclude(field_maps=[]).order_by("-number").values_list("number", flat=True).first()
    if number is None:
        return 0, frozenset()
    since = versions.filter(number__gt=number).values_list("changes", flat=True)
    return number, frozenset(str(change["path"]) for changes in since for change in changes)


def _first_and_latest(case: ExceptionCase) -> tuple[PayloadVersion, PayloadVersion]:
    """What came in and what stands now, with their bytes; the operations are in the list of versions."""
    versions = PayloadVersion.objects.filter(case=case)
    newest = versions.order_by("-number").values("number")[:1]
    found = list(
        versions.filter(Q(number=1) | Q(number=newest)).select_related("author").defer("operations").order_by("number")
    )
    return found[0], found[-1]


def _first_and_newest(case: ExceptionCase) -> tuple[Occurrence | None, Occurrence | None]:
    arrivals = Occurrence.objects.filter(case=case).select_related("inbox_message__batch")
    first = arrivals.order_by("id").first()
    return first, arrivals.order_by("-id").first() if case.occurrences_count > 1 else first


def _content_differs(case: ExceptionCase, first: PayloadVersion) -> bool:
    if case.occurrences_count == 1:
        return False
    return Occurrence.objects.filter(case=case).exclude(payload_sha256=first.sha256).exists()


def _newest_deliveries(case: ExceptionCase) -> dict[str, Delivery]:
    """Operation → the newest delivery of it."""
    newest = Delivery.objects.filter(subject=case.subject).values("operation").annotate(newest=Max("id"))
    found = Delivery.objects.filter(pk__in=newest.values("newest")).select_related("connection")
    return {delivery.operation: delivery for delivery in found}


def _newest_proposal(case: ExceptionCase) -> Proposal | None:
    return (
        with_rules(Proposal.objects.filter(case=case))
        .select_related(
            "proposer",
            "target",
            "version",
            "version__author",
            "decision__decider",
            "evidence",
            "first_approval__decider",
        )
        .defer("version__content", "version__operations", "version__changes", "evidence__content")
        .order_by("-id")
        .first()
    )


def refused_again_in(case: ExceptionCase, latest: PayloadVersion) -> LogEntry | None:
    """What the target objected to in the latest version, when it was sent and refused."""
    refused = EventFilter(
        scopes=None, subject=case.subject, action=TRANSITIONS[Action.SEND_REFUSED].past, since=latest.created_at
    )
    return next(iter(audit_events(refused, limit=1).entries), None)


def _related(case: ExceptionCase, user: AbstractUser) -> list[ExceptionCase]:
    """The exceptions before and after this one for the same document, as far as they are visible to the reader."""
    return list(
        ExceptionCase.objects.visible_to(user).filter(Q(pk=case.follows_id) | Q(follows=case.pk)).order_by("id")
    )


def present_errors(page: CasePage) -> tuple[Judge, list[Mapping[str, Any]]]:
    """What stands against the latest version, and who says so: the target's answer, else the check, else the source.

    What holds a held transaction stands until a second person releases it, whatever is corrected.
    """
    if page.refused_again is not None and page.refused_again.data.get("errors"):
        return Judge.TARGET, list(page.refused_again.data["errors"])
    if page.latest.number == 1:
        return Judge.SOURCE, page.came_in
    checked = list(page.latest.check_errors)
    return Judge.CHECK, [*page.came_in, *checked] if page.case.kind == Kind.HELD else checked


def possible_actions(page: CasePage) -> list[policies.Possibility]:
    """Each action for this kind of exception, with why not. The ways to approve are one, by what is proposed."""
    proposal = page.standing.proposal
    approving = Action.APPROVE if proposal is None else APPROVING[ProposalKind(proposal.kind)]
    offered = [action for action in _ORDER if _is_offered(action, page.case)]
    asked = [approving if action is Action.APPROVE else action for action in offered]
    found = policies.possibilities(page.case, page.standing, asked)
    return [
        replace(_unless_erased(_unless_the_check_fails(possible, page), page), action=action)
        for action, possible in zip(offered, found, strict=True)
    ]


def _is_offered(action: Action, case: ExceptionCase) -> bool:
    """What is for another kind, or for a moment that most exceptions never have, is not even refused."""
    if action is Action.TRANSLATE and case.sub != HELD_BY_FIELD_MAP:
        return False
    if action is Action.REVERSE and case.sub not in policies.REVERSIBLE:
        return False
    if action is Action.REPORT_WRONG_BOOKING and case.state != State.RESOLVED:
        return False
    if action in _UNKNOWN_ONLY and case.state != State.OUTCOME_UNKNOWN:
        return False
    return Kind(case.kind) in TRANSITIONS[action].kinds


def _unless_erased(possible: policies.Possibility, page: CasePage) -> policies.Possibility:
    """Nothing can be done any more with a document that is not there."""
    if page.latest_content or not possible.allowed or possible.action is Action.COMMENT:
        return possible
    return replace(possible, allowed=False, reason=policies.ERASED)


def _unless_the_check_fails(possible: policies.Possibility, page: CasePage) -> policies.Possibility:
    sends = possible.action in (Action.PROPOSE, Action.RELEASE)
    count = _problems_left(page) if sends and possible.allowed else None
    if count is None:
        return possible
    problems = "1 problem" if count == 1 else f"{count} problems"
    reason = (
        f"Version 1, as received, does not pass the check: {problems}. Correct it first."
        if page.latest.number == 1
        else f"Version {page.latest.number} does not pass the check yet: {problems} left."
    )
    return replace(possible, allowed=False, reason=reason)


def _problems_left(page: CasePage) -> int | None:
    """How many problems keep the latest version from being proposed; None when none does, or none is known.

    A correction carries the report of its check. What was received is checked now, as it will be when it is proposed;
    a document too long for that in passing is only checked then.
    """
    if page.latest.check_passed is not None:
        return None if page.latest.check_passed else len(page.latest.check_errors)
    if len(page.latest_content) > MOST_CHECKED_IN_PASSING:
        return None
    try:
        report = get_connector(page.case.connection.connector).check(page.latest_content)
    except UnknownConnector:
        return None
    return None if report.passed else len(report.errors)


def was_refused_as_it_is(page: CasePage) -> bool:
    """Whether the very bytes of the latest version were definitely refused for what they say, by source or target."""
    judge, errors = present_errors(page)
    if not any(error.get("severity", "error") == "error" for error in errors) or page.case.kind == Kind.HELD:
        return False
    if judge is Judge.TARGET:
        return True
    arrival = page.newest_arrival
    is_content = page.case.category != Category.TRANSPORT and arrival is not None and arrival.definitive
    return judge is Judge.SOURCE and is_content


def identifiers_of(entity: LegalEntity) -> set[str]:
    """The tax and other identifiers by which documents are routed to a legal entity."""
    return set(Route.objects.filter(entity=entity).exclude(party_id="").values_list("party_id", flat=True))


def full_names(usernames: Iterable[str]) -> dict[str, str]:
    """User name → full name, for accounts that have one."""
    people = get_user_model().objects.filter(username__in=sorted(usernames)).only("username", "first_name", "last_name")
    return {person.get_username(): person.get_full_name() for person in people if person.get_full_name()}


def content_of(case: ExceptionCase, number: int) -> PayloadVersion | None:
    """One version with its bytes; None when there is none of that number."""
    return PayloadVersion.objects.filter(case=case, number=number).select_related("author").first()


def events_since(case: ExceptionCase, revision: int) -> list[LogEntry]:
    """What happened last to an exception after it came to the revision that somebody looked at, oldest first."""
    seen = case.history.filter(revision=revision).order_by("history_id").values_list("changed_at", flat=True).first()
    return [] if seen is None else events_after(case, seen)


def events_after(case: ExceptionCase, seen: datetime) -> list[LogEntry]:
    """What happened last to an exception after a moment, oldest first."""
    newest = audit_events(EventFilter(scopes=None, subject=case.subject, since=seen), limit=MOST_EVENTS).entries
    return [event for event in reversed(newest) if event.at > seen]


def people_who_may(verb: Verb, case: ExceptionCase) -> QuerySet[AbstractUser]:
    """Active people who hold a verb on the exception's queue and on its legal entity."""
    return people_within(verb, [case.queue_id], [case.entity_id])


def people_within(verb: Verb, queues: Sequence[int], entities: Sequence[int]) -> QuerySet[AbstractUser]:
    """Active people who hold a verb on at least one of these queues and on one of these legal entities."""
    holds_on_queue = _holders(verb, queues, QueueUserGrant, QueueGroupGrant)
    holds_on_entity = _holders(verb, entities, LegalEntityUserGrant, LegalEntityGroupGrant)
    people: QuerySet[AbstractUser] = get_user_model().objects.filter(is_active=True)
    return people.filter(holds_on_queue).filter(holds_on_entity).order_by("first_name", "last_name", "username")


def _holders(
    verb: Verb,
    places: Sequence[int],
    user_grant: type[QueueUserGrant | LegalEntityUserGrant],
    group_grant: type[QueueGroupGrant | LegalEntityGroupGrant],
) -> Q:
    granted: dict[str, Any] = {"content_object__in": places, "permission__codename": verb.value}
    memberships = get_user_model().groups.through._default_manager
    in_groups = memberships.filter(group__in=group_grant.objects.filter(**granted).values("group"))
    return Q(pk__in=user_grant.objects.filter(**granted).values("user")) | Q(pk__in=in_groups.values("user"))
