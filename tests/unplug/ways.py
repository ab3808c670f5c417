"""The ways in through which the trickle comes. A new way is a class here and one entry in `WAYS`."""

import errno
import itertools
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from pathlib import Path

import requests

from tests.integrations.connectors.erp.postings import journal
from tests.unplug.site import CONNECTION, REFUSAL, Site, message, refused_journal
from tests.unplug.told import Item, Told, Word, by_http, by_network

BATCH = 5


class Ending(Enum):
    """What must come of what was accepted, exactly once."""

    EXCEPTION = "one message, one occurrence, one exception"
    DELIVERED = "one transaction, delivered as one document at the target, its source told"
    BOOKED = "one document at the target, the exception resolved with its number, its source told"


class Way(ABC):
    """How something is handed over. `per_second` items are, each with identifiers of its own."""

    name: str
    per_second: float
    ends_as = Ending.EXCEPTION

    def __init__(self, site: Site) -> None:
        self.site = site
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def next_item(self) -> Item | None:
        """Something new to hand over; None when there is nothing. Of two that are refused one comes again."""
        with self._lock:
            number = next(self._numbers)
        return Item(self, self.identifiers(number), persists=number % 2 == 0)

    def identifiers(self, number: int) -> tuple[str, ...]:
        return (f"{self.name}-{number}",)

    def hand_over(self, item: Item) -> Told:
        """Hand it over, or repeat that; never raises for what is away."""
        try:
            return self.send(item)
        except requests.RequestException as error:
            return by_network(error)

    @abstractmethod
    def send(self, item: Item) -> Told: ...


class ApiSingle(Way):
    """POST /api/v1/messages, one message."""

    name = "api"
    per_second = 3

    def send(self, item: Item) -> Told:
        return by_http(self.site.post("clerk", "/messages", message(item.identifiers[0])))


class ApiBatch(Way):
    """POST /api/v1/messages, several at once; each must have been accepted for itself."""

    name = "batch"
    per_second = 0.5

    def identifiers(self, number: int) -> tuple[str, ...]:
        return tuple(f"{self.name}-{number}-{place}" for place in range(BATCH))

    def send(self, item: Item) -> Told:
        answer = self.site.post("clerk", "/messages", {"messages": [message(each) for each in item.identifiers]})
        told = by_http(answer)
        if told.word is Word.ACCEPTED:
            statuses = [receipt["status"] for receipt in answer.json()["messages"]]
            assert {*statuses} <= {"accepted", "repeat"}, statuses
        return told


class Folder(Way):
    """A pair of files in a watched folder. What tells the sender is its operating system."""

    name = "folder"
    per_second: float = 1

    @property
    def place(self) -> Path:
        return self.site.folder

    def send(self, item: Item) -> Told:
        stem = item.identifiers[0]
        parts = [(f"{stem}.refusal.json", REFUSAL), (f"{stem}.json", refused_journal(stem))]
        written = [(self.place / f"{name}.part", name, content) for name, content in parts]
        try:
            for path, _, content in written:
                path.write_bytes(content)
            for path, name, _ in written:
                path.rename(path.with_name(name))
        except OSError as error:
            for path, name, _ in written:  # what cannot be completed is taken back
                for left in (path, path.with_name(name)):
                    left.unlink(missing_ok=True)
            fault = "" if error.errno == errno.ENOSPC else str(error)
            return Told(Word.REFUSED, "no space left", fault=fault)
        return Told(Word.ACCEPTED, "dropped")


class Sftp(Folder):
    """A pair of files on the server of a partner, which the workbench fetches."""

    name = "sftp"
    per_second = 0.5

    @property
    def place(self) -> Path:
        return self.site.sftp_folder


class Hook(Way):
    """A signed webhook whose body is a message."""

    name = "hook"
    per_second = 1
    media_type = "application/json"

    def send(self, item: Item) -> Told:
        return by_http(self.site.hook(self.body(item), self.media_type, identifier=item.identifiers[0]))

    def body(self, item: Item) -> bytes:
        """Without the connection, which is in the address, and the identifier, which is in a header."""
        parts = message(item.identifiers[0])
        return json.dumps({name: parts[name] for name in ("payload", "refusal")}).encode()


class Event(Hook):
    """A signed webhook that brings a CloudEvent; its identifier is that of the event, whatever the webhook's."""

    name = "event"
    media_type = "application/cloudevents+json"

    def body(self, item: Item) -> bytes:
        attributes = {"specversion": "1.0", "type": "posting.refused", "source": "unplug", "id": item.identifiers[0]}
        return json.dumps(attributes | {"data": json.loads(super().body(item))}).encode()


class Feed(Way):
    """An item on a feed that the workbench pulls. What tells its author is the source system."""

    name = "feed"
    per_second = 0.5

    def send(self, item: Item) -> Told:
        reference = item.identifiers[0]
        parts = message(reference)
        entry = {"id": reference, "payload": json.loads(parts["payload"]["text"]), "refusal": parts["refusal"]}
        self.site.feed(entry).raise_for_status()
        return Told(Word.ACCEPTED, "on the feed")


class FrontDoor(Way):
    """POST /api/v1/transactions: a document that is right, handed over for delivery."""

    name = "transaction"
    per_second = 1
    ends_as = Ending.DELIVERED

    def send(self, item: Item) -> Told:
        reference = item.identifiers[0]
        payload = {"media_type": "application/json", "text": journal(reference=reference).decode()}
        body = {"connection": CONNECTION, "id": reference, "payload": payload}
        return by_http(self.site.post("clerk", "/transactions", body))


class Approval(Way):
    """Approving what was corrected and proposed before: each approval sets a delivery going."""

    name = "approval"
    per_second = 0.5
    ends_as = Ending.BOOKED

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._proposed: dict[str, tuple[str, str]] = {}  # exception and frozen hash, by reference
        self._waiting: list[str] = []

    def prepare(self, count: int) -> None:
        """Have proposals ready, so that the outage meets approvals and not their preparation."""
        references = [f"{self.name}-{next(self._numbers)}" for _ in range(count)]
        self.site.call("clerk", "/messages", {"messages": [message(reference) for reference in references]})
        for reference, ref in self.site.exceptions_of(references).items():
            self._proposed[reference] = (ref, self.site.propose(ref))
            self._waiting.append(reference)

    def next_item(self) -> Item | None:
        with self._lock, suppress(IndexError):
            return Item(self, (self._waiting.pop(0),))
        return None

    def send(self, item: Item) -> Told:
        ref, frozen = self._proposed[item.identifiers[0]]
        path, key = f"/exceptions/{ref}/approve", f"approve-{ref}"
        return by_http(self.site.post("controller", path, {"frozen_sha256": frozen}, key=key))

    def not_approved(self) -> Iterable[str]:
        """What was proposed and is left to lie."""
        return self._waiting


WAYS: tuple[type[Way], ...] = (ApiSingle, ApiBatch, Folder, Sftp, Hook, Event, Feed, FrontDoor, Approval)


def all_ways(site: Site) -> list[Way]:
    return [way(site) for way in WAYS]
