"""`.venv/bin/python -m tests.mutants --mutants 100 --mutants-seed 1`: see `docs/operations.md`."""

import sys

import pytest

from tests.mutants.policy import TESTS

# Calls that wait for each other in threads of a fork do not end.
LEFT_OUT = "not at_the_same_time"

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-p", "tests.mutants.plugin", "-k", LEFT_OUT, *sys.argv[1:], *TESTS]))
