"""A target that keeps objects: changes of one object go in their order, and each is an effect of its own."""

import pytest
from django.db import IntegrityError, transaction

from integrations import outbox
from integrations.handed_in import HandedIn
from integrations.models import Connection, Delivery
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all, run, submissions
from tests.integrations.connectors.erp.postings import journal
from tests.integrations.connectors.erp_master.partners import supplier
from tests.simulator_process import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def master(cast: Cast, connected: None, simulator: RunningSimulator) -> Connection:
    return configure(cast.connection, connector="erp_master", target_url=simulator.erp_url)


def change(number: int, **changes: object) -> HandedIn:
    return document(f"change-{number}", supplier(**changes))


def test_changes_of_one_object_wait_for_one_another_and_each_is_confirmed(
    master: Connection, simulator: RunningSimulator
):
    line = [change(1), change(2, city="Delft"), change(3, city="Breda"), change(4, id="S-2002")]
    transactions = hand_in(master, *line)
    read_all()
    states = [now_of(one).state for one in transactions]
    assert states == ["delivering", "waiting", "waiting", "delivering"]
    assert "an earlier change of S-2001, is not settled yet" in now_of(transactions[1]).problem
    work_until_done()

    found = [now_of(one) for one in transactions]
    assert [one.state for one in found] == ["delivered"] * 4
    assert [one.reference for one in found] == ["S-2001/1", "S-2001/2", "S-2001/3", "S-2002/1"]
    assert [submissions(one)[0].state for one in found] == ["confirmed"] * 4
    assert [effect["effect"] for effect in simulator.effects].count("changed") == 2


def test_change_that_takes_a_later_one_back_is_for_a_person(master: Connection, simulator: RunningSimulator):
    run(master, change(1))
    run(master, change(2, city="Delft"))
    [back] = run(master, change(3))
    assert (back.state, len(simulator.effects)) == ("held", 2)
    assert back.case is not None
    assert "was handed over before under the same number with other content" in back.case.problem


def test_newest_change_again_is_a_repeat(master: Connection, simulator: RunningSimulator):
    run(master, change(1))
    run(master, change(2, city="Delft"))
    [again] = run(master, change(3, city="Delft"))
    assert (again.state, len(simulator.effects)) == ("duplicate", 2)


def test_documents_keep_one_confirmation_under_one_name(cast: Cast, master: Connection, simulator: RunningSimulator):
    """The database refuses the second of a document, and of a change only the same one twice."""
    [first] = run(master, change(1))
    delivery = submissions(first)[0]
    assert delivery.is_change is True
    configure(master, connector="erp")
    with transaction.atomic():
        posting = outbox.enqueue(
            connection=master, operation=Delivery.Operation.SUBMIT, object_type="journal", business_key="k",
            content=journal(), media_type="application/json", subject="case:EX-1", probe_first=False, at=MORNING,
        )  # fmt: skip
    assert posting.is_change is False
    rows = Delivery.objects.filter(pk=posting.pk)
    rows.update(state="confirmed")
    with transaction.atomic():
        second = outbox.enqueue(
            connection=master, operation=Delivery.Operation.SUBMIT, object_type="journal", business_key="k",
            content=journal(text="x"), media_type="application/json", subject="case:EX-1", probe_first=False,
            at=MORNING,
        )  # fmt: skip
    with pytest.raises(IntegrityError, match="delivery_one_confirmed"), transaction.atomic():
        Delivery.objects.filter(pk=second.pk).update(state="confirmed")
