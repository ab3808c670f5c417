"""Every target, whatever goes wrong there: what people approved takes effect once, or they are told that it did not."""

import pytest

from exceptions_app import intake, replays
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from integrations import inbox
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, work_until_done
from tests.integrations.connectors.stands import STANDS, Stand
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]

EACH = pytest.mark.parametrize("stand", STANDS.values(), ids=STANDS)


def approved(cast: Cast, simulator: RunningSimulator, stand: Stand, fault: str, **settings: object) -> ExceptionCase:
    """An exception whose replay is approved, at a target in which the fault is in place."""
    configure(cast.connection, connector=stand.name, target_url=f"{simulator.url}/{stand.below}")
    content = stand.document(1)
    simulator.fault("refuse", path=stand.path, times=1)
    refused = stand.submit(simulator, content, key=99)
    message = inbox.HandedIn(
        "message-1",
        content,
        payload_media_type=stand.media_type,
        refusal=refused.body,
        refusal_media_type=refused.headers["content-type"],
        refusal_status=refused.http_status,
    )
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    case = ExceptionCase.objects.get()
    propose(case, by=cast.clerk)
    simulator.fault(fault, path=stand.path, **({"times": 1, "seconds": 0} | settings))
    return approve_open(case, by=cast.controller)


def ended(case: ExceptionCase) -> tuple[str, str, str]:
    case.refresh_from_db()
    return case.state, case.outcome, submission(case).state


@pytest.mark.alike
@EACH
@pytest.mark.parametrize("fault", ["throttled_403", "throttled_400", "too_many_requests", "down"])
def test_throttled_in_any_dialect_is_not_sent_and_goes_again(
    cast: Cast, simulator: RunningSimulator, stand: Stand, fault: str
) -> None:
    case = approved(cast, simulator, stand, fault)
    work_until_done()

    assert ended(case) == (State.RESOLVED, "replayed", "confirmed")
    attempts = submission(case).attempts.order_by("pk")
    assert [(attempt.phase, attempt.answer.outcome) for attempt in attempts] == [
        ("send", "not_sent"), ("send", "confirmed"),
    ]  # fmt: skip
    assert (submission(case).sends, len(simulator.effects)) == (1, 1)
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused


@pytest.mark.alike
@EACH
@pytest.mark.parametrize("fault", ["book_late", "drop_mid_answer", "garbage", "error_after", "reorder"])
def test_answer_that_says_nothing_takes_effect_once(
    cast: Cast, simulator: RunningSimulator, stand: Stand, fault: str
) -> None:
    case = approved(cast, simulator, stand, fault)
    work_until_done()

    assert ended(case) == (State.RESOLVED, "replayed", "confirmed")
    assert len(simulator.effects) == 1


@EACH
def test_said_to_be_there_is_looked_up_and_ends_without_a_second_send(
    cast: Cast, simulator: RunningSimulator, stand: Stand
) -> None:
    case = approved(cast, simulator, stand, "already_done_4xx")
    work_until_done()

    assert ended(case)[::2] == (State.RESOLVED, "already_there")
    assert [attempt.phase for attempt in submission(case).attempts.order_by("pk")] == ["send", "compare"]
    assert len(simulator.effects) == 1


@EACH
def test_error_inside_a_success_resolves_nothing_by_itself(
    cast: Cast, simulator: RunningSimulator, stand: Stand
) -> None:
    case = approved(cast, simulator, stand, "error_in_200", times=None)
    replays.carry_out_due()

    state, _, delivered = ended(case)
    assert simulator.effects == []
    assert (state, delivered) in {(State.IN_PROGRESS, "refused"), (State.OUTCOME_UNKNOWN, "unknown")}


@EACH
def test_expired_token_pauses_the_connection_and_sends_nothing(
    cast: Cast, simulator: RunningSimulator, stand: Stand
) -> None:
    case = approved(cast, simulator, stand, "token_expired")
    replays.carry_out_due()

    cast.connection.refresh_from_db()
    delivery = submission(case)
    assert cast.connection.is_paused
    assert cast.connection.paused_because.startswith("The bearer token has expired.")
    assert (delivery.state, delivery.sends, simulator.effects) == ("queued", 0, [])
