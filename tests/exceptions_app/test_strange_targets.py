"""Targets that answer what nobody planned for: every delivery comes to an end, or to a person."""

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_django.fixtures import Settings

from audit.queries import timeline
from exceptions_app import intake, replays
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import State
from integrations.models import InboxMessage
from tests.arrivals import approve_open, configure, handed_in, propose, receive, replay
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import actions_of, submission, time_passes
from tests.scripted_server import Script, ScriptedServer, answering, scripted

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "Content-Type: application/json"
NOTHING_THERE = answering("200 OK", b'{"documents": []}', JSON)
TOKEN_REFUSED = answering("401 Unauthorized", b'{"code": "TOKEN_REFUSED", "detail": "The token is wrong."}', JSON)
Lead = Callable[[ScriptedServer], None]


@pytest.fixture
def lead(cast: Cast, settings: Settings) -> Lead:
    """Let the cast's connection lead to a server; a pause is over."""
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True

    def to(server: ScriptedServer) -> None:
        cast.connection.refresh_from_db()
        target_url = f"http://127.0.0.1:{server.port}"
        configure(cast.connection, target_url=target_url, target_token="t", paused_at=None, paused_because="")

    return to


@contextmanager
def target(*, post: Script, get: Script = NOTHING_THERE) -> Iterator[ScriptedServer]:
    """A target that does one thing when it is asked and another when something is sent."""
    server: ScriptedServer

    def script(connection: socket.socket) -> None:
        (get if server.requests[-1].startswith(b"GET") else post)(connection)

    with scripted(script) as server:
        yield server


def methods(server: ScriptedServer) -> list[str]:
    return [request.partition(b" ")[0].decode() for request in server.requests]


def accepting(case: ExceptionCase) -> Script:
    receipt = {"clearance": "CLR-1", "sha256": submission(case).content_sha256}
    return answering("201 Created", json.dumps(receipt).encode(), JSON)


def carry_on(case: ExceptionCase, rounds: int) -> list[str]:
    """The states of the delivery, round by round, with time between them."""
    states = []
    for _ in range(rounds):
        replays.carry_out_due()
        states.append(str(submission(case).state))
        time_passes()
    case.refresh_from_db()
    return states


def test_answer_of_another_protocol_is_kept_and_the_outcome_unknown(cast: Cast, lead: Lead):
    with target(post=lambda connection: connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 1) == ["unknown"]

    delivery = submission(case)
    [attempt] = delivery.attempts.all()
    assert (attempt.answer.outcome, attempt.answer.detail) == ("unknown", delivery.detail)
    assert delivery.detail == "The answer is not HTTP: F"
    assert (case.state, actions_of(case)[-1]) == (State.OUTCOME_UNKNOWN, "case.outcome_unknown")


NS = "http://purl.oclc.org/dsdl/svrl"


def long_report(errors: int, *, text: str, code: str = "") -> bytes:
    found = "".join(
        f'<s:failed-assert id="{code}XX-{number}" flag="fatal" location="/*" test="x"><s:text>{text}</s:text>'
        "</s:failed-assert>"
        for number in range(errors)
    )
    return f'<s:schematron-output xmlns:s="{NS}">{found}</s:schematron-output>'.encode()


@pytest.mark.parametrize(
    ("report", "total", "told"),
    [
        (long_report(500, text="The amount of the line is € 1 too high. " * 40), 500, range(20, 499)),
        (long_report(1, text="word " * 200_000), 1, range(1, 2)),
        (long_report(1, text="Wrong.", code="X" * 300_000), 1, range(1, 2)),
        (long_report(3, text="Wrong."), 3, range(3, 4)),
    ],
    ids=["most errors", "longest text", "longest code", "usual"],
)
def test_refusal_is_settled_however_long_it_is(cast: Cast, lead: Lead, report: bytes, total: int, told: range):
    with target(post=answering("422 Unprocessable Content", report, "Content-Type: application/xml")) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 2) == ["refused", "refused"]
        assert methods(server) == ["POST"]

    assert (case.state, Proposal.objects.get(case=case).state) == (State.IN_PROGRESS, Proposal.State.SPENT)
    event = list(timeline(case.subject))[-1]
    assert event.action == "case.refused_again"
    assert event.data["errors_total"] == total
    listed = len(event.data["errors"])
    assert listed in told
    assert (f"The first {listed} of {total} errors are listed; its answer has all." in event.summary) is (
        listed < total
    )
    assert all(len(error["text"]) <= 1000 and len(error["code"]) <= 100 for error in event.data["errors"])
    answer = submission(case).attempts.get().answer
    assert bytes(answer.body) == report
    assert event.data["answer_sha256"] == hashlib.sha256(report).hexdigest()


@pytest.mark.parametrize(
    "report",
    [
        long_report(500, text="Ж" * 3000, code="€" * 200),
        long_report(1, text="word " * 100_000),
        long_report(1, text="Wrong.", code="X" * 300_000),
    ],
    ids=["most errors", "longest text", "longest code"],
)
def test_refusal_becomes_an_exception_however_long_it_is(cast: Cast, report: bytes):
    receive(cast.connection, handed_in("long", refusal=report))
    assert intake.read_messages(limit=1, at=MORNING) == 1

    message = InboxMessage.objects.get()
    assert (message.status, message.problem) == ("processed", "")
    case = ExceptionCase.objects.get()
    [occurrence] = case.occurrences.all()
    assert all(len(error["text"]) <= 1000 and len(error["code"]) <= 100 for error in occurrence.errors)
    [opened] = timeline(case.subject)
    assert opened.data["errors_total"] == len(occurrence.errors)


