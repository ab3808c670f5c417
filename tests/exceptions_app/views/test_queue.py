"""All queues and my queue: who sees what, by which filter, in which order, and what a broken address does."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from exceptions_app.models import ExceptionCase
from exceptions_app.queries import queue_page
from exceptions_app.states import Kind, State, Verb
from integrations.refusals import Category
from tests import factories
from tests.cast import MORNING, grant

QUEUE = reverse("exceptions:queue")
MY_QUEUE = reverse("exceptions:my_queue")
HTMX = {"HX-Request": "true"}


def numbers(response):
    return [row.case.document_number for row in response.context["rows"]]


def test_queue_asks_for_sign_in(client):
    assert client.get(QUEUE + "?state=new").headers["Location"] == "/accounts/login/?next=%2Fqueue%2F%3Fstate%3Dnew"


def test_lost_sign_in_of_a_fragment_leads_to_the_sign_in_page(client):
    response = client.get(QUEUE, headers=HTMX)
    assert response.headers["HX-Redirect"] == "/accounts/login/?next=%2Fqueue%2F"


def test_queue_shows_what_is_granted(cast, signed_in):
    here = factories.make_case(cast, number="INV-HERE")
    factories.make_case(cast, number="INV-OTHER-QUEUE", queue=cast.holds)
    factories.make_case(cast, number="INV-OTHER-ENTITY", entity=cast.germany)
    response = signed_in(cast.local_clerk).get(QUEUE)
    assert numbers(response) == ["INV-HERE"]
    assert f'href="{reverse("exceptions:case", kwargs={"ref": here.ref})}"' in response.content.decode()


@pytest.mark.parametrize("who", ["outsider", "administrator"])
@pytest.mark.parametrize("address", [QUEUE, MY_QUEUE, QUEUE + "?state=any", QUEUE + "?assignee=clara"])
def test_without_grant_nothing_is_seen(cast, signed_in, who, address):
    factories.claim(factories.make_case(cast, number="INV-SECRET"), cast.clerk)
    response = signed_in(getattr(cast, who)).get(address)
    assert response.status_code == 200
    assert numbers(response) == []
    page = response.content.decode()
    for secret in ("INV-SECRET", "Van Loon", "1,250.00", "Clara", "E-invoicing", "Meridian", "issue date is missing"):
        assert secret not in page


def test_fragment_alone_shows_nothing_to_the_outsider(cast, signed_in):
    factories.make_case(cast, number="INV-SECRET")
    response = signed_in(cast.outsider).get(QUEUE, headers=HTMX)
    assert numbers(response) == []
    assert "INV-SECRET" not in response.content.decode()


def test_row_says_all_that_a_clerk_needs(cast, signed_in):
    case = factories.make_case(
        cast,
        number="INV-1",
        amount="-1250.5",
        priority=1,
        errors=[factories.error(), factories.error("BR-07", "No buyer.")],
    )
    factories.claim(case, cast.clerk)
    page = signed_in(cast.second_clerk).get(QUEUE).content.decode()
    for words in ("INV-1", case.ref, "Van Loon Koeltechniek B.V.", "The issue date is missing.", "BR-03", "and 1 more",
                  "NL01", "E-invoicing", "-1,250.50", "EUR", "P1", "In progress", "Clara Clerk", "over"):  # fmt: skip
        assert words in page


def test_fragment_is_the_part_of_the_page(cast, signed_in):
    factories.make_case(cast, number="INV-1")
    browser = signed_in(cast.clerk)
    page, fragment = browser.get(QUEUE), browser.get(QUEUE, headers=HTMX)
    assert page.headers["Vary"].split(", ").count("HX-Request") == 1
    assert 'id="queue-table"' in page.content.decode()
    assert fragment.templates[0].name == "exceptions/_queue_table.html"
    assert "<html" in page.content.decode()
    assert "<html" not in fragment.content.decode()
    assert 'id="queue-table"' in fragment.content.decode()


def test_boosted_request_gets_the_page(cast, signed_in):
    response = signed_in(cast.clerk).get(QUEUE, headers=HTMX | {"HX-Boosted": "true"})
    assert "<html" in response.content.decode()


def test_fragment_pushes_an_address_without_empty_filters(cast, signed_in):
    response = signed_in(cast.clerk).get(QUEUE + "?text=&priority=2&assignee=", headers=HTMX)
    assert response.headers["HX-Push-Url"] == "/queue/?priority=2"


FILTERS = [
    ("text=inv%20a", ["INV-A"]),
    ("text=roussel", ["INV-B"]),
    ("queue=policy-holds", ["INV-B"]),
    ("entity=DE01", ["INV-C"]),
    ("state=in_progress", ["INV-A"]),
    ("state=new", ["INV-B", "INV-C"]),
    ("state=resolved", []),
    ("kind=held", ["INV-B"]),
    ("category=policy_hold", ["INV-B"]),
    ("priority=1", ["INV-C"]),
    ("assignee=me", []),
    ("assignee=clara", ["INV-A"]),
    ("assignee=nobody", ["INV-B", "INV-C"]),
    ("connection=tax-authority", ["INV-A", "INV-B", "INV-C"]),
    ("amount_min=1.250,50", ["INV-C"]),
    ("amount_max=100", ["INV-B"]),
    ("amount_min=100&amount_max=2,000.00", ["INV-A"]),
    ("currency=pln", ["INV-C"]),
    ("opened_from=2026-11-03", ["INV-C"]),
    ("opened_to=2026-11-02", ["INV-A", "INV-B"]),
    ("due=overdue", ["INV-A", "INV-B"]),
    ("due=today", ["INV-C"]),
    ("age=9", ["INV-A", "INV-B"]),
    ("queue=policy-holds&entity=DE01", []),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filter_narrows_the_list(cast, signed_in, time_machine, query, expected):
    a = factories.make_case(cast, number="INV-A", amount="1250.00", priority=3)
    factories.claim(a, cast.clerk)
    factories.make_case(
        cast, number="INV-B", amount="99.99", queue=cast.holds, kind=Kind.HELD, category=Category.POLICY_HOLD,
        counterparty="Ateliers Roussel SAS", priority=3,
    )  # fmt: skip
    factories.make_case(
        cast, number="INV-C", amount="80000", currency="PLN", entity=cast.germany, priority=1,
        opened_at=MORNING + timedelta(days=8), due_at=MORNING + timedelta(days=10),
    )  # fmt: skip
    time_machine.move_to(MORNING + timedelta(days=9, hours=12), tick=False)
    response = signed_in(cast.second_clerk).get(f"{QUEUE}?{query}")
    assert sorted(numbers(response)) == expected
    assert response.context["notices"] == []


def test_lists_show_each_exception_with_its_own_words_and_never_those_of_another(cast, signed_in):
    screened = factories.make_cause("SANCTIONS_HIT", "Sanctions screening found a possible match.", field="Buyer name")
    for number, name in (("INV-A", "Kowalczyk Trading House"), ("INV-B", "Aurora Shipping")):
        said = factories.error("SANCTIONS_HIT", f"A possible match with “{name}”.", field="Buyer name", term="BT-44")
        factories.make_case(cast, number=number, cause=screened, errors=[said])
    response = signed_in(cast.clerk).get(QUEUE)
    shown = {row.case.document_number: row.case.problem for row in response.context["rows"]}
    assert shown == {
        "INV-A": "A possible match with “Kowalczyk Trading House”.",
        "INV-B": "A possible match with “Aurora Shipping”.",
    }
    page = response.content.decode()
    assert [page.count(f">{words}<") for words in shown.values()] == [1, 1]


def test_cause_filter_takes_only_visible_causes(cast, signed_in):
    other = factories.make_cause("BR-07", "The buyer has no name.")
    factories.make_case(cast, number="INV-A")
    factories.make_case(cast, number="INV-B", cause=other, queue=cast.holds)
    everywhere, local = signed_in(cast.clerk), signed_in(cast.local_clerk)
    assert numbers(everywhere.get(f"{QUEUE}?cause={other.pk}")) == ["INV-B"]
    response = local.get(f"{QUEUE}?cause={other.pk}")
    assert numbers(response) == ["INV-A"]
    assert response.context["notices"] == [
        "The filter “Cause” was left out: Select a valid choice. That choice is not one of the available choices."
    ]


BROKEN = [
    "state=lost", "queue=unknown", "entity=XX", "priority=9", "priority=x", "kind=odd", "category=odd", "assignee=nemo",
    "cause=x", "cause=-1", "cause=99999999999999999999", "connection=odd", "amount_min=1.250", "amount_min=many",
    "amount_max=1e9", "currency=E", "opened_from=yesterday", "opened_to=9999-12-31", "age=-1", "age=1e99",
    "text=%00", "due=never", "colour=red", "sort=colour", "after=%21", "after=W10", "after=bnVsbA", "before=AAAA",
    "after=" + "A" * 2000,
]  # fmt: skip


@pytest.mark.alike
@pytest.mark.parametrize("query", BROKEN)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_is_not_understood_is_said_and_left_out(cast, signed_in, query, headers):
    factories.make_case(cast, number="INV-1")
    response = signed_in(cast.clerk).get(f"{QUEUE}?{query}", headers=headers)
    assert response.status_code == 200
    assert numbers(response) == ["INV-1"]
    assert len(response.context["notices"]) == 1
    assert "banner--warning" in response.content.decode()


def test_ambiguous_amount_names_both_readings(cast, signed_in):
    response = signed_in(cast.clerk).get(f"{QUEUE}?amount_min=1.250")
    assert response.context["notices"] == [
        "The filter “Amount from” was left out: “1.250” can be read two ways. Write 1,250.00 or 1.25."
    ]


ORDERS = [
    ("", ["B", "A", "C", "D"]),
    ("urgency", ["B", "A", "C", "D"]),
    ("due", ["A", "B", "C", "D"]),
    ("oldest", ["D", "C", "A", "B"]),
    ("newest", ["B", "A", "C", "D"]),
    ("largest", ["C", "A", "B", "D"]),
    ("smallest", ["B", "A", "C", "D"]),
]


def test_closed_exceptions_come_newest_first(cast, signed_in):
    for number, hours in (("A", 0), ("B", 2), ("C", 1)):
        factories.make_case(cast, number=number, opened_at=MORNING + timedelta(hours=hours), priority=1 + hours)
    response = signed_in(cast.clerk).get(QUEUE + "?state=any")
    assert (response.context["sort"], numbers(response)) == ("newest", ["B", "C", "A"])


@pytest.fixture
def four_cases(cast):
    hours = [timedelta(hours=hour) for hour in range(10)]
    for number, priority, amount, due, opened in (
        ("A", 2, "500", 2, 6), ("B", 1, "-3", 3, 7), ("C", 2, "500.01", 4, 5), ("D", 4, None, 5, 4)
    ):  # fmt: skip
        factories.make_case(
            cast, number=number, priority=priority, amount=amount, due_at=MORNING + timedelta(days=1) + hours[due],
            opened_at=MORNING + hours[opened],
        )  # fmt: skip


@pytest.mark.parametrize(("sort", "expected"), ORDERS)
def test_sort_orders_the_list(cast, signed_in, four_cases, sort, expected):
    assert numbers(signed_in(cast.clerk).get(f"{QUEUE}?sort={sort}")) == expected


@pytest.mark.parametrize(("sort", "expected"), ORDERS)
def test_pages_follow_one_another_and_lead_back(cast, signed_in, four_cases, monkeypatch, sort, expected):
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    browser = signed_in(cast.clerk)
    first = browser.get(f"{QUEUE}?sort={sort}")
    second = browser.get(first.context["next_url"])
    back = browser.get(second.context["previous_url"])
    assert [numbers(page) for page in (first, second, back)] == [expected[:2], expected[2:], expected[:2]]
    assert (first.context["previous_url"], second.context["next_url"]) == ("", "")
    assert back.context["previous_url"] == ""


def test_page_stays_where_it_was_when_others_arrive(cast, signed_in, four_cases, monkeypatch):
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    browser = signed_in(cast.clerk)
    next_url = browser.get(f"{QUEUE}?sort=newest").context["next_url"]
    factories.make_case(cast, number="NEWER", opened_at=MORNING + timedelta(days=1))
    assert numbers(browser.get(next_url)) == ["C", "D"]


def test_totals_are_per_currency_and_of_the_filter(cast, signed_in):
    factories.make_case(cast, amount="0.10")
    factories.make_case(cast, amount="0.20")
    factories.make_case(cast, amount="1000", currency="JPY", priority=1)
    factories.make_case(cast, amount=None)
    browser = signed_in(cast.clerk)
    totals = browser.get(QUEUE).context["totals"]
    assert (str(totals.count), totals.money) == ("4", {"EUR": Decimal("0.30"), "JPY": Decimal(1000)})
    assert browser.get(QUEUE + "?priority=1").context["totals"].money == {"JPY": Decimal(1000)}


def test_tabs_count_open_states_and_switch_counts_queues(cast, signed_in):
    factories.claim(factories.make_case(cast), cast.clerk)
    factories.make_case(cast)
    factories.make_case(cast, queue=cast.holds)
    response = signed_in(cast.clerk).get(QUEUE)
    assert [(tab["label"], str(tab["count"])) for tab in response.context["tabs"]] == [
        ("All open", "3"), ("New", "2"), ("In progress", "1"), ("Resolved", "None"), ("Dismissed", "None")
    ]  # fmt: skip
    assert [(option["label"], str(option["count"])) for option in response.context["queue_switch"]] == [
        ("All", "None"), ("E-invoicing", "2"), ("Policy holds", "1")
    ]  # fmt: skip


def test_closed_exceptions_are_shown_when_asked_for(cast, signed_in):
    factories.dismiss(factories.make_case(cast, number="CLOSED"), cast.clerk, approver=cast.controller)
    factories.make_case(cast, number="OPEN")
    browser = signed_in(cast.clerk)
    assert numbers(browser.get(QUEUE)) == ["OPEN"]
    assert numbers(browser.get(QUEUE + "?state=dismissed")) == ["CLOSED"]
    assert sorted(numbers(browser.get(QUEUE + "?state=any"))) == ["CLOSED", "OPEN"]


@pytest.mark.parametrize(
    ("who", "offered"), [("clerk", True), ("controller", False), ("support", False), ("auditor", False)]
)
def test_claim_is_offered_to_those_who_may(cast, signed_in, who, offered):
    case = factories.make_case(cast)
    claim = reverse("exceptions:claim", kwargs={"ref": case.ref})
    assert (f'action="{claim}"' in signed_in(getattr(cast, who)).get(QUEUE).content.decode()) is offered


def test_claim_from_the_list_works_without_a_script(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    browser.post(reverse("exceptions:claim", kwargs={"ref": case.ref}))
    case.refresh_from_db()
    assert (case.assignee, case.state) == (cast.clerk, State.IN_PROGRESS)
    page = browser.get(QUEUE).content.decode()
    assert "claim/" not in page


def test_my_queue_shows_mine_and_what_is_free(cast, signed_in):
    factories.claim(factories.make_case(cast, number="MINE"), cast.clerk)
    factories.claim(factories.make_case(cast, number="THEIRS"), cast.second_clerk)
    factories.make_case(cast, number="LATER", priority=4)
    factories.make_case(cast, number="URGENT", priority=1)
    response = signed_in(cast.clerk).get(MY_QUEUE)
    assert numbers(response) == ["MINE"]
    assert [row.case.document_number for row in response.context["next_rows"]] == ["URGENT", "LATER"]
    assert {row.may_claim for row in response.context["next_rows"]} == {True}
    assert "THEIRS" not in response.content.decode()


def test_my_queue_of_who_also_decides_leads_with_decisions(cast, signed_in):
    case = factories.make_case(cast, number="INV-9")
    factories.make_version(case, cast.clerk)
    factories.make_proposal(case, cast.clerk)
    grant(cast.second_clerk, [Verb.APPROVE], cast.einvoicing, cast.netherlands)
    response = signed_in(cast.second_clerk).get(MY_QUEUE)
    assert [item.case.document_number for item in response.context["decisions"]] == ["INV-9"]
    assert response.context["next_rows"] == []


def test_who_may_hold_no_exception_has_no_queue_of_their_own(cast, signed_in):
    """The first page of the site leads on to where their work is."""
    led_to = {who: signed_in(getattr(cast, who)).get(MY_QUEUE + "?state=new").headers["Location"]
              for who in ("controller", "support", "auditor")}  # fmt: skip
    assert led_to == {"controller": QUEUE, "support": QUEUE, "auditor": reverse("exceptions:audit")}


def test_lists_refuse_other_methods(cast, signed_in):
    browser = signed_in(cast.clerk)
    assert [browser.post(address).status_code for address in (QUEUE, MY_QUEUE)] == [405, 405]


@pytest.mark.parametrize("item_count", [1, 3, 50])
def test_queue_asks_the_database_as_often_for_one_as_for_three(cast, signed_in, django_assert_num_queries, item_count):
    for _ in range(item_count):
        factories.claim(factories.make_case(cast), cast.second_clerk)
    browser = signed_in(cast.clerk)
    browser.get(QUEUE)
    with django_assert_num_queries(17):
        assert len(numbers(browser.get(QUEUE))) == item_count
    with django_assert_num_queries(8):
        assert len(numbers(browser.get(QUEUE, headers=HTMX))) == item_count


@pytest.mark.parametrize("item_count", [1, 3, 25])  # of each kind, so that 25 fill a page
def test_my_queue_asks_the_database_as_often_for_one_as_for_three(
    cast, signed_in, django_assert_num_queries, item_count
):
    for _ in range(item_count):
        factories.claim(factories.make_case(cast), cast.clerk)
        factories.make_case(cast)
        proposed = factories.make_case(cast)
        factories.make_version(proposed, cast.clerk)
        factories.make_proposal(proposed, cast.clerk)
    grant(cast.second_clerk, [Verb.APPROVE], cast.einvoicing, cast.netherlands)
    clerk, decider = signed_in(cast.clerk), signed_in(cast.second_clerk)
    clerk.get(MY_QUEUE)
    with django_assert_num_queries(13):
        response = clerk.get(MY_QUEUE)
    assert (len(numbers(response)), len(response.context["next_rows"])) == (2 * item_count, min(item_count, 10))
    with django_assert_num_queries(17):  # one for what keeps them from deciding on what is shown
        assert len(decider.get(MY_QUEUE).context["decisions"]) == min(item_count, 5)
    assert ExceptionCase.objects.count() == 3 * item_count
