"""What the search box understands, without a database."""

import pytest

from exceptions_app.filters import CaseFilter
from exceptions_app.search_text import IS, TOKENS, read


def understood(text):
    found = read(text)
    return found.words, dict(found.filters)


@pytest.mark.parametrize(
    ("text", "words", "filters"),
    [
        ("inv 2026/0042", "inv 2026/0042", {}),
        ("is:open", "", {"state": "open"}),
        ("IS:Held roussel", "roussel", {"kind": "held"}),
        ("roussel is:overdue queue:E-Invoicing", "roussel", {"due": "overdue", "queue": "e-invoicing"}),
        ('customer:"van loon" 1250.00', "1250.00", {"customer": "van loon"}),
        ("code:BR-03 priority:p1", "", {"code": "BR-03", "priority": "1"}),
        ("assignee:me", "", {"assignee": "me"}),
        ("assignee:@cem", "", {"assignee": "cem"}),
        ("kind:held", "", {"kind": "held"}),
        ("kind:credit-note", "", {"object_type": "credit_note"}),
        ("amount:>1000", "", {"amount_above": "1000"}),
        ("amount:>=1.250,00", "", {"amount_min": "1250.00"}),
        ("amount:<99.50EUR", "", {"amount_below": "99.50", "currency": "EUR"}),
        ("amount:<=5", "", {"amount_max": "5"}),
        ("amount:-45.10", "", {"amount_min": "-45.10", "amount_max": "-45.10"}),
        ("amount:100..200", "", {"amount_min": "100", "amount_max": "200"}),
        ("amount:100EUR..200", "", {"amount_min": "100", "amount_max": "200", "currency": "EUR"}),
        ("amount:100..200eur", "", {"amount_min": "100", "amount_max": "200", "currency": "EUR"}),
        ("amount:100EUR..200EUR", "", {"amount_min": "100", "amount_max": "200", "currency": "EUR"}),
        ("age:>2d", "", {"age": "2"}),
        ("age:2", "", {"age": "2"}),
        ("age:<1w", "", {"age_max": "7"}),
        # No letter before the colon, or quotes around it: a word like any other.
        ("0106:12345678 12:30", "0106:12345678 12:30", {}),
        ('"urn:oasis:names" x-is:open', "urn:oasis:names x-is:open", {}),
        ('"', '"', {}),
        ("", "", {}),
    ],
)
def test_text_is_taken_apart(text, words, filters):
    assert understood(text) == (words, filters)
    assert read(text).notices == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour:red", ["There is no “colour:”", "is:, queue:, entity:", "in quotes"]),
        ("queue:", ["directly after the colon", "queue:e-invoicing"]),
        ("is:lost", ["awaiting_approval, closed", "and waiting."]),
        ("amount:>much", ["Write an amount"]),
        ("amount:>1.250", ["“1.250” can be read two ways", "Write 1,250.00 or 1.25."]),
        ("amount:10..x", ["Write an amount"]),
        ("amount:100EUR..200USD", ["Write one currency"]),
        ("age:>tomorrow", ["days or weeks"]),
    ],
)
def test_what_is_not_understood_is_left_out_and_said(text, says):
    found = read(f"roussel {text}")
    assert (found.words, dict(found.filters)) == ("roussel", {})
    (notice,) = found.notices
    assert notice.startswith(f"“{text}” was left out.")
    assert [part for part in says if part not in notice] == []


def test_later_token_of_one_filter_holds():
    found = read("queue:a is:mine queue:b is:mine")
    assert dict(found.filters) == {"queue": "b", "assignee": "me"}
    assert found.notices == ("“queue:b” is used instead of “queue:a”.",)


def test_every_example_is_understood_and_becomes_filters_of_the_lists():
    for token in TOKENS.values():
        found = read(token.example)
        assert found.notices == ()
        assert set(found.filters) <= set(CaseFilter.base_filters)
    assert {name for filters in IS.values() for name in filters} <= set(CaseFilter.base_filters)
