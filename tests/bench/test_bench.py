"""Each benchmark runs and reports its figures. How large they are is no test's business."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import NAMES, main
from bench.figures import Figure, against, table

# With xdist in one process: a run takes a while, and one is enough.
pytestmark = pytest.mark.xdist_group("bench")

ROOT = Path(__file__).resolve().parent.parent.parent
# A run that went there would fail: nothing listens.
NOWHERE = {"DATABASE_URL": "postgresql://nobody:none@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture(scope="module")
def reported() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--size", "tiny", "--json"],
        cwd=ROOT,
        env={**os.environ, **NOWHERE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["size"] == "tiny"
    figures: list[dict[str, Any]] = document["figures"]
    return figures


def test_every_benchmark_reports_its_figures(reported: list[dict[str, Any]]):
    assert [(figure["benchmark"], figure["what"], figure["unit"]) for figure in reported] == [
        ("receive", "one by one", "per second"),
        ("receive", "3 at once", "per second"),
        ("receive", "6 at once", "per second"),
        ("intake", "read into exceptions", "per second"),
        ("queue page", "60 open", "ms each"),
        ("queue page", "120 open", "ms each"),
        ("queue page", "120 open against 60 open", "ms each"),
        ("one cause", "prepared", "per second"),
        ("deliveries", "confirmed", "per second"),
        ("replays", "20 ms, 1 worker", "per second"),
        ("replays", "20 ms, 1 worker, against Celery", "per second"),
        ("replays", "200 ms, 1 worker", "per second"),
        ("replays", "200 ms, 1 worker, against Celery", "per second"),
        ("replays", "20 ms, 2 workers", "per second"),
        ("replays", "20 ms, 2 workers, against Celery", "per second"),
        ("replays", "200 ms, 2 workers", "per second"),
        ("replays", "200 ms, 2 workers, against Celery", "per second"),
        ("audit trail", "recorded one by one", "per second"),
        ("audit trail", "recorded 5 at once", "per second"),
        ("audit trail", "sealed", "per second"),
        ("audit trail", "verified", "per second"),
    ]


@pytest.mark.parametrize("number", ["ours", "floor", "ratio", "lowest", "highest", "cpu_ms"])
def test_every_figure_is_a_number_above_nothing(reported: list[dict[str, Any]], number: str):
    assert [figure["what"] for figure in reported if not 0 < figure[number] < math.inf] == []


def test_every_figure_says_what_its_floor_is(reported: list[dict[str, Any]]):
    assert [figure["what"] for figure in reported if not figure["floor_is"]] == []


def test_an_unknown_name_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refused:
        main(["recieve"])
    assert refused.value.code == 2
    assert f"there is no benchmark recieve; name some of {', '.join(NAMES)}" in capsys.readouterr().err


SHORT = Figure(
    "queue page", "1,000 open", "ms each", ours=20.0, floor=4.0, ratio=5.1, lowest=4.9, highest=5.6, cpu_ms=12.5,
    floor_is="the SQL of its list", statements=15.0,
)  # fmt: skip


def test_a_longer_list_is_compared_with_the_shortest():
    longer = Figure(
        "queue page", "10,000 open", "ms each", ours=30.0, floor=4.0, ratio=7.5, lowest=7.0, highest=8.0, cpu_ms=13.0,
        floor_is="the SQL of its list", statements=15.0,
    )  # fmt: skip
    grown = against(longer, SHORT, what="10,000 open against 1,000 open", floor_is="the same page, shortest list")
    assert (grown.ours, grown.floor, grown.ratio, grown.statements) == (30.0, 20.0, 1.5, None)


def test_the_table_has_one_row_for_each_figure():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table([SHORT]).splitlines()]
    assert rows[0] == ["what", "ours", "floor", "ratio", "of rounds", "CPU ms", "SQL", "floor is"]
    assert rows[2] == [
        "queue page: 1,000 open", "20.0 ms each", "4.0", "5.1", "4.9 to 5.6", "12.5", "15.0", "the SQL of its list",
    ]  # fmt: skip
