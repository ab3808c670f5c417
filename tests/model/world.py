"""A model of deliveries and exceptions: rows without a database, workers that stop anywhere, a clock that is set.

What is decided, the engine's own functions decide. What is written, and what a claim is, stands here a second time and
more simply; `test_engine_against_model.py` holds it against the database, step by step. A worker is a generator that
stops at every place where a process may end (`crash_points`): to kill it is to drop it, to freeze it is to wait.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from exceptions_app.states import Action, Kind, State, target_of
from integrations.connectors.base import Answer, AnswerKind, Capabilities, Observation, Presence, TargetKind
from integrations.crash_points import Point
from integrations.delivery import Claim, Settlement, after_asking, after_sending, compared, must_ask_first, park
from integrations.delivery.asking import RESENDING_KINDS
from integrations.delivery.claims import LEASE, MAX_CLAIMS
from integrations.delivery.sending import UNDECIDED
from integrations.delivery.settling import cannot_be_asked, left_to_a_person, still_in_hand
from integrations.models import Connection, Delivery
from tests.model.target import SETTLE_TIME, Target

BEGAN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
Ended = Delivery.State
_MOVES = {
    Ended.CONFIRMED: Action.RESOLVE,
    Ended.ALREADY_THERE: Action.RESOLVE,
    Ended.REFUSED: Action.SEND_REFUSED,
    Ended.CONFLICT: Action.SEND_CONFLICTED,
    Ended.CANCELLED: Action.SEND_STOPPED,
}


@dataclass(slots=True)
class Row:
    """A delivery as its row is; the engine's functions read it as one."""

    pk: int
    name: str
    content: bytes
    connection: Connection
    due_at: datetime
    address: int  # of the target, when it was approved
    probe_first: bool
    operation: str = "submit"
    state: Delivery.State = Ended.QUEUED
    epoch: int = 0
    claims: int = 0
    sends: int = 0
    failures: int = 0
    last_sent_at: datetime | None = None
    detail: str = ""
    # What the tables of attempts and answers say.
    last_send_said: AnswerKind | None = None
    absent_at: datetime | None = None  # the last time that the target was asked and had nothing
    stated_absent: bool = False  # by two people
    booked: bool = False  # whether an answer said so

    @property
    def key(self) -> str:
        return f"{self.name}/{self.content.decode()}"

    @property
    def is_live(self) -> bool:
        return self.state in Delivery.LIVE


@dataclass(slots=True)
class Case:
    name: str
    content: bytes = b"1"
    state: State = State.IN_PROGRESS
    rows: list[Row] = field(default_factory=list)

    def move(self, action: Action) -> None:
        self.state = target_of(action, state=self.state, kind=Kind.FAILED)


class Lost(Exception):
    """The claim is another worker's by now."""


class World:
    def __init__(
        self, kind: TargetKind, *, opted_in: bool = False, refuses_names: bool = False, cases: int = 2
    ) -> None:
        self.now = BEGAN
        self.target = Target(kind, refuses_names, BEGAN)
        self.connection = Connection(pk=1, slug="target", resend_when_absent=opted_in, timeout_seconds=10)
        self.capabilities = Capabilities(
            target_kind=kind, looked_up_by="name", settle_time=SETTLE_TIME, key_life=None, checks_natively=False,
            check_name="", already_exists=(), throttles=(),
        )  # fmt: skip
        self.cases = [Case(f"INV-{number}") for number in range(1, cases + 1)]
        self.rows: list[Row] = []
        self.paused = False
        self.address = 0
        self.too_late: set[str] = set()  # names of which a byte left later than the target was waited for
        self.in_hand: dict[int, Worker] = {}  # who is between the intent to send a row and the answer

    def wait(self, time: timedelta) -> None:
        self.now += time
        self.target.tick(self.now)

    def may_be_approved(self, case: Case) -> bool:
        return case.state is State.IN_PROGRESS

    def approve(self, case: Case) -> Row:
        """A clerk proposes, a controller agrees, and it waits in the outbox."""
        assert not any(row.is_live for row in case.rows), f"{case.name} would be under way twice"
        case.move(Action.PROPOSE)
        case.move(Action.APPROVE)
        row = Row(
            len(self.rows) + 1, case.name, case.content, self.connection, self.now, self.address,
            probe_first=self._is_in_doubt(case),
        )  # fmt: skip
        case.rows.append(row)
        self.rows.append(row)
        return row

    def _is_in_doubt(self, case: Case) -> bool:
        """Where nobody can be asked, what people said last counts, and what was refused the one time it was sent."""
        if self.capabilities.can_be_asked:
            return bool(case.rows)
        said = max((at for at, row in enumerate(case.rows) if row.stated_absent), default=-1)
        return any(row.state is not Ended.REFUSED or row.sends > 1 for row in case.rows[said + 1 :])

    def may_be_stated(self, case: Case) -> bool:
        row = case.rows[-1] if case.rows else None
        if row is None or case.state is not State.OUTCOME_UNKNOWN:
            return False
        return row.state is Ended.UNKNOWN or (row.state is Ended.PROBING and row.sends > 0)

    def state(self, case: Case, *, booked: bool) -> None:
        """Two people say what they found; whoever works on it finds that it is not theirs any more."""
        row = case.rows[-1]
        row.state, row.epoch, row.claims, row.failures = Ended.CANCELLED, row.epoch + 1, 0, 0
        if booked:
            row.state, row.booked = Ended.CONFIRMED, True
        row.stated_absent = not booked
        case.move(Action.APPROVE_BOOKED if booked else Action.APPROVE_ABSENT)

    def claim(self) -> "Worker | None":
        due = [row for row in self.rows if row.is_live and row.due_at <= self.now and not self.paused]
        if not due:
            return None
        row = min(due, key=lambda row: (row.due_at, row.pk))
        broke_off, took_over = row.claims >= MAX_CLAIMS, row.state is Ended.SENDING or row.claims > 0
        row.epoch += 1
        row.claims += 1
        row.state, row.due_at = Ended.PROBING, self.now + LEASE
        return Worker(self, row, broke_off=broke_off, took_over=took_over)


