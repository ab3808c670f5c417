"""The list of what one is told, its number in the navigation, and subscribing; by browsers without JavaScript."""

from datetime import timedelta

import pytest
from django.urls import reverse

from exceptions_app.actions import inbox
from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.work import comment
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Notification, Subscription
from tests import factories
from tests.cast import MORNING

LIST = reverse("exceptions:notifications")
LATER = MORNING + timedelta(hours=1)


def mention(cast, case, who="cem"):
    comment(case.pk, by=cast.clerk, at=MORNING, text=f"@{who} see the order of 1,250.00 EUR")
    return Notification.objects.latest("pk")


def listed(browser, **asked):
    return [row.notification for row in browser.get(LIST, asked).context["rows"]]


def unread(browser):
    counts = {item.label: str(item.count or "") for item in browser.get(LIST).context["navigation"]}
    return counts["Notifications"]


def test_list_shows_what_is_unread_and_all_of_it_on_request(cast, signed_in):
    notice = mention(cast, factories.make_case(cast, number="INV-1"))
    browser = signed_in(cast.second_clerk)
    page = browser.get(LIST).content.decode()
    assert "Clara Clerk mentioned you in a comment." in page
    assert "INV-1" in page
    assert "1,250.00" not in page  # nothing of what was written
    assert unread(browser) == "1"
    answer = browser.post(reverse("exceptions:notification_read", kwargs={"ref": notice.pk}), {"show": "all"})
    assert answer.headers["Location"] == f"{LIST}?show=all"
    assert (listed(browser), listed(browser, show="all"), unread(browser)) == ([], [notice], "")


def test_opening_one_leads_to_it_and_has_read_it(cast, signed_in):
    case = factories.make_case(cast)
    notice = mention(cast, case)
    browser = signed_in(cast.second_clerk)
    address = reverse("exceptions:notification", kwargs={"ref": notice.pk})
    assert browser.head(address).status_code == 302
    assert unread(browser) == "1"
    assert browser.get(address).headers["Location"] == reverse("exceptions:case", kwargs={"ref": case.ref})
    assert unread(browser) == ""
    for other in (cast.clerk, cast.outsider):
        assert signed_in(other).get(address).status_code == 404


def test_all_that_was_shown_is_read_at_once_and_nothing_newer(cast, signed_in):
    case = factories.make_case(cast)
    mention(cast, case)
    browser = signed_in(cast.second_clerk)
    newest = browser.get(LIST).context["newest"]
    later = mention(cast, case)
    assert browser.post(reverse("exceptions:notifications_read"), {"until": newest}).status_code == 302
    assert listed(browser) == [later]
    assert browser.post(reverse("exceptions:notifications_read"), {"until": "x"}).status_code == 302
    assert browser.get(reverse("exceptions:notifications_read")).headers["Location"] == LIST


def test_who_lost_sight_of_an_exception_is_told_nothing_of_it_any_more(cast, signed_in):
    mention(cast, factories.make_case(cast))
    browser = signed_in(cast.second_clerk)
    assert len(listed(browser)) == 1
    remove_from_role("clerk", cast.second_clerk, by=machine(SETUP), at=LATER)
    assert listed(browser) == []


def test_case_page_subscribes_and_mutes(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.support)
    page, address = (reverse(f"exceptions:{name}", kwargs={"ref": case.ref}) for name in ("case", "subscription"))
    assert "Tell me of every change" in browser.get(page).content.decode()
    answer = browser.post(address, {"wants": "changes"}, follow=True)
    assert "You are told of every change" in answer.content.decode()
    assert "End the subscription" in answer.content.decode()
    comment(case.pk, by=cast.clerk, at=MORNING, text="Asked the customer.")
    assert len(listed(browser)) == 1
    assert browser.post(address, {"wants": "nothing", "from": "notifications"}).headers["Location"] == LIST
    assert "This exception is muted." in browser.get(LIST).content.decode()
    assert "Choose every change" in browser.post(address, {"wants": "x"}, follow=True).content.decode()
    assert Subscription.objects.get(person=cast.support, case=case).wants == "nothing"
    assert signed_in(cast.outsider).post(address, {"wants": "changes"}).status_code == 404


def test_batch_leads_to_its_page(cast, signed_in):
    notice = Notification.objects.create(
        person=cast.clerk, kind="batch", reference="B-7", words="Your batch stopped by itself.", told_at=MORNING
    )
    answer = signed_in(cast.clerk).get(reverse("exceptions:notification", kwargs={"ref": notice.pk}))
    assert answer.headers["Location"] == reverse("exceptions:batch", kwargs={"ref": "B-7"})


def test_lists_without_anything_say_when_one_is_told(cast, signed_in):
    browser = signed_in(cast.clerk)
    assert "Nothing is unread" in browser.get(LIST).content.decode()
    assert "You were told nothing yet" in browser.get(LIST, {"show": "all"}).content.decode()
    assert browser.get(LIST, {"after": "nonsense"}).context["notices"] != []


@pytest.mark.parametrize("item_count", [1, 3, 50])
def test_list_costs_the_same_for_many(cast, signed_in, django_assert_num_queries, item_count):
    case = factories.make_case(cast)
    inbox.subscribe(case, "changes", by=cast.support, at=MORNING)
    for _ in range(item_count):
        comment(case.pk, by=cast.clerk, at=MORNING, text="Again.")
    browser = signed_in(cast.support)
    browser.get(LIST)
    with django_assert_num_queries(8):
        assert len(listed(browser)) == item_count
