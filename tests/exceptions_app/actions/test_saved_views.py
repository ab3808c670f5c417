"""Views: whose they are, who has them, and what the audit trail and the database hold of that."""

from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction

from audit.models import AuditEvent
from exceptions_app.actions import saved_views as actions
from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.saved_views import EVERYONE, ONLY_ME, SharedWith, change_view, save_view
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import PinnedView, SavedView
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.saved_views import counts_of, pinned_views, pins_of, views_for
from exceptions_app.states import Verb
from tests import factories
from tests.cast import MORNING, grant
from tests.concurrency import at_the_same_time

pytestmark = pytest.mark.django_db


def with_queue(queue):
    return SharedWith(SavedView.Sharing.QUEUE, queue)


def names_for(user):
    return sorted(view.name for view in views_for(user, reach_of(user)))


def events():
    return list(AuditEvent.objects.filter(subject__startswith="view:").order_by("id").values_list("action", flat=True))


def test_view_of_ones_own_is_for_nobody_else_and_leaves_no_event(cast):
    view = save_view("  Large   ones ", "amount_min=10000&after=x&colour=red", by=cast.clerk, at=MORNING)
    assert (view.name, view.query) == ("Large ones", "amount_min=10000")
    change_view(view.pk, by=cast.clerk, at=MORNING, name="Larger ones", query="amount_min=20000")
    assert [names_for(user) for user in (cast.clerk, cast.second_clerk)] == [["Larger ones"], []]
    assert events() == []


def test_shared_view_is_for_who_sees_the_queue_and_tells_each_change(cast):
    view = save_view("Holds", "queue=policy-holds", by=cast.clerk, at=MORNING, shared_with=with_queue(cast.holds))
    assert [names_for(user) for user in (cast.support, cast.local_clerk, cast.outsider)] == [["Holds"], [], []]
    change_view(view.pk, by=cast.clerk, at=MORNING, query="queue=policy-holds&due=overdue")
    change_view(view.pk, by=cast.clerk, at=MORNING, shared_with=ONLY_ME)
    assert names_for(cast.support) == []
    change_view(view.pk, by=cast.clerk, at=MORNING, shared_with=with_queue(cast.holds))
    actions.delete_view(view.pk, by=cast.clerk, at=MORNING)
    assert events() == ["view.shared", "view.changed", "view.no_longer_shared", "view.shared", "view.deleted"]
    assert not SavedView.objects.exists()


