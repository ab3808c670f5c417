"""When all is calm again, and whether everything that was handed over ended as its sender was told."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import psycopg
import requests

from tests.unplug.pieces import is_ready
from tests.unplug.site import CONNECTION, FOLDER_CONNECTION, PATIENCE, POLL_SECONDS, Site
from tests.unplug.told import Item

OURS = (CONNECTION, FOLDER_CONNECTION)
LIVE = ("queued", "probing", "sending", "unknown")
UNREAD = """SELECT m.external_id FROM integrations_inboxmessage m
    JOIN integrations_connection c ON c.id = m.connection_id
    WHERE c.slug = ANY(%s) AND m.status = 'pending'"""
UNDELIVERED = """SELECT concat_ws(' ', d.subject, d.operation, d.state, d.detail)
    FROM integrations_delivery d JOIN integrations_connection c ON c.id = d.connection_id
    WHERE c.slug = ANY(%s) AND d.state = ANY(%s)"""
ARRIVED = """SELECT m.external_id, m.status, count(o.id), count(DISTINCT o.case_id)
    FROM integrations_inboxmessage m JOIN integrations_connection c ON c.id = m.connection_id
    LEFT JOIN exceptions_app_occurrence o ON o.inbox_message_id = m.id
    WHERE c.slug = ANY(%s) GROUP BY m.id"""
CASES = """SELECT 'EX-' || e.id, e.document_number, e.state, e.outcome, e.reference FROM exceptions_app_exceptioncase e
    JOIN integrations_connection c ON c.id = e.connection_id WHERE c.slug = ANY(%s)"""
IN_QUARANTINE = """SELECT p.file_name, p.problem FROM integrations_folderproblem p
    JOIN integrations_connection c ON c.id = p.connection_id WHERE c.slug = ANY(%s)"""


def wait_until_calm(site: Site, *, seconds: float) -> None:
    """Until everything is up, read, delivered and told. What waited longer than `seconds` may wait as long again."""
    began = time.monotonic()
    while (stirring := what_stirs(site)) != []:
        assert time.monotonic() - began < PATIENCE + seconds, f"Still not calm: {stirring}\n{site.plant.output()}"
        time.sleep(POLL_SECONDS)


def what_stirs(site: Site) -> list[str]:
    """What is still under way, in words; a piece that does not answer yet is that too."""
    if not is_ready(site.plant):
        return ["the web server is not ready"]
    try:
        stirring = [f"unread {row[0]}" for row in site.rows(UNREAD, list(OURS))]
        stirring += [f"undelivered {row[0]}" for row in site.rows(UNDELIVERED, list(OURS), list(LIVE))]
        site.ledger()
    except (psycopg.OperationalError, requests.RequestException) as error:
        return [f"not there yet: {error}"]
    places = [site.folder, site.folder / "claimed"]
    return stirring + [
        f"lying {path.name}"
        for place in places if place.exists()
        for path in place.iterdir() if path.is_file() or place.name == "claimed"
    ]  # fmt: skip


class Judgement:
    """What there is, read once; each `find_…` returns what is wrong, in words."""

    def __init__(self, site: Site) -> None:
        self._arrived: dict[str, list[tuple[str, int, int]]] = {}
        for external_id, status, occurrences, cases in site.rows(ARRIVED, list(OURS)):
            self._arrived.setdefault(sender_s_name(external_id), []).append((status, occurrences, cases))
        self._cases = {row[1]: row for row in site.rows(CASES, list(OURS))}
        self._cases_counted = Counter(row[1] for row in site.rows(CASES, list(OURS)))
        self._effects = Counter(effect["number"] for effect in site.ledger())
        self._booked = {e["number"]: f"{e['document']}/{e['fiscal_year']}" for e in site.ledger()}
        self._told = Counter((event["data"]["exception"], event["type"]) for event in site.events())
        self._quarantined = site.rows(IN_QUARANTINE, list(OURS))

    def find_faults(self, items: Iterable[Item]) -> list[str]:
        faults = [f"in quarantine: {row}" for row in self._quarantined]
        for item in items:
            faults += [f"{item.identifiers}: told {told.fault}" for told in item.history if told.fault]
            for identifier in item.identifiers:
                found = self._of_approval(item, identifier) if item.way.ends_as == "booked once" else (
                    self._of_message(item, identifier)
                )  # fmt: skip
                faults += [f"{identifier}: {fault}, told {[told.kind for told in item.history]}" for fault in found]
        return faults

    def find_unsent(self, items: Iterable[Item], besides: Iterable[str]) -> list[str]:
        """What is there and nobody handed over."""
        sent = {identifier for item in items for identifier in item.identifiers} | {*besides}
        return [f"{name} is there and nobody sent it" for name in {*self._arrived, *self._cases} - sent]

    def _of_message(self, item: Item, identifier: str) -> list[str]:
        arrived = self._arrived.get(identifier, [])
        if item.given_up:
            return [f"refused, and yet there: {arrived}"] if arrived else []
        if not item.accepted:
            return ["not settled"]
        faults = [] if arrived == [("processed", 1, 1)] else [f"arrived as {arrived}"]
        return faults + ([] if self._cases_counted[identifier] == 1 else [f"{self._cases_counted[identifier]} cases"])

    def _of_approval(self, item: Item, reference: str) -> list[str]:
        ref, _, state, outcome, booked_as = self._cases[reference]
        if item.given_up:
            return [f"not approved, and yet booked {self._effects[reference]} times"] * (self._effects[reference] > 0)
        there: Any = (state, outcome, booked_as, self._effects[reference])
        expected = ("resolved", "replayed", self._booked.get(reference), 1)
        faults = [] if there == expected else [f"{there} instead of {expected}"]
        told = self._told[ref, "exception.resolved"]
        return faults + ([] if told == 1 else [f"its source was told {told} times"])


def sender_s_name(external_id: str) -> str:
    """The folder adds a digest of the content to the name of the file."""
    stem, _, digest = external_id.rpartition("-")
    return stem if len(digest) == 16 else external_id
