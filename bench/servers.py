"""A PostgreSQL and a Valkey of the run's own, in a directory that is thrown away. Never a configured database."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.embedded.home import Home
from workbench.embedded.servers import Servers

ROOT = Path(__file__).resolve().parent.parent
# All that is left of the caller's environment: nothing that leads to an installation or changes how one behaves.
KEPT = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "WB_EMBEDDED_PG_BIN", "WB_EMBEDDED_VALKEY_BIN"})
SETTINGS = {
    "WB_PROFILE": "development",
    "LOG_LEVEL": "ERROR",
    "API_REQUESTS_PER_MINUTE": "1000000000",
    "WB_MESSAGES_MAX_BYTES": str(128 * 1024 * 1024),
    "INTEGRATIONS_ALLOW_LOOPBACK": "true",
}


@contextmanager
def private_servers() -> Iterator[None]:
    """Start both, bring the schema up to date and lead this process to them. Durability is as in an installation."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    os.environ.clear()
    os.environ.update(kept | SETTINGS)
    directory = tempfile.mkdtemp(prefix="wb-bench-", dir="/tmp")
    servers = Servers(Home(Path(directory)))
    try:
        servers.start()
        os.environ.update(servers.environment())
        _prepare()
        yield
    finally:
        servers.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _prepare() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"The schema could not be made:\n{done.stdout}{done.stderr}")
