"""Saved views as pages: keep a list, open it, share it, pin it; and lists with columns and density in their address."""

import re
from functools import partial

import pytest
from django.urls import reverse

from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.saved_views import EVERYONE, pin, save_view
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import PinnedView, SavedView
from tests import factories
from tests.cast import MORNING
from tests.concurrency import at_the_same_time

QUEUE, VIEWS, NEW = reverse("exceptions:queue"), reverse("exceptions:views"), reverse("exceptions:view_new")
MY_QUEUE = reverse("exceptions:my_queue")
HTMX = {"HX-Request": "true"}


def at(name, view):
    return reverse(f"exceptions:{name}", args=[view.pk])


def numbers(response):
    return [row.case.document_number for row in response.context["rows"]]


def keep(browser, query, **typed):
    return browser.post(reverse("exceptions:view_save"), {"query": query, "shared_with": "owner", **typed})


def test_list_is_kept_and_opened_again(cast, signed_in):
    factories.make_case(cast, number="INV-A", amount="50000")
    factories.make_case(cast, number="INV-B", amount="5")
    browser = signed_in(cast.clerk)
    shown = browser.get(f"{QUEUE}?sort=largest&amount_min=10000&after=")
    assert shown.context["view_query"] == "amount_min=10000&sort=largest"
    form = browser.get(f"{NEW}?{shown.context['view_query']}")
    assert form.context["filters"] == [("Amount from", "10000"), ("Sort", "largest")]
    answer = keep(browser, form.context["form"]["query"].value(), name="Large ones", pinned="on")
    assert answer.headers["Location"] == f"{QUEUE}?amount_min=10000&sort=largest"
    opened = browser.get(at("view_open", SavedView.objects.get()), follow=True)
    assert numbers(opened) == ["INV-A"]
    assert [(view["name"], view["count"].value, view["current"]) for view in opened.context["pinned"]] == [
        ("Large ones", 1, True)
    ]


def test_kept_view_of_my_queue_is_that_of_its_reader(cast, signed_in):
    factories.claim(factories.make_case(cast, number="MINE"), cast.clerk)
    factories.claim(factories.make_case(cast, number="THEIRS"), cast.second_clerk)
    mine = signed_in(cast.clerk).get(f"{MY_QUEUE}?priority=3")
    assert mine.context["view_query"] == "priority=3&assignee=me"
    assert mine.context["list_link"] == f"http://testserver{QUEUE}?priority=3&assignee=me"
    assert numbers(signed_in(cast.second_clerk).get(mine.context["list_link"])) == ["THEIRS"]


def test_what_cannot_be_kept_is_said_and_nothing_is_lost(cast, signed_in):
    browser = signed_in(cast.clerk)
    for typed in ({"name": " "}, {"name": "X", "shared_with": "everyone"}):
        answer = keep(browser, "priority=1", **typed)
        assert answer.status_code == 422
        assert answer.context["form"]["query"].value() == "priority=1"
    assert not SavedView.objects.exists()


