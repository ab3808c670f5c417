"""What an auditor may write under “About”, and how the pages of the log say where they are."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from exceptions_app.queries import audit_page
from exceptions_app.queries.audit_page import PAGE_SIZE
from exceptions_app.states import Verb
from exceptions_app.views import audit_filter
from tests import factories
from tests.cast import grant, person
from tests.exceptions_app.views.test_audit import ALL_TIME, write


@pytest.mark.parametrize("typed", ["INV-2026-0042", "inv 2026/0042", "inv20260042"])
def test_audit_finds_every_exception_of_a_document_number(cast, signed_in, typed):
    first = factories.make_case(cast, number="INV-2026-0042")
    factories.dismiss(first, cast.clerk, approver=cast.controller)
    second = factories.make_case(cast, number="INV-2026-0042")
    factories.make_case(cast, number="INV-2026-00421")
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"about": typed})
    assert {row.case_ref for row in response.context["rows"]} == {first.ref, second.ref}


def test_audit_takes_digits_for_a_reference_and_for_a_document_number(cast, signed_in):
    case = factories.make_case(cast, number="INV-1")
    same = factories.make_case(cast, number=str(case.pk))
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"about": str(case.pk)})
    assert {row.case_ref for row in response.context["rows"]} == {case.ref, same.ref}


def test_audit_says_nothing_of_a_number_outside_of_the_scopes(cast, signed_in):
    factories.make_case(cast, number="INV-SECRET", entity=cast.germany)
    grant(cast.outsider, [Verb.EXPORT], cast.einvoicing, cast.netherlands)
    response = signed_in(cast.outsider).get(reverse("exceptions:audit"), {"about": "INV-SECRET"})
    assert response.status_code == 422
    assert "Nothing within your scopes is called “INV-SECRET”" in str(response.context["form"].errors["about"])


def test_audit_refuses_number_of_too_many(cast, signed_in, monkeypatch):
    monkeypatch.setattr(audit_page, "MOST_SUBJECTS", 1)
    monkeypatch.setattr(audit_filter, "MOST_SUBJECTS", 1)
    for _ in range(2):
        factories.make_case(cast, identifiers={"purchase_order": "PO-1"})
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), {"about": "po-1"})
    assert "More than 1 exceptions have it" in str(response.context["form"].errors["about"])


@pytest.mark.parametrize("typed", ["Conrad", "controller", "Conr", "d contr", "CONRAD"])
def test_audit_finds_person_by_a_part_of_the_name(cast, signed_in, typed):
    write("By Conrad.", actor="conrad")
    write("By Cem.", actor="cem")
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"actor": typed})
    assert {row.entry.actor for row in response.context["rows"]} == {"conrad"}
    assert "By Conrad." in {row.entry.summary for row in response.context["rows"]}


def test_audit_takes_a_whole_name_before_a_part_of_another(cast, signed_in):
    person("clarabella", "Bella Clara Clerkson")
    write("By Clara.", actor="clara")
    for typed in ("clara", "Clara Clerk"):
        response = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"actor": typed})
        assert {row.entry.actor for row in response.context["rows"]} == {"clara"}


def test_audit_names_those_whom_a_name_may_mean(cast, signed_in, monkeypatch):
    client = signed_in(cast.auditor)
    response = client.get(reverse("exceptions:audit"), {"actor": "Clerk"})
    assert (response.status_code, response.context["form"].errors["actor"]) == (
        422, ["More than one person is called “Clerk”: Cem Clerk (cem), Clara Clerk (clara). Write the user name."],
    )  # fmt: skip
    monkeypatch.setattr(audit_filter, "MOST_NAMED", 1)
    response = client.get(reverse("exceptions:audit"), {"actor": "Clerk"})
    assert response.context["form"].errors["actor"] == [
        "More than one person is called “Clerk”: Cem Clerk (cem) and more. Write the user name."
    ]


@pytest.mark.parametrize("typed", ["Weiss", "%", "_", "clara@"])
def test_audit_says_at_the_field_that_nobody_is_called_so(cast, signed_in, typed):
    response = signed_in(cast.auditor).get(reverse("exceptions:audit"), {"actor": typed})
    assert response.status_code == 422
    assert f"Nobody is called “{typed}”." in response.context["form"].errors["actor"][0]
    assert "rows" not in response.context


def test_audit_finds_an_account_that_is_gone_where_one_may_read(cast, signed_in):
    write("Long ago.", actor="former")
    write("Elsewhere.", actor="stranger", scope="XX99/elsewhere")
    client = signed_in(cast.auditor)
    response = client.get(reverse("exceptions:audit"), ALL_TIME | {"actor": "former"})
    assert [row.entry.summary for row in response.context["rows"]] == ["Long ago."]
    assert client.get(reverse("exceptions:audit"), {"actor": "stranger"}).status_code == 422


def test_audit_page_says_from_when_to_when_and_keeps_the_filters(cast, signed_in):
    for minute in range(PAGE_SIZE + 1):
        write(f"Minute {minute}.", at=datetime(2026, 11, 1, 12, minute, tzinfo=UTC))
    client = signed_in(cast.auditor)
    first = client.get(reverse("exceptions:audit"), ALL_TIME | {"about": "EX-1", "actor": "clara"})
    page = first.content.decode()
    assert (f"{PAGE_SIZE} of {PAGE_SIZE + 1} events, from" in page, first.context["newest_url"]) == (True, "")
    assert [page.count(f"12:{minute}:00</time>") for minute in ("01", "50")] == [3, 3]
    older = client.get(reverse("exceptions:audit") + first.context["next_url"])
    assert [row.entry.summary for row in older.context["rows"]] == ["Minute 0."]
    assert older.context["newest_url"] == "?since=&actor=clara&about=EX-1"


def test_audit_shows_the_exact_time_in_utc_wherever_the_reader_is(cast, signed_in):
    write("Exact.", at=datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC))
    with timezone.override("Europe/Amsterdam"):
        page = signed_in(cast.auditor).get(reverse("exceptions:audit"), ALL_TIME | {"about": "EX-1"}).content.decode()
    assert "<code>2026-11-01T12:00:00.123456</code> UTC" in page
