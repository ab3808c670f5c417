"""A correction from the page: saved and checked, and never lost, whatever goes wrong."""

import re
from datetime import timedelta

import pytest

from exceptions_app.actions import propose, work
from exceptions_app.form_names import field_name
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from exceptions_app.states import State
from integrations.connectors.en16931 import connector
from tests import factories
from tests.cast import MORNING
from tests.exceptions_app.views.repair import (
    BROKEN,
    address,
    correction,
    field,
    latest,
    mend,
    page,
    take_in,
    text_of,
    typed_in,
    with_value,
)
from tests.invoices import valid_invoice

LATER = MORNING + timedelta(hours=1)
MENDED = "2026-11-01"


def versions(case: ExceptionCase) -> int:
    return PayloadVersion.objects.filter(case=case).count()


def input_of(case: ExceptionCase, term: str) -> str:
    return field_name(field(case, term).path)


def test_correction_is_saved_as_the_next_version_and_checked(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, BT_2=MENDED), follow=True)
    words = text_of(answer.content.decode())
    version = latest(case)
    assert answer.redirect_chain == [(address(case), 302)]
    assert (version.number, version.author, version.check_passed) == (2, cast.clerk, True)
    assert [(change["term"], change["was"], change["will_be"]) for change in version.changes] == [("BT-2", "", MENDED)]
    assert version.reason == "Taken from the order."
    assert "Version 2 is saved and passes the check." in words
    assert "What was wrong" in words
    assert "Next: propose the replay" in words
    assert ExceptionCase.objects.get(pk=case.pk).assignee == cast.clerk


def test_correction_that_solves_some_says_what_is_left(cast, signed_in):
    case = take_in(cast, with_value(BROKEN, "BT-112", "1.00"))
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, BT_2=MENDED), follow=True)
    html = answer.content.decode()
    version = latest(case)
    assert version.check_passed is False
    assert f"Version 2 is saved. {len(version.check_errors)} problems are left." in text_of(html)
    assert "Propose replay: Version 2 does not pass the check yet" in text_of(html)
    assert 'id="case-propose"' not in html
    assert html.count("Solved by the correction") == 1


def test_correction_by_htmx_answers_with_the_fragment(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(
        address(case, "correct"), correction(case, BT_2=MENDED), headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    assert answer.content.decode().split()[:2] == ["<div", 'id="case">']
    assert "Version 2 is saved and passes the check." in text_of(answer.content.decode())


def test_correction_without_a_reason_keeps_what_was_typed(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, because=" ", BT_2=MENDED))
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Why this correction is right: Say why you change this" in text_of(html)
    assert typed_in(html, input_of(case, "BT-2")) == MENDED
    assert versions(case) == 1


@pytest.mark.parametrize(
    ("term", "typed", "problem"),
    [
        ("BT-112", "1.428,0O", "“1.428,0O” is not a number."),
        ("BT-112", "1e3", "“1e3” is not a number."),
        ("BT-112", "NaN", "“NaN” is not a number."),
        ("BT-112", "١٢", "“١٢” is not a number."),
        ("BT-2", "31.12.2026", "“31.12.2026” is not a date. Write year-month-day, such as 2026-03-31."),
        ("BT-2", "2026-02-30", "“2026-02-30” is not a date."),
        ("BT-2", "20261231", "“20261231” is not a date."),
    ],
)
def test_correction_names_the_field_that_cannot_be_used(cast, signed_in, term, typed, problem):
    case = take_in(cast)
    data = {**correction(case), input_of(case, term): typed}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    html = answer.content.decode()
    label = f"{field(case, term).label} ({term})"
    assert answer.status_code == 422
    assert f"There is a problem {label}: {problem}" in text_of(html)
    assert f'href="#correct-{input_of(case, term)}"' in html
    assert f'value="{typed}"' in html
    assert versions(case) == 1


def test_missing_reason_and_ill_formed_values_are_reported_together(cast, signed_in):
    case = take_in(cast)
    date, total = input_of(case, "BT-2"), input_of(case, "BT-112")
    data = {**correction(case, because="", BT_10="PO-77"), date: "31.12.2026x", total: "1.428,0O"}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    html, form = answer.content.decode(), answer.context["correction"]
    assert answer.status_code == 422
    assert form.errors == {
        "because": ["Say why you change this; the approver and the auditor will read it."],
        date: ["“31.12.2026x” is not a date. Write year-month-day, such as 2026-03-31."],
        total: ["“1.428,0O” is not a number. Write digits with a point and no separators, such as 1428.00."],
    }
    for name in form.errors:
        assert f'<a href="#correct-{name}">' in html
        assert f'id="correct-{name}_error"' in html
    assert html.index(f'<a href="#correct-{total}">') < html.index('<a href="#correct-because">')
    assert [typed_in(html, input_of(case, term)) for term in ("BT-2", "BT-112", "BT-10")] == [
        "31.12.2026x",
        "1.428,0O",
        "PO-77",
    ]
    assert versions(case) == 1


def test_missing_reason_for_no_change_says_both(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, because=" "))
    assert answer.status_code == 422
    assert answer.context["correction"].errors == {
        "because": ["Say why you change this; the approver and the auditor will read it."],
        "__all__": ["Nothing was changed. Change a field, or go back without saving."],
    }


