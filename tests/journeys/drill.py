"""One connection of the running installation, and what its people do there through the API."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import requests

from tests.arrivals import ISSUE_DATE, refused_invoice, report_on
from tests.stack import RunningStack

PATIENCE = 90  # seconds: these machines are noisy
POLL_SECONDS = 0.1
CONNECTION = "drill"

# A short time-out, so that what is lost sight of is asked about soon.
SET_UP = """
import json
from django.contrib.auth import get_user_model
from django.utils.timezone import now
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Queue, Route
from integrations.models import Connection
from workbench.tokens import create_api_token
like = Connection.objects.exclude(target_url="").earliest("pk")
drill = Connection(slug="%(slug)s", name="Drill", connector="en16931", timeout_seconds=2, target_url=like.target_url,
    target_token=like.target_token, write_back_url=like.write_back_url, write_back_secret=like.write_back_secret)
setup = machine(SETUP)
save_configuration(drill, by=setup, at=now())
route = Route(position=9000, connection=drill, queue=Queue.objects.earliest("pk"),
    entity=LegalEntity.objects.get(code="NL01"))
save_configuration(route, by=setup, at=now())
people = {user.username: user for user in get_user_model().objects.filter(username__in=["clerk", "controller"])}
grant_connection("ingest_messages", people["clerk"], drill, by=setup, at=now())
print(json.dumps({name: create_api_token(user, name="drill", expires_at=None, at=now())[1]
    for name, user in people.items()}))
"""


@dataclass(frozen=True, slots=True)
class Drill:
    stack: RunningStack
    tokens: dict[str, str]

    @classmethod
    def set_up(cls, stack: RunningStack) -> "Drill":
        printed = stack.manage("shell", "--no-imports", "-c", SET_UP % {"slug": CONNECTION})
        return cls(stack, json.loads(printed.strip().splitlines()[-1]))

    def call(self, who: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the API, which must succeed."""
        answer = requests.request(
            "GET" if body is None else "POST",
            f"{self.stack.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.tokens[who]}"},
            timeout=PATIENCE,
        )
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()

    def hand_in(self, number: str) -> str:
        """Hand in a refused invoice; the address of its receipt."""
        payload = refused_invoice(number)
        receipt = self.call(
            "clerk",
            "/messages",
            {
                "connection": CONNECTION,
                "id": number,
                "payload": {"media_type": "application/xml", "text": payload.decode()},
                "refusal": {"media_type": "application/xml", "text": report_on(payload).decode()},
            },
        )
        return str(receipt["message"].rsplit("/", 1)[1])

    def propose(self, number: str) -> str:
        """Hand in, correct and propose; the reference of the exception."""
        message = self.hand_in(number)
        wait_until(lambda: self.call("clerk", f"/messages/{message}")["exceptions"])
        [ref] = self.call("clerk", f"/messages/{message}")["exceptions"]
        case = self.call("clerk", f"/exceptions/{ref}")
        [path] = [field["path"] for field in case["record"]["fields"] if field["term"] == "BT-2"]
        correction = {"base_version": 1, "because": "Taken from the order.", "fields": {path: ISSUE_DATE}}
        self.call("clerk", f"/exceptions/{ref}/correct", correction)
        self.call("clerk", f"/exceptions/{ref}/propose", {"because": "Mended."})
        return str(ref)

    def approve(self, ref: str) -> None:
        frozen = self.call("controller", f"/exceptions/{ref}")["proposal"]["frozen_sha256"]
        self.call("controller", f"/exceptions/{ref}/approve", {"frozen_sha256": frozen})

    def fault(self, name: str, **settings: Any) -> None:
        url = f"{self.stack.simulator_url}/control/faults"
        requests.post(url, json={"fault": name, **settings}, timeout=PATIENCE).raise_for_status()

    def ledger(self, kind: str, number: str) -> list[dict[str, Any]]:
        """What the authority noted of one invoice: its `effects`, or every one of the `attempts`."""
        found = requests.get(f"{self.stack.simulator_url}/control/ledger", timeout=PATIENCE).json()[kind]
        return [entry for entry in found if entry["business_key"].endswith(f"|{number}")]

    def told(self, ref: str) -> list[str]:
        """What the source was told about one exception."""
        events = requests.get(f"{self.stack.simulator_url}/source/events", timeout=PATIENCE).json()["events"]
        contents = [event["content"] for event in events]
        return [content["type"] for content in contents if content["data"]["exception"] == ref]

    def delivery_state(self, ref: str) -> str:
        """As the database has it; empty while there is no database or no delivery."""
        query = "SELECT state FROM integrations_delivery WHERE subject = %s AND operation = 'submit' ORDER BY id DESC"
        try:
            with psycopg.connect(self.stack.database_url, connect_timeout=5) as connection:
                row = connection.execute(query, [f"case:{ref}"]).fetchone()
        except psycopg.OperationalError:
            return ""
        return str(row[0]) if row else ""

    def wait_for_delivery(self, ref: str, *states: str) -> None:
        wait_until(lambda: self.delivery_state(ref) in states)

    def assert_resolved_once(self, ref: str, number: str) -> None:
        """It finishes by itself, with one document at the authority and the source told once."""
        self.wait_for_delivery(ref, "confirmed", "already_there")
        [effect] = self.ledger("effects", number)
        case = self.call("clerk", f"/exceptions/{ref}")
        assert (case["state"], case["outcome"], case["reference"]) == ("resolved", "replayed", effect["clearance"])
        wait_until(lambda: self.told(ref))
        assert self.told(ref) == ["exception.resolved"]
        assert len(self.ledger("effects", number)) == 1


def wait_until(condition: Callable[[], Any]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, f"It did not happen within {PATIENCE} s."
        time.sleep(POLL_SECONDS)
