"""What each connector declares of its target, tried on the simulated one: no promise is taken on trust."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from integrations.connectors.base import (
    AnswerKind,
    Bundling,
    Observation,
    Presence,
    TargetKind,
    WaitIn,
)
from integrations.connectors.held import ShowsContent
from integrations.connectors.registry import CONNECTORS
from integrations.simulator.faults import FaultName
from tests.integrations.connectors.stands import STANDS, Stand, key_of
from tests.simulator_process import RunningSimulator

# The fault by which the simulator throttles with this status.
DIALECTS = {429: "too_many_requests", 403: "throttled_403", 400: "throttled_400", 503: "down"}
DOUBTS = ("timeout_after", "drop_mid_answer", "garbage", "error_after")
EACH = pytest.mark.parametrize("stand", STANDS.values(), ids=STANDS)


def fault(simulator: RunningSimulator, stand: Stand, name: str, **settings: Any) -> None:
    simulator.fault(name, path=stand.path, **({"times": 1, "seconds": 0} | settings))


def looked_up_until(
    stand: Stand, simulator: RunningSimulator, content: bytes, *, seconds: float, found: Callable[[Observation], bool]
) -> Observation:
    ends_at = time.monotonic() + seconds
    while not found(seen := stand.probe(simulator, content)) and time.monotonic() < ends_at:
        time.sleep(0.1)
    return seen


def test_every_connector_is_held_to_its_contract() -> None:
    assert set(STANDS) == set(CONNECTORS)


@EACH
def test_right_document_is_confirmed_and_found_again(stand: Stand, simulator: RunningSimulator) -> None:
    answer = stand.submit(simulator, stand.document(1))
    found = stand.probe(simulator, stand.document(1))

    assert answer.kind is AnswerKind.CONFIRMED
    assert (found.presence, found.reference) == (Presence.SAME, answer.reference)
    assert stand.probe(simulator, stand.document(2)).presence is Presence.ABSENT
    assert stand.connector.capabilities.looked_up_by


@EACH
def test_repeat_has_one_effect_also_after_a_restart(stand: Stand, simulator: RunningSimulator) -> None:
    """The promise that the kind of target makes. No end of the key's life is declared, so none may be seen."""
    first = stand.submit(simulator, stand.document(1))
    again = stand.submit(simulator, stand.document(1))
    simulator.restart()
    later = stand.submit(simulator, stand.document(1))

    kind = stand.connector.capabilities.target_kind
    assert kind in (TargetKind.DEDUPLICATES, TargetKind.UPSERTS)
    assert stand.connector.capabilities.key_life is None
    assert len(simulator.effects) == 1
    for repeat in (again, later):
        assert repeat.kind in (AnswerKind.CONFIRMED, AnswerKind.ALREADY_EXISTS)
        assert repeat.reference in (first.reference, "")


@EACH
@pytest.mark.parametrize("doubt", DOUBTS)
def test_answer_that_never_came_is_unknown_and_the_effect_is_found(
    stand: Stand, simulator: RunningSimulator, doubt: str
) -> None:
    fault(simulator, stand, doubt)

    answer = stand.submit(simulator, stand.document(1))

    assert (answer.kind, answer.not_sent, len(simulator.effects)) == (AnswerKind.UNKNOWN, False, 1)
    assert stand.probe(simulator, stand.document(1)).presence is Presence.SAME


@EACH
def test_late_effect_shows_within_the_settle_time(stand: Stand, simulator: RunningSimulator) -> None:
    settle = stand.connector.capabilities.settle_time.total_seconds()
    fault(simulator, stand, "book_late", seconds=settle / 10)

    answer = stand.submit(simulator, stand.document(1))
    seen = looked_up_until(
        stand, simulator, stand.document(1), seconds=30, found=lambda seen: seen.presence is Presence.SAME
    )

    assert answer.kind is AnswerKind.UNKNOWN
    assert (seen.presence, len(simulator.effects)) == (Presence.SAME, 1)


@EACH
def test_effect_that_came_late_after_a_repeat_is_no_second_one(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "book_late", seconds=0.5)

    stand.submit(simulator, stand.document(1))
    repeat = stand.submit(simulator, stand.document(1))
    time.sleep(1)

    assert repeat.kind is AnswerKind.CONFIRMED
    assert len(simulator.effects) == 1


