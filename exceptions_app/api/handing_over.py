"""Transactions handed over by the API: each checked and taken in for itself, all of a request in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.timezone import now
from rest_framework import serializers
from rest_framework.request import Request

from exceptions_app.actions import predecessors
from exceptions_app.actions.hand_over import HandedOver, hand_over
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import person
from exceptions_app.api.problems import Problem, at, errors_of, pointer_to
from exceptions_app.api.receiving import may_ingest
from exceptions_app.api.room import problem_of as no_room
from exceptions_app.api.strict import Anything, StrictSerializer, Text, WholeNumber
from exceptions_app.models import Transaction
from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import Connection, InboxMessage
from integrations.quotas import QuotaReached
from integrations.receiving import Arrival

STATUSES: Final = ("accepted", "repeat", "conflict", "refused")
MOST: Final = 1000
_LONGEST_WAIT: Final = int(predecessors.LONGEST_WAIT.total_seconds())


class HandOver(StrictSerializer):
    """One transaction that is to be delivered to the target of its connection."""

    connection = Text(max_length=50, help_text="The name of the connection, as GET /connections lists it.")
    id = Text(
        max_length=200, required=False,
        help_text="The sender's own identifier: the same for every repeat. Left out, Idempotency-Key stands for it.",
    )  # fmt: skip
    payload = requests.Payload(help_text="The document, as the target takes it or as the field map reads it.")
    after = serializers.ListField(
        child=Text(max_length=251), required=False, max_length=predecessors.MOST,
        help_text="What must be delivered first: identifiers of this connection, or connection/identifier.",
    )  # fmt: skip
    ordering_key = Text(
        max_length=200, required=False, allow_blank=True,
        help_text="Transactions of one connection and key are delivered in the order in which they came.",
    )  # fmt: skip
    wait_at_most = WholeNumber(
        min_value=1, max_value=_LONGEST_WAIT, required=False,
        help_text="Seconds to wait for what must come first; then a person is told.",
    )  # fmt: skip


class ManyHandOvers(StrictSerializer):
    """Several transactions at once; each has an outcome of its own."""

    transactions = serializers.ListField(
        child=Anything(), min_length=1, max_length=MOST,
        error_messages={
            "not_a_list": "This is not a list of transactions.",
            "min_length": "The list is empty. Send at least one transaction.",
            "max_length": "There are more than {max_length} transactions in this request.",
        },
    )  # fmt: skip


class ManyHandOversDocumented(serializers.Serializer[Any]):
    """Several transactions at once; each has an outcome of its own."""

    transactions = serializers.ListField(child=HandOver(), min_length=1, max_length=MOST)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them: a transaction when it is in our hands, a problem when something is wrong with it."""

    external_id: str
    connection: str
    transaction: Transaction | None = None
    is_repeat: bool = False
    problem: Problem | None = None

    @property
    def status(self) -> str:
        if self.transaction is not None:
            return "repeat" if self.is_repeat else "accepted"
        is_conflict = self.problem is not None and self.problem.kind is kinds.IDENTIFIER_REUSED
        return "conflict" if is_conflict else "refused"


@dataclass(frozen=True, slots=True)
class _Item:
    """One that has the right shape, and its place among many."""

    place: int
    connection: Connection
    handed_in: HandedIn
    pointer: tuple[object, ...]


def take_in(items: Sequence[Any], request: Request, *, scoped: bool) -> list[Outcome]:
    """Take each in or say why not, in the order given. `scoped`: pointers lead through `transactions`."""
    outcomes: dict[int, Outcome] = {}
    read: dict[int, dict[str, Any]] = {}
    for place, item in enumerate(items):
        try:
            read[place] = _read(item)
        except serializers.ValidationError as error:
            outcomes[place] = _refused(item, errors_of(error.detail, *_pointer(place, scoped=scoped)))
    granted = _connections(read.values(), request)
    usable = []
    for place, wanted in read.items():
        connection = granted.get(wanted["connection"])
        if connection is None:
            outcomes[place] = _unknown_connection(wanted, _pointer(place, scoped=scoped))
        else:
            handed_in = _handed_in(wanted, connection, granted)
            usable.append(_Item(place, connection, handed_in, _pointer(place, scoped=scoped)))
    outcomes.update(_hand_over(usable, request))
    return [outcomes[place] for place in range(len(items))]


def _pointer(place: int, *, scoped: bool) -> tuple[object, ...]:
    return ("transactions", place) if scoped else ()


