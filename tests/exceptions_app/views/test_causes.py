"""The pages of causes, without JavaScript."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app.models import CauseNote, CauseOwner, UnmappedValue
from tests import factories
from tests.cast import MORNING
from workbench.models import User

LIST = reverse("exceptions:causes")


def page(cause, part=""):
    return reverse(f"exceptions:cause{part and '_' + part}", args=[cause.ref])


def text_of(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(MORNING.replace(hour=12), tick=False):
        yield


def test_list_shows_each_cause_once_and_leads_to_its_exceptions(cast, signed_in):
    case = factories.make_case(cast)
    factories.make_case(cast)
    shown = signed_in(cast.clerk).get(LIST)
    assert [row.line.open for row in shown.context["rows"]] == [2]
    markup = shown.content.decode()
    assert f'href="/queue/?cause={case.cause.pk}"' in markup
    assert 'aria-label="2 arrived in the last 28 days, 2 today; most on 2 Nov: 2."' in markup
    queue = signed_in(cast.clerk).get("/queue/", {"cause": case.cause.pk})
    assert len(queue.context["rows"]) == 2


def test_list_says_what_it_left_out(cast, signed_in):
    factories.make_case(cast)
    answer = signed_in(cast.clerk).get(LIST, {"sort": "odd", "after": "x", "colour": "red", "contains": "\x00"})
    assert answer.status_code == 200
    assert len(answer.context["notices"]) == 3
    assert signed_in(cast.clerk).get(LIST, {"state": "odd"}).status_code == 200


def test_outsider_sees_no_cause(cast, signed_in):
    cause = factories.make_case(cast).cause
    browser = signed_in(cast.outsider)
    assert browser.get(LIST).context["rows"] == []
    assert browser.get(page(cause)).status_code == 404
    assert browser.post(page(cause, "note"), {"text": "Mine."}).status_code == 404
    assert browser.get("/causes/CA-x/").status_code == 404


def test_page_tells_how_it_goes_and_what_to_do(cast, signed_in):
    case = factories.make_case(cast)
    UnmappedValue.objects.create(case=case, kind="tax_code", value="V9", path="/TaxCode", seen_at=MORNING)
    factories.resolve(factories.make_case(cast), cast.clerk, approver=cast.controller, at=MORNING)
    shown = signed_in(cast.clerk).get(page(case.cause))
    told = text_of(shown)
    assert "Seen for the first time within the last 7 days." in told
    assert "The tax code “V9” is not mapped to a tax code of the target." in told
    assert "kind=tax_code&amp;connection=tax-authority&amp;entity=NL01" in shown.content.decode()
    assert "Accepted after a replay 1" in told
    assert "Issue date empty 2026-11-02 1" in told
    auditor = text_of(signed_in(cast.auditor).get(page(case.cause)))
    assert "Propose a mapping" not in auditor
    assert "Write the note" not in auditor


def test_note_and_owner_stay_when_the_last_exception_is_closed(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    assert browser.post(page(case.cause, "note"), {"text": "Since release 12."})["Location"] == page(case.cause)
    answer = browser.post(page(case.cause, "owner"), {"team": "Billing", "seen": 0, "because": "Their field."})
    assert answer["Location"] == page(case.cause)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    told = text_of(browser.get(page(case.cause)))
    for words in ("Since release 12.", "Clara Clerk", "Billing", "Nothing of it is open."):
        assert words in told


def test_what_cannot_be_used_stays_in_its_form(cast, signed_in):
    cause = factories.make_case(cast).cause
    browser = signed_in(cast.clerk)
    refused = browser.post(page(cause, "note"), {"text": " "})
    assert (refused.status_code, "Write a note first." in text_of(refused)) == (422, True)
    both = {"team": "Billing", "person": cast.controller.pk, "seen": 0}
    refused = browser.post(page(cause, "owner"), both)
    assert (refused.status_code, 'value="Billing"' in refused.content.decode()) == (422, True)
    assert (CauseNote.objects.count(), CauseOwner.objects.count()) == (0, 0)


def test_owner_that_changed_meanwhile_is_said(cast, signed_in):
    cause = factories.make_case(cast).cause
    browser = signed_in(cast.clerk)
    browser.post(page(cause, "owner"), {"team": "Billing", "seen": 0})
    late = browser.post(page(cause, "owner"), {"team": "Sales", "seen": 0})
    assert (late.status_code, "Billing" in text_of(late)) == (409, True)


def test_owner_who_left_stays_chosen_until_somebody_chooses_another(cast, signed_in):
    cause = factories.make_case(cast).cause
    browser = signed_in(cast.clerk)
    browser.post(page(cause, "owner"), {"person": cast.controller.pk, "seen": 0})
    User.objects.filter(pk=cast.controller.pk).update(is_active=False)
    seen = CauseOwner.objects.get().pk
    form = browser.get(page(cause)).context["forms"]["owner"]["form"]
    assert f'<option value="{cast.controller.pk}" selected>' in str(form["person"])
    same = browser.post(page(cause, "owner"), {"person": cast.controller.pk, "seen": seen})
    assert (same.status_code, "It has this owner already" in text_of(same)) == (422, True)
    assert browser.post(page(cause, "owner"), {"team": "Billing", "seen": seen}).status_code == 302


def test_who_may_not_is_told_why(cast, signed_in):
    cause = factories.make_case(cast).cause
    refused = signed_in(cast.support).post(page(cause, "owner"), {"team": "Billing", "seen": 0})
    assert (refused.status_code, "You may not work on exceptions" in text_of(refused)) == (403, True)


def cost(browser, address):
    with CaptureQueriesContext(connection) as counted:
        assert browser.get(address).status_code == 200
    return len(counted)


def test_pages_cost_the_same_for_one_and_for_many(cast, signed_in):
    browser = signed_in(cast.clerk)
    one = factories.make_case(cast).cause
    browser.get(LIST)
    few = cost(browser, LIST), cost(browser, page(one))
    for number in range(5):
        case = factories.make_case(cast, cause=factories.make_cause(f"BR-{number}", f"Rule {number}."))
        browser.post(page(case.cause, "owner"), {"team": f"Team {number}", "seen": 0})
        factories.make_case(cast)
    assert (cost(browser, LIST), cost(browser, page(one))) == few


def test_api_lists_causes_as_the_page_does(cast, signed_in):
    for number, amounts in enumerate((("10", "20"), ("5",), ("7",)), start=1):
        cause = factories.make_cause(f"BR-{number:02}", f"Cause {number}.")
        for amount in amounts:
            factories.make_case(cast, cause=cause, amount=amount, opened_at=now() - timedelta(hours=number))
    client, url = signed_in(cast.clerk), "/api/v1/causes"
    lines = client.get("/causes/").context["rows"]
    listed = client.get(url).json()["results"]
    assert [row["ref"] for row in listed] == [row.line.cause.ref for row in lines]
    first = listed[0]
    assert (first["code"], first["open"], first["state"], first["owner"], first["joined"]) == (
        "BR-01",
        2,
        "new",
        "",
        [],
    )
    assert first["sums"] == [{"amount": "30.00", "currency": "EUR"}]
    assert first == client.get(f"{url}/{first['ref']}").json()

    for asked, codes in (
        ({"sort": "latest"}, ["BR-01", "BR-02", "BR-03"]), ({"contains": "cause 2"}, ["BR-02"]),
        ({"state": "resolved"}, []), ({"state": "new", "contains": "BR-03"}, ["BR-03"]),
    ):  # fmt: skip
        assert [row["code"] for row in client.get(url, asked).json()["results"]] == codes, asked
    pages, address = [], f"{url}?page_size=2"
    while address:
        pages.append(client.get(address).json())
        address = pages[-1]["next"]
    assert [[row["code"] for row in page["results"]] for page in pages] == [["BR-01", "BR-02"], ["BR-03"]]
    assert client.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]
    # Before the second of them there is one, and before the first none: the list is read from its beginning then.
    second, one = (row["ref"].removeprefix("CA-") for row in (pages[0]["results"][1], first))
    before = client.get(url, {"page_size": 2, "cursor": f"before.{second}"}).json()["results"]
    assert [row["code"] for row in before] == ["BR-01"]
    assert len(client.get(url, {"page_size": 2, "cursor": f"before.{one}"}).json()["results"]) == 2
    for asked in ({"state": "x"}, {"sort": "x"}, {"cursor": "after.0"}, {"cursor": "1"}, {"contains": "x" * 101}):
        assert client.get(url, asked).status_code == 400, asked
    assert signed_in(cast.outsider).get(url).json()["results"] == []