@EACH
def test_every_dialect_of_the_target_is_declared(stand: Stand) -> None:
    assert {throttle.status for throttle in stand.connector.capabilities.throttles} == set(DIALECTS)
    assert {throttle.wait_in for throttle in stand.connector.capabilities.throttles} == set(WaitIn)


@EACH
@pytest.mark.parametrize("status", DIALECTS)
def test_throttle_is_not_sent_and_waits_as_long_as_asked(
    stand: Stand, simulator: RunningSimulator, status: int
) -> None:
    fault(simulator, stand, DIALECTS[status])
    answer = stand.submit(simulator, stand.document(1))
    fault(simulator, stand, DIALECTS[status], method="GET")
    asked = stand.probe(simulator, stand.document(1))

    assert (answer.kind, answer.http_status, answer.not_sent) == (AnswerKind.NOT_SENT, status, True)
    assert (asked.presence, asked.http_status) == (Presence.UNANSWERED, status)
    for wait in (answer.retry_after, asked.retry_after):
        assert wait is not None
        assert 1 <= wait <= 3
    assert answer.detail
    assert asked.detail
    assert simulator.effects == []


@EACH
def test_expired_token_is_turned_away_and_stops_the_connection(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "token_expired", times=2)

    answer, asked = stand.submit(simulator, stand.document(1)), stand.probe(simulator, stand.document(1))

    assert (answer.kind, answer.turned_away, asked.presence) == (
        AnswerKind.MISCONFIGURED, True, Presence.MISCONFIGURED,
    )  # fmt: skip
    assert answer.detail == asked.detail == "The bearer token has expired."
    assert simulator.effects == []


@EACH
def test_already_done_is_looked_up_by_a_declared_sign(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "already_done_4xx")

    answer = stand.submit(simulator, stand.document(1))

    assert answer.kind is AnswerKind.ALREADY_EXISTS
    assert any(sign in answer.body.decode() for sign in stand.connector.capabilities.already_exists)
    assert (stand.probe(simulator, stand.document(1)).presence, len(simulator.effects)) == (Presence.SAME, 1)


@EACH
def test_content_of_what_is_there_is_told_as_far_as_declared(stand: Stand, simulator: RunningSimulator) -> None:
    """What the target holds, laid beside another content under the same name."""
    connector, there, other = stand.connector, stand.document(1), stand.changed(1)
    booked = stand.submit(simulator, there)
    asked = stand.probe(simulator, other)

    [entry] = connector.entries_in(asked.body)
    held = connector.held(entry, content=other)

    theirs = {field.path: field.value for field in connector.read(there).fields}
    ours = {field.path for field in connector.read(other).fields}
    told = {field.path: field.value for field in held.fields}
    assert (held.reference, held.shows) == (booked.reference, connector.capabilities.shows_content)
    assert told == {path: theirs[path] for path in told}
    assert not held.untold & set(told)
    assert held.untold <= ours
    match held.shows:
        case ShowsContent.WHOLE:
            assert set(theirs) - set(told) <= held.untold
        case ShowsContent.FIELDS:
            assert told
            assert held.untold == ours - set(told)
        case ShowsContent.HASH:
            assert (told, held.sha256) == ({}, hashlib.sha256(there).hexdigest())
            assert held.untold == ours


@EACH
@pytest.mark.parametrize(
    "answer", [b"", b"<html>busy</html>", b"[]", b'{"documents": 1, "postings": {}}', b'{"a": NaN}']
)
def test_answer_that_names_nothing_holds_nothing(stand: Stand, answer: bytes) -> None:
    assert list(stand.connector.entries_in(answer)) == []


@EACH
def test_entry_that_lacks_everything_tells_nothing(stand: Stand) -> None:
    for entry in ({}, {"posting": 1, "content": [], "sha256": {}, "amount": 2, "reference": None}):
        held = stand.connector.held(entry, content=stand.document(1))
        assert (held.reference, held.shows, held.fields) == ("", ShowsContent.NOTHING, ())
        assert held.untold == {field.path for field in stand.connector.read(stand.document(1)).fields}


@EACH
def test_error_in_200_is_never_confirmed(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "error_in_200")

    answer = stand.submit(simulator, stand.document(1))

    assert (answer.http_status, simulator.effects) == (200, [])
    assert answer.kind in (AnswerKind.REFUSED, AnswerKind.UNKNOWN)
    assert (answer.refusal is not None) == (answer.kind is AnswerKind.REFUSED)


