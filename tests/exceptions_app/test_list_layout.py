"""The address of a list beside its filters, and its one spelling."""

import pytest
from django.http import QueryDict

from exceptions_app.list_layout import USUAL_COLUMNS, canonical_query, columns_of, density_of, unknown_layout


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        ("", USUAL_COLUMNS),
        ("columns=amount,priority", ("priority", "amount")),
        ("columns=amount&columns=opened", ("amount", "opened")),
        ("columns=colour", USUAL_COLUMNS),
        ("columns=colour,due", ("due",)),
    ],
)
def test_columns_come_in_one_order_and_never_none_of_them(asked, columns):
    assert columns_of(QueryDict(asked)) == columns


def test_what_is_not_known_of_the_layout_is_named():
    assert unknown_layout(QueryDict("columns=due,colour&density=huge")) == [
        "There is no column “colour”; it was left out.",
        "There is no density “huge”; the list has the one that you chose for all pages.",
    ]
    assert density_of(QueryDict("density=huge")) == ""


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("", ""),
        ("sort=due&priority=1&state=open&text=", "priority=1&sort=due"),
        ("after=abc&colour=red&currency=EUR", "currency=EUR"),
        ("density=compact&columns=age&columns=due&text=van+loon", "text=van+loon&columns=due,age&density=compact"),
        ("columns=" + ",".join(USUAL_COLUMNS), ""),
        ("state=lost", "state=lost"),  # an old address keeps its words; who opens it is told
    ],
)
def test_one_list_has_one_spelling(asked, kept):
    assert canonical_query(QueryDict(asked)) == kept
    assert canonical_query(QueryDict(kept)) == kept
