"""How the page of one exception says it: amounts, times, versions, parties and where things go."""

from datetime import timedelta

import pytest

from exceptions_app.actions import decide, propose
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Route
from exceptions_app.templatetags.presentation import field_text
from integrations.connectors.en16931 import connector
from integrations.demo.report import official_report
from integrations.models import Connection
from tests.cast import MORNING
from tests.exceptions_app.views.repair import (
    BROKEN,
    address,
    correction,
    field,
    mend,
    page,
    take_in,
    text_of,
    typed_in,
    with_value,
)
from tests.invoices import valid_invoice

LATER = MORNING + timedelta(hours=1)
WRONG_TOTAL = with_value(valid_invoice(), "BT-112", "14127.96")
OTHER_REASON = b'{"code": "X-99", "message": "The buyer is not known here yet."}'
AT_TARGET = "http://user:word@authority.example/in?token=1"


def value(content: bytes, term: str) -> str:
    found = next(found.value for found in connector.read(content).fields if found.term == term)
    assert found is not None
    return found


def proposed(cast, case) -> None:
    mend(case, by=cast.clerk)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")


# Amounts and times ---------------------------------------------------------------------------------------------------


def test_amounts_are_grouped_with_their_currency_and_stay_raw_in_the_input(cast, signed_in):
    case = take_in(cast, WRONG_TOTAL)
    html = page(signed_in(cast.clerk), case)
    right, name = value(valid_invoice(), "BT-112"), f"f_{html.partition('?use=f_')[2][:12]}"
    shown = field_text(right, "EUR")
    assert "," in shown
    assert f"Value 14,127.96 EUR Proposed {shown} Use this : {shown} for" in text_of(html)
    assert typed_in(html, name) == "14127.96"
    assert f'data-use-value="{right}">Use {shown}</a>' in html


def test_amounts_in_sentences_are_grouped_with_their_currency(cast, signed_in):
    wrong = with_value(valid_invoice(), "BT-131", "999999.99")
    case = take_in(cast, wrong)
    words = text_of(page(signed_in(cast.clerk), case))
    net = field_text(value(valid_invoice(), "BT-131"), "EUR")
    cause = f"(BT-131) is 999,999.99 EUR, but quantity times price comes to {net}."
    said, _, told = words.partition("Timeline")
    form = said.partition("Fields that the same rules look at")[2]
    assert form.startswith(" Line 1: Invoice line net amount BT-131 EUR"), form[:80]
    assert cause in said
    assert cause in told
    assert "is 999999.99" not in words


@pytest.mark.parametrize("query", ["", "?tab=versions"])
def test_amounts_in_changes_are_grouped_with_their_currency(cast, signed_in, query):
    case = take_in(cast, WRONG_TOTAL)
    right = value(valid_invoice(), "BT-112")
    signed_in(cast.clerk).post(address(case, "correct"), correction(case, BT_112=right))
    words = text_of(page(signed_in(cast.clerk), case, query))
    label = f"{field(case, 'BT-112').label} (BT-112)"
    changed = f"{label} 14,127.96 EUR {field_text(right, 'EUR')}"
    assert (changed if query else f"{label} Totals 14,127.96 EUR {field_text(right, 'EUR')}") in words


def test_value_that_is_no_amount_is_shown_as_it_stands(cast, signed_in):
    """Grouped by the sender, it is refused for that: it must not look like what this page groups."""
    total = value(valid_invoice(), "BT-112").encode()
    broken = valid_invoice().replace(b">" + total + b"</cbc:TaxInclusiveAmount>", b">1,428.00</cbc:TaxInclusiveAmount>")
    case = take_in(cast, broken, official_report(WRONG_TOTAL))
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Value 1,428.00 Proposed" in words


def test_page_says_once_in_which_zone_its_times_are(cast, signed_in):
    case = take_in(cast)
    cast.clerk.time_zone = "Asia/Tokyo"
    cast.clerk.save(update_fields=["time_zone"])
    assert text_of(page(signed_in(cast.clerk), case)).count("Times are in Asia/Tokyo (JST).") == 1
    assert text_of(page(signed_in(cast.support), case)).count("Times are in UTC.") == 1


# Versions and what may be proposed -----------------------------------------------------------------------------------


