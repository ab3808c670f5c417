"""`.venv/bin/python -m tests.mutants --mutants 100 --mutants-seed 1`: see `docs/operations.md`."""

import sys

import pytest

from tests.mutants.policy import TESTS

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-p", "tests.mutants.plugin", *sys.argv[1:], *TESTS]))
