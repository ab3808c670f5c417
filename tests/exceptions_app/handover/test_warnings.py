"""A warning that nobody saw stops what was handed over; people who saw it may have it booked all the same."""

import pytest

from exceptions_app.actions.propose import propose_release
from exceptions_app.models import PayloadVersion
from integrations.models import Connection, Delivery
from tests.arrivals import approve_open
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import document, now_of, run, submissions
from tests.integrations.connectors.erp.postings import journal
from tests.simulator_process import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = journal(
    lines=[
        {"account": "190000", "debit": "300000.00", "text": "Reclassification"},
        {"account": "191000", "credit": "300000.00", "text": "Reclassification"},
    ]
)


def test_warning_alone_holds_what_was_handed_over_until_people_release_it(
    cast: Cast, erp: Connection, simulator: RunningSimulator
):
    [transaction] = run(erp, document(payload=LARGE))

    case = transaction.case
    assert case is not None
    assert (transaction.state, case.kind, simulator.effects) == ("held", "held", [])

    version = PayloadVersion.objects.get(case=case)
    propose_release(case.pk, by=cast.clerk, at=MORNING, because="Agreed with the owner.")
    approve_open(case, by=cast.controller)
    work_until_done()

    after = now_of(transaction)
    assert (after.state, len(simulator.effects)) == ("delivered", 1)
    [refused] = submissions(transaction)
    released = Delivery.objects.get(subject=case.subject, operation="submit")
    assert (refused.despite_warnings, released.despite_warnings) == (False, True)
    assert (bytes(version.content), released.content_sha256) == (LARGE, refused.content_sha256)
