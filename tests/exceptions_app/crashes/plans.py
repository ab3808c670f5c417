"""Which way a document goes past each point, and the three things that the target may make of it there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from integrations.crash_points import Point
from tests.arrivals import approve_open, configure, propose
from tests.exceptions_app.crashes.stage import POSTINGS, Stage, needs_asking
from tests.integrations.connectors.iso20022.payment_files import IBANS

BOOKED = (State.RESOLVED, ("confirmed",), 1)
BOOKED_OR_FOUND = (State.RESOLVED, ("confirmed", "already_there"), 1)
REFUSED = (State.IN_PROGRESS, ("refused",), 0)
GIVEN_UP = (State.IN_PROGRESS, ("cancelled",), 0)
CONFLICT = (State.IN_PROGRESS, ("conflict",), 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the target makes of it: `play` brings the documents so far that a worker takes them on."""

    play: Callable[[Stage], list[ExceptionCase]]
    ends: tuple[State, tuple[str, ...], int]  # of the exception, of the delivery, and how often it is booked


def _alone(stage: Stage) -> list[ExceptionCase]:
    return [stage.approved()]


def _refused(stage: Stage) -> list[ExceptionCase]:
    case = stage.approved()
    stage.refuse()
    return [case]


def _unanswered(stage: Stage) -> list[ExceptionCase]:
    case = stage.approved()
    stage.no_answer()
    return [case]


ALONE = {
    "booked": Answer(_alone, BOOKED),
    "refused": Answer(_refused, REFUSED),
    "no answer": Answer(_unanswered, BOOKED),
}


def _asked_and_absent(stage: Stage) -> list[ExceptionCase]:
    case = stage.approved()
    needs_asking(case)
    return [case]


def _asked_and_there(stage: Stage) -> list[ExceptionCase]:
    [case] = _asked_and_absent(stage)
    stage.book_elsewhere(case)
    return [case]


def _asked_in_vain(stage: Stage) -> list[ExceptionCase]:
    [case] = _asked_and_absent(stage)
    stage.no_answer(method="GET")
    return [case]


ASKED = {
    "there": Answer(_asked_and_there, BOOKED_OR_FOUND),
    "not there": Answer(_asked_and_absent, BOOKED),
    "no answer": Answer(_asked_in_vain, BOOKED),
}


def _there_already(stage: Stage, **changes: str) -> list[ExceptionCase]:
    case = stage.approved()
    stage.book_elsewhere(case, **changes)
    return [case]


def _other_is_there(stage: Stage) -> list[ExceptionCase]:
    return _there_already(stage, text="Another accrual")


def _there_and_not_said(stage: Stage) -> list[ExceptionCase]:
    cases = _there_already(stage)
    stage.no_answer(method="GET")
    return cases


COMPARED = {
    "same content": Answer(_there_already, BOOKED_OR_FOUND),
    "other content": Answer(_other_is_there, CONFLICT),
    "no answer": Answer(_there_and_not_said, BOOKED_OR_FOUND),
}
RESOLVED = {"booked": ALONE["booked"], "no answer": ALONE["no answer"], "there": ASKED["there"]}


def _held_back(stage: Stage) -> list[ExceptionCase]:
    """Approved for an address that is another one by now."""
    return _to_another_address(stage, stage.approved())


def _to_another_address(stage: Stage, case: ExceptionCase) -> list[ExceptionCase]:
    configure(stage.cast.connection, target_url=stage.simulator.erp_url.replace("127.0.0.1", "localhost"))
    return [case]


def _held_back_when_booked(stage: Stage) -> list[ExceptionCase]:
    [case] = _unanswered(stage)
    stage.read()
    return _to_another_address(stage, case)


def _held_back_when_absent(stage: Stage) -> list[ExceptionCase]:
    case = stage.approved()
    stage.simulator.fault("timeout_before", path=POSTINGS, times=1, seconds=0)
    stage.read()
    return _to_another_address(stage, case)


HELD_BACK = {
    "never sent": Answer(_held_back, GIVEN_UP),
    "sent and booked": Answer(_held_back_when_booked, BOOKED),
    "sent and not there": Answer(_held_back_when_absent, GIVEN_UP),
}


def _payments(stage: Stage) -> list[ExceptionCase]:
    return stage.payments()


def _payments_refused(stage: Stage) -> list[ExceptionCase]:
    return stage.payments(ibans=[IBANS[3]] * 3)


def _payments_unanswered(stage: Stage) -> list[ExceptionCase]:
    cases = stage.payments()
    stage.no_answer("/bank/payments")
    return cases


TOGETHER = {
    "booked": Answer(_payments, BOOKED),
    "refused": Answer(_payments_refused, REFUSED),
    "no answer": Answer(_payments_unanswered, BOOKED),
}


def _deciding(prepare: Callable[[Stage], object]) -> Callable[[Stage], list[ExceptionCase]]:
    def play(stage: Stage) -> list[ExceptionCase]:
        case = stage.proposed()
        prepare(stage)
        stage.approve(case)
        return [case]

    return play


def _reading(prepare: Callable[[Stage], object]) -> Callable[[Stage], list[ExceptionCase]]:
    """A reader ends with a message; then everything takes its course."""

    def play(stage: Stage) -> list[ExceptionCase]:
        number = stage.receive()
        stage.work_until_done()
        [case] = ExceptionCase.objects.filter(document_number=number)
        stage.correct(case)
        propose(case, by=stage.cast.clerk)
        prepare(stage)
        return [approve_open(case, by=stage.cast.controller)]

    return play


def _as_three(way: Callable[[Callable[[Stage], object]], Callable[[Stage], list[ExceptionCase]]]) -> dict[str, Answer]:
    return {
        "booked": Answer(way(Stage.as_usual), BOOKED),
        "refused": Answer(way(Stage.refuse), REFUSED),
        "no answer": Answer(way(Stage.no_answer), BOOKED),
    }


_P = Point
WAYS: Mapping[Point, Mapping[str, Answer]] = MappingProxyType(
    {
        **dict.fromkeys((_P.MESSAGE_CLAIMED, _P.MESSAGE_READ, _P.MESSAGE_DONE), _as_three(_reading)),
        **dict.fromkeys((_P.DECISION_WRITTEN, _P.BELL_DUE), _as_three(_deciding)),
        **dict.fromkeys((_P.CLAIM_WRITTEN, _P.CLAIMED, _P.APPROVAL_SEEN), ALONE),
        _P.HELD_BACK: HELD_BACK,
        **dict.fromkeys((_P.PROBE_WRITTEN, _P.PROBE_INTENDED, _P.PROBE_ANSWERED, _P.PROBE_NOTED), ASKED),
        **dict.fromkeys((_P.SEND_WRITTEN, _P.SEND_INTENDED, _P.SEND_ANSWERED, _P.SEND_NOTED), ALONE),
        **dict.fromkeys((_P.WIRE_OPEN, _P.WIRE_SENT), ALONE),
        **dict.fromkeys((_P.COMPARE_WRITTEN, _P.COMPARE_INTENDED, _P.COMPARE_ANSWERED, _P.COMPARE_NOTED), COMPARED),
        **dict.fromkeys((_P.FILE_WRITTEN, _P.FILE_INTENDED, _P.FILE_ANSWERED, _P.FILE_NOTED), TOGETHER),
        **dict.fromkeys((_P.END_LOCKED, _P.END_WRITTEN, _P.EXCEPTION_MOVED, _P.ENDED), ALONE),
        _P.SOURCE_TO_BE_TOLD: RESOLVED,
    }
)