class Worker:
    """One claim at work. `steps` yields each point that it passes."""

    def __init__(self, world: World, row: Row, *, broke_off: bool, took_over: bool) -> None:
        self._world = world
        self._row = row
        self._seen = replace(row)  # what it read when it claimed, and again with each intent
        self._claim = Claim(cast(Any, self._seen), row.epoch, broke_off)
        self._took_over = took_over  # from one that came to no end
        self._is_unsure = world.target.kind not in RESENDING_KINDS
        self.steps = self._work()

    def die(self) -> None:
        self.steps.close()

    def _work(self) -> Generator[Point, None, None]:
        yield Point.CLAIMED
        try:
            settlement = yield from self._settlement()
            yield Point.END_LOCKED
            self._settle(settlement)
        except Lost:
            return
        yield Point.ENDED

    def _settlement(self) -> Generator[Point, None, Settlement]:
        if self._claim.broke_off:
            return park(self._claim)
        if self._row.address != self._world.address:
            return (yield from self._held_back())
        yield Point.APPROVAL_SEEN
        if must_ask_first(self._claim):
            if not self._has_ended():
                return still_in_hand(self._claim)
            if not self._world.capabilities.can_be_asked:
                return cannot_be_asked(self._claim)
            asked_at = self._world.now
            found = yield from self._ask("probe")
            settlement = self._after_asking(found, asked_at)
            if settlement is not None:
                return settlement
        return (yield from self._send())

    def _held_back(self) -> Generator[Point, None, Settlement]:
        if self._seen.sends == 0:
            return self._to(Ended.CANCELLED)
        if not self._has_ended():
            return still_in_hand(self._claim)
        if not self._world.capabilities.can_be_asked:
            return cannot_be_asked(self._claim)
        asked_at = self._world.now
        found = yield from self._ask("probe")
        return self._after_asking(found, asked_at) or left_to_a_person(self._claim, "Not approved.")

    def _has_ended(self) -> bool:
        """Whether whoever had it before can send no more; a late effect is then waited for from now on."""
        if self._is_unsure and not self._is_free():
            return False
        if self._is_unsure and self._took_over and self._seen.sends > 0:
            self._note_sent()
        return True

    def _is_free(self) -> bool:
        return self._world.in_hand.get(self._row.pk, self) is self

    def _note_sent(self) -> None:
        if self._row.epoch == self._claim.epoch and self._row.is_live:
            self._row.last_sent_at = self._seen.last_sent_at = self._world.now

    def _to(self, state: Delivery.State) -> Settlement:
        return Settlement(cast(Any, self._seen), self._claim.epoch, state)

    def _after_asking(self, found: Observation, asked_at: datetime) -> Settlement | None:
        pending = self._row.last_send_said is AnswerKind.PENDING
        return after_asking(self._claim, found, self._world.capabilities, now=asked_at, is_pending=lambda _: pending)

    def _ask(self, phase: str) -> Generator[Point, None, Observation]:
        self._intend(Ended.PROBING)
        yield Point(f"{phase}.intended")
        found = self._world.target.probe(object_type="invoice", business_key=self._row.name, content=self._row.content)
        yield Point(f"{phase}.answered")
        if found.presence is Presence.ABSENT:
            self._row.absent_at = self._world.now
        self._row.booked |= found.presence is Presence.SAME
        yield Point(f"{phase}.noted")
        return found

    def _send(self) -> Generator[Point, None, Settlement]:
        if not self._is_unsure:
            return (yield from self._send_alone())
        if not self._is_free():
            return still_in_hand(self._claim)
        self._world.in_hand[self._row.pk] = self
        try:
            return (yield from self._send_alone())
        finally:
            del self._world.in_hand[self._row.pk]

    def _send_alone(self) -> Generator[Point, None, Settlement]:
        self._may_be_sent()
        self._intend(Ended.SENDING)
        sent_at = self._world.now
        yield Point.SEND_INTENDED
        yield Point.WIRE_OPEN
        if self._world.now >= sent_at + SETTLE_TIME:
            self._world.too_late.add(self._row.name)
        answer = self._world.target.submit(
            key=self._row.key, object_type="invoice", business_key=self._row.name, content=self._row.content,
            media_type="text/plain",
        )  # fmt: skip
        yield Point.SEND_ANSWERED
        self._row.last_send_said = answer.kind
        self._row.booked |= answer.kind is AnswerKind.CONFIRMED
        if answer.kind in UNDECIDED:
            self._note_sent()
        yield Point.SEND_NOTED
        if answer.kind is AnswerKind.ALREADY_EXISTS:
            return (yield from self._compare(answer))
        return after_sending(self._claim, answer)

    def _compare(self, answer: Answer) -> Generator[Point, None, Settlement]:
        if not self._world.capabilities.can_be_asked:
            return self._to(Ended.CONFLICT)
        found = yield from self._ask("compare")
        return compared(self._claim, found, answer)

    def _may_be_sent(self) -> None:
        """P6 and P9, said a second time: nothing goes again before the target had none of it after its settle time."""
        row, world = self._row, self._world
        if row.epoch != self._claim.epoch or row.sends == 0:
            return
        assert row.last_sent_at is not None
        assert row.absent_at is not None, f"{row.key} goes again and nobody asked"
        assert row.absent_at >= row.last_sent_at + SETTLE_TIME, f"{row.key} goes again too early"
        assert row.last_send_said is not AnswerKind.PENDING, f"{row.key} goes again and is not decided there"
        assert world.target.kind in RESENDING_KINDS or (
            world.target.kind is TargetKind.ASKABLE and world.connection.resend_when_absent
        ), f"{row.key} goes again to a target that knows no repeat"

    def _intend(self, state: Delivery.State) -> None:
        row = self._row
        if row.epoch != self._claim.epoch or not row.is_live:
            raise Lost
        row.state, row.due_at = state, self._world.now + timedelta(seconds=4 * row.connection.timeout_seconds)
        if state is Ended.SENDING:
            row.sends, row.last_sent_at = row.sends + 1, self._world.now
            row.last_send_said = None
        seen = self._seen
        seen.state, seen.sends, seen.last_sent_at = row.state, row.sends, row.last_sent_at

    def _settle(self, settlement: Settlement) -> None:
        row = self._row
        if row.epoch != self._claim.epoch or not row.is_live:
            raise Lost
        state = settlement.state
        if state is Ended.CONFIRMED and any(
            other.state is Ended.CONFIRMED for other in self._world.rows if other.name == row.name
        ):
            state = Ended.CONFLICT
        self._may_end(state)
        row.state, row.claims, row.detail = state, 0, settlement.detail
        row.sends -= settlement.not_sent
        row.failures = row.failures + 1 if row.is_live else 0
        row.due_at = self._world.now + ((settlement.wait or timedelta()) if row.is_live else timedelta())
        if settlement.pause_connection:
            self._world.paused = True
        self._move_case(state)

    def _may_end(self, state: Delivery.State) -> None:
        """P8, said a second time: what may have been booked ends by the target's word alone."""
        row = self._row
        if state in Delivery.BOOKED:
            assert row.booked, f"{row.key} ends as {state} and no answer says so"
        if state is Ended.CANCELLED and row.sends > 0:
            assert row.absent_at is not None, f"{row.key} is given up and nobody asked"
            assert row.last_sent_at is not None
            assert row.absent_at >= row.last_sent_at + SETTLE_TIME, f"{row.key} is given up too early"

    def _move_case(self, state: Delivery.State) -> None:
        case = next(case for case in self._world.cases if case.name == self._row.name)
        if state is Ended.UNKNOWN and case.state is State.REPLAYING:
            case.move(Action.SEND_LOST_SIGHT)
        elif state in _MOVES:
            case.move(_MOVES[state])
