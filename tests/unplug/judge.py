"""When all is calm again, and whether everything that was handed over ended as its sender was told."""

import time
from collections import Counter
from collections.abc import Iterable

import psycopg
import requests

from tests.unplug.pieces import is_ready
from tests.unplug.site import CONNECTION, FOLDER_CONNECTION, PATIENCE, POLL_SECONDS, Site
from tests.unplug.told import Item
from tests.unplug.ways import WAYS, Ending

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

TRANSACTIONS = """SELECT t.external_id, t.state, t.reference FROM exceptions_app_transaction t
    JOIN integrations_connection c ON c.id = t.connection_id WHERE c.slug = ANY(%s)"""
UNDER_WAY = ("checking", "waiting", "delivering", "outcome_unknown")
GAPS = "SELECT first, last FROM integrations_sequencegap WHERE closed_at IS NULL"


def wait_until_calm(site: Site, items: Iterable[Item], *, seconds: float) -> None:
    """Until everything is up, read, delivered and told. What was away for `seconds` may be left alone as long again."""
    accepted = {identifier for item in items if item.accepted for identifier in item.identifiers}
    began = time.monotonic()
    while (stirring := what_stirs(site, accepted)) != []:
        assert time.monotonic() - began < PATIENCE + seconds, f"Still not calm: {stirring}\n{site.plant.output()}"
        time.sleep(POLL_SECONDS)


def what_stirs(site: Site, accepted: set[str]) -> list[str]:
    """What is still under way, in words; a piece that does not answer yet is that too."""
    if not is_ready(site.plant):
        return ["the web server is not ready"]
    try:
        arrived = {sender_s_name(row[0]) for row in site.rows(ARRIVED, list(OURS))}
        stirring = [f"on its way {identifier}" for identifier in accepted - arrived]
        stirring += [f"{row[1]} {row[0]}" for row in site.rows(TRANSACTIONS, list(OURS)) if row[1] in UNDER_WAY]
        stirring += [f"unread {row[0]}" for row in site.rows(UNREAD, list(OURS))]
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
        rows = site.rows(CASES, list(OURS))
        self._cases = {row[1]: row for row in rows}
        self._cases_counted = Counter(row[1] for row in rows)
        ledger = site.ledger()
        self._effects = Counter(effect["number"] for effect in ledger)
        self._booked = {effect["number"]: f"{effect['document']}/{effect['fiscal_year']}" for effect in ledger}
        self._transactions: dict[str, list[tuple[str, str]]] = {}
        for external_id, state, reference in site.rows(TRANSACTIONS, list(OURS)):
            self._transactions.setdefault(external_id, []).append((state, reference))
        events = [(event["type"], event["data"]) for event in site.events()]
        self._told = Counter((data.get("id") or data["exception"], kind) for kind, data in events)
        self._quarantined = site.rows(IN_QUARANTINE, list(OURS))
        self._gaps = site.rows(GAPS)

    def find_faults(self, items: Iterable[Item]) -> list[str]:
        faults = [f"in quarantine: {row}" for row in self._quarantined]
        faults += [f"missing from the feed: {row}" for row in self._gaps]
        for item in items:
            faults += [f"{item.identifiers}: told {told.fault}" for told in item.history if told.fault]
            for identifier in item.identifiers:
                told = [told.kind for told in item.history]
                faults += [f"{identifier}: {fault}, told {told}" for fault in self._faults_of(item, identifier)]
        return faults

    def find_unsent(self, items: Iterable[Item], besides: Iterable[str]) -> list[str]:
        """What is there and nobody handed over."""
        sent = {identifier for item in items for identifier in item.identifiers} | {*besides}
        # The demonstration has documents at the same target.
        booked = {number for number in self._effects if number.startswith(tuple(f"{way.name}-" for way in WAYS))}
        there = {*self._arrived, *self._cases, *self._transactions, *booked}
        return [f"{name} is there and nobody sent it" for name in there - sent]

    def _faults_of(self, item: Item, identifier: str) -> list[str]:
        if item.given_up:
            return self._something_of(item, identifier)
        if not item.accepted:
            return ["never settled"]
        match item.way.ends_as:
            case Ending.EXCEPTION:
                return self._not_an_exception(identifier)
            case Ending.DELIVERED:
                return self._not_delivered_once(identifier)
            case Ending.BOOKED:
                return self._not_booked_once(identifier)

    def _something_of(self, item: Item, identifier: str) -> list[str]:
        """What came of something that its sender was told was not kept."""
        if item.way.ends_as is Ending.BOOKED:
            return [f"refused, and yet booked {self._effects[identifier]} times"] if self._effects[identifier] else []
        arrived = self._arrived.get(identifier, [])
        return [f"refused, and yet there: {arrived}"] if arrived else []

    def _not_an_exception(self, identifier: str) -> list[str]:
        there = (self._arrived.get(identifier), self._cases_counted[identifier])
        expected = ([("processed", 1, 1)], 1)
        return [] if there == expected else [f"{there} instead of {expected}"]

    def _not_delivered_once(self, identifier: str) -> list[str]:
        there = (
            self._arrived.get(identifier),
            self._transactions.get(identifier),
            self._effects[identifier],
            self._told[identifier, "transaction.delivered"],
        )
        expected = ([("processed", 0, 0)], [("delivered", self._booked.get(identifier))], 1, 1)
        return [] if there == expected else [f"{there} instead of {expected}"]

    def _not_booked_once(self, reference: str) -> list[str]:
        ref, _, *ended = self._cases[reference]
        there = (*ended, self._effects[reference], self._told[ref, "exception.resolved"])
        expected = ("resolved", "replayed", self._booked.get(reference), 1, 1)
        return [] if there == expected else [f"{there} instead of {expected}"]


def sender_s_name(external_id: str) -> str:
    """The folder adds a digest of the content to the name of the file, an event its source to its identifier."""
    stem, _, digest = external_id.rpartition(" ")[2].rpartition("-")
    return stem if len(digest) == 16 else f"{stem}-{digest}"
