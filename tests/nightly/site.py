"""An installation with a connection for the drill, and its people."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.nightly.browser import ANSWER_SECONDS, Browser
from tests.stack import RunningStack

CONNECTION = "drill"


@dataclass
class Site:
    stack: RunningStack
    token: str = ""
    cookie: str = ""

    def inside(self, call: str) -> str:
        """Call one function of `inside.py` in the installation; what it printed last."""
        code = f"from tests.nightly import inside; inside.{call}"
        printed = self.stack.manage("shell", "--no-imports", "-c", code).strip().splitlines()
        return printed[-1] if printed else ""

    def set_up(self) -> None:
        told = json.loads(self.inside("set_up()"))
        self.token, self.cookie = told["token"], told["cookie"]

    def count(self, query: str, *values: Any) -> int:
        with psycopg.connect(self.stack.database_url, autocommit=True) as connection:
            found = connection.execute(query.encode(), values).fetchone()
        assert found is not None
        return int(found[0])

    def fault(self, name: str, **settings: Any) -> None:
        """At the simulated ERP."""
        told = {"fault": name, "path": "/erp/postings", **settings}
        answer = requests.post(f"{self.stack.simulator_url}/control/faults", json=told, timeout=ANSWER_SECONDS)
        assert answer.status_code == 200, answer.text

    @property
    def booked(self) -> list[str]:
        """The numbers of what the simulated ERP booked for the drill, each as often as it did."""
        headers = {"Authorization": f"Bearer {self.stack.simulator_token}"}
        ledger = requests.get(f"{self.stack.simulator_url}/control/ledger", headers=headers, timeout=ANSWER_SECONDS)
        numbers = [str(effect.get("number", "")) for effect in ledger.json()["effects"]]
        return sorted(number for number in numbers if number.startswith("DRILL-"))

    def browser(self, username: str) -> Browser:
        """Of one of the demonstration's people, signed in."""
        return Browser(self.stack.url, self.inside(f"sign_in({username!r})"))

    @cached_property
    def api(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.token}"
        return session


@contextmanager
def running_site() -> Iterator[Site]:
    """Thrown away at the end."""
    directory = Path(tempfile.mkdtemp(prefix="wb-drill-", dir="/tmp"))
    stack = RunningStack(directory / "home")
    try:
        stack.start()
        site = Site(stack)
        site.set_up()
        yield site
    finally:
        stack.stop()
        shutil.rmtree(directory, ignore_errors=True)
