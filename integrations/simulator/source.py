"""The simulated source system: receives the write-back as a Standard Webhook, once for each webhook-id."""

import json
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.routes import Request, Route, Routes, World


class Source:
    def __init__(self, *, world: World, secret: str) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self._webhook = Webhook(secret)

    def routes(self) -> Routes:
        return {("POST", "/source/webhook"): Route(self.receive), ("GET", "/source/events"): Route(self.list_events)}

    def index(self) -> None:
        """Events are read from the ledger itself."""

    def close(self) -> None:
        """Nothing is held."""

    def receive(self, request: Request) -> Reply:
        try:
            self._webhook.verify(request.body, dict(request.headers), json_parse=False)
        except Exception:  # noqa: BLE001 — the library raises more than its own error for malformed headers
            return problem(401, "SIGNATURE_REFUSED", "The webhook signature does not verify.")
        try:
            content = json.loads(request.body)
        except ValueError:
            return problem(400, "NOT_JSON", "The body is not JSON.")
        with self._lock:
            return self._store(request.headers["webhook-id"], content)

    def _store(self, webhook_id: str, content: object) -> Reply:
        known = next((event for event in self._ledger.events if event["id"] == webhook_id), None)
        if known is None:
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            self._ledger.append({"record": "event", "id": webhook_id, "at": at, "content": content})
        elif known["content"] != content:
            return problem(409, "ID_REUSED", "This webhook-id was used for other content.")
        return json_reply(200, {"received": webhook_id, "duplicate": known is not None})

    def list_events(self, request: Request) -> Reply:
        with self._lock:
            events = [{name: event[name] for name in ("id", "at", "content")} for event in self._ledger.events]
        return json_reply(200, {"events": events})
