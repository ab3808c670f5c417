"""How many changes of the policies and of the triggers behind them some test notices: see `policy_mutations`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nightly.policy_mutations import BUDGET, REPORT

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(BUDGET + 3600)]
ROOT = Path(__file__).parents[2]
AT_LEAST = 0.9
HERE = "tests/exceptions_app"
TESTS = (
    f"{HERE}/test_policies.py", f"{HERE}/test_duties.py", f"{HERE}/test_duties_of_lists.py",
    f"{HERE}/test_delegations.py", f"{HERE}/actions/test_authority.py", f"{HERE}/actions/test_decide.py",
    f"{HERE}/test_emergencies.py", f"{HERE}/value_mappings/test_database_guards.py",
)  # fmt: skip
# Of the tests around this one, whose servers are theirs.
NOT_OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "WB_HOME", "WB_TESTS_THROW_AWAY")


def test_nine_of_ten_changes_of_the_policies_are_noticed(tmp_path: Path):
    report = tmp_path / "found.json"
    given = {name: value for name, value in os.environ.items() if name not in NOT_OURS} | {REPORT: str(report)}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-m", "not nightly"]
    ran = subprocess.run([*command, "-p", "tests.nightly.policy_mutations", *TESTS], cwd=ROOT, env=given, check=False)
    assert report.exists(), f"ended with {ran.returncode}"
    found = json.loads(report.read_text())
    noticed, survived = len(found["noticed"]), len(found["survived"])
    print(f"{noticed} of {noticed + survived} noticed")
    assert found["left_out"] == []
    assert noticed / (noticed + survived) >= AT_LEAST, "\n".join(found["survived"])
