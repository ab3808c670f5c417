"""One box: what it finds, where it leads at once, and what it keeps to itself."""

import pytest
from django.db import connection
from django.urls import reverse

from exceptions_app.found_by import OWN_NUMBERS, WORDS
from exceptions_app.models import ExceptionCase, Identifier
from exceptions_app.queries import search as queries
from exceptions_app.queries.reach import reach_of
from integrations.connectors.registry import get_connector
from tests import factories
from tests.german_pages import GERMAN
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.integrations.connectors.erp_master.partners import supplier
from tests.invoices import valid_invoice

SEARCH = reverse("exceptions:search")


def look_for(browser, text):
    return browser.get(SEARCH, {"q": text})


def found(response):
    return [(match.case.document_number, match.label) for match in response.context["found"].matches]


def address_of(case):
    return reverse("exceptions:case", kwargs={"ref": case.ref})


@pytest.mark.parametrize("text", ["INV-2026/0042", "inv 2026 0042", "inv20260042", " Inv.2026-0042 "])
def test_number_in_any_spelling_leads_to_its_exception(cast, signed_in, text):
    case = factories.make_case(cast, number="INV-2026-0042")
    factories.make_case(cast, number="INV-2026-00421")
    response = look_for(signed_in(cast.clerk), text)
    assert (response.status_code, response.headers["Location"]) == (302, address_of(case))


