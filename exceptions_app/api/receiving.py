"""Messages handed in by the API: each checked and taken in for itself, all of a request in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from rest_framework import serializers
from rest_framework.request import Request

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import person
from exceptions_app.api.problems import Problem, at, errors_of, pointer_to
from exceptions_app.api.room import NO_ROOM, headers_of
from exceptions_app.api.room import problem_of as no_room
from integrations.inbox import Arrival, HandedIn, MessageRefused, QuotaReached, Receipt, receive_many
from integrations.models import Connection, ConnectionGroupGrant, ConnectionUserGrant, InboxMessage

STATUSES: Final = ("accepted", "repeat", "conflict", "refused")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: a receipt when it was kept, a problem when something is wrong with it, or both."""

    external_id: str
    connection: str
    receipt: Receipt | None = None
    problem: Problem | None = None

    @property
    def status(self) -> str:
        if self.receipt is None:
            return "refused"
        if self.receipt.conflict:
            return "conflict"
        return "repeat" if self.receipt.is_repeat else "accepted"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that has the right shape, and its place among many."""

    place: int
    connection: Connection
    handed_in: HandedIn
    pointer: tuple[object, ...]


def take_in(items: Sequence[Any], request: Request, *, scoped: bool) -> list[Outcome]:
    """Keep each message or say why not, in the order given. `scoped`: pointers lead through `messages`."""
    outcomes: dict[int, Outcome] = {}
    read: dict[int, dict[str, Any]] = {}
    form = requests.Message()
    for place, item in enumerate(items):
        pointer = ("messages", place) if scoped else ()
        if isinstance(item, Problem):
            outcomes[place] = Outcome("", "", problem=item)
            continue
        try:
            read[place] = form.run_validation(item)
        except serializers.ValidationError as error:
            outcomes[place] = _refused(item, kinds.INVALID_CONTENT, errors_of(error.detail, *pointer))
    usable = []
    granted = _connections(read.values(), request)
    for place, message in read.items():
        pointer = ("messages", place) if scoped else ()
        connection = granted.get(message["connection"])
        if connection is None:
            outcomes[place] = _unknown_connection(message, pointer)
        else:
            usable.append(Candidate(place, connection, _handed_in(message), pointer))
    outcomes.update(keep(usable, request, via=InboxMessage.Via.API, by=person(request).get_username()))
    return [outcomes[place] for place in range(len(items))]


def _connections(messages: Iterable[Mapping[str, Any]], request: Request) -> dict[str, Connection]:
    """Those of the named connections for which the account may hand in messages, in one query."""
    names = {message["connection"] for message in messages}
    found = may_ingest(person(request)).filter(slug__in=names) if names else ()
    return {connection.slug: connection for connection in found}


def may_ingest(user: AbstractUser) -> QuerySet[Connection]:
    """The connections for which the account may hand in messages."""
    verb = {"permission__codename": "ingest_messages"}
    direct = ConnectionUserGrant.objects.filter(user=user.pk, **verb).values("content_object")
    by_group = ConnectionGroupGrant.objects.filter(group__user=user.pk, **verb).values("content_object")
    return Connection.objects.filter(Q(pk__in=direct) | Q(pk__in=by_group))


def _handed_in(message: Mapping[str, Any]) -> HandedIn:
    refusal = message.get("refusal") or {}
    return HandedIn(
        external_id=message["id"],
        payload=message["payload"]["content"],
        payload_media_type=message["payload"]["media_type"],
        refusal=refusal.get("content", b""),
        refusal_media_type=refusal.get("media_type", ""),
        refusal_status=refusal.get("status"),
        refusal_headers=refusal.get("headers", {}),
        context=message.get("context", {}),
        ordering_key=message.get("ordering_key", ""),
    )


def keep(items: Sequence[Candidate], request: Request, *, via: InboxMessage.Via, by: str) -> dict[int, Outcome]:
    """One commit for all. In the order in which they were sent: of two with one identifier the first is kept."""
    moment = now()
    answers = receive_many(
        [Arrival(item.connection, item.handed_in) for item in items],
        via=via, by=by, at=moment, correlation_id=request.META.get("REQUEST_ID", "")[:100],
    )  # fmt: skip
    return {item.place: _outcome_of(item, answer, moment) for item, answer in zip(items, answers, strict=True)}


def refuse_for_room(outcomes: Sequence[Outcome]) -> None:
    """Raises Problem when there was room for none of them, so that it is told like that of a single one."""
    problems = [outcome.problem for outcome in outcomes]
    if problems and all(problem is not None and problem.kind in NO_ROOM for problem in problems):
        raise cast(Problem, problems[0])


def room_told(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The headers about the room that is left, when all that was kept is of one connection."""
    connections = {outcome.receipt.message.connection for outcome in outcomes if outcome.receipt}
    return headers_of(connections.pop(), now=now()) if len(connections) == 1 else {}


def _outcome_of(item: Candidate, answer: Receipt | MessageRefused, moment: datetime) -> Outcome:
    who = item.handed_in.external_id, item.connection.slug
    if isinstance(answer, QuotaReached):
        return Outcome(*who, problem=no_room(answer, item.connection, now=moment, steps=item.pointer))
    if isinstance(answer, MessageRefused):
        limit = item.connection.max_bytes
        too_large = max(len(item.handed_in.payload), len(item.handed_in.refusal)) > limit
        return Outcome(*who, problem=Problem(
            kinds.TOO_LARGE if too_large else kinds.INVALID_CONTENT, answer.problem,
            errors=[at(pointer_to(*item.pointer, answer.field), answer.problem, answer.remedy)],
        ))  # fmt: skip
    if not answer.conflict:
        return Outcome(*who, answer)
    detail = f"The identifier “{item.handed_in.external_id}” came before with other content. Both are kept."
    return Outcome(*who, answer, Problem(
        kinds.IDENTIFIER_REUSED, detail,
        errors=[at(pointer_to(*item.pointer, "id"), detail, kinds.IDENTIFIER_REUSED.remedy)],
    ))  # fmt: skip


def _unknown_connection(message: Mapping[str, Any], pointer: tuple[object, ...]) -> Outcome:
    detail = f"No connection “{message['connection']}” takes messages from this account."
    problem = Problem(
        kinds.UNKNOWN_CONNECTION, detail,
        errors=[at(pointer_to(*pointer, "connection"), detail, kinds.UNKNOWN_CONNECTION.remedy)],
    )  # fmt: skip
    return Outcome(message["id"], message["connection"], problem=problem)


def _refused(item: Any, kind: kinds.ProblemKind, errors: list[dict[str, str]]) -> Outcome:
    """What cannot even be read as a message is answered with as much of its name as there is."""
    names = [item.get(name) if isinstance(item, dict) else None for name in ("id", "connection")]
    external_id, connection = (name if isinstance(name, str) else "" for name in names)
    detail = "Some fields cannot be used; each is named below."
    return Outcome(external_id, connection, problem=Problem(kind, detail, errors=errors))
