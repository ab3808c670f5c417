"""The connections of the unplug test in the running installation, and its people at the API."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from standardwebhooks.webhooks import Webhook

from tests.integrations.connectors.erp.postings import detail, gateway_error, journal
from tests.sftp_server import PASSWORD, USER, SftpServer
from tests.unplug.plant import Plant
from tests.unplug.told import TIME_OUT

CONNECTION = "unplug"
FOLDER_CONNECTION = "unplug-folder"
COST_CENTER = "/lines/0/cost_center"
POLL_SECONDS = 0.2
PATIENCE = 120  # seconds: these machines are noisy

# Both lead to the simulated ERP. A short time-out, so that what is lost sight of is asked about soon.
SET_UP = f"""
import json
import os
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.timezone import now
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Queue, Route
from integrations import webhooks
from integrations.models import Connection, PullSource
from workbench.tokens import create_api_token
setup = machine(SETUP)
hook_secret = webhooks.new_secret()
people = {{user.username: user for user in get_user_model().objects.filter(username__in=["clerk", "controller"])}}
for position, (slug, folder) in enumerate([("{CONNECTION}", ""), ("{FOLDER_CONNECTION}", "{FOLDER_CONNECTION}")]):
    connection = Connection(slug=slug, name=slug, connector="erp", watched_folder=folder, timeout_seconds=2,
        target_url=settings.SIMULATOR_URL + "/erp", target_token=settings.SIMULATOR_TOKEN,
        write_back_url=settings.SIMULATOR_URL + "/source/webhook", write_back_secret=settings.SIMULATOR_WEBHOOK_SECRET,
        webhook_secret=hook_secret)
    save_configuration(connection, by=setup, at=now())
    route = Route(position=9100 + position, connection=connection, queue=Queue.objects.earliest("pk"),
        entity=LegalEntity.objects.get(code="NL01"))
    save_configuration(route, by=setup, at=now())
    grant_connection("ingest_messages", people["clerk"], connection, by=setup, at=now())
feed = {{"url": settings.SIMULATOR_URL + "/feed/items", "sequence": "/sequence"}}
sftp = json.loads(os.environ["UNPLUG_SFTP"])
connection = Connection.objects.get(slug="{CONNECTION}")
for kind, given, secret in [("rest", feed, settings.SIMULATOR_TOKEN), ("sftp", sftp, "{PASSWORD}")]:
    source = PullSource(connection=connection, slug="{CONNECTION}-" + kind, name=kind, kind=kind, settings=given,
        secret=secret, every_seconds=5)
    source.full_clean()
    save_configuration(source, by=setup, at=now(), because="For this test.")
print(json.dumps({{"webhook_secret": hook_secret, "tokens": {{
    name: create_api_token(user, name="unplug", expires_at=None, at=now())[1] for name, user in people.items()}}}}))
"""

REFUSAL = gateway_error(detail("KI/235", "Account 630000 requires a cost object", COST_CENTER))


def refused_journal(reference: str) -> bytes:
    """Without the cost centre that its account needs."""
    posting = json.loads(journal(reference=reference))
    del posting["lines"][0]["cost_center"]
    return json.dumps(posting).encode()


def message(reference: str) -> dict[str, Any]:
    """As the body of POST /api/v1/messages has it; the reference is the sender's identifier too."""
    return {
        "connection": CONNECTION,
        "id": reference,
        "payload": {"media_type": "application/json", "text": refused_journal(reference).decode()},
        "refusal": {"media_type": "application/json", "status": 400, "text": REFUSAL.decode()},
    }


@dataclass(frozen=True, slots=True)
class Site:
    """The installation with its connections set up."""

    plant: Plant
    tokens: dict[str, str]
    webhook_secret: str
    folder: Path
    sftp_folder: Path

    @classmethod
    def set_up(cls, plant: Plant, sftp: SftpServer) -> "Site":
        """`sftp` stands for the server of a partner."""
        partner = {"host": "127.0.0.1", "port": sftp.port, "user": USER, "folder": "/out", "host_keys": [sftp.host_key]}
        plant.environment["UNPLUG_SFTP"] = json.dumps(partner)
        sftp_folder = sftp.root / "out"
        sftp_folder.mkdir()
        printed = plant.manage("shell", "--no-imports", "-c", SET_UP)
        folder = plant.seen_home / "intake" / FOLDER_CONNECTION
        folder.mkdir(parents=True, exist_ok=True)
        return cls(plant=plant, folder=folder, sftp_folder=sftp_folder, **json.loads(printed.strip().splitlines()[-1]))

    def post(self, who: str, path: str, body: dict[str, Any], *, key: str = "", seconds: float = TIME_OUT) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | ({"Idempotency-Key": key} if key else {})
        return requests.post(f"{self.plant.url}/api/v1{path}", json=body, headers=headers, timeout=seconds)

    def hook(self, body: bytes, media_type: str, *, identifier: str) -> Any:
        """A webhook signed after Standard Webhooks, by the library that others use."""
        moment = datetime.now(UTC)
        signature = Webhook(self.webhook_secret).sign(msg_id=identifier, timestamp=moment, data=body.decode())
        headers = {
            "Content-Type": media_type,
            "webhook-id": identifier,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": signature,
        }
        return requests.post(f"{self.plant.url}/hooks/{CONNECTION}/", data=body, headers=headers, timeout=TIME_OUT)

    def feed(self, item: dict[str, Any]) -> requests.Response:
        """Put an item on the feed that the workbench pulls."""
        return requests.post(f"{self.plant.simulator_url}/control/feed", json={"add": [item]}, timeout=TIME_OUT)

    def call(self, who: str, path: str, body: dict[str, Any]) -> Any:
        """A call that must succeed."""
        answer = self.post(who, path, body, seconds=PATIENCE)
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()

    def get(self, who: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = requests.get(f"{self.plant.url}/api/v1{path}", headers=headers, timeout=PATIENCE)
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()

    def exceptions_of(self, references: list[str]) -> dict[str, str]:
        """The exceptions that these messages became, once they all have."""
        query = """SELECT m.external_id, 'EX-' || o.case_id FROM integrations_inboxmessage m
            JOIN exceptions_app_occurrence o ON o.inbox_message_id = m.id WHERE m.external_id = ANY(%s)"""
        ends_at = time.monotonic() + PATIENCE
        while len(found := dict(self.rows(query, references))) < len(references):
            assert time.monotonic() < ends_at, f"Not all of {references} became exceptions: {found}"
            time.sleep(POLL_SECONDS)
        return found

    def propose(self, ref: str) -> str:
        """Fill in the cost centre and propose; the hash of what is frozen."""
        correction = {"base_version": 1, "because": "As on the contract.", "fields": {COST_CENTER: "CC-1000"}}
        self.call("clerk", f"/exceptions/{ref}/correct", correction)
        self.call("clerk", f"/exceptions/{ref}/propose", {"because": "Mended."})
        return str(self.get("controller", f"/exceptions/{ref}")["proposal"]["frozen_sha256"])

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Asked of the database itself, as the role that serves."""
        with self.plant.database() as connection:
            return connection.execute(query, values or None).fetchall()

    def ledger(self) -> list[dict[str, Any]]:
        """What the simulated ERP has booked."""
        found = requests.get(f"{self.plant.simulator_url}/control/ledger", timeout=PATIENCE).json()["effects"]
        return [effect for effect in found if effect["system"] == "erp"]

    def events(self) -> list[dict[str, Any]]:
        """What the source was told, once for each webhook-id."""
        found = requests.get(f"{self.plant.simulator_url}/source/events", timeout=PATIENCE).json()["events"]
        return [event["content"] for event in found]
