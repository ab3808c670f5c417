"""Workers that die or come at the same time while payments travel in one file: one effect each, never two."""

from collections.abc import Callable, Sequence

import pytest

from exceptions_app import replays
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from integrations import delivery as engine
from integrations.connectors.iso20022 import connector
from integrations.delivery import together
from integrations.delivery.attempts import endpoint_of
from integrations.models import Delivery
from tests.cast import Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import time_passes, work_until_done
from tests.exceptions_app.paying import (
    all_are_due,
    correct_and_approve,
    files,
    hand_in,
    held_in,
    lead_to_the_bank,
    phases_of,
    rejected_payments,
    replayed,
)
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bank")]

Load = Sequence[engine.Claim]


@pytest.fixture
def bank(cast: Cast, connected: None, simulator: RunningSimulator) -> None:
    lead_to_the_bank(cast, simulator)


def dies_after_the_claim(load: Load) -> None:
    pass


def dies_after_the_intent(load: Load) -> None:
    together._begin(load, connector)


def dies_before_it_hears_the_answer(load: Load) -> None:
    file = together._begin(load, connector)
    client = connector.client(endpoint_of(load[0].delivery.connection))
    client.submit_bundle(key="k", bundle=file.bundle, contents=[together._body(claim) for claim in load])


def dies_before_it_settles(load: Load) -> None:
    list(engine.send_together(load))


@pytest.mark.parametrize(
    ("dies", "phases", "sent"),
    [
        (dies_after_the_claim, ["send"], 1),
        (dies_after_the_intent, ["send", "probe", "send"], 2),
        (dies_before_it_hears_the_answer, ["send", "probe"], 1),
        (dies_before_it_settles, ["send", "probe"], 1),
    ],
)
def test_worker_that_died_is_followed_by_one_that_asks(
    cast: Cast, simulator: RunningSimulator, dies: Callable[[Load], None], phases: list[str], sent: int
):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    all_are_due()
    [load] = engine.travelling_together(engine.claim(limit=8))
    dies(load)
    assert replays.carry_out_due() == 0
    time_passes()
    work_until_done()

    assert [case.state for case in ExceptionCase.objects.order_by("pk")] == [State.RESOLVED] * 3
    assert [phases_of(case) for case in cases] == [phases] * 3
    assert (len(files()), len(replayed(simulator))) == (sent, 3)


def test_row_that_another_worker_took_is_not_in_the_file(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    all_are_due()
    [load] = engine.travelling_together(engine.claim(limit=8))
    Delivery.objects.filter(pk=load[1].delivery.pk).update(epoch=9)

    settlements = list(engine.send_together(load))

    assert [settlement.delivery.pk for settlement in settlements] == [load[0].delivery.pk, load[2].delivery.pk]
    assert held_in(bytes(files()[0].body))["NbOfTxs"] == "2"
    time_passes()
    work_until_done()
    assert len(replayed(simulator)) == 3


def test_many_payments_by_workers_at_the_same_time_have_one_effect_each(cast: Cast, simulator: RunningSimulator):
    simulator.post(
        "/control/bank", b'{"accounts": {"%s": "closed"}}' % IBANS[0].encode(), Content_Type="application/json"
    )
    wires = [Wire(f"INV-{number}", cents=number * 100) for number in range(1, 13)]
    cases = hand_in(cast, simulator, payment_file(*wires))
    correct_and_approve(cases, cast=cast, ibans=["GB29NWBK60161331926819"] * 12)
    simulator.fault("timeout_after", path="/bank/payments", times=1, seconds=0)
    all_are_due()

    for _ in range(5):
        outcomes = at_the_same_time([replays.carry_out_due] * 4)
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        time_passes()

    assert set(ExceptionCase.objects.values_list("state", flat=True)) == {State.RESOLVED}
    booked = [name for name, _, _ in replayed(simulator)]
    assert booked == sorted(f"INV-{number}" for number in range(1, 13))


def test_delivery_that_broke_its_workers_twice_travels_alone(cast: Cast, simulator: RunningSimulator):
    cases = rejected_payments(cast, simulator)
    correct_and_approve(cases, cast=cast)
    all_are_due()
    Delivery.objects.filter(subject=cases[0].subject).update(claims=2)

    claims = [engine.claim(limit=8) for _ in range(2)]

    loads = [load for claimed in claims for load in engine.travelling_together(claimed)]
    assert sorted(len(load) for load in loads) == [1, 2]
    assert sorted(len(claimed) for claimed in claims) == [1, 2]
