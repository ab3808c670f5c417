"""A list asks the database as often for fifty rows as for one, whatever is in them."""

from collections import defaultdict
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator

from tests.cast import Cast
from tests.exceptions_app.replay_batches.target import target
from tests.exceptions_app.views.growing import Asked, Grow
from tests.exceptions_app.views.growing_lists import GROWING
from tests.exceptions_app.views.listed_pages import LISTS
from workbench.models import User

__all__ = ["target"]
pytestmark = pytest.mark.one_engine
MOST_QUERIES = 50
SIZES = (1, 3, 50)


@pytest.mark.parametrize("grow", GROWING, ids=lambda grow: grow.__name__)
def test_list_costs_the_same_at_1_3_and_50_rows(
    cast: Cast, signed_in: Callable[[User], Client], grow: Grow, request: pytest.FixtureRequest
):
    if grow.__name__ in ("batches", "items"):
        request.getfixturevalue("target")
    counts: dict[str, list[int]] = defaultdict(list)
    begun = 0
    for rows in SIZES:
        listed = grow(cast, begun, rows)
        assert {name.partition(",")[0] for name in listed} == {name for name in LISTS if grow in LISTS[name]}
        for name, asked in listed.items():
            counts[name].append(queries_of(signed_in(getattr(cast, asked.who)), asked, rows))
        begun = rows
    assert {name: numbers for name, numbers in counts.items() if len(set(numbers)) > 1} == {}
    assert max(number for numbers in counts.values() for number in numbers) <= MOST_QUERIES, dict(counts)


def queries_of(client: Client, asked: Asked, rows: int) -> int:
    if rows == SIZES[0]:
        client.get(asked.address)  # content types are read once for each process
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(asked.address)
    assert answer.status_code == 200, asked
    shown = len(answer.json()["results"]) if "/api/" in asked.address else answer.content.decode().count(asked.tag)
    assert shown >= min(rows, asked.most), asked
    return len(seen)


def test_every_list_of_the_api_is_counted():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    shapes = schema["components"]["schemas"]
    answers = {
        path: methods["get"]["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
        for path, methods in schema["paths"].items()
        if "get" in methods
    }
    named = {path: shapes.get(answer.get("$ref", "").rpartition("/")[2], answer) for path, answer in answers.items()}
    lists = {path for path, shape in named.items() if "results" in shape.get("properties", {})}
    assert lists == {name for name in LISTS if name.startswith("/api/")}
