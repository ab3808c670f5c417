"""The simulated source system: receives the write-back as a Standard Webhook, once for each webhook-id."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from integrations.simulator.ledger import Ledger, Record
from integrations.simulator.replies import Reply, json_reply, problem


class Source:
    def __init__(self, *, ledger: Ledger, secret: str, lock: threading.Lock) -> None:
        self._ledger = ledger
        self._webhook = Webhook(secret)
        self._lock = lock

    def receive(self, *, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            self._webhook.verify(body, dict(headers), json_parse=False)
        except Exception:  # noqa: BLE001 — the library raises more than its own error for malformed headers
            return problem(401, "SIGNATURE_REFUSED", "The webhook signature does not verify.")
        try:
            content = json.loads(body)
        except ValueError:
            return problem(400, "NOT_JSON", "The body is not JSON.")
        webhook_id = {name.lower(): text for name, text in headers.items()}["webhook-id"]
        with self._lock:
            return self._store(webhook_id, content)

    def _store(self, webhook_id: str, content: object) -> Reply:
        known = next((event for event in self._ledger.events if event["id"] == webhook_id), None)
        if known is None:
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            self._ledger.append({"record": "event", "id": webhook_id, "at": at, "content": content})
        elif known["content"] != content:
            return problem(409, "ID_REUSED", "This webhook-id was used for other content.")
        return json_reply(200, {"received": webhook_id, "duplicate": known is not None})

    def events(self) -> list[Record]:
        with self._lock:
            return [{name: event[name] for name in ("id", "at", "content")} for event in self._ledger.events]