@EACH
def test_second_effect_of_the_target_s_own_is_there_to_be_found(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "book_twice")

    answer = stand.submit(simulator, stand.document(1))
    found = stand.probe(simulator, stand.document(1))

    upserts = stand.connector.capabilities.target_kind is TargetKind.UPSERTS
    assert len(simulator.effects) == (1 if upserts else 2)
    assert (answer.kind, found.presence, found.reference) == (AnswerKind.CONFIRMED, Presence.SAME, answer.reference)


@EACH
def test_check_passes_what_the_target_takes_and_stops_what_it_refuses(
    stand: Stand, simulator: RunningSimulator
) -> None:
    capabilities = stand.connector.capabilities
    right, wrong = stand.connector.check(stand.document(1)), stand.connector.check(stand.wrong())

    assert (right.passed, right.check, wrong.passed) == (True, capabilities.check_name, False)
    assert stand.submit(simulator, stand.document(1)).kind is AnswerKind.CONFIRMED
    refused = stand.submit(simulator, stand.wrong(), key=2)
    assert (refused.kind, len(simulator.effects)) == (AnswerKind.REFUSED, 1)
    if capabilities.checks_natively:
        assert refused.refusal is not None
        assert {error.code for error in wrong.errors} == {error.code for error in refused.refusal.errors}


@EACH
def test_documents_of_any_order_are_taken_in_any(stand: Stand, simulator: RunningSimulator) -> None:
    fault(simulator, stand, "reorder", seconds=0.2)

    kinds = [stand.submit(simulator, stand.document(number), key=number).kind for number in (2, 1)]

    assert kinds == [AnswerKind.CONFIRMED, AnswerKind.CONFIRMED]
    assert len(simulator.effects) == 2


@EACH
def test_correction_renames_what_is_declared_and_nothing_else(stand: Stand, simulator: RunningSimulator) -> None:
    """What was refused under one name goes under another, or under the same where the target takes it so."""
    fault(simulator, stand, "refuse")
    refused = stand.submit(simulator, stand.document(1))
    connector = stand.connector

    if connector.capabilities.correction_envelope:
        assert isinstance(connector, Bundling)
        one, other = (connector.bundle([stand.document(1)], name=name) for name in ("first", "second"))
        assert one.reference != other.reference
        assert connector.business_key(one.body) == connector.business_key(stand.document(1))
        sent = stand.submit(simulator, other.body, key=2)
    else:
        sent = stand.submit(simulator, stand.changed(1), key=2)
        assert connector.business_key(stand.changed(1)) == connector.business_key(stand.document(1))

    assert (refused.kind, sent.kind, len(simulator.effects)) == (AnswerKind.REFUSED, AnswerKind.CONFIRMED, 1)


@EACH
def test_half_of_a_bundle_is_told_apart_from_the_rest(stand: Stand, simulator: RunningSimulator) -> None:
    connector = stand.connector
    assert isinstance(connector, Bundling) == (connector.capabilities.bundles > 1)
    if not isinstance(connector, Bundling):
        return
    fault(simulator, stand, "half_accept")
    contents = [stand.document(number) for number in (1, 2, 3)]
    bundle = connector.bundle(contents, name="three")

    came = stand.client(simulator).submit_bundle(key=key_of(1), bundle=bundle, contents=contents)  # type: ignore[attr-defined]

    booked = {AnswerKind.CONFIRMED: Presence.SAME, AnswerKind.REFUSED: Presence.ABSENT}
    assert sorted(one.kind for one in came.each) == ["confirmed", "confirmed", "refused"]
    assert [stand.probe(simulator, content).presence for content in contents] == [booked[one.kind] for one in came.each]
    assert len(simulator.effects) == 2


def test_every_fault_of_the_simulator_is_tried_or_needs_no_connector() -> None:
    told = {*DOUBTS, *DIALECTS.values(), "book_late", "book_twice", "half_accept", "already_done_4xx", "error_in_200"}
    told |= {"token_expired", "reorder", "refuse"}
    elsewhere = {"slow", "timeout_before", "none"}

    assert told | elsewhere == {name.value for name in FaultName}
