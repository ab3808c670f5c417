"""Processes that are spoken to line by line, with real ones."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbench.rehearsal.plant import CannotRehearse
from workbench.rehearsal.spoken import Spoken

ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print('log', line, flush=True)\nprint('bye')"
FALLS = "import sys\nprint('ready', flush=True)\nsys.exit('the plan is not readable')"


@contextmanager
def speaking(script: str, log: Path) -> Iterator[Spoken]:
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Spoken("clerk", process, process.stdin, process.stdout, log)
        finally:
            process.kill()


def test_spoken_hears_what_is_expected_past_all_else(tmp_path: Path):
    with speaking(ECHO, tmp_path / "log") as spoken:
        spoken.expect("ready")
        spoken.tell("one")
        spoken.tell("two")
        spoken.expect("log three", "log two")
        assert spoken.is_under_way


def test_spoken_that_breaks_off_says_who_and_why(tmp_path: Path):
    with speaking(FALLS, tmp_path / "log") as spoken:
        spoken.expect("ready")
        with pytest.raises(CannotRehearse, match="The clerk broke off where “done” was expected:\nthe plan is not"):
            spoken.expect("done")


def test_spoken_that_is_killed_is_dead_at_once(tmp_path: Path):
    with speaking(ECHO, tmp_path / "log") as spoken:
        spoken.expect("ready")
        spoken.kill()
        assert not spoken.is_under_way