def test_missing_reason_and_unreadable_document_are_reported_together(cast, signed_in):
    case = take_in(cast)
    data = {"base_version": "1", "because": "", "payload": "<Invoice>\n<ID></Invoice>"}
    form = signed_in(cast.clerk).post(address(case, "correct"), data).context["correction"]
    assert {name: errors[0] for name, errors in form.errors.items()} == {
        "because": "Say why you change this; the approver and the auditor will read it.",
        "payload": "The document is not well-formed XML: “ID” is closed as “Invoice” (line 2, column 15). "
        "Correct the markup at that place and send it again.",
    }
    assert form["payload"].value() == data["payload"]
    assert versions(case) == 1


def test_correction_without_a_change_is_refused(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case))
    assert answer.status_code == 422
    assert "Nothing was changed. Change a field, or go back without saving." in text_of(answer.content.decode())


def test_line_endings_of_the_browser_are_no_change(cast, signed_in):
    case = take_in(cast, with_value(BROKEN, "BT-22", "First line\nSecond line"))
    data = correction(case, BT_2=MENDED)
    data[input_of(case, "BT-22")] = "First line\r\nSecond line"
    signed_in(cast.clerk).post(address(case, "correct"), data)
    assert [change["term"] for change in latest(case).changes] == ["BT-2"]


def test_field_that_was_not_shown_stays_as_it_is(cast, signed_in):
    case = take_in(cast)
    data = {"base_version": "1", "because": "Taken from the order.", input_of(case, "BT-2"): MENDED}
    signed_in(cast.clerk).post(address(case, "correct"), data)
    assert [change["term"] for change in latest(case).changes] == ["BT-2"]


def test_correction_with_the_whole_document_passes_the_same_check(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    factories.have_shown(case, cast.clerk)
    assert 'name="payload"' in client.get(address(case, "raw")).content.decode()
    text = BROKEN.decode().replace("<cbc:DueDate>", f"<cbc:IssueDate>{MENDED}</cbc:IssueDate><cbc:DueDate>", 1)
    data = {"base_version": "1", "because": "Written into the document.", "payload": text.replace("\n", "\r\n")}
    answer = client.post(address(case, "correct"), data, follow=True)
    version = latest(case)
    assert "Version 2 is saved and passes the check." in text_of(answer.content.decode())
    assert bytes(version.content) == text.encode()
    assert [change["term"] for change in version.changes] == ["BT-2"]


def test_whole_document_sent_back_as_it_was_is_no_change(cast, signed_in):
    case = take_in(cast, b"\xef\xbb\xbf" + BROKEN)
    factories.have_shown(case, cast.clerk)
    text = signed_in(cast.clerk).get(address(case, "raw")).context["correction"].initial["payload"]
    data = {"base_version": "1", "because": "Nothing.", "payload": text.replace("\n", "\r\n")}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    assert answer.status_code == 422
    assert "Nothing was changed." in text_of(answer.content.decode())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<Invoice", "The document ends inside a tag."),
        ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "contains a DOCTYPE"),
        ("", "The document is empty."),
        ("<x>" * 200 + "</x>" * 200, "nested more than"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><x>\u20ac</x>', "has no “\u20ac”"),
    ],
)
def test_whole_document_that_cannot_be_used_is_kept_with_the_reason(cast, signed_in, text, problem):
    case = take_in(cast)
    data = {"base_version": "1", "because": "Typed by hand.", "payload": text}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert problem in text_of(html)
    assert answer.context["correction"]["payload"].value() == text
    assert "Typed by hand.</textarea>" in html
    assert versions(case) == 1


