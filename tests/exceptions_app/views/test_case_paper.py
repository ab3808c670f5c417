"""One exception as a PDF: what came in, what was changed, who decided, what was sent; masked as on the page."""

import hashlib
import io
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from audit.log import Entry, record_many
from exceptions_app.actions.decide import reject
from exceptions_app.actions.mover import scope_of
from exceptions_app.views import case_paper
from exceptions_app.views.case_paper import case_paper_for
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.sensitive.planted import CAME_WITH, IS_NOW, VALUES, plant

WHEN_CUT = "Onlythenewest1arehere;thereareothersbefore."


def read(response: Any) -> str:
    pages = PdfReader(io.BytesIO(response.content)).pages
    return "".join("".join(page.extract_text() for page in pages).split())


def test_paper_has_the_whole_story_and_gives_nothing_away(cast: Cast, signed_in: Any, monkeypatch: pytest.MonkeyPatch):
    planted = plant(cast)
    case, proposal = planted.case, planted.proposal
    reject(case.pk, by=cast.controller, at=MORNING, because="Ask them again.", frozen_sha256=proposal.frozen_sha256)
    address = reverse("exceptions:case_evidence", args=[case.ref])
    with time_machine.travel(MORNING, tick=False):
        for person in (cast.support, cast.auditor, cast.controller, cast.clerk):
            made = signed_in(person).get(address)
            told = read(made)
            assert [value for value in VALUES if "".join(value.split()) in told] == [], person
        again = signed_in(cast.clerk).get(address)
    assert made.content == again.content
    assert made["X-Content-SHA256"] == hashlib.sha256(made.content).hexdigest()
    assert made["Content-Disposition"] == f'attachment; filename="{case.ref}-evidence.pdf"'
    first, latest = case.versions.order_by("number")
    for wanted in (
        case.ref, "INV-1001", "2026-11-02", "Issuedate(BT-2)", first.sha256, latest.sha256, "bankdetails,changed",
        "NL••••4567", "DE••••3000", "Itisrightnow.", "Askthemagain.", "rejected", "proposedreplay",
        "Page1of", "forclara", "Amount8,768.75EUR", "StateInprogress",
    ):  # fmt: skip
        assert wanted in told, wanted
    factories.have_shown(case, cast.clerk)
    assert all(value in read(signed_in(cast.clerk).get(address)) for value in (CAME_WITH, IS_NOW))
    assert signed_in(cast.outsider).get(address).status_code == 404
    assert address in signed_in(cast.clerk).get(reverse("exceptions:case_print", args=[case.ref])).content.decode()
    assert "Version12026" in told
    # Of what is too long it says that it is not all.
    assert WHEN_CUT not in told
    monkeypatch.setattr(case_paper, "MOST", 1)
    cut = read(signed_in(cast.clerk).get(address))
    assert cut.count(WHEN_CUT) >= 2  # versions and history
    assert ("Version22026" in cut, "Version12026" in cut) == (True, False)


def test_paper_of_a_long_history_takes_hardly_more_queries_than_that_of_a_short_one(cast: Cast):
    case = factories.make_case(cast)
    case_paper_for(cast.auditor, case.ref, MORNING)  # whatever is read once

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert case_paper_for(cast.auditor, case.ref, MORNING)
        return len(seen)

    before = queries()
    told: dict[str, Any] = {
        "actor": cast.clerk.username, "subject": case.subject, "scope": scope_of(case), "summary": "Clara wrote.",
    }  # fmt: skip
    with transaction.atomic():
        record_many(Entry(action="case.commented", at=MORNING, **told) for _ in range(1000))
    assert queries() <= before + 4  # the second half of the events, and who did them