def test_address_that_was_wrong_and_is_mended_goes_back_to_work(cast: Cast, lead: Lead):
    with scripted(answering("404 Not Found", b"no such page", "Content-Type: text/html")) as wrong:
        lead(wrong)
        case = replay(cast)
        assert carry_on(case, 2) == ["queued", "queued"]
        assert methods(wrong) == ["POST"]
    with target(post=accepting(case)) as right:
        lead(right)
        assert carry_on(case, 1) == ["cancelled"]
        assert methods(right) == ["GET"]
        assert (case.state, actions_of(case)[-1]) == (State.IN_PROGRESS, "case.sending_stopped")
        assert "the target was asked and does not have it" in submission(case).detail
        assert Proposal.objects.get(case=case).state == Proposal.State.SPENT

        propose(case, by=cast.clerk)
        approve_open(case, by=cast.controller)
        assert carry_on(case, 1) == ["confirmed"]
        assert methods(right) == ["GET", "GET", "POST"]
    assert (case.state, case.reference) == (State.RESOLVED, "CLR-1")


def test_address_that_must_not_be_used_was_sent_nothing(cast: Cast, lead: Lead, settings: Settings):
    with target(post=answering("500 Oops")) as server:
        lead(server)
        case = replay(cast)
        settings.INTEGRATIONS_ALLOW_LOOPBACK = False
        assert carry_on(case, 1) == ["queued"]
        assert (server.requests, submission(case).sends, case.state) == ([], 0, State.REPLAYING)
    cast.connection.refresh_from_db()
    assert "INTEGRATIONS_ALLOW_LOOPBACK is off" in cast.connection.paused_because


def test_refused_sign_in_of_the_authority_is_no_send(cast: Cast, lead: Lead):
    with target(post=TOKEN_REFUSED) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 1) == ["queued"]
        assert (submission(case).sends, case.state) == (0, State.REPLAYING)
    cast.connection.refresh_from_db()
    assert cast.connection.paused_because == "The token is wrong. Mend the connection, then resume it."


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (TOKEN_REFUSED, "The token is wrong."),
        (answering("302 Found", b"", "Location: /login"), "HTTP 302."),
        (answering("404 Not Found", b"no such page", "Content-Type: text/html"), "HTTP 404."),
    ],
)
def test_wrong_connection_found_while_asking_is_paused_and_says_why(
    cast: Cast, lead: Lead, answer: Script, detail: str
):
    with target(post=answering("500 Oops"), get=answer) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 3) == ["unknown"] * 3
        assert methods(server) == ["POST", "GET"]
    cast.connection.refresh_from_db()
    assert cast.connection.paused_because == f"{detail} Mend the connection, then resume it."
    assert submission(case).detail == detail
    asked = submission(case).attempts.get(phase="probe")
    assert (asked.answer.outcome, asked.answer.detail) == ("misconfigured", detail)


def test_answer_that_means_nothing_is_told_and_asked_again(cast: Cast, lead: Lead):
    with target(post=answering("500 Oops"), get=answering("200 OK", b"<html/>", "Content-Type: text/html")) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 3) == ["unknown"] * 3
        assert methods(server) == ["POST", "GET", "GET"]
    assert submission(case).detail == "HTTP 200 with a body that means nothing to us."
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused


def test_target_that_has_a_document_already_and_does_not_have_it_is_a_conflict_for_a_person(cast: Cast, lead: Lead):
    duplicate = b'{"code": "DUPLICATE_DOCUMENT", "clearance": "CLR-9"}'
    with target(post=answering("409 Conflict", duplicate, JSON)) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 7) == ["unknown"] * 5 + ["conflict"] * 2
        assert methods(server).count("POST") == 6

    assert (case.state, case.reference) == (State.IN_PROGRESS, "CLR-9")
    assert Proposal.objects.get(case=case).state == Proposal.State.SPENT
    found = list(timeline(case.subject))[-1]
    assert found.action == "case.conflict_found"
    assert found.summary == (
        "The target has INV-1001 already, but not with this content (CLR-9). "
        "The target refuses it as one that it has already, but does not have it when it is asked. Ask there."
    )


@pytest.mark.parametrize("answer", [TOKEN_REFUSED, answering("404 Not Found")])
def test_wrong_connection_found_while_comparing_is_paused(cast: Cast, lead: Lead, answer: Script):
    with target(post=answering("409 Conflict", b'{"code": "DUPLICATE_DOCUMENT"}', JSON), get=answer) as server:
        lead(server)
        case = replay(cast)
        assert carry_on(case, 2) == ["unknown"] * 2
        assert methods(server) == ["POST", "GET"]
    cast.connection.refresh_from_db()
    assert cast.connection.is_paused
    assert cast.connection.paused_because.startswith(submission(case).detail)