def test_view_takes_over_another_list(cast, signed_in):
    view = save_view("Large ones", "amount_min=1", by=cast.clerk, at=MORNING)
    others = save_view("Others", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    browser = signed_in(cast.clerk)
    assert keep(browser, "amount_min=2", name="", replaces=str(others.pk)).status_code == 422
    assert keep(browser, "amount_min=2", name="", replaces=str(view.pk)).status_code == 302
    assert [(found.name, found.query) for found in SavedView.objects.order_by("pk")] == [
        ("Large ones", "amount_min=2"), ("Others", "")
    ]  # fmt: skip


def test_owner_renames_shares_and_deletes(cast, signed_in):
    view = save_view("Large", "", by=cast.clerk, at=MORNING)
    browser = signed_in(cast.clerk)
    assert browser.get(at("view", view)).context["form"] is not None
    browser.post(at("view_change", view), {"name": "Larger", "shared_with": "queue:policy-holds"})
    view.refresh_from_db()
    assert (view.name, view.queue) == ("Larger", cast.holds)
    for reader, status in ((cast.support, 200), (cast.local_clerk, 404)):
        assert signed_in(reader).get(at("view", view)).status_code == status
    theirs = signed_in(cast.second_clerk)
    assert theirs.get(at("view", view)).context["form"] is None
    assert theirs.post(at("view_change", view), {"name": "Mine", "shared_with": "owner"}).status_code == 403
    assert theirs.post(at("view_delete", view)).status_code == 403
    assert browser.post(at("view_change", view), {"name": "", "shared_with": "owner"}).status_code == 422
    browser.post(at("view_delete", view))
    assert not SavedView.objects.exists()


def test_controller_stops_the_sharing_of_another(cast, signed_in):
    view = save_view("Everyone's", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    assert signed_in(cast.clerk).post(at("view_stop_sharing", view)).status_code == 403
    signed_in(cast.controller).post(at("view_stop_sharing", view))
    assert signed_in(cast.clerk).get(at("view", view)).status_code == 404


def test_views_are_pinned_in_an_order(cast, signed_in):
    views = [save_view(name, "", by=cast.clerk, at=MORNING) for name in ("A", "B")]
    browser = signed_in(cast.clerk)
    for view in views:
        browser.post(at("view_pin", view))
    browser.post(at("view_up", views[1]))
    assert [view["name"] for view in browser.get(MY_QUEUE).context["pinned"]] == ["B", "A"]
    assert [row["view"].name for row in browser.get(VIEWS).context["rows"]] == ["B", "A"]
    browser.post(at("view_unpin", views[1]))
    assert PinnedView.objects.count() == 1


def test_old_view_still_opens_and_says_what_there_is_no_more(cast, signed_in):
    factories.make_case(cast, number="INV-1")
    view = save_view("Old", "", by=cast.clerk, at=MORNING, pinned=True)
    SavedView.objects.filter(pk=view.pk).update(query="queue=gone&colour=red&columns=shade&density=x&sort=y&state=lost")
    browser = signed_in(cast.clerk)
    assert browser.get(VIEWS).status_code == browser.get(at("view", view)).status_code == 200
    opened = browser.get(at("view_open", view), follow=True)
    assert numbers(opened) == ["INV-1"]
    assert [re.findall("“(.*?)”", notice)[0] for notice in opened.context["notices"]] == [
        "colour", "Queue", "State", "shade", "x", "y"
    ]  # fmt: skip


def test_columns_and_density_are_in_the_address(cast, signed_in):
    factories.make_case(cast, number="INV-1", amount="12.34")
    browser = signed_in(cast.clerk)
    usual = browser.get(QUEUE).content.decode()
    shown = browser.get(f"{QUEUE}?columns=document_date&columns=category&density=compact&priority=3")
    page = shown.content.decode()
    head = re.findall(r"<th\b[^>]*scope=\"col\"[^>]*>(.*?)</th>", page, re.DOTALL)
    assert [re.sub(r"<[^>]*>|\s+", " ", words).strip() for words in head] == [
        "Choose all on this page", "Exception", "Document date", "Category"
    ]  # fmt: skip
    assert 'data-density="compact"' in page
    assert 'data-density="comfortable"' in usual
    assert re.search(r"<tr[^>]*case-row.*12\.34", usual, re.DOTALL)
    assert not re.search(r"<tr[^>]*case-row.*12\.34", page, re.DOTALL)
    for kept in ('name="columns" value="document_date,category"', 'name="density" value="compact"'):
        assert kept in page
    assert numbers(shown) == ["INV-1"]
    assert shown.context["view_query"] == "priority=3&columns=document_date,category&density=compact"


def test_density_for_all_pages_takes_the_place_of_that_of_a_list(cast, signed_in):
    browser = signed_in(cast.clerk)
    chosen = {"density": "comfortable", "next": f"{QUEUE}?priority=1&density=compact&columns=due,age"}
    answer = browser.post(reverse("exceptions:preferences"), chosen)
    assert answer.headers["Location"] == f"{QUEUE}?priority=1&columns=due,age"


def test_batch_of_a_list_is_not_of_its_columns(cast, signed_in):
    factories.make_case(cast)
    page = signed_in(cast.clerk).get(f"{QUEUE}?priority=3&columns=due&density=compact")
    assert page.context["batch_url"] == f"{reverse('exceptions:batch_new')}?priority=3"


def test_signed_out_while_naming_a_view_loses_nothing(cast, signed_in):
    browser = signed_in(cast.clerk)
    browser.get(NEW)
    del browser.cookies["sessionid"]
    keep(browser, "priority=1", name="Urgent")
    browser.force_login(cast.clerk)
    form = browser.get(NEW).context["form"]
    assert (form["name"].value(), form["query"].value()) == ("Urgent", "priority=1")


@pytest.mark.parametrize("number", [1, 3, 50])
def test_views_ask_the_database_as_often_for_one_as_for_fifty(cast, signed_in, django_assert_num_queries, number):
    factories.make_case(cast)
    for count in range(number):
        save_view(f"View {count}", f"age={count}", by=cast.clerk, at=MORNING, pinned=count < 8)
    browser = signed_in(cast.clerk)
    browser.get(VIEWS)
    with django_assert_num_queries(9):
        assert len(browser.get(VIEWS).context["rows"]) == number
    with django_assert_num_queries(18):  # one for the pinned views and one for all of their counts
        assert len(browser.get(QUEUE).context["pinned"]) == min(number, 8)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deed", ["view_pin", "view_delete"])
def test_deed_that_is_sent_twice_at_once_is_answered_both_times(cast, signed_in, deed):
    view = save_view("Own", "", by=cast.clerk, at=MORNING)
    browsers = [signed_in(cast.clerk) for _ in range(4)]
    statuses = at_the_same_time([partial(lambda one: one.post(at(deed, view)).status_code, one) for one in browsers])
    assert set(statuses) <= ({302} if deed == "view_pin" else {302, 404})
    assert (PinnedView.objects.count(), SavedView.objects.count()) == ((1, 1) if deed == "view_pin" else (0, 0))


def test_owner_who_may_share_no_more_is_told_at_the_field(cast, signed_in):
    view = save_view("Everyone's", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    assert remove_from_role("controller", cast.controller, by=machine(SETUP), at=MORNING)
    browser = signed_in(cast.controller)
    refused = browser.post(at("view_change", view), {"name": "Another", "shared_with": "everyone"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["shared_with"])
    assert 'value="Another"' in refused.content.decode()
    refused = keep(browser, "priority=1", name="", replaces=str(view.pk))
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["replaces"])
    assert browser.post(at("view_change", view), {"name": "Another", "shared_with": "owner"}).status_code == 302


def test_pin_of_a_view_that_is_not_seen_is_not_there(cast, signed_in):
    view = save_view("Own", "", by=cast.clerk, at=MORNING)
    assert signed_in(cast.second_clerk).post(at("view_pin", view)).status_code == 404
    pin(view.pk, by=cast.clerk)
    assert PinnedView.objects.count() == 1
