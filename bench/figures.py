"""A figure is a ratio: our time over the floor's, for the same work, in the same run, taken in turns.

Absolute figures drift with the machine and its neighbours; the ratio of two neighbours holds much better.
"""

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

from django.db import connection as database

Unit = Literal["per second", "ms each", "MB", "s"]
Arm = Callable[[int], Callable[[], object]]
"""Prepares the work of one round, which is not timed, and returns what is timed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison. `ours` and `floor` are medians in `unit`; `ratio` is the median of the rounds' time ratios.

    1 is as fast as the floor, 3 takes three times as long. `lowest` and `highest` are the ratios of single rounds.
    `cpu_ms` is the time of ours that this process spent computing, in milliseconds for each item; the database's own
    is not in it. `statements` counts SQL statements for each item in the calling thread: it does not drift at all.
    """

    benchmark: str
    what: str
    unit: Unit
    ours: float
    floor: float
    ratio: float
    lowest: float
    highest: float
    cpu_ms: float
    floor_is: str
    statements: float | None = None


def compare(
    benchmark: str,
    what: str,
    *,
    items: int,
    rounds: int,
    unit: Unit,
    ours: Arm,
    floor: Arm,
    floor_is: str,
    counts_statements: bool = True,
) -> Figure:
    """Time both arms in turns. Round 0 warms up, and counts the statements of ours."""
    statements = _statements(ours(0))
    floor(0)()
    times = [_round(number, ours, floor) for number in range(1, rounds + 1)]
    ratios = [our_time.wall / floor_time.wall for our_time, floor_time in times]
    return Figure(
        benchmark,
        what,
        unit,
        ours=_in_unit(unit, median(our_time.wall for our_time, _ in times) / items),
        floor=_in_unit(unit, median(floor_time.wall for _, floor_time in times) / items),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        cpu_ms=median(our_time.cpu for our_time, _ in times) / items * 1000,
        floor_is=floor_is,
        statements=statements / items if counts_statements else None,
    )


def against(figure: Figure, first: Figure, *, what: str, floor_is: str) -> Figure:
    """Two of our own figures as one: how our time grows. They are neighbours in time, not taken in turns."""
    ratio = figure.ours / first.ours
    return replace(
        figure, what=what, floor=first.ours, ratio=ratio, lowest=ratio, highest=ratio, floor_is=floor_is,
        statements=None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Time:
    """In seconds: by the clock on the wall, and of this process computing."""

    wall: float
    cpu: float


def _round(number: int, ours: Arm, floor: Arm) -> tuple[_Time, _Time]:
    """The time of ours and of the floor; every second round the floor goes first."""
    if number % 2:
        our_time = _time(ours(number))
        return our_time, _time(floor(number))
    floor_time = _time(floor(number))
    return _time(ours(number)), floor_time


def _time(work: Callable[[], object]) -> _Time:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return _Time(time.perf_counter() - wall, time.process_time() - cpu)


def _statements(work: Callable[[], object]) -> int:
    count = 0

    def counting(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*arguments)

    with database.execute_wrapper(counting):
        work()
    return count


def _in_unit(unit: Unit, seconds: float) -> float:
    return 1 / seconds if unit == "per second" else seconds * 1000


def table(figures: Sequence[Figure]) -> str:
    """A small table for a terminal or a Markdown page."""
    head = ("what", "ours", "floor", "ratio", "of rounds", "CPU ms", "SQL", "floor is")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rows.insert(1, tuple("-" * width for width in widths))
    cells = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        f"{figure.benchmark}: {figure.what}",
        f"{_short(figure.ours)} {figure.unit}",
        _short(figure.floor),
        f"{figure.ratio:.1f}",
        f"{figure.lowest:.1f} to {figure.highest:.1f}",
        _short(figure.cpu_ms),
        "" if figure.statements is None else f"{figure.statements:.1f}",
        figure.floor_is,
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def as_json(figures: Sequence[Figure], *, size: str) -> str:
    return json.dumps({"size": size, "figures": [asdict(figure) for figure in figures]}, indent=1)
