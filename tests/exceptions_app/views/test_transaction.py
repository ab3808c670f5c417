"""The page of one transaction that was handed over: who sees what of it, and that it says how it stands now."""

import pytest
from django.urls import reverse

from exceptions_app.actions import intake_failures
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.sending import stop_all
from exceptions_app.machines import SETUP, machine
from exceptions_app.states import Verb
from tests.arrivals import configure
from tests.cast import MORNING, grant
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all
from tests.integrations.connectors.erp.postings import customer_invoice, journal

pytestmark = pytest.mark.django_db

NONSENSE = b'{"type": "customer_invoice"'


def page_of(transaction, name="transaction"):
    return reverse(f"exceptions:{name}", args=[transaction.ref])


def text_of(response):
    return " ".join(response.content.decode().split())


@pytest.fixture
def ledger(cast):
    return configure(cast.connection, connector="erp")


@pytest.fixture
def handed_over(ledger):
    """One that is on its way, one that an exception took up, and one that nobody could read."""
    three = hand_in(
        ledger,
        document("deal-1"),
        document("deal-2", journal(posting_date="soon")),
        document("deal-3", NONSENSE),
    )
    read_all()
    return [now_of(transaction) for transaction in three]


def test_page_of_one_on_its_way_shows_document_delivery_and_timeline(cast, signed_in, handed_over):
    sent = handed_over[0]
    response = signed_in(cast.clerk).get(page_of(sent))
    assert response.status_code == 200
    text = text_of(response)
    assert "It passed the check, and is on its way to the target." in text
    assert "What the target gets is the same, byte for byte" in text
    assert "1,210.00" in text
    assert [event.sentence.split(" ", 1)[0] for event in response.context["events"]] == [sent.ref, "deal-1"]
    assert [delivery.subject for delivery, _, _ in response.context["deliveries"]] == [sent.subject]
    assert response.context["maps"] == []
    assert "None is in use for it." in text


def test_page_of_one_on_its_way_says_what_keeps_it_from_being_sent(cast, signed_in, handed_over):
    sent, held, _ = handed_over
    stop_all(by=cast.administrator, at=MORNING, because="Month-end is being closed.")
    browser = signed_in(cast.clerk)
    response = browser.get(page_of(sent))
    assert response.context["hold"].held_by == "stopped"
    standing = text_of(response).split('id="standing-title"')[1]
    assert "All sending is stopped" in standing
    assert "Month-end is being closed." in standing
    assert browser.get(page_of(held)).context["hold"] is None


def test_page_of_a_held_one_leads_to_its_exception_and_to_the_version_that_would_be_sent(cast, signed_in, handed_over):
    held = handed_over[1]
    response = signed_in(cast.clerk).get(page_of(held))
    text = text_of(response)
    assert reverse("exceptions:case", args=[held.case.ref]) in text
    assert held.problem in text
    assert response.context["unchanged"] is True
    assert response.context["page"].sent.version == 1


def test_page_of_one_that_nobody_could_read_leads_to_its_intake_failure_and_back(cast, signed_in, handed_over):
    unread = handed_over[2]
    browser = signed_in(cast.clerk)
    failure = reverse("exceptions:intake_failure", args=[unread.inbox_message_id])
    text = text_of(browser.get(page_of(unread)))
    assert "Nobody could read it" in text
    assert failure in text
    assert "&quot;customer_invoice&quot;" in text
    assert page_of(unread) in text_of(browser.get(failure))
    assert unread in [row.transaction for row in browser.get(reverse("exceptions:transactions")).context["rows"]]


def test_one_that_was_set_aside_says_so(cast, signed_in, handed_over):
    unread = handed_over[2]
    intake_failures.set_aside(unread.inbox_message_id, by=cast.clerk, at=MORNING, because="A test of the source.")
    text = text_of(signed_in(cast.clerk).get(page_of(unread)))
    assert "Set aside, as it could not be read." in text
    assert "A test of the source." in text


@pytest.mark.parametrize("name", ["transaction", "transaction_payload", "transaction_sent"])
@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_who_is_granted_nothing_sees_none_of_it(cast, signed_in, handed_over, who, name):
    browser = signed_in(getattr(cast, who))
    assert [browser.get(page_of(one, name)).status_code for one in handed_over] == [404, 404, 404]


