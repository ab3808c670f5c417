"""The engine on PostgreSQL beside the model, event by event: what the model says is what stands in the rows.

The events are the same in every run, so that only a change of the code makes it fail. Others are played with
`--hypothesis-seed`, as in `./test tests/model/test_engine_against_model.py --hypothesis-seed=$RANDOM`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from exceptions_app import replays
from exceptions_app.actions import connections, unknown, work
from exceptions_app.actions.decide import approve
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.propose import propose_replay
from exceptions_app.actions.unknown import Proof
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import State
from integrations import crash_points
from integrations import delivery as engine
from integrations.connectors.base import CheckReport, Endpoint, TargetKind
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.crash_points import Point
from integrations.models import Connection, Delivery, Gate
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.factories import make_case
from tests.model.target import SETTLE_TIME, Target, Weather
from tests.model.world import Case, Worker, World

# Without a limit of time: every clock in here is set by hand, and how busy the machine is proves nothing.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(0)]

EXAMPLES, STEPS = 30, 40
LATER = timedelta(hours=1)
# A wait that the target asks for holds back all of its documents, which the model does not know.
WEATHERS = st.sampled_from([weather for weather in Weather if weather is not Weather.THROTTLED])
ENDS = st.sampled_from(
    [
        Point.CLAIMED, Point.APPROVAL_SEEN, Point.PROBE_INTENDED, Point.PROBE_ANSWERED, Point.PROBE_NOTED,
        Point.SEND_INTENDED, Point.SEND_ANSWERED, Point.SEND_NOTED, Point.COMPARE_INTENDED, Point.COMPARE_ANSWERED,
        Point.COMPARE_NOTED, Point.END_LOCKED, Point.ENDED,
    ]
)  # fmt: skip
FREEZES = st.sampled_from([Point.CLAIMED, Point.PROBE_INTENDED, Point.SEND_INTENDED, Point.SEND_ANSWERED])
_numbers = count(1)


class Killed(BaseException):
    """Passes through everything that would go on after a fault, as the end of a process does."""


class InMemory:
    def __init__(self, kind: TargetKind, target: Target) -> None:
        self.target = target
        self.capabilities = replace(get_connector("en16931").capabilities, target_kind=kind, settle_time=SETTLE_TIME)

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def business_key(self, payload: bytes) -> str:
        return str(json.loads(payload)["number"])

    def check(self, payload: bytes) -> CheckReport:
        return CheckReport("nothing", ())

    def client(self, endpoint: Endpoint) -> Target:
        return self.target


class SideBySide(RuleBasedStateMachine):
    cast: Cast
    frozen_session: BaseDatabaseWrapper

    @initialize(kind=st.sampled_from(TargetKind), opted_in=st.booleans(), refuses_names=st.booleans())
    def begin(self, kind: TargetKind, opted_in: bool, refuses_names: bool) -> None:
        Delivery.objects.filter(state__in=Delivery.LIVE).update(due_at=Now() + 1000 * LATER)  # of earlier examples
        self.world = World(kind, opted_in=opted_in, refuses_names=refuses_names, cases=0)
        self.target = Target(kind, refuses_names, self.world.now)
        CONNECTORS["in-memory"] = InMemory(kind, self.target)
        self.connection = Connection(
            slug=f"model-{next(_numbers)}", name="Model", connector="in-memory", resend_when_absent=opted_in,
            target_url="https://target.example",
        )  # fmt: skip
        configure(self.connection)
        grant_connection(
            "configure_connection", self.cast.administrator, self.connection, by=machine(SETUP), at=MORNING,
            because="Resumes it.",
        )  # fmt: skip
        self._take_in()

    def _take_in(self) -> None:
        name = f"MODEL-{next(_numbers)}"
        payload = json.dumps({"number": name}).encode()
        self.world.cases.append(Case(name, payload))
        case = make_case(self.cast, number=name, payload=payload, connection=self.connection)
        self.case_id = work.claim(case.pk, by=self.cast.clerk, at=MORNING).pk

    @property
    def expected(self) -> Case:
        """The exception as the model has it."""
        return self.world.cases[-1]

    @precondition(lambda self: self.expected.state is State.RESOLVED)
    @rule()
    def take_in_another(self) -> None:
        self._take_in()

    @precondition(lambda self: self.expected.state is State.IN_PROGRESS)
    @rule()
    def decide(self) -> None:
        proposal = propose_replay(self.case_id, by=self.cast.clerk, at=MORNING, because="Again.")
        self._approve(proposal)
        self.world.approve(self.expected)
        self._agree()

    @precondition(lambda self: self.world.may_be_stated(self.expected))
    @rule()
    def state(self) -> None:
        """What no machine finds out: two people look into the target's book, and say what stands there."""
        booked = any(effect.name == self.expected.name for effect in self.target.effects)
        say = unknown.state_booked if booked else unknown.state_absent
        proof = Proof(self.expected.name if booked else "")
        self._approve(say(self.case_id, proof=proof, by=self.cast.clerk, at=MORNING, because="Seen there."))
        self.world.state(self.expected, booked=booked)
        self._agree()

    def _approve(self, proposal: Proposal) -> None:
        _check_as_a_commit_does()
        approve(self.case_id, by=self.cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)

    @rule(weather=WEATHERS)
    def sweep(self, weather: Weather) -> None:
        self._sweep_both(weather)
        self._agree()

    @rule(weather=WEATHERS, ends_at=ENDS)
    def sweep_and_die(self, weather: Weather, ends_at: Point) -> None:
        def die(point: Point) -> None:
            if point is ends_at:
                raise Killed

        self._sweep_both(weather, ends_at=ends_at, end=die)
        self._agree()

    @rule(weather=WEATHERS, stops_at=FREEZES, settled=st.booleans())
    def sweep_and_freeze(self, weather: Weather, stops_at: Point, settled: bool) -> None:
        """While it is frozen its lease ends, and another worker does all there is to do."""

        def freeze(point: Point) -> None:
            if point is stops_at:
                crash_points.arm(None)
                self._let_pass_in_the_rows(settled=settled)
                with self._in_a_session_of_its_own():
                    _sweep()

        self._sweep_both(weather, stops_at=stops_at, settled=settled, end=freeze)
        self._agree()

    @rule(settled=st.booleans())
    def wait(self, settled: bool) -> None:
        self._let_pass_in_the_model(settled=settled)
        self._let_pass_in_the_rows(settled=settled)

    @precondition(lambda self: self.world.paused)
    @rule()
    def resume(self) -> None:
        self.world.paused = False
        connections.resume(self.connection.pk, by=self.cast.administrator, at=MORNING)
        self._agree()

    @contextmanager
    def _in_a_session_of_its_own(self) -> Iterator[None]:
        """The frozen worker is in this session too: meanwhile another holds the locks that are of the session."""
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT classid::int8::bit(32)::int4, objid::int8::bit(32)::int4 FROM pg_locks"
                " WHERE locktype = 'advisory' AND objsubid = 2 AND pid = pg_backend_pid()"
            )
            held = cursor.fetchall()
        for lock in held:
            _call("pg_advisory_unlock", lock, in_session=database)
            _call("pg_advisory_lock", lock, in_session=self.frozen_session)
        yield
        for lock in held:
            _call("pg_advisory_unlock", lock, in_session=self.frozen_session)
            _call("pg_advisory_lock", lock, in_session=database)

    def _sweep_both(
        self, weather: Weather, *, ends_at: Point | None = None, stops_at: Point | None = None, settled: bool = False,
        end: Callable[[Point], None] | None = None,
    ) -> None:  # fmt: skip
        self.target.weather = self.world.target.weather = weather
        worker = self.world.claim()
        if worker is not None:
            self._work(worker, ends_at=ends_at, stops_at=stops_at, settled=settled)
        # Where nothing is claimed nobody dies or freezes, though the engine passes the place of the claim.
        crash_points.arm(end if worker is not None else None)
        try:
            with transaction.atomic():
                _sweep()
        finally:
            crash_points.arm(None)
        self.target.weather = self.world.target.weather = Weather.FINE
        self._nothing_is_due()

    def _work(self, worker: Worker, *, ends_at: Point | None, stops_at: Point | None, settled: bool) -> None:
        for point in worker.steps:
            if point is ends_at:
                worker.die()
                return
            if point is stops_at:
                stops_at = None
                self._let_pass_in_the_model(settled=settled)
                other = self.world.claim()
                for _ in other.steps if other is not None else ():
                    pass

    def _let_pass_in_the_model(self, *, settled: bool) -> None:
        if settled:
            self.world.wait(2 * SETTLE_TIME)
        for row in self.world.rows:
            if row.is_live:
                row.due_at = self.world.now
                if row.last_sent_at is not None:
                    row.last_sent_at = self.world.now - 2 * SETTLE_TIME if settled else self.world.now

    def _let_pass_in_the_rows(self, *, settled: bool) -> None:
        """After the model: the clock of the engine's target goes on to where the model's stands."""
        self.target.tick(self.world.now)
        live = self._rows().filter(state__in=Delivery.LIVE)
        live.update(due_at=Now() - timedelta(seconds=1))
        live.filter(last_sent_at__isnull=False).update(last_sent_at=Now() - LATER if settled else Now() + LATER)
        Gate.objects.update(failed=[], opened_at=None, quiet_until=None)

    def _nothing_is_due(self) -> None:
        """However slow this machine is: time passes when it is told to."""
        self._rows().filter(state__in=Delivery.LIVE).update(due_at=Now() + LATER)
        for row in self.world.rows:
            if row.is_live:
                row.due_at = self.world.now + LATER

    def _rows(self) -> Any:
        return Delivery.objects.filter(connection=self.connection, operation=Delivery.Operation.SUBMIT)

    def _agree(self) -> None:
        stand = self._rows().order_by("pk").values_list("state", "epoch", "claims", "sends", "failures")
        assert list(stand) == [(row.state, row.epoch, row.claims, row.sends, row.failures) for row in self.world.rows]
        assert ExceptionCase.objects.get(pk=self.case_id).state == self.expected.state
        keys = dict(self._rows().values_list("business_key", "key"))
        assert self.target.effects == [replace(effect, key=keys[effect.name]) for effect in self.world.target.effects]
        self.connection.refresh_from_db()
        assert (self.connection.paused_at is not None) is self.world.paused


def _call(function: str, lock: tuple[int, int], *, in_session: BaseDatabaseWrapper) -> None:
    with in_session.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", lock)


def _sweep() -> None:
    """One claim, as a worker carries it out."""
    _check_as_a_commit_does()
    try:
        for claim in engine.claim(limit=1):
            replays._carry_out((claim,))
    except Killed:
        pass
    _check_as_a_commit_does()


def _check_as_a_commit_does() -> None:
    """The whole test is one transaction: what is checked at its end would be held against what came long after."""
    database.check_constraints()


@pytest.fixture
def side_by_side(cast: Cast) -> Iterator[type[SideBySide]]:
    session = database.copy()
    yield type("SideBySideHere", (SideBySide,), {"cast": cast, "frozen_session": session})
    session.close()
    crash_points.arm(None)
    CONNECTORS.pop("in-memory", None)


@pytest.mark.one_engine
def test_engine_does_what_the_model_says_event_by_event(side_by_side: type[SideBySide], pytestconfig: pytest.Config):
    run_state_machine_as_test(
        side_by_side,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=pytestconfig.getoption("--hypothesis-seed") is None,
        ),
    )  # fmt: skip