def test_everyone_has_what_a_controller_shares_with_everyone(cast):
    save_view("Overdue", "due=overdue", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    assert names_for(cast.outsider) == ["Overdue"]


@pytest.mark.parametrize("who", ["clerk", "support", "auditor"])
def test_only_who_decides_shares_with_everyone(cast, who):
    with pytest.raises(NotPermitted):
        save_view("Mine", "", by=getattr(cast, who), at=MORNING, shared_with=EVERYONE)


@pytest.mark.parametrize(
    ("who", "may"), [("clerk", True), ("controller", True), ("support", False), ("auditor", False)]
)
def test_with_a_queue_share_those_who_work_or_decide_there(cast, who, may):
    if may:
        assert save_view("Mine", "", by=getattr(cast, who), at=MORNING, shared_with=with_queue(cast.holds)).is_shared
        return
    with pytest.raises(NotPermitted):
        save_view("Mine", "", by=getattr(cast, who), at=MORNING, shared_with=with_queue(cast.holds))


def test_other_queue_is_not_shared_with(cast):
    with pytest.raises(NotPermitted):
        save_view("Mine", "", by=cast.local_clerk, at=MORNING, shared_with=with_queue(cast.holds))


def test_view_is_changed_and_deleted_by_its_owner_alone(cast):
    view = save_view("Holds", "", by=cast.clerk, at=MORNING, shared_with=with_queue(cast.einvoicing))
    own = save_view("Own", "", by=cast.clerk, at=MORNING)
    for refused in (
        lambda: change_view(view.pk, by=cast.second_clerk, at=MORNING, name="X"),
        lambda: actions.delete_view(view.pk, by=cast.second_clerk, at=MORNING),
        lambda: actions.stop_sharing(view.pk, by=cast.second_clerk, at=MORNING),
    ):
        with pytest.raises(NotPermitted):
            refused()
    for hidden in (
        lambda: actions.pin(own.pk, by=cast.second_clerk),
        lambda: actions.delete_view(own.pk, by=cast.controller, at=MORNING),
    ):
        with pytest.raises(SavedView.DoesNotExist):
            hidden()
    actions.stop_sharing(view.pk, by=cast.controller, at=MORNING)  # of somebody who left, for example
    assert names_for(cast.second_clerk) == []
    assert events() == ["view.shared", "view.no_longer_shared"]


@pytest.mark.parametrize("name", ["holds", "HOLDS", "", "  ", "x" * 81])
def test_name_that_cannot_be_is_said(cast, name):
    save_view("Holds", "", by=cast.clerk, at=MORNING)
    save_view("Holds", "", by=cast.second_clerk, at=MORNING)  # of another person
    with pytest.raises(Invalid) as refused:
        save_view(name, "", by=cast.clerk, at=MORNING)
    assert refused.value.field == "name"


def test_address_that_is_too_long_is_said(cast):
    with pytest.raises(Invalid) as refused:
        save_view("Long", "text=" + "%C3%A9" * 400, by=cast.clerk, at=MORNING)
    assert refused.value.field == "query"


def test_pins_are_ones_own_in_ones_own_order(cast, monkeypatch):
    first, second, third = (save_view(name, "", by=cast.clerk, at=MORNING, pinned=True) for name in "ABC")
    actions.move_up(third.pk, by=cast.clerk)
    actions.move_up(first.pk, by=cast.clerk)
    actions.unpin(second.pk, by=cast.clerk)
    actions.pin(third.pk, by=cast.clerk)
    pinned = lambda user: [view.name for view in pinned_views(user, reach_of(user))]  # noqa: E731
    assert (pinned(cast.clerk), pinned(cast.second_clerk)) == (["A", "C"], [])
    monkeypatch.setattr(actions, "MOST_PINNED", 2)
    with pytest.raises(Invalid):
        actions.pin(second.pk, by=cast.clerk)
    actions.delete_view(third.pk, by=cast.clerk, at=MORNING)
    assert pinned(cast.clerk) == ["A"]


def test_pin_of_what_is_no_longer_shared_is_not_shown(cast):
    view = save_view("Holds", "", by=cast.clerk, at=MORNING, shared_with=with_queue(cast.holds))
    actions.pin(view.pk, by=cast.second_clerk)
    change_view(view.pk, by=cast.clerk, at=MORNING, shared_with=ONLY_ME)
    assert pinned_views(cast.second_clerk, reach_of(cast.second_clerk)) == []
    assert PinnedView.objects.count() == 1


def test_pin_of_what_is_no_longer_shared_is_in_nobodys_way(cast, monkeypatch):
    gone = save_view("Gone", "", by=cast.clerk, at=MORNING, shared_with=with_queue(cast.holds))
    actions.pin(gone.pk, by=cast.second_clerk)
    first, second = (save_view(name, "", by=cast.second_clerk, at=MORNING, pinned=True) for name in "AB")
    change_view(gone.pk, by=cast.clerk, at=MORNING, shared_with=ONLY_ME)
    reach = reach_of(cast.second_clerk)
    assert pins_of(cast.second_clerk, reach).keys() == {first.pk, second.pk}
    monkeypatch.setattr(actions, "MOST_PINNED", 3)
    third = save_view("C", "", by=cast.second_clerk, at=MORNING, pinned=True)
    actions.move_up(third.pk, by=cast.second_clerk)
    actions.move_up(third.pk, by=cast.second_clerk)
    assert [view.name for view in pinned_views(cast.second_clerk, reach)] == ["C", "A", "B"]
    with pytest.raises(Invalid):
        save_view("D", "", by=cast.second_clerk, at=MORNING, pinned=True)


def test_what_stays_shared_is_changed_by_who_may_share_it(cast):
    everyones = save_view("Everyone's", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    holds = save_view("Holds", "", by=cast.clerk, at=MORNING, shared_with=with_queue(cast.holds))
    for role, person in (("controller", cast.controller), ("clerk", cast.clerk)):
        assert remove_from_role(role, person, by=machine(SETUP), at=MORNING)
    for view, owner in ((everyones, cast.controller), (holds, cast.clerk)):
        for name, query in (("Another", None), (None, "priority=1")):
            with pytest.raises(NotPermitted):
                change_view(view.pk, by=owner, at=MORNING, name=name, query=query)
        change_view(view.pk, by=owner, at=MORNING)  # nothing
        assert not change_view(view.pk, by=owner, at=MORNING, name="Mine", shared_with=ONLY_ME).is_shared
        assert change_view(view.pk, by=owner, at=MORNING, name="Still mine").name == "Still mine"


@pytest.mark.django_db(transaction=True)
def test_one_view_is_pinned_once_and_no_more_than_have_room_at_the_same_time(cast, monkeypatch):
    monkeypatch.setattr(actions, "MOST_PINNED", 2)
    views = [save_view(name, "", by=cast.clerk, at=MORNING) for name in "ABC"]

    def pinned(view):
        try:
            return actions.pin(view.pk, by=cast.clerk).pk
        except Invalid:
            return None

    same = at_the_same_time([partial(pinned, views[0])] * 4)
    assert len(set(same)) == 1
    at_the_same_time([partial(pinned, view) for view in views])
    assert PinnedView.objects.count() == 2
    assert sorted(PinnedView.objects.values_list("position", flat=True)) == [1, 2]


QUERIES = {
    "": 3, "queue=policy-holds": 1, "entity=DE01": 1, "assignee=me": 1, "assignee=clara": 1, "assignee=nobody": 2,
    "text=inv-a": 1, "currency=PLN": 1, "state=in_progress": 1, "state=lost": 3, "colour=red": 3, "queue=gone": 0,
    "connection=tax-authority": 3, "amount_min=1000&kind=failed": 3, "cause=999999": 0,
}  # fmt: skip


def test_counts_of_all_views_are_one_query(cast, django_assert_num_queries):
    factories.claim(factories.make_case(cast, number="INV-A"), cast.clerk)
    factories.make_case(cast, queue=cast.holds)
    factories.make_case(cast, entity=cast.germany, currency="PLN")
    views = [save_view(query or "all", "", by=cast.clerk, at=MORNING) for query in QUERIES]
    for view, query in zip(views, QUERIES, strict=True):
        view.query = query  # as an address of former times may be
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(1):
        counts = counts_of(views, cast.clerk, reach)
    assert {view.query: counts[view.pk].value for view in views} == QUERIES
    with django_assert_num_queries(0):
        assert counts_of([], cast.clerk, reach) == {}


def test_view_counts_what_its_reader_sees(cast):
    factories.make_case(cast)
    factories.make_case(cast, entity=cast.germany)
    view = save_view("All", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    grant(cast.outsider, [Verb.SEE], cast.einvoicing, cast.germany)
    counted = [counts_of([view], user, reach_of(user))[view.pk].value for user in (cast.clerk, cast.outsider)]
    assert counted == [2, 1]


def refused_by_the_database(statement, *values):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{statement}; SET CONSTRAINTS ALL IMMEDIATE", values)


def test_database_holds_that_a_shared_view_changes_with_its_event_alone(cast):
    view = save_view("Own", "", by=cast.clerk, at=MORNING)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE exceptions_app_savedview SET name = 'Mine' WHERE id = %s", [view.pk])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    refused_by_the_database("UPDATE exceptions_app_savedview SET sharing = 'everyone' WHERE id = %s", view.pk)
    refused_by_the_database("UPDATE exceptions_app_savedview SET sharing = 'queue' WHERE id = %s", view.pk)
    refused_by_the_database("UPDATE exceptions_app_savedview SET owner_id = %s", cast.controller.pk)
