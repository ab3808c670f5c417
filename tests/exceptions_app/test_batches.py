"""What became of a file as a whole: kept with its message, told on the pages and by the API."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations import inbox
from integrations.batches import totals_of
from integrations.models import MessageBatch
from tests.arrivals import configure, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.partly_rejected import cases_of, come_back
from tests.integrations.connectors.iso20022.payment_files import status_report
from workbench.models import User

pytestmark = pytest.mark.django_db

SignedIn = Callable[[User], Client]


def page_of(case: ExceptionCase) -> str:
    return reverse("exceptions:case", args=[case.ref])


def test_totals_are_kept_exactly_and_told_to_the_auditor(cast: Cast):
    message = come_back(cast, {"INV-1": "RJCT", "INV-3": "RJCT", "INV-2": "PDNG"})

    row = MessageBatch.objects.get(message=message)
    totals = totals_of(row)
    assert (row.unit, row.agree, row.findings) == ("payments", True, [])
    assert {outcome.value: (found.count, found.sums) for outcome, found in totals.outcomes.items()} == {
        "accepted": (1, {"EUR": Decimal("400.00")}),
        "rejected": (2, {"EUR": Decimal("400.00")}),
        "pending": (1, {"EUR": Decimal("200.00")}),
    }
    assert timeline(f"message:{message.pk}")[-1].summary.endswith(
        "2 of 4 payments rejected; 1 accepted, 400.00 EUR; 1 pending, 200.00 EUR; totals agree."
    )


def test_case_says_what_became_of_the_others_and_leads_to_its_siblings(cast: Cast, signed_in: SignedIn):
    first, second = cases_of(come_back(cast, {"INV-1": "RJCT", "INV-3": "RJCT"}))

    page = signed_in(cast.clerk).get(page_of(first)).content.decode()
    assert "2 of 4 payments rejected; 2 accepted, 600.00 EUR; totals agree." in page
    assert "Totals agree" in page
    assert f'href="{page_of(second)}"' in page


def test_totals_that_do_not_agree_are_a_visible_finding(cast: Cast, signed_in: SignedIn):
    [case] = cases_of(come_back(cast, {"INV-1": "RJCT"}, total=Decimal("999.00")))

    page = signed_in(cast.clerk).get(page_of(case)).content.decode()
    assert "Totals need a look" in page
    assert "The report speaks of a sum of 999.00; the payments of the file come to 1,000.00." in page


def test_siblings_in_another_queue_are_not_named(cast: Cast, signed_in: SignedIn):
    first, second = cases_of(come_back(cast, {"INV-1": "RJCT", "INV-3": "RJCT"}))
    ExceptionCase.objects.filter(pk=second.pk).update(entity=cast.germany)

    page = signed_in(cast.local_clerk).get(page_of(first)).content.decode()
    assert "2 of 4 payments rejected" in page
    assert second.ref not in page


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ACCP", "None of 4 payments rejected; 4 accepted, 1,000.00 EUR; totals agree."),
        ("PDNG", "None of 4 payments rejected; 4 pending, 1,000.00 EUR; totals agree."),
    ],
)
def test_file_without_a_rejection_becomes_no_exception_and_says_so(
    cast: Cast, signed_in: SignedIn, status: str, words: str
):
    message = come_back(cast, {f"INV-{number}": status for number in range(1, 5)})

    assert (message.status, ExceptionCase.objects.count()) == ("processed", 0)
    page = signed_in(cast.clerk).get(reverse("exceptions:intake_failure", args=[message.pk])).content.decode()
    assert words in page
    assert "Read; nothing was rejected" in page
    assert "Became an exception" not in page


def test_message_of_exceptions_that_one_may_not_see_is_as_if_it_were_not_there(cast: Cast, signed_in: SignedIn):
    message = come_back(cast, {"INV-1": "RJCT"})
    ExceptionCase.objects.update(entity=cast.germany)

    address = reverse("exceptions:intake_failure", args=[message.pk])
    assert signed_in(cast.local_clerk).get(address).status_code == 404
    assert "1 of 4 payments rejected" in signed_in(cast.clerk).get(address).content.decode()


def test_connection_lists_the_files_for_who_cares_for_it(cast: Cast, signed_in: SignedIn):
    message = come_back(cast, {f"INV-{number}": "ACCP" for number in range(1, 5)})

    address = reverse("exceptions:connection", args=[cast.connection.slug])
    link = reverse("exceptions:intake_failure", args=[message.pk])
    assert link in signed_in(cast.clerk).get(address).content.decode()
    assert "Files that came back" not in signed_in(cast.support).get(address).content.decode()


def test_report_alone_that_accepts_is_recorded_with_what_it_cannot_say(cast: Cast):
    configure(cast.connection, connector="iso20022")
    report = status_report("FILE-1", status="ACCP", count=12)
    receive(cast.connection, inbox.HandedIn("report-1", report, payload_media_type="application/xml"))
    intake.read_messages(limit=1, at=MORNING)

    row = MessageBatch.objects.get()
    assert (row.reference, row.agree) == ("FILE-1", False)
    assert totals_of(row).in_words(unit=row.unit) == "none of 12 payments rejected; 12 accepted; totals need a look"
    assert row.findings == ["The payment file did not come with the report; the numbers are the report's own."]


def test_batch_is_never_changed_and_never_without_its_event(cast: Cast):
    message = come_back(cast, {"INV-1": "RJCT"})
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        MessageBatch.objects.update(agree=False)
    assert [event.action for event in timeline(f"message:{message.pk}")].count("message.batch_recorded") == 1
