"""Whatever bytes come from outside: six readers take them or say what is wrong, and nothing else happens."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

from tests.integrations.mutation import mutated
from tests.integrations.readers import READERS

# So many that none takes more than some seconds.
INPUTS = {"json": 3_000, "invoice": 120, "posting": 2_000, "payment": 2_000, "table": 8_000, "webhook": 3_000}
SECONDS = 300
SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))


def try_all(name: str, corpus: list[bytes], number: int) -> None:
    random = Random(f"{name} 20261122")  # noqa: S311 — repeatable, not secret
    for _ in range(number):
        content = mutated(random.choice(corpus), random, corpus)
        try:
            READERS[name].read(content)
        except Exception as error:
            error.add_note(f"on {content!r}")
            raise


@pytest.mark.parametrize("name", READERS)
def test_bytes_that_are_nearly_a_document_are_taken_or_refused_in_words(name: str):
    try_all(name, READERS[name].samples(), INPUTS[name])


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.real])
def test_bytes_that_are_nearly_a_real_input_are_taken_or_refused_in_words(name: str):
    real = READERS[name].real_inputs()
    if not real:
        pytest.skip(f"The real inputs are not at {Path('..', 'shared', 'inputs')}: only samples of our own are tried.")
    try_all(name, real, INPUTS[name] // 4)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", READERS)
def test_no_input_that_is_led_by_what_it_reaches_fails(name: str, tmp_path: Path):
    if find_spec("atheris") is None:
        pytest.skip("The package atheris is not installed. It comes for Linux on x86-64 alone.")
    seconds = max(round(SECONDS * SHARE), 1)
    command = [sys.executable, "-m", "tests.integrations.led_fuzzing", name, str(seconds), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    assert ended.returncode == 0, ended.stdout[-4_000:] + ended.stderr[-4_000:]
    [(runs, _)] = re.findall(r"Done (\d+) runs in (\d+) second", ended.stderr)
    assert int(runs) > seconds
