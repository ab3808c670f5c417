"""The queue page: how long the server takes over lists of different lengths."""

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from django.db import connection as database
from django.utils.timezone import now

from bench import crowd, floors
from bench.figures import Arm, Figure, against, compare
from bench.scene import Scene, hand_in, make_scene, refused_invoice
from bench.sizes import Size
from bench.web import call, with_session
from exceptions_app.intake import read_messages
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.queue_page import queue_page
from exceptions_app.queries.reach import cases_within, reach_of

PATH = "/queue/"


def measure(size: Size) -> list[Figure]:
    """At each length, the whole page against the bare SQL of its list; and each length against the shortest."""
    scene = make_scene("queue_page")
    headers = with_session(scene.clerk)
    pattern = _one_exception(scene)
    figures: list[Figure] = []
    with floors.bare_connection() as bare:
        for number in size.open_exceptions:
            crowd.grow_to(number, pattern=pattern, bare=bare)
            figures.append(
                compare(
                    "queue page", f"{number:,} open", items=size.pages, rounds=size.rounds, unit="ms each",
                    ours=_times(size.pages, partial(call, "GET", PATH, expect=200, headers=headers)),
                    floor=_times(size.pages, partial(_rows, bare, _list_sql(scene, bare))),
                    floor_is="the SQL of its list",
                )
            )  # fmt: skip
    first, *longer = figures
    grown = [
        against(figure, first, what=f"{figure.what} against {first.what}", floor_is="the same page, shortest list")
        for figure in longer
    ]
    return [*figures, *grown]


def _one_exception(scene: Scene) -> ExceptionCase:
    hand_in(scene, refused_invoice())
    while read_messages(limit=100, at=now()):
        pass
    return ExceptionCase.objects.get(queue=scene.queue)


def _times(number: int, work: Callable[[], object]) -> Arm:
    """So often in each round, with nothing to prepare."""
    return lambda _round: lambda: [work() for _ in range(number)]


def _rows(bare: psycopg.Connection, sql: bytes) -> object:
    return bare.execute(sql).fetchall()


def _list_sql(scene: Scene, bare: psycopg.Connection) -> bytes:
    """The one statement that reads the rows of the page, with its values in it."""
    seen: list[bytes] = []

    def noting(execute: Callable[..., Any], sql: str, parameters: Any, *more: Any) -> Any:
        with psycopg.ClientCursor(bare) as cursor:
            seen.append(cursor.mogrify(sql, parameters).encode())
        return execute(sql, parameters, *more)

    cases = cases_within(reach_of(scene.clerk)).open()
    with database.execute_wrapper(noting):
        queue_page(cases)
    [sql] = seen
    return sql
