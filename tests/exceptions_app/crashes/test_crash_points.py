"""A process that ends at any point, whatever the target made of its document: the next ones bring it to its end.

The process is killed, and nothing of what it knew is left; then others come by until nothing is due any more. The
target's own book says how often a document was booked.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from integrations.crash_points import Point
from tests.cast import Cast
from tests.exceptions_app.crashes.plans import WAYS, Answer
from tests.exceptions_app.crashes.stage import Stage
from tests.exceptions_app.delivering import actions_of, submission
from tests.mortal_workers import Workers
from tests.simulator_process import RunningSimulator
from tests.soundness import sent_without_an_intent, still_under_way, unsound

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


@pytest.fixture
def stage(cast: Cast, connected: None, simulator: RunningSimulator, workers: Workers) -> Stage:
    made = Stage(cast, simulator, workers)
    simulator.change_erp(deduplicate_references=True)
    return made


def test_there_are_twenty_five_points_and_each_has_its_way_with_three_ends():
    assert set(WAYS) == set(Point)
    assert len(Point) >= 25
    assert {len(answers) for answers in WAYS.values()} == {3}


@pytest.mark.parametrize("point", Point)
def test_worker_that_ends_at_a_point_is_followed_by_others_that_bring_it_to_its_end(stage: Stage, point: Point):
    """Killed there for each of the target's three answers; once the database is taken away from it instead."""
    answers = WAYS[point]
    found = [wrong for name, answer in answers.items() for wrong in _end_at(stage, point, name, answer, how="kill")]
    name, answer = next(iter(answers.items()))
    found += _end_at(stage, point, f"{name}, cut off", answer, how="cut")
    found += unsound() + sent_without_an_intent(stage.simulator.attempts) + still_under_way()
    assert found == []


def _end_at(stage: Stage, point: Point, name: str, answer: Answer, *, how: str) -> list[str]:
    """What is wrong at the end, in words."""
    stage.point, stage.how, stage.ended_at = point, how, []
    stage.simulator.fault("none")
    stage.lead_to_the_erp()
    cases = answer.play(stage)
    stage.work_until_done()
    wrong = [] if stage.ended_at == [point] else [f"no process came to {point}"]
    return [f"{name}: {words}" for words in [*wrong, *_differences(stage, cases, answer)]]


def _differences(stage: Stage, cases: Iterable[ExceptionCase], answer: Answer) -> Iterator[str]:
    state, delivery_states, effects = answer.ends
    booked = Counter(effect.get("end_to_end_id") or effect["number"] for effect in stage.simulator.effects)
    for case in cases:
        case.refresh_from_db()
        delivery = submission(case)
        if case.state != state or delivery.state not in delivery_states:
            yield f"{case.ref} ended as {case.state}, its delivery as {delivery.state}: {delivery.detail}"
        if booked[case.document_number] != effects:
            yield f"{case.document_number} was booked {booked[case.document_number]} times and not {effects}"
        if actions_of(case).count("case.source_told") != (state == State.RESOLVED):
            yield f"the source was told {actions_of(case).count('case.source_told')} times of {case.ref}"
