"""The list of what was handed over for delivery, and where else it is shown."""

import pytest
from django.urls import reverse

from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.queries.connections import recent_deliveries
from integrations.models import Delivery
from tests.arrivals import configure
from tests.cast import MORNING
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all
from tests.integrations.connectors.erp.postings import journal

pytestmark = pytest.mark.django_db

PAGE = reverse("exceptions:transactions")


@pytest.fixture
def handed_over(cast):
    """One that is on its way, and one that is held."""
    connection = configure(cast.connection, connector="erp")
    pair = hand_in(connection, document("deal-1"), document("deal-2", journal(posting_date="soon")))
    read_all()
    return [now_of(transaction) for transaction in pair]


def text_of(response):
    return " ".join(response.content.decode().split())


def test_list_shows_state_number_amount_and_exception(cast, signed_in, handed_over):
    sent, held = handed_over
    page = signed_in(cast.clerk).get(PAGE)
    assert [row.transaction.ref for row in page.context["rows"]] == [held.ref, sent.ref]
    text = text_of(page)
    assert "4900001234" in text
    assert "1,210.00" in text
    assert "On its way" in text
    assert reverse("exceptions:case", args=[held.case.ref]) in text
    assert held.problem in page.context["rows"][0].transaction.problem


def test_list_is_filtered_by_state_connection_and_text(cast, signed_in, handed_over):
    sent, held = handed_over
    browser = signed_in(cast.clerk)

    def shown(**query):
        return [row.transaction.ref for row in browser.get(PAGE, query).context["rows"]]

    assert shown(state="held") == [held.ref]
    assert shown(connection="tax-authority") == [held.ref, sent.ref]
    assert shown(contains="DEAL-1") == shown(contains=sent.ref) == shown(contains="49000012") == [sent.ref]
    assert browser.get(PAGE, {"state": "gone"}).status_code == 422
    assert "No transactions match" in text_of(browser.get(PAGE, {"contains": "nowhere"}))
    fragment = browser.get(PAGE, headers={"HX-Request": "true"})
    assert "<html" not in fragment.content.decode()


def test_who_is_granted_nothing_is_refused_and_who_configures_sees_no_amount(cast, signed_in, handed_over):
    assert signed_in(cast.outsider).get(PAGE).status_code == 403
    grant_connection("configure_connection", cast.administrator, cast.connection, by=machine(SETUP), at=MORNING)
    text = text_of(signed_in(cast.administrator).get(PAGE))
    assert "deal-1" in text
    assert "4900001234" not in text
    assert "1,210.00" not in text


def test_exception_says_as_what_it_was_handed_over(cast, signed_in, handed_over):
    _, held = handed_over
    text = text_of(signed_in(cast.clerk).get(reverse("exceptions:case", args=[held.case.ref])))
    assert "Handed over as" in text
    assert held.ref in text


def test_deliveries_of_a_connection_are_those_for_exceptions(cast, handed_over):
    assert Delivery.objects.count() == 1
    found = recent_deliveries(cast.connection, cast.clerk)
    assert (found.shown, found.hidden) == ([], 0)


def test_connection_shows_the_newest(cast, signed_in, handed_over):
    text = text_of(signed_in(cast.clerk).get(reverse("exceptions:connection", args=[cast.connection.slug])))
    assert "Handed over for delivery" in text
    assert all(transaction.ref in text for transaction in handed_over)


@pytest.mark.parametrize("spelling", ["{ref}", "{lower}", "tx {pk}", "deal-1"])
def test_search_finds_our_reference_and_the_sender_s(cast, signed_in, handed_over, spelling):
    sent = handed_over[0]
    typed = spelling.format(ref=sent.ref, lower=sent.ref.lower(), pk=sent.pk)
    page = signed_in(cast.clerk).get(reverse("exceptions:search"), {"q": typed})
    assert [row.transaction.ref for row in page.context["transactions"]] == [sent.ref]
    assert sent.ref in text_of(page)


@pytest.mark.parametrize("number", [1, 6])
def test_list_costs_the_same_for_any_number(cast, signed_in, django_assert_num_queries, number):
    connection = configure(cast.connection, connector="erp")
    hand_in(connection, *(document(f"deal-{index}") for index in range(number)))
    read_all()
    browser = signed_in(cast.clerk)
    browser.get(PAGE)
    with django_assert_num_queries(11):
        assert len(browser.get(PAGE).context["rows"]) == number


def test_list_says_why_nothing_is_sent_of_what_is_on_its_way(cast, signed_in, handed_over):
    sent, held = handed_over
    browser = signed_in(cast.clerk)
    assert [row.hold for row in browser.get(PAGE).context["rows"]] == [None, None]
    configure(cast.connection, paused_at=MORNING, paused_because="The ERP is being moved.")
    page = browser.get(PAGE)
    assert [(row.transaction.ref, row.hold and row.hold.title) for row in page.context["rows"]] == [
        (held.ref, None),
        (sent.ref, "The connection is paused"),
    ]
    assert "It waits: The connection is paused" in text_of(page)
