"""Deliveries and exceptions in any order of events, against a target of each kind, with the engine's own decisions.

Workers stop at any point, die, freeze and come back late; requests are lost, answered late or not at all, and clocks
jump. What must hold, holds after every single step; and when the storm is over, everything comes to its end.
"""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exceptions_app.states import State
from integrations.connectors.base import TargetKind
from integrations.models import Delivery
from tests.model.target import SETTLE_TIME, Weather
from tests.model.world import Worker, World

pytestmark = pytest.mark.timeout(900)

EXAMPLES, STEPS = 2000, 60
WAITS = [timedelta(seconds=seconds) for seconds in (1, 5, 31, 45, 61, 900, 3700)]
KNOWS_REPEATS = (TargetKind.DEDUPLICATES, TargetKind.UPSERTS)
MOST_WORKERS = 4

weathers = st.sampled_from([Weather.FINE, *Weather])
ordinals = st.integers(0, MOST_WORKERS - 1)


class Deliveries(RuleBasedStateMachine):
    @initialize(kind=st.sampled_from(TargetKind), opted_in=st.booleans(), refuses_names=st.booleans())
    def begin(self, kind: TargetKind, opted_in: bool, refuses_names: bool) -> None:
        self.world = World(kind, opted_in=opted_in, refuses_names=refuses_names)
        self.workers: list[Worker] = []

    @rule(ordinal=ordinals, correction=st.booleans())
    def approve(self, ordinal: int, correction: bool) -> None:
        """What is worked on is proposed and approved, as it was or corrected."""
        case = self.world.cases[ordinal % len(self.world.cases)]
        if case.state is State.IN_PROGRESS:
            if correction:
                case.content += b"+"
            self.world.approve(case)

    @precondition(lambda self: len(self.workers) < MOST_WORKERS)
    @rule()
    def claim(self) -> None:
        worker = self.world.claim()
        if worker is not None:
            self.workers.append(worker)

    @precondition(lambda self: self.workers)
    @rule(ordinal=ordinals, steps=st.integers(1, 12), weather=weathers)
    def work(self, ordinal: int, steps: int, weather: Weather) -> None:
        worker = self.workers[ordinal % len(self.workers)]
        self.world.target.weather = weather
        for _ in range(steps):
            if next(worker.steps, None) is None:
                self.workers.remove(worker)
                return

    @precondition(lambda self: self.workers)
    @rule(ordinal=ordinals)
    def die(self, ordinal: int) -> None:
        self.workers.pop(ordinal % len(self.workers)).die()

    @rule(time=st.sampled_from(WAITS))
    def wait(self, time: timedelta) -> None:
        self.world.wait(time)

    @precondition(lambda self: self.world.paused)
    @rule()
    def resume(self) -> None:
        self.world.paused = False

    @rule()
    def change_the_address(self) -> None:
        self.world.address += 1

    @invariant()
    def what_must_hold_holds(self) -> None:
        for case in self.world.cases:
            live = [row for row in case.rows if row.is_live]
            confirmed = [row for row in case.rows if row.state is Delivery.State.CONFIRMED]
            assert len(live) <= 1
            assert len(confirmed) <= 1
            assert bool(live) is (case.state in (State.REPLAYING, State.OUTCOME_UNKNOWN))
            self._the_book_agrees(case.name, case.state, case.content)

    def _the_book_agrees(self, name: str, state: State, content: bytes) -> None:
        booked = [effect.content for effect in self.world.target.effects if effect.name == name]
        # Where a repeat is not recognised nothing is concluded while a worker may send yet, however late.
        late = name in self.world.too_late and self.world.target.kind in KNOWS_REPEATS
        if self.world.target.kind in KNOWS_REPEATS:
            assert len(booked) == len(set(booked)), f"{name} is booked twice with the same content"
        if not late:
            assert len(booked) <= 1, f"{name} is booked {len(booked)} times"
            assert state is not State.RESOLVED or content in booked, f"{name} is resolved and not booked"

    @invariant()
    def nobody_knows_a_key_of_two_contents(self) -> None:
        contents: dict[str, bytes] = {}
        for key, _, content in self.world.target.requests[-3:]:
            assert contents.setdefault(key, content) == content

    def teardown(self) -> None:
        """The faults end and the workers with them; all that can come to its end does."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.target.weather = Weather.FINE
        while self.workers:
            self.workers.pop().die()
        for _ in range(12):
            world.paused = False
            world.wait(timedelta(hours=4) + SETTLE_TIME)
            while (worker := world.claim()) is not None:
                for _ in worker.steps:
                    pass
        for row in world.rows:
            # What a target cannot be asked about stays open, for people to find out and say.
            for_a_person = world.target.kind is TargetKind.NEITHER and (row.probe_first or row.sends > 0)
            assert not row.is_live or for_a_person, f"{row.key} is still {row.state}: {row.detail}"
        self.what_must_hold_holds()


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, print_blob=True)
