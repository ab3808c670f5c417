"""The answer card: a sentence for whoever is asked, how long such exceptions took, and what may be told outside."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from exceptions_app.answer_words import TOLD, answer_of
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.answers import history_of
from exceptions_app.states import Kind, ProposalKind, State
from exceptions_app.templatetags.presentation import money_text
from integrations.connectors.registry import get_connector
from integrations.refusals import Category
from tests import factories
from tests.cast import MORNING
from tests.exceptions_app.views.repair import address, correction, take_in


def card(browser, case):
    return browser.get(reverse("exceptions:answer", kwargs={"ref": case.ref}))


def sentence(browser, case):
    return card(browser, case).context["answer"].sentence


def answered(case):
    """Of an exception as it stands in memory."""
    return answer_of(case, get_connector(case.connection.connector).words, history_of(case), is_changed=False)


def close(cast, *hours):
    for count in hours:
        case = factories.make_case(cast)
        factories.dismiss(case, cast.clerk, approver=cast.controller, at=MORNING + timedelta(hours=count))


def test_sentence_says_what_happened_who_has_it_and_how_long_it_may_take(cast, signed_in):
    close(cast, 1, 2, 3, 4, 50)
    case = factories.make_case(cast, number="4711", counterparty="Nordwind GmbH")
    browser = signed_in(cast.support)
    started = (
        "Invoice 4711 of Nordwind GmbH, 1,250.00 EUR, was refused by the tax authority on 2 November 2026: "
        "the issue date is missing."
    )
    assert sentence(browser, case) == (
        f"{started} Nobody has it yet; it waits in E-invoicing. Half of the newest 5 closed ones of its cause "
        "took up to 3 hours. "
        "Nothing is needed from the customer."
    )
    factories.claim(case, cast.clerk)
    assert "Clara Clerk has it." in sentence(browser, case)
    answer = card(browser, case).context["answer"]
    assert answer.expected == (
        "Half of the newest 5 closed exceptions of this cause took up to 3 hours, nine in ten up to 1 day"
    )
    assert answer.to_tell == (
        "Invoice 4711 did not pass a formal check on its way. We see to it and hand it in again; nothing is needed "
        "from you."
    )


def test_fewer_than_five_are_no_history(cast, signed_in):
    close(cast, 1, 2, 3, 4)
    case = factories.make_case(cast)
    assert "There is no history of such exceptions yet." in sentence(signed_in(cast.support), case)
    assert history_of(case) is None


def test_history_is_of_the_cause_alone(cast):
    close(cast, 1, 1, 1, 1, 1)
    assert history_of(factories.make_case(cast)).median == timedelta(hours=1)
    assert history_of(factories.make_case(cast, cause=factories.make_cause("BR-16", "No line."))) is None


def test_history_can_use_an_index(cast):
    close(cast, *range(5))
    closed = ExceptionCase.objects.filter(cause=1, closed_at__isnull=False).order_by("-closed_at")[:200]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE exceptions_app_exceptioncase")
        # In a table of a few rows every way costs the same.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        assert "case_closed_by_cause" in closed.explain()


def test_waiting_and_closed_ones_say_so(cast, signed_in):
    browser = signed_in(cast.support)
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    assert "is prepared and waits for a second person. Clara Clerk has it." in sentence(browser, case)
    closed = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    answer = card(browser, closed).context["answer"]
    assert "It was closed without being sent on 2 November 2026." in answer.sentence
    assert (answer.to_tell, answer.why_not.startswith("Ask E-invoicing before")) == ("", True)
    assert (answer.expected, answer.who) == ("It is closed", "Nobody has it: it is closed")


@pytest.mark.parametrize(
    ("category", "sub"),
    [
        (Category.COMPLIANCE, "regulatory"),
        (Category.COMPLIANCE, "blocked_by_authority"),
        (Category.POLICY_HOLD, "sanctions"),
    ],
)
@pytest.mark.parametrize("state", [State.NEW, State.OUTCOME_UNKNOWN])
def test_what_an_authority_or_a_policy_holds_is_told_alike_and_promises_nothing(cast, category, sub, state):
    close(cast, 1, 2, 3, 4, 50)
    case = factories.make_case(cast, number="4711", category=category)
    case.state, case.sub = state, sub
    answer = answered(case)
    assert answer.to_tell == "Invoice 4711 is being processed. We cannot say yet when it will be completed."
    assert answer.sentence.endswith("cannot be said. Nothing may be asked of the customer about it.")
    assert answer.expected.endswith("cannot be said")
    assert "hours" not in f"{answer.sentence} {answer.expected}"


@pytest.mark.parametrize("state", [State.REPLAYING, State.OUTCOME_UNKNOWN])
@pytest.mark.parametrize("category", [Category.COMPLIANCE, Category.MASTER_DATA, Category.TRANSPORT])
def test_what_is_on_its_way_is_being_checked_whatever_was_wrong_with_it(cast, category, state):
    close(cast, 1, 2, 3, 4, 50)
    case = factories.make_case(cast, number="4711", category=category)
    case.state = state
    answer = answered(case)
    assert answer.to_tell == "Invoice 4711 is being checked on our side. Nothing is needed from you."
    assert answer.sentence.endswith(
        "It is being checked; when that ends cannot be said. Nothing is needed from the customer."
    )
    assert answer.expected == "It is being checked whether it was taken: when that ends cannot be said"


HIT = "Sanctions screening found a possible match with Anna Petrova, score 87."


def held_for_a_hit(cast):
    return factories.make_case(
        cast, number="4711", category=Category.POLICY_HOLD, kind=Kind.HELD, errors=[factories.error("SDN", HIT)]
    )


@pytest.mark.parametrize("way", ["exceptions:answer", "exceptions:case", "exceptions:case_print"])
def test_why_it_is_held_is_for_the_reader_alone_and_not_to_be_copied(cast, signed_in, way):
    case = held_for_a_hit(cast)
    page = signed_in(cast.support).get(reverse(way, kwargs={"ref": case.ref})).content.decode()
    copied = re.findall(r'data-copy="([^"]*)"', page)
    assert [text for text in copied if "screening" in text or "held back" in text] == []
    told = page.index("<q>Invoice 4711 is being processed. We cannot say yet when it will be completed.</q>")
    assert told < page.index("For you alone, not to be told") < page.index("was held back")
    assert "Copy the answer" not in page
    assert ("Copy what may be told" in page) == (way != "exceptions:case_print")


def test_why_it_is_held_stands_in_its_warning_and_nowhere_else(cast, signed_in):
    page = card(signed_in(cast.support), held_for_a_hit(cast)).content.decode()
    assert page.count("possible match with Anna Petrova") == page.count("on hold by policy") == 1
    assert "Who has it" in page
    assert {"What is wrong", "How long it may take"}.isdisjoint(re.findall("<dt>(.*?)</dt>", page))


def test_closed_without_being_sent_is_for_the_reader_alone(cast, signed_in):
    closed = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    page = card(signed_in(cast.support), closed).content.decode()
    assert page.index("Ask E-invoicing before") < page.index("For you alone, not to be told")
    assert "Copy the answer" not in page
    assert "Copy the answer" in card(signed_in(cast.support), factories.make_case(cast)).content.decode()


def test_what_was_refused_keeps_its_fault_and_the_new_amount_is_told_as_new(cast, signed_in):
    case = take_in(cast)
    amount = money_text(case.amount, case.currency)
    browser = signed_in(cast.support)
    assert f", {amount}, was refused by the tax authority" in sentence(browser, case)
    signed_in(cast.clerk).post(address(case, "correct"), correction(case, BT_112="14127.96"))
    told = sentence(browser, case)
    assert amount not in told
    assert told.index("was refused by the tax authority") < told.index(
        "It was corrected since, and says 14,127.96 EUR now."
    )
    shown = browser.get(reverse("exceptions:case", kwargs={"ref": case.ref})).context["answer"].sentence
    assert shown == told


@pytest.mark.parametrize("category", Category)
def test_what_may_be_told_has_nothing_of_the_inside(cast, signed_in, category):
    case = factories.make_case(
        cast, number="4711", counterparty="Nordwind GmbH", category=category, kind=Kind.HELD,
        errors=[factories.error("SDN", "Nordwind GmbH is on a sanctions list.")],
    )  # fmt: skip
    told = card(signed_in(cast.support), case).context["answer"].to_tell
    assert told.startswith("Invoice 4711 ")
    inside = ("Nordwind", "sanction", "1,250", "SDN", "E-invoicing", "Clara", "tax authority", case.ref)
    assert [word for word in inside if word in told] == []


def test_every_category_has_its_words():
    assert set(TOLD) == set(Category)


def test_card_is_for_who_sees_the_exception(cast, signed_in):
    case = factories.make_case(cast, kind=Kind.HELD)
    factories.make_proposal(case, cast.clerk, kind=ProposalKind.RELEASE)
    for who, status in ((cast.support, 200), (cast.auditor, 200), (cast.outsider, 404), (cast.administrator, 404)):
        assert card(signed_in(who), case).status_code == status
    page = signed_in(cast.support).get(reverse("exceptions:case", kwargs={"ref": case.ref})).content.decode()
    assert 'id="case-answer"' in page