def test_our_reference_leads_to_its_exception(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    for text in (case.ref, case.ref.lower(), f"ex {case.pk}", f"EX{case.pk}", str(case.pk)):
        assert look_for(browser, text).headers["Location"] == address_of(case)


def test_acceptance_reference_leads_to_its_exception(cast, signed_in):
    case = factories.make_case(cast, identifiers={"Acceptance reference": "TA-2026-9F31"})
    assert look_for(signed_in(cast.clerk), "ta 2026 9f31").headers["Location"] == address_of(case)


def test_number_of_two_exceptions_gives_both(cast, signed_in):
    factories.dismiss(factories.make_case(cast, number="INV-1"), cast.clerk, approver=cast.controller)
    factories.make_case(cast, number="INV-1")
    assert found(look_for(signed_in(cast.clerk), "INV 1")) == [("INV-1", "Invoice number"), ("INV-1", "Invoice number")]


def test_customer_gives_a_list_even_when_it_is_one(cast, signed_in):
    factories.make_case(cast, number="INV-1", counterparty="Ateliers Roussel SAS")
    factories.make_case(cast, number="INV-2")
    browser = signed_in(cast.clerk)
    for text in ("Ateliers Roussel SAS", "ateliers", "roussel"):
        assert found(look_for(browser, text)) == [("INV-1", "Buyer")]


@pytest.mark.parametrize("text", ["Zakłady Drzewne Bory", "zaklady", "ZAKŁADY", "drzewne bory"])
def test_name_is_found_with_and_without_its_accents(cast, signed_in, text):
    factories.make_case(cast, number="INV-1", counterparty="Zakłady Drzewne Bory S.A.")
    assert found(look_for(signed_in(cast.clerk), text)) == [("INV-1", "Buyer")]


def test_name_in_another_script_is_found(cast, signed_in):
    factories.make_case(cast, number="INV-1", counterparty="Ελληνικά Χαλυβουργεία")
    assert found(look_for(signed_in(cast.clerk), "ελληνικα")) == [("INV-1", "Buyer")]


@pytest.mark.parametrize(
    "text", ["1250.00", "1.250,00", "1,250.00", "1 250,00", "1250", "1.250", "EUR 1250", "1250 eur"]
)
def test_amount_in_any_spelling(cast, signed_in, text):
    factories.make_case(cast, number="INV-A", amount="1250.00")
    factories.make_case(cast, number="INV-B", amount="1251.00")
    assert found(look_for(signed_in(cast.clerk), text)) == [("INV-A", "Amount")]


@pytest.mark.parametrize("text", ["1250.00", "-1250.00", "1.250,00 EUR"])
def test_amount_of_a_credit_note_is_found_with_either_sign(cast, signed_in, text):
    factories.make_case(cast, number="CN-1", amount="-1250.00", object_type="credit_note")
    response = look_for(signed_in(cast.clerk), text)
    assert found(response) == [("CN-1", "Amount")]
    assert "-1,250.00" in response.content.decode()


def test_amount_with_currency_leaves_other_currencies_out(cast, signed_in):
    factories.make_case(cast, number="INV-A", amount="99", currency="PLN")
    factories.make_case(cast, number="INV-B", amount="-99", currency="EUR")
    browser = signed_in(cast.clerk)
    assert found(look_for(browser, "99.00 PLN")) == [("INV-A", "Amount")]
    assert sorted(found(look_for(browser, "99.00"))) == [("INV-A", "Amount"), ("INV-B", "Amount")]


def test_matches_come_exact_first_then_beginning_then_part(cast, signed_in):
    factories.make_case(cast, number="X-77-5", counterparty="One B.V.")
    factories.make_case(cast, number="77-5-1", counterparty="Two B.V.")
    factories.make_case(cast, number="Z1", counterparty="77-5")
    assert found(look_for(signed_in(cast.clerk), "77-5")) == [
        ("Z1", "Buyer"), ("77-5-1", "Invoice number"), ("X-77-5", "Invoice number")
    ]  # fmt: skip


def test_document_with_this_number_comes_before_a_newer_one_with_such_an_order(cast, signed_in):
    """And before one that merely begins with it; of equal rank the newest is first."""
    factories.make_case(cast, number="INV-2026-0404-7")
    factories.make_case(cast, number="INV-2026-0404")
    factories.make_case(cast, number="0404-1")
    factories.make_case(cast, number="INV-2026-0412", identifiers={"purchase_order": "PO-4580404"})
    factories.make_case(cast, number="INV-2026-0413", identifiers={"buyer": "0404999"}, amount="404")
    browser = signed_in(cast.clerk)
    assert found(look_for(browser, "0404")) == [
        ("0404-1", "Invoice number"), ("INV-2026-0404", "Invoice number"), ("INV-2026-0404-7", "Invoice number"),
        ("INV-2026-0413", "buyer"), ("INV-2026-0412", "purchase_order"),
    ]  # fmt: skip
    palette = browser.get(reverse("exceptions:palette"), {"q": "0404"}).json()["found"]
    assert [one["label"].partition(" ")[0] for one in palette] == [
        "0404-1", "INV-2026-0404", "INV-2026-0404-7", "INV-2026-0413", "INV-2026-0412"
    ]  # fmt: skip


def test_own_number_comes_first_of_what_is_named_whole(cast, signed_in):
    factories.make_case(cast, number="4711")
    factories.make_case(cast, number="INV-1", identifiers={"purchase_order": "4711"})
    assert found(look_for(signed_in(cast.clerk), "4711")) == [("4711", "Invoice number"), ("INV-1", "purchase_order")]


def test_page_says_in_words_by_what_it_was_found(cast, signed_in):
    factories.make_case(
        cast, number="INV-1", counterparty="Ateliers Roussel SAS", identifiers={"purchase_order": "PO-4580404"}
    )
    browser = signed_in(cast.clerk)
    page = look_for(browser, "roussel").content.decode()
    assert "by its buyer Ateliers Roussel SAS" in page
    assert 'value="roussel"' in page
    assert "by its purchase order PO-4580404" in look_for(browser, "80404").content.decode()
    (choice,) = browser.get(reverse("exceptions:palette"), {"q": "80404"}).json()["found"]
    assert choice["note"].startswith("by its purchase order PO-4580404")


def test_reason_is_in_german_on_a_german_page(cast, signed_in):
    factories.make_case(cast, identifiers={"purchase_order": "PO-4580404"})
    page = signed_in(cast.clerk).get(SEARCH, {"q": "80404"}, **GERMAN).content.decode()
    assert "gefunden: Bestellung PO-4580404" in page


def test_each_number_of_a_document_is_known_for_its_own_and_has_words():
    documents = {"en16931": valid_invoice(), "erp": journal(), "erp_master": supplier()}
    labels = {get_connector(name).read(document).headline.number_label for name, document in documents.items()}
    labels |= {get_connector("erp").read(customer_invoice()).headline.number_label}
    assert len(labels) >= 3
    assert labels <= OWN_NUMBERS <= WORDS.keys()


@pytest.mark.parametrize("text", ["INV-SECRET", "secret", "1250.00", "Van Loon Koeltechniek B.V."])
def test_search_tells_nothing_of_what_is_not_granted(cast, signed_in, text):
    case = factories.make_case(cast, number="INV-SECRET", entity=cast.germany)
    for who in (cast.local_clerk, cast.outsider, cast.administrator):
        browser = signed_in(who)
        response = look_for(browser, text)
        assert (response.status_code, found(response)) == (200, [])
        assert found(look_for(browser, case.ref)) == []


@pytest.mark.parametrize(
    "text", ["", " ", "-", "ab", "%", "\x00", "\x00\x00abc", "'; DROP TABLE", "9" * 300, "EX-" + "9" * 30, "日本"]
)
def test_odd_texts_are_answered(cast, signed_in, text):
    factories.make_case(cast)
    response = look_for(signed_in(cast.clerk), text)
    assert (response.status_code, found(response)) == (200, [])


def test_many_matches_are_capped_and_it_says_so(cast, signed_in, monkeypatch):
    monkeypatch.setattr(queries, "MOST_MATCHES", 2)
    for _ in range(3):
        factories.make_case(cast, counterparty="Ateliers Roussel SAS")
    response = look_for(signed_in(cast.clerk), "roussel")
    assert len(found(response)) == 2
    assert "More match than are shown" in response.content.decode()


def test_tokens_narrow_what_the_words_find(cast, signed_in):
    factories.make_case(cast, number="INV-1", counterparty="Ateliers Roussel SAS", amount="999")
    factories.make_case(cast, number="INV-2", counterparty="Ateliers Roussel SAS", amount="2000")
    factories.claim(factories.make_case(cast, number="INV-3", counterparty="Nordwind GmbH"), cast.clerk)
    browser = signed_in(cast.clerk)
    assert found(look_for(browser, "roussel amount:>1000")) == [("INV-2", "Buyer")]
    assert found(look_for(browser, "is:mine")) == [("INV-3", "")]
    assert found(look_for(browser, "customer:ROUSSEL is:open")) == [("INV-2", ""), ("INV-1", "")]
    assert found(look_for(browser, "supplier:roussel")) == []
    assert found(look_for(browser, "is:closed")) == []
    assert look_for(browser, "INV-2 is:open").status_code == 302
    assert found(look_for(browser, "INV-2 is:held")) == []


def test_what_tokens_find_is_the_list_of_the_same_filters(cast, signed_in):
    factories.make_case(cast, number="INV-1", counterparty="Ateliers Roussel SAS", amount="2000")
    factories.make_case(cast, number="INV-2", amount="2000")
    browser = signed_in(cast.clerk)
    response = look_for(browser, "roussel amount:>1000 code:br-03")
    rows = browser.get(response.context["list_url"]).context["rows"]
    assert [row.case.document_number for row in rows] == ["INV-1"] == [number for number, _ in found(response)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour:red roussel", "There is no “colour:” to search by."),
        ("queue:nowhere roussel", "There is e-invoicing, policy-holds."),
        ("kind:nothing roussel", "credit_note"),
        ("assignee:nemo roussel", "There is me, nobody"),
    ],
)
def test_token_that_is_not_understood_is_said_and_the_rest_is_searched(cast, signed_in, text, says):
    factories.make_case(cast, number="INV-1", counterparty="Ateliers Roussel SAS")
    response = look_for(signed_in(cast.clerk), text)
    assert found(response) == [("INV-1", "Buyer")]
    assert says in " ".join(response.context["answer"].notices)
    assert says in response.content.decode()