def _read(item: Any) -> dict[str, Any]:
    read: dict[str, Any] = HandOver().run_validation(item)
    if "id" not in read:
        missing = serializers.ErrorDetail("There is neither id nor Idempotency-Key.", code="required")
        raise serializers.ValidationError({"id": [missing]})
    if read["id"] in read.get("after", ()):
        raise serializers.ValidationError({"after": ["A transaction cannot wait for itself."]})
    return read


def _connections(wanted: Iterable[Mapping[str, Any]], request: Request) -> dict[str, Connection]:
    """Those of the connections that are named, or may be, for which the account hands in; in one query."""
    names = {one["connection"] for one in wanted}
    names |= {name.partition("/")[0] for one in wanted for name in one.get("after", ()) if "/" in name}
    if not names:
        return {}
    found = may_ingest(person(request)).filter(slug__in=names)
    return {connection.slug: connection for connection in found}


def _handed_in(wanted: Mapping[str, Any], connection: Connection, granted: Mapping[str, Connection]) -> HandedIn:
    context: dict[str, Any] = {}
    if after := wanted.get("after"):
        context["after"] = [_named(name, connection, granted) for name in dict.fromkeys(after)]
    if "wait_at_most" in wanted:
        context["wait_at_most"] = wanted["wait_at_most"]
    return HandedIn(
        external_id=wanted["id"],
        payload=wanted["payload"]["content"],
        payload_media_type=wanted["payload"]["media_type"],
        context=context,
        purpose=InboxMessage.Purpose.DELIVER,
        ordering_key=wanted.get("ordering_key", ""),
    )


def _named(name: str, connection: Connection, granted: Mapping[str, Connection]) -> dict[str, str]:
    """What stands before the first slash is a connection when the account hands in for one of that name."""
    slug, _, external_id = name.partition("/")
    if external_id and slug in granted:
        return {"connection": slug, "id": external_id}
    return {"connection": connection.slug, "id": name}


def _hand_over(items: Sequence[_Item], request: Request) -> dict[int, Outcome]:
    """One commit for all. In the order in which they were sent: of two with one identifier the first counts."""
    answers = hand_over(
        [Arrival(item.connection, item.handed_in) for item in items],
        by=person(request).get_username(),
        at=now(),
        correlation_id=request.META.get("REQUEST_ID", "")[:100],
    )
    return {item.place: _outcome_of(item, answer) for item, answer in zip(items, answers, strict=True)}


def _outcome_of(item: _Item, answer: HandedOver | MessageRefused) -> Outcome:
    who = item.handed_in.external_id, item.connection.slug
    if isinstance(answer, MessageRefused):
        return Outcome(*who, problem=_problem_of(item, answer))
    if answer.transaction is not None:
        return Outcome(*who, transaction=answer.transaction, is_repeat=answer.is_repeat)
    detail = f"The identifier “{item.handed_in.external_id}” came before with other content. Nothing is sent for this."
    place = at(pointer_to(*item.pointer, "id"), detail, kinds.IDENTIFIER_REUSED.remedy)
    return Outcome(*who, problem=Problem(kinds.IDENTIFIER_REUSED, detail, errors=[place]))


def _problem_of(item: _Item, refused: MessageRefused) -> Problem:
    place = at(pointer_to(*item.pointer, *refused.field.split(".")), refused.problem, refused.remedy)
    if isinstance(refused, QuotaReached):
        return no_room(refused, item.connection, now=now(), steps=item.pointer)
    too_large = len(item.handed_in.payload) > item.connection.max_bytes
    return Problem(kinds.TOO_LARGE if too_large else kinds.INVALID_CONTENT, refused.problem, errors=[place])


def _unknown_connection(wanted: Mapping[str, Any], pointer: tuple[object, ...]) -> Outcome:
    detail = f"No connection “{wanted['connection']}” takes transactions from this account."
    place = at(pointer_to(*pointer, "connection"), detail, kinds.UNKNOWN_CONNECTION.remedy)
    problem = Problem(kinds.UNKNOWN_CONNECTION, detail, errors=[place])
    return Outcome(wanted["id"], wanted["connection"], problem=problem)


def _refused(item: Any, errors: list[dict[str, str]]) -> Outcome:
    """What cannot even be read is answered with as much of its name as there is."""
    names = [item.get(name) if isinstance(item, dict) else None for name in ("id", "connection")]
    external_id, connection = (name if isinstance(name, str) else "" for name in names)
    detail = "Some fields cannot be used; each is named below."
    return Outcome(external_id, connection, problem=Problem(kinds.INVALID_CONTENT, detail, errors=errors))
