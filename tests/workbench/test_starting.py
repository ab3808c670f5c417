"""What a process loads before it does anything."""

import json
import subprocess
import sys

from tests.stack import ROOT, clean_environment

TOLD = """
import gc, json, sys, django
django.setup()
print(json.dumps([gc.isenabled(), gc.get_freeze_count(), sorted({"facturx", "pypdf"} & set(sys.modules))]))
"""


def test_garbage_is_collected_once_all_is_loaded_and_what_is_loaded_is_left_alone():
    started = subprocess.run(
        [sys.executable, "-c", TOLD],
        cwd=ROOT,
        env=clean_environment(WB_PROFILE="test", DJANGO_SETTINGS_MODULE="workbench.settings"),
        capture_output=True,
        text=True,
        check=True,
    )
    collects, kept, libraries_of_no_use = json.loads(started.stdout)
    assert collects is True
    assert kept > 100_000
    assert libraries_of_no_use == []
