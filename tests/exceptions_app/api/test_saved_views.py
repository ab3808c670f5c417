"""Saved views by HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from exceptions_app.actions.saved_views import EVERYONE, save_view
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

pytestmark = pytest.mark.django_db

As = Callable[[User], Api]


def test_views_with_counts_and_filters_that_the_api_takes(cast: Cast, api: As, conforms: Callable[[Any, str], None]):
    factories.claim(factories.make_case(cast, number="INV-A"), cast.clerk)
    factories.make_case(cast, number="INV-B")
    save_view("Mine", "assignee=me&sort=due&columns=due", by=cast.clerk, at=MORNING, pinned=True)
    save_view("Others' own", "", by=cast.second_clerk, at=MORNING)
    save_view("All", "", by=cast.controller, at=MORNING, shared_with=EVERYONE)
    account = api(cast.clerk)
    document = account.get("views").json()
    conforms(document, "SavedViewPage")
    mine, everyones = document["results"]
    assert (mine["name"], mine["sharing"], mine["pinned"], mine["count"]) == ("Mine", "owner", True, 1)
    assert (everyones["owner"]["username"], everyones["sharing"], everyones["count"]) == ("conrad", "everyone", 2)
    assert mine["filters"] == {"state": "open", "assignee": "me", "sort": "due"}
    found = account.get("exceptions", mine["filters"]).json()["results"]
    assert [case["document_number"] for case in found] == ["INV-A"]


@pytest.mark.parametrize("number", [1, 3, 50])
def test_views_ask_the_database_as_often_for_one_as_for_fifty(
    cast: Cast, api: As, django_assert_max_num_queries: Any, number: int
):
    for count in range(number):
        save_view(f"View {count}", f"age={count}", by=cast.clerk, at=MORNING)
    account = api(cast.clerk)
    account.get("views")
    with django_assert_max_num_queries(9):
        assert len(account.get("views").json()["results"]) == number