def test_whole_number_beside_a_misread_token_is_shown_with_the_notice(cast, signed_in):
    factories.make_case(cast, number="INV-1")
    response = look_for(signed_in(cast.clerk), "INV-1 colour:red")
    assert (response.status_code, found(response)) == (200, [("INV-1", "Invoice number")])


def test_tokens_tell_nothing_of_what_is_not_granted(cast, signed_in):
    factories.make_case(cast, entity=cast.germany, queue=cast.holds)
    browser = signed_in(cast.local_clerk)
    assert found(look_for(browser, "is:open")) == []
    notices = look_for(browser, "queue:policy-holds entity:DE01").context["answer"].notices
    assert notices == (
        "“queue:policy-holds” was left out. There is e-invoicing.", "“entity:DE01” was left out. There is NL01."
    )  # fmt: skip


def test_search_asks_for_sign_in(client):
    assert look_for(client, "x").status_code == 302


@pytest.mark.parametrize("item_count", [1, 3])
def test_search_asks_the_database_as_often_for_one_as_for_three(cast, signed_in, django_assert_num_queries, item_count):
    for _ in range(item_count):
        factories.make_case(cast, counterparty="Ateliers Roussel SAS")
    browser = signed_in(cast.clerk)
    look_for(browser, "roussel")
    with django_assert_num_queries(12):
        assert len(found(look_for(browser, "roussel"))) == item_count


def test_whole_number_of_one_exception_is_found_in_one_query(cast, django_assert_num_queries):
    case = factories.make_case(cast, number="INV-2026-0042")
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(1):
        assert queries.search(reach, "inv 2026 0042").only == case


def test_text_that_may_be_anything_takes_five_queries(cast, django_assert_num_queries):
    factories.make_case(cast, number="INV-12345")
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(5):
        assert [match.value for match in queries.search(reach, "2345").matches] == ["INV-12345"]


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (Identifier.objects.filter(folded__contains="2345"), "identifier_parts"),
        (Identifier.objects.filter(folded__startswith="2345"), "identifier_folded"),
        (ExceptionCase.objects.filter(amount__in=[1250, -1250]), "case_by_amount"),
    ],
    ids=["part", "beginning", "amount"],
)
def test_search_can_use_an_index(cast, rows, index):
    case = factories.make_case(cast)
    # In an empty table every index costs the same, and the planner takes any.
    numbers = (str(number) for number in range(10_000, 13_000))
    Identifier.objects.bulk_create(Identifier(case=case, label="Order", value=text, folded=text) for text in numbers)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE exceptions_app_identifier, exceptions_app_exceptioncase")
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.explain()
    assert index in plan


def test_beginning_of_an_older_number_is_found_before_many_that_have_it_elsewhere(cast, signed_in, monkeypatch):
    monkeypatch.setattr(queries, "MOST_MATCHES", 3)
    factories.make_case(cast, number="80404-7")
    for place in range(20):
        factories.make_case(cast, number=f"INV-{place}-80404-{place}")
    page = look_for(signed_in(cast.clerk), "80404")
    assert found(page)[0][0] == "80404-7"
    assert page.context["found"].is_capped
