"""The list of sendings of unknown outcome, and the page on which people end one."""

from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from exceptions_app.actions import unknown
from exceptions_app.actions.unknown import Proof
from exceptions_app.models import Evidence, ExceptionCase
from exceptions_app.states import State
from tests.cast import MORNING
from tests.exceptions_app.unknowing import of_unknown_outcome, silent_target, statement
from tests.exceptions_app.views.repair import address, page, text_of

pytestmark = pytest.mark.django_db(transaction=True)
PNG = b"\x89PNG\r\n"


def read(answer: HttpResponse) -> str:
    return text_of(answer.content.decode())


@pytest.fixture
def case(cast, settings: Settings) -> Iterator[ExceptionCase]:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    with silent_target(cast):
        yield of_unknown_outcome(cast)


def test_list_names_it_with_what_happens_and_leads_to_it(case, cast, signed_in):
    shown = signed_in(cast.clerk).get("/unknown/")
    assert "INV-1001" in read(shown)
    assert "The target cannot be asked. A person has to find out there." in read(shown)
    assert f'href="/exceptions/{case.ref}/"' in shown.content.decode()


def test_list_is_empty_for_who_may_not_see_it(case, cast, signed_in):
    shown = signed_in(cast.outsider).get("/unknown/")
    assert "Nothing is of unknown outcome" in read(shown)
    assert "INV-1001" not in read(shown)


def test_list_costs_as_much_for_three_as_for_one(
    case, cast, signed_in, django_assert_max_num_queries: DjangoAssertNumQueries
):
    client = signed_in(cast.clerk)
    client.get("/unknown/")
    with django_assert_max_num_queries(40) as one:
        client.get("/unknown/")
    of_unknown_outcome(cast, "INV-1002")
    of_unknown_outcome(cast, "INV-1003")
    with django_assert_max_num_queries(40) as three:
        assert read(client.get("/unknown/")).count("INV-100") >= 3
    assert len(three) == len(one)


def test_navigation_counts_what_is_unknown(case, cast, signed_in):
    shown = read(signed_in(cast.clerk).get("/queue/"))
    assert "Outcome unknown 1" in " ".join(shown.split())


def test_statement_with_a_file_is_decided_by_another_person(case, cast, signed_in):
    data = {
        "reference": "CLR-77", "because": "Seen in their journal.", "revision": case.revision,
        "file": SimpleUploadedFile("journal.png", PNG, "image/png"),
    }  # fmt: skip
    answer = signed_in(cast.clerk).post(address(case, "confirm_booked"), data, follow=True)
    assert "What you found out is written down. Someone else decides now." in read(answer)
    proposal = statement(case)
    kept = Evidence.objects.get(proposal=proposal)
    assert (kept.reference, kept.file_name, bytes(kept.content)) == ("CLR-77", "journal.png", PNG)

    clerks = text_of(page(signed_in(cast.clerk), case))
    assert "states that the target has it, as CLR-77" in clerks
    assert "Agree that it is booked" not in clerks
    controllers = signed_in(cast.controller)
    decides = text_of(page(controllers, case))
    assert "You agree that the target has INV-1001, as CLR-77." in decides
    assert "The exception is resolved under the reference that was found there." in decides
    answer = controllers.post(
        address(case, "approve"), {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}, follow=True
    )
    case.refresh_from_db()
    assert (case.state, case.reference) == (State.RESOLVED, "CLR-77")
    assert "found it there, and" in read(answer)


def test_proof_is_a_download_for_who_sees_the_exception_only(case, cast, signed_in):
    proof = Proof("CLR-77", "journal.png", "image/png", PNG)
    proposal = unknown.state_booked(case.pk, proof=proof, by=cast.clerk, at=MORNING, because="Seen.")
    where = f"/exceptions/{case.ref}/evidence/{proposal.pk}/"
    answer = signed_in(cast.controller).get(where)
    assert (answer.content, answer["Content-Type"], answer["X-Content-Type-Options"]) == (PNG, "image/png", "nosniff")
    assert answer["Content-Disposition"].startswith("attachment;")
    assert signed_in(cast.outsider).get(where).status_code == 404
    assert signed_in(cast.controller).get(f"/exceptions/{case.ref}/evidence/{proposal.pk + 1}/").status_code == 404


def test_what_was_typed_stays_when_something_is_missing(case, cast, signed_in):
    data = {"reference": "", "because": "Their desk confirmed it.", "revision": case.revision}
    answer = signed_in(cast.clerk).post(address(case, "confirm_booked"), data)
    assert answer.status_code == 422
    assert "Write the reference under which the target has it." in read(answer)
    assert "Their desk confirmed it." in answer.content.decode()


def test_approvals_list_names_the_statement(case, cast, signed_in):
    unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because="Their desk has nothing.")
    assert "State as not there INV-1001" in read(signed_in(cast.controller).get("/approvals/"))
