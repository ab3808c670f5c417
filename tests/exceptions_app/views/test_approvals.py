"""Approvals: what one may decide on, what one prepared, and what changes."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from exceptions_app.queries import approvals
from exceptions_app.queries.counters import waiting_for_decision_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Kind, ProposalKind, Verb
from tests import factories
from tests.cast import MORNING, grant

APPROVALS = reverse("exceptions:approvals")


def numbers(response):
    return [item.case.document_number for item in response.context["waiting"]]


def proposed(cast, by, *, number="INV-1", kind=ProposalKind.REPLAY, at=MORNING, **more):
    case = factories.make_case(cast, number=number, **more)
    factories.make_version(case, by)
    return factories.make_proposal(case, by, kind=kind, at=at)


def test_controller_sees_what_waits_for_them(cast, signed_in):
    proposal = proposed(cast, cast.clerk)
    factories.make_case(cast, number="NOT-PROPOSED")
    response = signed_in(cast.controller).get(APPROVALS)
    assert numbers(response) == ["INV-1"]
    page = response.content.decode()
    for words in ("Replay INV-1", proposal.case.ref, "Van Loon Koeltechniek B.V.", "1,250.00", "EUR", "Clara Clerk",
                  "Issue date", "(BT-2)", "missing", "2026-11-02", "Date taken from the order.", "Review"):  # fmt: skip
        assert words in page
    assert f'href="{reverse("exceptions:case", kwargs={"ref": proposal.case.ref})}"' in page


@pytest.mark.parametrize("who", ["second_clerk", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize("query", ["", "?show=prepared"])
def test_those_who_may_not_approve_see_no_proposal_of_others(cast, signed_in, who, query):
    proposed(cast, cast.clerk)
    response = signed_in(getattr(cast, who)).get(APPROVALS + query)
    assert response.status_code == 200
    assert numbers(response) == []
    assert "INV-1" not in response.content.decode()


def test_own_proposals_stand_apart_with_the_reason(cast, signed_in):
    grant(cast.controller, [Verb.SEE, Verb.CORRECT, Verb.PROPOSE], cast.einvoicing, cast.netherlands)
    proposed(cast, cast.controller, number="OWN")
    proposed(cast, cast.clerk, number="THEIRS")
    browser = signed_in(cast.controller)
    assert numbers(browser.get(APPROVALS)) == ["THEIRS"]
    response = browser.get(APPROVALS + "?show=prepared")
    assert numbers(response) == ["OWN"]
    assert [item.reason for item in response.context["waiting"]] == ["You proposed this; someone else must decide."]
    assert "Review" not in response.content.decode()


def test_whoever_corrected_cannot_decide_on_what_another_proposed(cast, signed_in):
    grant(cast.controller, [Verb.CORRECT], cast.einvoicing, cast.netherlands)
    case = factories.make_case(cast, number="INV-1")
    factories.make_version(case, cast.controller)
    factories.assign(case, cast.clerk, by=cast.controller)
    factories.make_proposal(case, cast.clerk)
    browser = signed_in(cast.controller)
    assert numbers(browser.get(APPROVALS)) == []
    response = browser.get(APPROVALS + "?show=prepared")
    assert [item.reason for item in response.context["waiting"]] == [
        "You prepared this correction; someone else must decide."
    ]


def test_clerk_sees_own_proposals_and_why_they_wait(cast, signed_in):
    proposed(cast, cast.clerk)
    response = signed_in(cast.clerk).get(APPROVALS)
    assert numbers(response) == ["INV-1"]
    assert [tab["label"] for tab in response.context["tabs"]] == ["Prepared by me"]
    assert response.context["waiting"][0].reason == "You proposed this; someone else must decide."


def test_changes_are_net_of_all_versions(cast, signed_in):
    def change(label, was, will):
        return {"term": "", "label": label, "group": "", "path": f"/{label}", "was": was, "will_be": will}

    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk, changes=[change("Total", "1.00", "2.00"), change("Buyer", "A", "B")])
    factories.make_version(case, cast.clerk, changes=[change("Total", "2.00", "3.00"), change("Buyer", "B", "A")])
    factories.make_proposal(case, cast.clerk)
    (item,) = signed_in(cast.controller).get(APPROVALS).context["waiting"]
    assert [(found.label, found.was, found.will) for found in item.changes] == [("Total", "1.00", "3.00")]


def test_amounts_that_change_are_grouped_and_other_numbers_stand_as_they_are(cast, signed_in):
    def change(label, term, was, will):
        return {"term": term, "label": label, "group": "", "path": f"/{label}", "was": was, "will_be": will}

    total = ("Invoice total amount with VAT", "BT-112")
    changes = [change(*total, "72470.05", "72471.05"), change("Account", "", "72470.05", "72480.05")]
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk, changes=changes)
    factories.make_proposal(case, cast.clerk)
    page = signed_in(cast.controller).get(APPROVALS).content.decode()
    assert "<del>72,470.05</del>" in page
    assert "<ins>72,471.05</ins>" in page
    assert "<del>72470.05</del>" in page


def test_many_changes_are_counted(cast, signed_in):
    changes = [
        {"term": "", "label": f"Field {n}", "group": "", "path": f"/{n}", "was": "", "will_be": str(n)}
        for n in range(5)
    ]
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk, changes=changes)
    factories.make_proposal(case, cast.clerk)
    page = signed_in(cast.controller).get(APPROVALS).content.decode()
    assert "Field 2" in page
    assert "Field 3" not in page
    assert "and 2 more fields" in page


def test_release_as_it_is_says_that_nothing_changes(cast, signed_in):
    case = factories.make_case(cast, kind=Kind.HELD, number="HELD")
    factories.make_proposal(case, cast.clerk, kind=ProposalKind.RELEASE)
    page = signed_in(cast.controller).get(APPROVALS).content.decode()
    assert "Release HELD" in page
    assert "Nothing: as it came in" in page


@pytest.mark.parametrize(
    ("sort", "expected"), [("", ["B", "A", "C"]), ("largest", ["B", "A", "C"]), ("oldest", ["C", "A", "B"])]
)
def test_sort_by_amount_or_by_age(cast, signed_in, sort, expected):
    for number, amount, hours in (("A", "20", 2), ("B", "300", 3), ("C", None, 1)):
        proposed(cast, cast.clerk, number=number, amount=amount, at=MORNING + timedelta(hours=hours))
    assert numbers(signed_in(cast.controller).get(f"{APPROVALS}?sort={sort}")) == expected


def test_money_is_summed_per_currency(cast, signed_in):
    proposed(cast, cast.clerk, number="A", amount="20.50")
    proposed(cast, cast.clerk, number="B", amount="0.50")
    proposed(cast, cast.clerk, number="C", amount="5", currency="PLN")
    proposed(cast, cast.clerk, number="D", amount=None)
    money = signed_in(cast.controller).get(APPROVALS).context["money"]
    assert money == {"EUR": Decimal("21.00"), "PLN": Decimal(5)}


def test_pages_follow_one_another(cast, signed_in, monkeypatch):
    monkeypatch.setattr(approvals, "PAGE_SIZE", 1)
    for number, amount in (("A", "20"), ("B", "10")):
        proposed(cast, cast.clerk, number=number, amount=amount)
    browser = signed_in(cast.controller)
    first = browser.get(APPROVALS)
    second = browser.get(first.context["next_url"])
    assert (numbers(first), numbers(second), second.context["next_url"]) == (["A"], ["B"], "")
    assert numbers(browser.get(second.context["previous_url"])) == ["A"]


@pytest.mark.parametrize("query", ["after=%21", "sort=colour", "colour=red"])
def test_what_is_not_understood_is_said_and_left_out(cast, signed_in, query):
    proposed(cast, cast.clerk)
    response = signed_in(cast.controller).get(f"{APPROVALS}?{query}")
    assert (response.status_code, numbers(response), len(response.context["notices"])) == (200, ["INV-1"], 1)


def test_fragment_is_the_part_of_the_page(cast, signed_in):
    proposed(cast, cast.clerk)
    fragment = signed_in(cast.controller).get(APPROVALS, headers={"HX-Request": "true"})
    assert fragment.templates[0].name == "exceptions/_approvals_table.html"
    assert "HX-Request" in fragment.headers["Vary"]


@pytest.mark.parametrize("item_count", [1, 3])
def test_approvals_ask_the_database_as_often_for_one_as_for_three(
    cast, signed_in, django_assert_num_queries, item_count
):
    for number in range(item_count):
        proposed(cast, cast.clerk, number=f"INV-{number}")
    browser = signed_in(cast.controller)
    browser.get(APPROVALS)
    with django_assert_num_queries(16):  # two for who decides in whose place
        assert len(numbers(browser.get(APPROVALS))) == item_count


def test_credit_note_is_taken_off_the_total_and_stands_by_its_size(cast, signed_in):
    proposed(cast, cast.clerk, number="SMALL", amount="10.00")
    proposed(cast, cast.clerk, number="CREDIT", amount="-500.00", object_type="credit_note")
    proposed(cast, cast.clerk, number="LARGE", amount="800.00")
    response = signed_in(cast.controller).get(APPROVALS)
    assert numbers(response) == ["LARGE", "CREDIT", "SMALL"]
    waiting = waiting_for_decision_of(cast.controller, reach_of(cast.controller))
    assert approvals.money_of(waiting) == {"EUR": Decimal("310.00")}
    assert "-500.00" in response.content.decode()