def test_two_corrections_at_once_are_compared_field_by_field(cast, signed_in):
    case = take_in(cast)
    mine = correction(case, because="By the order.", BT_2=MENDED, BT_10="PO-77")
    theirs = correction(case, because="By mail.", BT_2="2026-10-15", BT_1="INV-1001-A")
    signed_in(cast.second_clerk).post(address(case, "correct"), theirs)
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    answer = signed_in(cast.clerk).post(address(case, "correct"), mine)
    html, words = answer.content.decode(), text_of(answer.content.decode())
    assert answer.status_code == 409
    assert re.search(
        r"Cem Clerk saved version 2 \S.* ago : Invoice number, Issue date By mail\. You began with version 1\.", words
    )
    assert "Issue date (BT-2) You both changed this. missing Take theirs: 2026-10-15 Keep mine: 2026-11-01" in words
    assert "Buyer reference (BT-10)" in words
    assert "Invoice number (BT-1) Document INV-1001 INV-1001-A" in words
    assert 'name="base_version" value="2"' in html
    assert "By the order.</textarea>" in html
    assert versions(case) == 2


@pytest.mark.parametrize(("choice", "date"), [("mine", MENDED), ("theirs", "2026-10-15")])
def test_choice_after_two_corrections_is_saved_on_top(cast, signed_in, choice, date):
    case = take_in(cast)
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_2="2026-10-15", BT_1="INV-1001-A"))
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    name, other = input_of(case, "BT-2"), input_of(case, "BT-10")
    data = {
        "base_version": "2", "because": "Compared both.", name: MENDED, f"keep_{name}": choice,
        other: "PO-77", f"keep_{other}": "mine",
    }  # fmt: skip
    assert signed_in(cast.clerk).post(address(case, "correct"), data).status_code == 302
    assert latest(case).number == 3
    assert [field(case, term).value for term in ("BT-1", "BT-2", "BT-10")] == ["INV-1001-A", date, "PO-77"]


def test_field_in_which_theirs_is_taken_shows_theirs_when_something_else_is_wrong(cast, signed_in):
    case = take_in(cast)
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_2="2026-10-15"))
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    name, other = input_of(case, "BT-2"), input_of(case, "BT-10")
    data = {"base_version": "2", "because": "", name: MENDED, f"keep_{name}": "theirs", other: "PO-77"}
    client = signed_in(cast.clerk)
    html = client.post(address(case, "correct"), data).content.decode()
    assert (typed_in(html, name), typed_in(html, other)) == ("2026-10-15", "PO-77")
    assert typed_in(page(client, case), name) == "2026-10-15"


def test_two_whole_documents_at_once_keep_both(cast, signed_in):
    case = take_in(cast)
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_2="2026-10-15"))
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    data = {"base_version": "1", "because": "Typed by hand.", "payload": "<Invoice>mine</Invoice>"}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    words = text_of(answer.content.decode())
    assert answer.status_code == 409
    assert "<Invoice>mine</Invoice>" in words
    assert "Issue date (BT-2) Document missing 2026-10-15" in words
    assert versions(case) == 2


def test_correction_by_someone_who_may_not_keeps_what_was_typed(cast, signed_in):
    case = take_in(cast)
    data = correction(case, because="I only wanted to help.", BT_2=MENDED)
    answer = signed_in(cast.controller).post(address(case, "correct"), data)
    html = answer.content.decode()
    assert answer.status_code == 403
    assert "You may not work on exceptions in E-invoicing for Meridian Industries NV." in text_of(html)
    assert "I only wanted to help.</textarea>" in html
    assert versions(case) == 1


