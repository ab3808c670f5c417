"""The page of one exception: who sees it, what it says, and its documents as files."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exceptions_app.actions import decide, propose, work
from exceptions_app.actions.correct import correct
from exceptions_app.actions.settle import settle
from exceptions_app.form_names import field_name
from exceptions_app.models import Occurrence, PayloadVersion
from exceptions_app.queries.case_history import PAGE_SIZE
from exceptions_app.templatetags.presentation import money_text
from integrations import delivery
from integrations.connectors.en16931 import connector
from integrations.models import Connection, Delivery
from integrations.refusals import Category, Refusal, RefusalError, Severity
from tests import factories
from tests.cast import MORNING, PASSWORD
from tests.exceptions_app.views.repair import BROKEN, address, field, mend, page, take_in, text_of, typed_in, with_value
from tests.invoices import valid_invoice

HOLD = b'{"hold": {"code": "AMOUNT_LIMIT", "text": "Above the limit.", "limit": "1000", "currency": "EUR"}}'
LATER = MORNING + timedelta(hours=1)


def test_case_page_says_what_is_wrong_in_plain_words(cast, signed_in):
    case = take_in(cast)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "What is wrong as Tax authority said it" in words
    assert "The issue date is missing. Field Issue date (BT-2) Value missing Rule BR-03" in words
    assert "[BR-03]-An Invoice shall have an Invoice issue date (BT-2)." in words
    assert "Not assigned" in words
    assert "Van Loon Koeltechniek B.V." in words


def test_case_page_offers_the_proposed_value(cast, signed_in):
    case = take_in(cast, with_value(valid_invoice(), "BT-112", "1.00"))
    name = field_name(field(case, "BT-112").path)
    html = page(signed_in(cast.clerk), case)
    right = connector.read(valid_invoice()).field_at(field(case, "BT-112").path).value
    assert f'href="{address(case)}?use={name}#correct-{name}"' in html
    assert f'data-use-value="{right}"' in html
    assert 'value="1.00" autocomplete="off" spellcheck="false" inputmode="decimal"' not in page(
        signed_in(cast.clerk), case, f"?use={name}"
    )
    assert typed_in(html, name) == "1.00"
    assert typed_in(page(signed_in(cast.clerk), case, f"?use={name}"), name) == right


def test_held_case_says_what_holds_it_and_the_three_ways(cast, signed_in):
    case = take_in(cast, valid_invoice(), HOLD)
    words = text_of(page(signed_in(cast.clerk), case))
    assert "What holds it" in words
    assert "The amount is above the limit of 1,000.00 EUR. A second person must release it." in words
    assert "Three ways on" in words
    for way in ("Release it as it is", "Correct, then release", "Decline it"):
        assert way in words


def test_case_page_for_support_says_why_nothing_may_be_done(cast, signed_in):
    case = take_in(cast)
    html = page(signed_in(cast.support), case)
    assert 'id="case-correction"' not in html
    assert "You may not work on exceptions in E-invoicing for Meridian Industries NV." in text_of(html)
    forms = html.partition('<div id="case">')[2].partition("confirm-dialog")[0].split("<form")[1:]
    assert [form.partition(">")[0].split()[0] for form in forms] == ['id="case-subscription"']


def test_case_page_shows_who_decides_and_that_it_is_not_me(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    words = text_of(page(signed_in(cast.clerk), case))
    assert "You proposed to replay version 2. Whoever worked on it cannot decide on it." in words
    assert "Approve: You proposed this; someone else must decide." in words


def test_approver_sees_exactly_what_will_be_sent(cast, signed_in):
    case = take_in(cast)
    version = mend(case, by=cast.clerk, date="2026-11-01")
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended after a call.")
    html = page(signed_in(cast.controller), case)
    words = text_of(html)
    assert "What will be sent version 2 against version 1, as received" in words
    assert "Issue date (BT-2) Document missing 2026-11-01" in words
    assert "Mended after a call." in words
    assert "EN 16931 official validator" in words
    assert f'data-copy="{version.sha256}"' in html
    assert f'name="frozen_sha256" value="{proposal.frozen_sha256}"' in html
    assert f"Approve and send {money_text(case.amount, 'EUR')}" in words
    assert 'type="checkbox" name="agreed"' in html


def test_decided_case_page_says_who_rejected_it_and_why(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    decide.reject(
        case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256, because="Ask the customer first."
    )
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Rejected by Conrad Controller Ask the customer first." in words


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_case_page_is_not_there_for_those_without_a_grant(cast, signed_in, who):
    case = take_in(cast)
    client = signed_in(getattr(cast, who))
    occurrence = Occurrence.objects.get(case=case)
    for part in ("", "raw/", "status/", "versions/1/download/", f"messages/{occurrence.pk}/payload/"):
        assert client.get(address(case) + part).status_code == 404


def test_case_page_is_not_there_for_a_clerk_of_another_entity(cast, signed_in):
    case = factories.make_case(cast, entity=cast.germany)
    assert signed_in(cast.local_clerk).get(address(case)).status_code == 404
    assert signed_in(cast.clerk).get(address(case)).status_code == 200


@pytest.mark.parametrize("ref", ["EX-0", "EX-999999", "EX-", "EX-1x", "EX-٣", "nonsense"])
def test_unknown_reference_is_not_found(cast, signed_in, ref):
    assert signed_in(cast.clerk).get(f"/exceptions/{ref}/").status_code == 404


def test_anonymous_reader_signs_in_and_comes_back(cast, client):
    case = take_in(cast)
    answer = client.get(address(case) + "?tab=versions")
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next=%2Fexceptions%2F{case.ref}%2F%3Ftab%3Dversions"


def test_payload_is_shown_as_text_only(cast, signed_in):
    hostile = BROKEN.replace(b"Van Loon Koeltechniek B.V.", b"&lt;script&gt;alert(1)&lt;/script&gt;")
    case = take_in(cast, hostile)
    as_value, as_source = "&lt;script&gt;alert(1)", "&amp;lt;script&amp;gt;alert(1)"
    for client, query, written in (
        (signed_in(cast.clerk), "", as_value),
        (signed_in(cast.clerk), "raw/", as_source),
        (signed_in(cast.support), "", as_value),
    ):
        html = client.get(address(case) + query).content.decode()
        assert "<script>alert" not in html
        assert written in html


def test_payload_that_cannot_be_read_has_a_page_all_the_same(cast, signed_in):
    case = factories.make_case(cast, payload=b"<Something/>")
    words = text_of(page(signed_in(cast.clerk), case))
    assert "This version cannot be read as business fields." in words
    assert "Whole document" in words


def test_version_is_downloaded_byte_for_byte_and_never_run(cast, signed_in):
    case = take_in(cast)
    refused = signed_in(cast.support).get(address(case) + "versions/1/download/")
    assert refused.status_code == 403  # it holds an account number
    factories.have_shown(case, cast.clerk)
    answer = signed_in(cast.clerk).get(address(case) + "versions/1/download/")
    assert answer.content == BROKEN
    assert answer["Content-Disposition"] == f'attachment; filename="{case.ref}-version-1.xml"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/xml"
    assert signed_in(cast.support).get(address(case) + "versions/2/download/").status_code == 404


def test_foreign_media_type_is_not_believed(cast, signed_in):
    case = factories.make_case(cast)
    occurrence = Occurrence.objects.get(case=case)
    answer = signed_in(cast.clerk).get(address(case) + f"messages/{occurrence.pk}/refusal/")
    assert answer["Content-Type"] == "application/octet-stream"


def test_original_message_is_downloaded_with_its_refusal(cast, signed_in):
    case = take_in(cast)
    other = factories.make_case(cast)
    occurrence = Occurrence.objects.get(case=case)
    client = signed_in(cast.clerk)
    assert client.get(address(case) + f"messages/{occurrence.pk}/payload/").status_code == 403
    factories.have_shown(case, cast.clerk)
    assert client.get(address(case) + f"messages/{occurrence.pk}/payload/").content == BROKEN
    assert b"failed-assert" in client.get(address(case) + f"messages/{occurrence.pk}/refusal/").content
    assert client.get(address(other) + f"messages/{occurrence.pk}/payload/").status_code == 404


def test_times_are_shown_in_the_zone_of_the_reader(cast, signed_in):
    case = take_in(cast)
    cast.clerk.time_zone = "Asia/Tokyo"
    cast.clerk.save(update_fields=["time_zone"])
    assert "2 Nov 2026, 18:00" in text_of(page(signed_in(cast.clerk), case))
    assert "2 Nov 2026, 09:00" in text_of(page(signed_in(cast.support), case))


def test_page_says_in_which_zone_a_time_is_typed(cast, signed_in):
    case = take_in(cast)
    for zone in ("Asia/Tokyo", "UTC"):
        cast.clerk.time_zone = zone
        cast.clerk.save(update_fields=["time_zone"])
        html = page(signed_in(cast.clerk), case)
        assert f'data-time-zone="{zone}"' in html
        assert f"Leave empty to resume it by hand. The time is that of {zone}." in html


def test_document_that_comes_in_again_with_other_content_is_pointed_out(cast, signed_in):
    case = take_in(cast)
    take_in(cast, BROKEN.replace(b"Van Loon", b"Van Loen"), external_id="message-2", at=LATER)
    words = text_of(page(signed_in(cast.clerk), case, "?tab=arrivals"))
    assert "It came in 2 times, and not always the same" in words
    assert "Differs from the first" in words


def test_case_before_this_one_is_linked_when_it_is_visible(cast, signed_in):
    first = factories.make_case(cast, number="INV-1")
    work.claim(first.pk, by=cast.clerk, at=MORNING)
    factories.dismiss(first, cast.clerk, approver=cast.controller)
    second = factories.make_case(cast, number="INV-1", follows=first)
    hidden = factories.make_case(cast, number="INV-1-G", entity=cast.germany)
    third = factories.make_case(cast, number="INV-2", follows=hidden)
    assert f'href="{address(first)}"' in page(signed_in(cast.local_clerk), second)
    assert f'href="{address(second)}"' in page(signed_in(cast.local_clerk), first)
    assert hidden.ref not in page(signed_in(cast.local_clerk), third)


def test_status_answers_nothing_until_something_changed(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    assert client.get(address(case, "status"), {"revision": case.revision}).status_code == 204
    work.claim(case.pk, by=cast.clerk, at=LATER)
    answer = client.get(address(case, "status"), {"revision": case.revision}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer.content.decode().lstrip().startswith('<div id="case">')
    assert "In progress" in text_of(answer.content.decode())


def test_page_waits_for_the_outcome_only_while_there_is_one_to_come(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    client = signed_in(cast.clerk)
    assert 'id="case-poll"' not in page(client, case)
    decide.approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
    html = page(client, case)
    assert 'id="case-poll"' in html
    assert "It is on its way to the target" in text_of(html)


def test_history_tab_is_fetched_alone(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    answer = signed_in(cast.clerk).get(
        address(case) + "?tab=versions", headers={"HX-Request": "true", "HX-Target": "case-history"}
    )
    html = answer.content.decode()
    assert html.split()[:3] == ["<section", 'class="panel"', 'id="case-history"']
    assert "Version 2 CC Clara Clerk" in text_of(html)
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("item_count", [1, 3])
@pytest.mark.parametrize(("tab", "queries"), [("timeline", 34), ("versions", 34), ("arrivals", 34), ("attempts", 33)])
def test_case_page_queries_do_not_grow_with_its_history(cast, signed_in, item_count, tab, queries):
    case = eventful(cast, item_count)
    client = signed_in(cast.clerk)
    page(client, case)  # content types are cached from the first request on
    with CaptureQueriesContext(connection) as captured:
        page(client, case, f"?tab={tab}")
    assert len(captured) == queries


def eventful(cast, item_count):
    case = take_in(cast)
    for number in range(item_count):
        mend(case, by=cast.clerk, date=f"2026-11-{number + 1:02}")
        take_in(cast, BROKEN.replace(b"Van Loon", b"Van Loon %d" % number), external_id=f"again-{number}", at=LATER)
        work.comment(case.pk, by=cast.clerk, at=LATER, text=f"Remark {number}")
    return case


@pytest.mark.parametrize(("tab", "queries"), [("timeline", 13), ("versions", 13), ("arrivals", 13), ("attempts", 12)])
def test_history_tab_reads_no_page(cast, signed_in, tab, queries):
    case = eventful(cast, 2)
    client = signed_in(cast.clerk)
    page(client, case)
    with CaptureQueriesContext(connection) as captured:
        client.get(address(case) + f"?tab={tab}", headers={"HX-Request": "true", "HX-Target": "case-history"})
    assert len(captured) == queries


def test_poll_reads_the_revision_and_nothing_else_of_the_exception(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    page(client, case)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address(case, "status"), {"revision": case.revision}).status_code == 204
    session, account, revision = [query["sql"] for query in captured]
    assert ("workbench_session" in session, "workbench_user" in account) == (True, True)
    assert revision.startswith('SELECT "exceptions_app_exceptioncase"."revision" AS')


def test_history_is_paged(cast, signed_in):
    case = take_in(cast)
    for number in range(PAGE_SIZE + 1):
        work.comment(case.pk, by=cast.clerk, at=LATER, text=f"Remark-{number};")
    client = signed_in(cast.clerk)
    first = page(client, case)
    assert f"{PAGE_SIZE} of {PAGE_SIZE + 2} timeline" in text_of(first)
    [older] = re.findall(r'href="([^"]+after=[^"]+)#case-history" rel="next"', first)
    second = client.get(unescape(older)).content.decode()
    remarks = [set(re.findall(r"Remark-\d+;", html)) for html in (first, second)]
    assert [len(found) for found in remarks] == [PAGE_SIZE, 1]
    assert remarks[0].isdisjoint(remarks[1])
    assert 'rel="next"' not in second.partition('id="case-history"')[2]


def test_address_of_the_target_is_shown_to_the_approver_without_secrets(cast, signed_in):
    """Somebody could have led the connection elsewhere before it was proposed."""
    Connection.objects.filter(pk=cast.connection.pk).update(
        target_url="https://user:word@elsewhere.example:8443/in?token=1"
    )
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    html = page(signed_in(cast.controller), case)
    words = text_of(html.partition('id="case-decision"')[2])
    assert "Sends to the target of Tax authority at https://elsewhere.example:8443/in " in words
    assert "word@" not in html
    assert "token=1" not in html


@pytest.mark.parametrize("outcome", ["open", "sent"])
def test_columns_of_the_changes_say_whether_it_was_sent(cast, signed_in, outcome):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    if outcome == "sent":
        decide.approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
        connection.check_constraints()  # as at the end of the transaction of the approval
        [claim] = delivery.claim(limit=1)
        settle(
            delivery.Settlement(claim.delivery, claim.epoch, Delivery.State.CONFIRMED, reference="CLR-1"),
            at=LATER + timedelta(minutes=5),
        )
    words = text_of(page(signed_in(cast.clerk), case))
    assert ("Field Was Will be" in words, "Field Was Sent" in words) == (outcome == "open", outcome == "sent")


def test_person_who_cannot_sign_in_sees_nothing(cast):
    case = take_in(cast)
    client = Client()
    cast.clerk.is_active = False
    cast.clerk.save(update_fields=["is_active"])
    assert not client.login(username="clara", password=PASSWORD)
    assert client.get(address(case)).status_code == 302


def test_version_of_the_page_is_the_latest(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk, date="2026-11-01")
    content = bytes(PayloadVersion.objects.get(case=case, number=2).content)
    path = field(case, "BT-1").path
    correct(
        case.pk, by=cast.clerk, at=LATER, because="The number was mistyped.", base_version=2,
        operations=connector.operations_for(content, {path: "INV-2002"}),
    )  # fmt: skip
    words = text_of(page(signed_in(cast.clerk), case))
    assert "Invoice INV-2002" in words
    assert "version 3 against version 1, as received" in words


def test_refusal_of_the_replay_is_what_is_wrong_now(cast, signed_in):
    """The check passed and the target objected all the same: its words count, and the correction is open again."""
    case = take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    decide.approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
    connection.check_constraints()  # as at the end of the transaction of the approval
    path = field(case, "BT-9").path
    objection = RefusalError(
        "X-1", Severity.ERROR, "Due date in the past.", plain="The due date has passed.", field_path=path, term="BT-9"
    )
    refusal = Refusal(Category.COMPLIANCE, "other", auto_retry=False, errors=(objection,))
    [claim] = delivery.claim(limit=1)
    settle(
        delivery.Settlement(claim.delivery, claim.epoch, Delivery.State.REFUSED, refusal=refusal),
        at=LATER + timedelta(minutes=5),
    )
    html = page(signed_in(cast.clerk), case)
    words = text_of(html)
    assert "Approved, and not accepted by the target" in words
    assert "What is wrong as the target of Tax authority answered to version 2" in words
    assert "The due date has passed. Field Payment due date (BT-9) Value" in words
    assert "Solved by the correction" in html
    assert '<details class="fold" open>' in html
    assert 'id="case-propose"' not in html