def test_support_sees_what_has_a_queue_and_no_intake_failure(cast, signed_in, handed_over):
    browser = signed_in(cast.support)
    assert [browser.get(page_of(one)).status_code for one in handed_over] == [200, 200, 404]


def test_who_sees_another_queue_only_sees_none(cast, signed_in, handed_over):
    grant(cast.outsider, [Verb.SEE], cast.holds, cast.germany)
    browser = signed_in(cast.outsider)
    assert [browser.get(page_of(one)).status_code for one in handed_over] == [404, 404, 404]


def test_who_configures_the_connection_sees_how_it_stands_and_no_document(cast, signed_in, handed_over):
    grant_connection("configure_connection", cast.administrator, cast.connection, by=machine(SETUP), at=MORNING)
    browser = signed_in(cast.administrator)
    for one in handed_over:
        response = browser.get(page_of(one))
        text = text_of(response)
        assert one.external_id in text
        assert "The document is not shown to you" in text
        assert response.context["events"] == []
        assert (one.document_number or "no number") not in text
        assert not one.problem or one.problem not in text
        for name in ("transaction_payload", "transaction_sent"):
            assert browser.get(page_of(one, name)).status_code == 404


def test_who_hands_in_sees_their_document_and_not_the_exception(cast, signed_in, handed_over):
    sent, held, unread = handed_over
    grant_connection("ingest_messages", cast.outsider, cast.connection, by=machine(SETUP), at=MORNING)
    browser = signed_in(cast.outsider)
    assert browser.get(page_of(unread, "transaction_payload")).content == NONSENSE
    assert browser.get(page_of(sent, "transaction_sent")).content == customer_invoice()
    text = text_of(browser.get(page_of(held)))
    assert held.case.ref in text
    assert reverse("exceptions:case", args=[held.case.ref]) not in text


def test_downloads_are_attachments_that_no_cache_keeps(cast, signed_in, handed_over):
    response = signed_in(cast.clerk).get(page_of(handed_over[0], "transaction_payload"))
    assert response.content == customer_invoice()
    assert response.headers["Content-Disposition"] == f'attachment; filename="{handed_over[0].ref}-source.json"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response.headers["Cache-Control"]


def test_one_that_waits_names_what_comes_before_and_is_named_there(cast, signed_in, ledger):
    first, waits = hand_in(ledger, document("first", NONSENSE), document("second", after=["first", "never seen"]))
    read_all()
    browser = signed_in(cast.clerk)
    waiting = browser.get(page_of(waits))
    assert now_of(waits).state == "waiting"
    assert [other.transaction for other in waiting.context["page"].before] == [first, None]
    assert "“first”" in text_of(waiting)
    assert "What the target gets is the same" in text_of(waiting)
    assert browser.get(page_of(waits, "transaction_sent")).content == customer_invoice()
    assert [other.transaction for other in browser.get(page_of(first)).context["page"].after] == [waits]


def test_a_repeat_leads_to_the_first_and_the_first_names_it(cast, signed_in, ledger):
    first, repeat = hand_in(ledger, document("first"), document("again"))
    read_all()
    browser = signed_in(cast.clerk)
    assert page_of(first) in text_of(browser.get(page_of(repeat)))
    assert browser.get(page_of(first)).context["page"].repeats == [repeat]


@pytest.mark.parametrize("spelling", ["TX-0", "TX-999999", "7x", "TX-99999999999999999999999"])
def test_there_is_no_page_for_what_is_not_there(cast, signed_in, spelling):
    assert signed_in(cast.clerk).get(reverse("exceptions:transaction", args=[spelling])).status_code == 404


@pytest.mark.parametrize("number", [1, 5])
def test_page_costs_the_same_for_any_number_of_predecessors(cast, signed_in, ledger, django_assert_num_queries, number):
    names = [f"deal-{index}" for index in range(number)]
    *_, last = hand_in(
        ledger,
        *(document(name, customer_invoice(number=f"49-{name}")) for name in names),
        document("last", after=names),
    )
    read_all()
    browser = signed_in(cast.clerk)
    browser.get(page_of(last))
    with django_assert_num_queries(26):
        assert len(browser.get(page_of(last)).context["page"].before) == number
