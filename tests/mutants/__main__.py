"""`.venv/bin/python -m tests.mutants --mutants 100 --mutants-seed 1`: see `docs/operations.md`."""

import sys

import pytest

from tests.mutants.policy import TESTS

# Calls that wait for each other in threads of a fork do not end.
LEFT_OUT = "not at_the_same_time"
# Seconds of one test, which takes a few: whoever waits for what the change keeps from happening has noticed it.
PATIENCE = 60

if __name__ == "__main__":
    ALWAYS = ("-q", "-p", "tests.mutants.plugin", "-k", LEFT_OUT, f"--timeout={PATIENCE}")
    sys.exit(pytest.main([*ALWAYS, *sys.argv[1:], *TESTS]))