def test_what_was_wrong_is_said_of_the_version_that_it_was_wrong_in(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "What was wrong in version 1, as Tax authority said it" in words
    assert "The check passes Nothing stands against version 2 any more." in words
    assert "The issue date is missing. Field Issue date (BT-2) Now 2026-11-01 Rule BR-03" in words


def test_correction_that_left_something_says_what_is_wrong_in_it(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk, date="2026-13-01")
    assert "What is wrong in version 2, EN 16931 official validator" in text_of(page(signed_in(cast.clerk), case))


def test_replay_as_it_came_in_is_not_offered_when_it_does_not_pass_the_check(cast, signed_in):
    case = take_in(cast)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Propose replay as it is" not in words
    assert "actions that are not possible now, and why" in words
    assert "Propose replay: Version 1, as received, does not pass the check: 1 problem. Correct it first." in words


def test_replay_as_it_came_in_is_offered_when_it_passes_the_check_and_asks_what_has_changed(cast, signed_in):
    case = take_in(cast, valid_invoice(), OTHER_REASON)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Propose replay as it is" in words
    assert "This version was refused as it is. Say what has changed since, or correct it first." in words


def test_release_of_what_does_not_pass_the_check_is_not_offered(cast, signed_in):
    hold = b'{"hold": {"code": "AMOUNT_LIMIT", "text": "Above the limit.", "limit": "1000", "currency": "EUR"}}'
    case = take_in(cast, BROKEN, hold)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Version 1, as received, does not pass the check: 1 problem. Correct it first." in words
    assert "Propose release" not in words.partition("not possible now")[0]


# Parties -------------------------------------------------------------------------------------------------------------


def rename(entity: LegalEntity, name: str) -> None:
    entity.name = name
    save_configuration(entity, by=machine(SETUP), at=MORNING, because="Renamed for a test.")


def test_document_of_another_company_is_pointed_out(cast, signed_in):
    rename(cast.netherlands, "Meridian Industries Holding NV")
    case = take_in(cast)
    for reader in (cast.clerk, cast.controller):
        assert (
            "Meridian Industries Holding NV, the legal entity it came in for, is not in the document "
            "Seller: Meridian Industries NV Buyer: Van Loon Koeltechniek B.V. "
            "Find out whose document it is before it goes on."
        ) in text_of(page(signed_in(reader), case))


@pytest.mark.parametrize("name", ["Meridian Industries N.V.", "MERIDIAN INDUSTRIES NV", "Van Loon Koeltechniek BV"])
def test_document_of_the_legal_entity_is_known_in_any_spelling(cast, signed_in, name):
    """As its seller, or as its buyer."""
    rename(cast.netherlands, name)
    assert 'id="case-stranger"' not in page(signed_in(cast.clerk), take_in(cast))


def test_document_of_the_legal_entity_is_known_by_the_number_that_routes_it(cast, signed_in):
    rename(cast.netherlands, "Shared services Rotterdam")
    route = Route(
        position=2, queue=cast.einvoicing, entity=cast.netherlands, party_id=value(valid_invoice(), "BT-31"), priority=3
    )
    save_configuration(route, by=machine(SETUP), at=MORNING, because="Added for a test.")
    assert 'id="case-stranger"' not in page(signed_in(cast.clerk), take_in(cast))


def test_seller_that_a_correction_brings_in_is_pointed_out(cast, signed_in):
    case = take_in(cast)
    data = correction(case, BT_2="2026-11-01", BT_27="Somebody Else B.V.")
    signed_in(cast.clerk).post(address(case, "correct"), data)
    words = text_of(page(signed_in(cast.controller), case))
    assert "Meridian Industries NV, the legal entity it came in for, is not in the document" in words
    assert "Seller: Somebody Else B.V." in words


# Where it goes, and where it came from -------------------------------------------------------------------------------


@pytest.mark.parametrize(("reader", "place"), [("clerk", "case-propose"), ("controller", "case-decision")])
def test_form_that_sends_says_where_to_and_where_it_came_from(cast, signed_in, reader, place):
    Connection.objects.filter(pk=cast.connection.pk).update(target_url=AT_TARGET)
    case = take_in(cast)
    mend(case, by=cast.clerk)
    if reader == "controller":
        propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    html = page(signed_in(getattr(cast, reader)), case)
    words = text_of(html.partition(f'id="{place}"')[2])
    assert (
        "Sends to the target of Tax authority at http://authority.example/in "
        "Came from the source of Tax authority, as message message-1"
    ) in words
    assert "word@" not in html


def test_delivery_on_its_way_says_where_to(cast, signed_in):
    Connection.objects.filter(pk=cast.connection.pk).update(target_url=AT_TARGET)
    case = take_in(cast)
    proposed(cast, case)
    frozen = case.proposals.get().frozen_sha256
    decide.approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=frozen)
    words = text_of(page(signed_in(cast.clerk), case, "?tab=attempts"))
    assert "To the target of Tax authority Queued" in words
    assert "Sends to: http://authority.example/in" in words


def test_page_of_a_screened_document_shows_the_match_and_leads_to_no_way(cast, signed_in):
    hold = b"""{"hold": {"code": "SANCTIONS_HIT", "text": "Scored 87.", "matched": "Kowalczyk Trading House",
        "list": "EU list", "score": 0.87}}"""
    case = take_in(cast, valid_invoice(), hold)
    pages = [page(signed_in(cast.clerk), case)]
    propose.propose_release(case.pk, by=cast.clerk, at=LATER, because="Another company.")
    pages += [page(signed_in(who), case) for who in (cast.clerk, cast.controller)]
    for html in pages:
        words = text_of(html)
        found = "a possible match with “Kowalczyk Trading House” (list EU list, score 0.87)."
        assert f"Sanctions screening found {found}" in words
        assert "As it was said Scored 87." in words
        assert "validator" not in words
        assert "button--primary" not in html.partition('<div id="case">')[2].partition("confirm-dialog")[0]