def test_correction_of_what_a_colleague_works_on_is_refused(cast, signed_in):
    case = take_in(cast)
    work.claim(case.pk, by=cast.second_clerk, at=MORNING)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, BT_2=MENDED))
    assert answer.status_code == 403
    assert "Cem Clerk is working on this. Assign it to yourself first." in text_of(answer.content.decode())


def test_correction_of_what_is_closed_is_a_conflict(cast, signed_in):
    case = factories.make_case(cast, payload=BROKEN)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    answer = signed_in(cast.clerk).post(address(case, "correct"), correction(case, because="Too late.", BT_2=MENDED))
    assert answer.status_code == 409
    assert "Too late.</textarea>" in answer.content.decode()
    assert versions(case) == 1


def test_correction_of_what_waits_for_approval_takes_the_proposal_back(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    client = signed_in(cast.clerk)
    assert "A correction now takes the proposal back" in text_of(page(client, case))
    client.post(address(case, "correct"), correction(case, BT_2="2026-10-30"))
    assert ExceptionCase.objects.get(pk=case.pk).state == State.IN_PROGRESS
    assert Proposal.objects.get().state == Proposal.State.SUPERSEDED


@pytest.mark.parametrize("base", ["", "0", "7", "one", "99999999999"])
def test_correction_of_an_unknown_version_is_refused(cast, signed_in, base):
    case = take_in(cast)
    data = {**correction(case, BT_2=MENDED), "base_version": base}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    assert answer.status_code == 422
    assert f'value="{MENDED}"' in answer.content.decode()
    assert versions(case) == 1


def test_long_invoice_shows_further_parts_when_asked_and_keeps_what_was_typed(cast, signed_in):
    case = take_in(cast, _long_invoice())
    client = signed_in(cast.clerk)
    last = connector.read(_long_invoice()).fields[-1]
    assert field_name(last.path) not in page(client, case)
    data = {**correction(case, because="Half way.", BT_2=MENDED), "show": last.group}
    answer = client.post(address(case, "correct"), data)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert field_name(last.path) in html
    assert f'value="{MENDED}"' in html
    assert "Half way.</textarea>" in html
    assert "There is a problem" not in html
    assert versions(case) == 1


def _long_invoice() -> bytes:
    start, end = (
        BROKEN.index(b"  <cac:InvoiceLine>"),
        BROKEN.rindex(b"</cac:InvoiceLine>\n") + len(b"</cac:InvoiceLine>\n"),
    )
    return BROKEN[:end] + BROKEN[start:end] * 40 + BROKEN[end:]


def test_correction_form_is_not_shown_to_those_who_may_only_look(cast, signed_in):
    case = take_in(cast)
    assert 'name="payload"' not in signed_in(cast.auditor).get(address(case, "raw")).content.decode()


def test_valid_document_that_was_held_needs_no_correction(cast, signed_in):
    case = take_in(cast, valid_invoice(), b'{"hold": {"code": "SANCTIONS_HIT", "text": "Match", "matched": "V. Loon"}}')
    html = page(signed_in(cast.clerk), case)
    assert "possible match with “V. Loon”" in text_of(html)
    assert '<details class="fold" >' in html


def test_field_that_was_missing_for_both_is_compared_where_it_stands_now(cast, signed_in):
    """The path of a field changes when it comes into being; the choice is for the field all the same."""
    case = take_in(cast, with_value(BROKEN, "BT-48", ""))
    mine = correction(case, because="By the order.", BT_48="NL000000000B01")
    mine_name = input_of(case, "BT-48")
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_48="NL999999999B09"))
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    answer = signed_in(cast.clerk).post(address(case, "correct"), mine)
    words = text_of(answer.content.decode())
    assert input_of(case, "BT-48") != mine_name
    assert "You both changed this. missing Take theirs: NL999999999B09 Keep mine: NL000000000B01" in words
    assert "Also changed meanwhile" not in words
    name = input_of(case, "BT-48")
    data = {"base_version": "2", "because": "Compared.", name: "NL000000000B01", f"keep_{name}": "mine"}
    assert signed_in(cast.clerk).post(address(case, "correct"), data).status_code == 302
    assert field(case, "BT-48").value == "NL000000000B01"
