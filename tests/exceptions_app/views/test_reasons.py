"""Reasons that a clerk gives: where the missing one is asked for, and who reads which of them."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exceptions_app.actions import propose
from exceptions_app.form_names import field_name
from tests.cast import MORNING
from tests.exceptions_app.views.repair import BROKEN, address, correction, field, mend, page, take_in, text_of

LATER = MORNING + timedelta(hours=1)


def test_approver_reads_the_reason_of_the_correction_and_that_of_the_proposal(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended after a call.")
    words = text_of(page(signed_in(cast.controller), case))
    told = ("Why version 2 is right, by Clara Clerk", "Taken from the order.", "Why it is proposed, by Clara Clerk")
    places = [words.index(text) for text in (*told, "Mended after a call.")]
    assert places == sorted(places)


def test_approver_reads_the_reason_of_each_correction_in_one_query(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk, date="2026-11-01")
    client = signed_in(cast.controller)
    asked = []
    for date in ("2026-11-02", "2026-11-03", "2026-11-04"):
        mend(case, by=cast.clerk, date=date)
        propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Taken from the order.")
        page(client, case)
        with CaptureQueriesContext(connection) as captured:
            words = text_of(page(client, case))
        asked.append(len(captured))
    assert [f"Why version {number} is right, by Clara Clerk" in words for number in (2, 3, 4, 5)] == [True] * 4
    assert "Proposed by Clara Clerk for the same reason as version 5" in words
    assert "Why it is proposed" not in words
    assert len(set(asked)) == 1


def test_proposal_begins_with_the_reason_of_the_correction(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    answer = signed_in(cast.clerk).get(address(case))
    because = answer.context["items"]["propose"].form["because"]
    assert because.value() == "Taken from the order."
    assert "It begins with the reason of the correction." in because.help_text
    assert ">\nTaken from the order.</textarea>" in answer.content.decode()


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
@pytest.mark.parametrize(
    ("because", "total", "at_fault"), [("", "1.00", "because"), ("Right.", "1.428,0O", "BT-112"), ("", "x", "BT-112")]
)
def test_refused_correction_puts_the_focus_into_the_field_at_fault(cast, signed_in, headers, because, total, at_fault):
    case = take_in(cast)
    data = correction(case, because=because, BT_112=total)
    html = signed_in(cast.clerk).post(address(case, "correct"), data, headers=headers).content.decode()
    name = at_fault if at_fault == "because" else field_name(field(case, at_fault).path)
    [focused] = [tag for tag in re.findall(r"<[^>]+>", html.partition("confirm-dialog")[0]) if "data-focus" in tag]
    assert (f'name="{name}"' in focused, " autofocus" in focused) == (True, True)


def test_whole_document_without_a_reason_puts_the_focus_there(cast, signed_in):
    case = take_in(cast)
    data = {"base_version": "1", "because": "", "payload": BROKEN.decode()}
    html = signed_in(cast.clerk).post(address(case, "correct"), data).content.decode()
    [focused] = [tag for tag in re.findall(r"<[^>]+>", html) if "data-focus" in tag]
    assert ('name="because"' in focused, " autofocus" in focused) == (True, True)
