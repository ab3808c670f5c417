"""Where a source's own identifier leads, and what is said while it leads nowhere."""

from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from exceptions_app.actions import inbox
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import Expectation, Notification, Occurrence
from exceptions_app.tasks import sweep
from integrations.models import InboxMessage
from tests import factories
from tests.cast import MORNING

LATER = MORNING + timedelta(minutes=2)


def link(external_id, connection="tax-authority"):
    return reverse("exceptions:deep_link", kwargs={"connection": connection, "ref": external_id})


def message_of(case):
    return Occurrence.objects.get(case=case).inbox_message.external_id


def test_identifier_of_the_message_leads_to_its_exception(cast, signed_in):
    case = factories.make_case(cast, number="A/7 b")
    browser = signed_in(cast.support)
    page = reverse("exceptions:case", kwargs={"ref": case.ref})
    for external_id in (message_of(case), "A/7 b", "a7b"):
        answer = browser.get(link(external_id))
        assert (answer.status_code, answer.headers["Location"]) == (302, page)
    found = browser.get(link(message_of(case)), headers={"HX-Request": "true"})
    assert (found.status_code, found.headers["HX-Redirect"]) == (200, page)


def test_message_with_several_documents_leads_to_a_list_of_them(cast, signed_in):
    cases = [factories.make_case(cast, identifiers={"Payment file": "FILE-1"}) for _ in range(2)]
    answer = signed_in(cast.support).get(link("FILE-1"))
    assert (answer.status_code, sorted(answer.context["cases"], key=lambda case: case.pk)) == (200, cases)


def test_message_that_could_not_be_read_is_shown_to_who_cares_for_it(cast, signed_in):
    message = factories.make_message(cast, status=InboxMessage.Status.FAILED, external_id="broken")
    page = reverse("exceptions:intake_failure", kwargs={"ref": message.pk})
    assert signed_in(cast.clerk).get(link("broken")).headers["Location"] == page
    assert signed_in(cast.support).get(link("broken")).status_code == 404


def test_what_is_beyond_reach_looks_like_what_is_not_there(cast, signed_in):
    hidden = factories.make_case(cast, entity=cast.germany)
    browser = signed_in(cast.local_clerk)
    pages = [browser.get(address) for address in (link(message_of(hidden)), link("none"), link("none", "no-such-one"))]
    assert [page.status_code for page in pages] == [404, 404, 404]
    texts = [page.content.decode() for page in pages]
    assert all("Not arrived yet" in text and "Tell me when it arrives" in text for text in texts)
    assert browser.get(link("none"), headers={"HX-Request": "true"}).status_code == 204


@pytest.mark.parametrize("external_id", ["\x00", "x" * 300, "%", "/", "日本"])
def test_odd_identifiers_are_answered(cast, signed_in, external_id):
    browser = signed_in(cast.clerk)
    assert browser.get(link(external_id)).status_code == 404
    assert browser.post(link(external_id), follow=True).status_code == 404


@pytest.mark.parametrize("external_id", ["50%", "50%25", "a?b=c", "a#b", "a b/c"])
def test_odd_identifier_is_waited_for_and_looked_for_again_as_it_is(cast, signed_in, external_id):
    browser = signed_in(cast.clerk)
    answer = browser.post(link(external_id))
    assert (answer.status_code, answer.headers["Location"]) == (302, link(external_id))
    page = browser.get(answer.headers["Location"])
    assert page.context["waits"]
    assert Expectation.objects.get().external_id == external_id
    markup = page.content.decode()
    for name in ('hx-get="', 'button--primary" href="'):
        address = unescape(markup.split(name)[1].split('"')[0])
        assert browser.get(address).context["external_id"] == external_id


def test_who_waits_is_told_of_what_came_in_and_could_not_be_read(cast, signed_in):
    waits = [inbox.expect("tax-authority", "broken", by=who, at=MORNING) for who in (cast.clerk, cast.support)]
    message = factories.make_message(cast, status=InboxMessage.Status.FAILED, external_id="broken")
    assert [inbox.look_for(one.pk, at=LATER) for one in waits] == [True, False]
    assert not inbox.look_for(waits[0].pk, at=LATER)
    notice = Notification.objects.get()
    assert (notice.person, notice.reference, notice.case) == (cast.clerk, f"IF-{message.pk}", None)
    assert notice.words == "What you waited for came in and could not be read: broken"
    browser = signed_in(cast.clerk)
    assert notice.words in browser.get(reverse("exceptions:notifications")).content.decode()
    opened = browser.get(reverse("exceptions:notification", kwargs={"ref": notice.pk}))
    assert opened.headers["Location"] == reverse("exceptions:intake_failure", kwargs={"ref": message.pk})


def test_who_waits_is_told_once_when_it_is_there(cast, signed_in):
    browser = signed_in(cast.support)
    browser.post(link("message-of-tomorrow"))
    page = browser.post(link("message-of-tomorrow"), follow=True)
    assert "You will be told under Notifications" in page.content.decode()
    (expectation,) = Expectation.objects.all()
    Expectation.objects.update(looked_at=MORNING)
    sweep()
    assert Notification.objects.count() == 0
    case = factories.make_case(cast, identifiers={"Message": "message-of-tomorrow"})
    Expectation.objects.update(looked_at=MORNING)
    sweep()
    sweep()
    notice = Notification.objects.get()
    assert (notice.person, notice.kind, notice.case, notice.reference) == (cast.support, "arrived", case, case.ref)
    expectation.refresh_from_db()
    assert expectation.arrived_at is not None
    assert browser.get(link("message-of-tomorrow")).status_code == 302


def test_nobody_is_told_what_they_may_not_see(cast):
    case = factories.make_case(cast, entity=cast.germany)
    waits = inbox.expect("tax-authority", message_of(case), by=cast.local_clerk, at=MORNING)
    assert not inbox.look_for(waits.pk, at=LATER)
    assert inbox.expected(at=LATER) == []  # looked for a moment ago
    assert inbox.expected(at=LATER + timedelta(minutes=1)) == [waits.pk]
    assert inbox.expected(at=LATER + inbox.EXPECTED_FOR) == []


def test_one_waits_for_so_many_at_a_time(cast, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_EXPECTED", 2)
    for number in (1, 2, 2):
        inbox.expect("tax-authority", f"m-{number}", by=cast.clerk, at=MORNING)
    with pytest.raises(Invalid, match="You wait for 2 identifiers already"):
        inbox.expect("tax-authority", "m-3", by=cast.clerk, at=MORNING)
