"""What a rehearsal plays with: people, connections of each lane, and exceptions that wait for a decision.

Everything comes about by the actions by which it does in an installation. Runs in a process of the private one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.timezone import now

from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.correct import correct
from exceptions_app.actions.grants import ROLES, grant_connection, grant_verbs
from exceptions_app.actions.propose import propose_replay
from exceptions_app.intake import read_messages
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, LegalEntity, Queue, Route
from integrations.inbox import HandedIn, receive
from integrations.models import Connection, InboxMessage
from workbench.models import User
from workbench.rehearsal.documents import JSON, Document
from workbench.rehearsal.lanes import Lane

# More than one of each lane: a claim that broke off keeps its connection busy until its lease ends.
CONNECTIONS: Final = 3
_BECAUSE: Final = "For a rehearsal."


@dataclass(frozen=True, slots=True)
class Scene:
    clerk: User
    controller: User
    connections: Mapping[str, Sequence[Connection]]  # by kind of target


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exception that was proposed."""

    case_id: int
    document: Document
    frozen_sha256: str


def set_up(lanes: Iterable[Lane], targets: Mapping[str, Mapping[str, str]], *, timeout: int) -> Scene:
    """`targets` has the URL and the token of each lane's target; `timeout` is in seconds."""
    setup, at = machine(SETUP), now()
    queue = Queue(slug="rehearsal", name="Rehearsal", purpose="What a rehearsal replays.")
    entity = LegalEntity(code="NL01", name="Rehearsal", country="NL", currency="EUR")
    for item in (queue, entity):
        save_configuration(item, by=setup, at=at, because=_BECAUSE)
    clerk, controller = User.objects.create(username="clerk"), User.objects.create(username="controller")
    for role, person in (("clerk", clerk), ("controller", controller)):
        grant_verbs(ROLES[role], person, [queue, entity], by=setup, at=at, because=_BECAUSE)
    connections: dict[str, list[Connection]] = {}
    for lane in lanes:
        for place in range(CONNECTIONS):
            connection = Connection(
                slug=f"{lane.kind}-{place}",
                name=f"{lane.kind} {place}",
                connector=lane.connector,
                target_url=targets[lane.kind]["url"],
                target_token=targets[lane.kind]["token"],
                timeout_seconds=timeout,
                **lane.connection,
            )
            route = Route(
                position=Route.objects.count() + 1, connection=connection, queue=queue, entity=entity, priority=3
            )
            save_configuration(connection, by=setup, at=at, because=_BECAUSE)
            save_configuration(route, by=setup, at=at, because=_BECAUSE)
            grant_connection("ingest_messages", clerk, connection, by=setup, at=at, because=_BECAUSE)
            connections.setdefault(lane.kind, []).append(connection)
    return Scene(clerk, controller, connections)


def bring_in(scene: Scene, kind: str, documents: Sequence[Document]) -> list[Waiting]:
    """Exceptions from messages, each corrected where it needs to be, and proposed."""
    connections = scene.connections[kind]
    for place, document in enumerate(documents):
        receive(
            connections[_lane_of(document, place, documents) % len(connections)],
            HandedIn(
                document.reference, document.as_it_came, JSON, document.refusal, JSON,
                refusal_status=document.refusal_status,
            ),
            via=InboxMessage.Via.API,
            by=scene.clerk.username,
            at=now(),
        )  # fmt: skip
    while read_messages(limit=100, at=now()):
        pass
    opened = ExceptionCase.objects.filter(connection__in=connections).values_list("document_number", "pk")
    cases = dict(opened)
    return [_propose(scene, cases[document.reference], document) for document in documents]


def _lane_of(document: Document, place: int, documents: Sequence[Document]) -> int:
    """A twin comes in where its twin does: elsewhere it would be another document."""
    if not document.twin_of:
        return place
    return next(number for number, other in enumerate(documents) if other.reference == document.twin_of)


def _propose(scene: Scene, case_id: int, document: Document) -> Waiting:
    if document.correction:
        correct(case_id, by=scene.clerk, at=now(), because=_BECAUSE, base_version=1, operations=document.correction)
    proposal = propose_replay(case_id, by=scene.clerk, at=now(), because=_BECAUSE)
    return Waiting(case_id, document, proposal.frozen_sha256)
