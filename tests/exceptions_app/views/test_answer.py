"""The answer card: a sentence for whoever is asked, how long such exceptions took, and what may be told outside."""

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from exceptions_app.answer_words import TOLD
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.answers import history_of
from exceptions_app.states import Kind, ProposalKind
from integrations.refusals import Category
from tests import factories
from tests.cast import MORNING


def card(browser, case):
    return browser.get(reverse("exceptions:answer", kwargs={"ref": case.ref}))


def sentence(browser, case):
    return card(browser, case).context["answer"].sentence


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
        f"{started} Nobody has it yet; it waits in E-invoicing. Such exceptions took 3 hours in the median. "
        "Nothing is needed from the customer."
    )
    factories.claim(case, cast.clerk)
    assert "Clara Clerk has it." in sentence(browser, case)
    answer = card(browser, case).context["answer"]
    assert answer.expected == (
        "Half of the last 5 closed exceptions of this cause took up to 3 hours, nine in ten up to 1 day"
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
