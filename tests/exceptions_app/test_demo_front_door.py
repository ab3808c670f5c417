"""What the demonstration's CRM handed over is there to be looked at, and its rule of approval asks of one journal."""

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from exceptions_app.authority import demands_on
from exceptions_app.models import ExceptionCase, Transaction


@pytest.mark.django_db
def test_deals_of_the_demonstration_are_sent_recognised_and_held():
    call_command("seed_demo")

    first, again, unmapped, *new = Transaction.objects.select_related("case__queue").order_by("pk")
    assert (first.state, first.business_key) == ("delivering", "NL01|MNL-2026-4711")
    assert (again.state, again.duplicate_of_id) == ("duplicate", first.pk)
    assert unmapped.case is not None
    assert (unmapped.state, unmapped.case.category, unmapped.case.queue.slug) == ("held", "master_data", "receivables")
    assert "no entry for “Leasing”" in unmapped.problem
    assert [held.problem.split(". ")[0] for held in new] == [
        "The product family “ROBOTICS” is not mapped to a revenue account"
    ] * 3

    cases = dict(ExceptionCase.objects.values_list("pk", "document_number"))
    assert [cases[case] for case in demands_on(cases, at=now())] == ["JE-2026-0123"]
