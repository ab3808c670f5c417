"""The simulated source system: receives the write-back as a Standard Webhook, once for each id, and shows it."""

import json
from datetime import UTC, datetime
from html import escape
from typing import Any

from standardwebhooks.webhooks import Webhook

from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.routes import Request, Route, Routes, World

# What the source keeps of a message, and what its people call it.
_COLUMNS = {
    "id": "Identifier",
    "document_number": "Document",
    "object_type": "Kind",
    "outcome": "How it ended",
    "reference": "Posting reference",
    "reason": "Reason",
    "exception": "Exception",
}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<title>Source systems of the demonstration</title>
<style>:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }} body {{ margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .35rem .9rem; text-align: start; border-block-end: 1px solid #8886; }}
</style></head><body><h1>What the source systems were told</h1>
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></body></html>
"""


class Source:
    def __init__(self, *, world: World, secret: str) -> None:
        self._ledger = world.ledger
        self._lock = world.lock
        self._webhook = Webhook(secret)

    def routes(self) -> Routes:
        return {
            ("POST", "/source/webhook"): Route(self.receive),
            ("GET", "/source/events"): Route(self.list_events),
            ("GET", "/source/"): Route(self.show_page),
        }

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

    def show_page(self, request: Request) -> Reply:
        """The same for people: what became of each document that the source had sent."""
        with self._lock:
            events = list(self._ledger.events)
        rows = (
            "".join(_row(event) for event in reversed(events))
            or f'<tr><td colspan="{len(_COLUMNS)}">Nothing yet.</td></tr>'
        )
        heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in ("Told at", *_COLUMNS.values()))
        return Reply(200, _PAGE.format(heads=heads, rows=rows).encode(), "text/html; charset=utf-8")


def _row(event: dict[str, Any]) -> str:
    content = event["content"] if isinstance(event["content"], dict) else {}
    data = content.get("data")
    told = data if isinstance(data, dict) else {}
    # Of a transaction that was handed over the state is the end, and its own identifier what tells it from a repeat.
    others = {"outcome": "state", "reason": "problem", "id": "message_id"}
    told = {**told, **{name: told.get(name) or told.get(other) for name, other in others.items()}}
    cells = [event["at"][:19].replace("T", " "), *(str(told.get(name) or "") for name in _COLUMNS)]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
