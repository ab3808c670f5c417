"""A folder on an SFTP server: claimed by an atomic rename, taken in, and put away, as in a watched folder.

Each pair gets a folder of its own, `taken/STAMP-RANDOM/`, which is renamed as a whole to `done/` or `quarantine/` once
the message is durable. A worker that is killed leaves what the next one recognises. Where nothing may be renamed
(`afterwards` is `leave`), the cursor remembers what was taken in.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from integrations import file_pairs, inbox
from integrations.models import InboxMessage, PullSource
from integrations.pull.outcome import ENOUGH, NoRoom, Overtaken, Pulled, fit_to_show
from integrations.pull.sftp_wire import MOST_ENTRIES, Entry, Server, signed_in
from integrations.pull.unusable import report
from integrations.pull_settings import SftpSettings

log = logging.getLogger(__name__)

DEADLINE = 120.0  # seconds for one pull
PLACES = ("taken", "done", "quarantine")
_OUR_PLACE = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{12}")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Pair:
    """A document and the refusal beside it; `place` is the folder in which both lie."""

    place: str
    payload: Entry
    refusal: Entry | None

    @property
    def parts(self) -> list[Entry]:
        return [self.payload] if self.refusal is None else [self.payload, self.refusal]

    @property
    def stamp(self) -> list[int]:
        return [number for part in self.parts for number in part.stamp]


class _StillWritten(Exception):
    """It has another size than a moment ago: it stays where it is until the next look."""


@dataclass(slots=True)
class Look:
    """What a look into the folder found. `stamps` and `waiting` are what the next look needs to know."""

    ready: list[Pair] = field(default_factory=list)
    unsafe: list[Entry] = field(default_factory=list)
    stamps: dict[str, list[Any]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    changing: bool = False


def pull(source: PullSource, settings: SftpSettings, *, at: datetime) -> Pulled:
    """Take in every complete pair. Raises PullFailed."""
    timeout = source.connection.timeout_seconds
    with signed_in(settings, source.secret, timeout=timeout, deadline=DEADLINE) as server:
        return _Folder(server, source, settings, at).collect()


class _Folder:
    """One pull from one folder."""

    def __init__(self, server: Server, source: PullSource, settings: SftpSettings, at: datetime) -> None:
        self._server = server
        self._source = source
        self._settings = settings
        self._at = at
        self._root = settings.folder.rstrip("/")
        self._leaves = settings.afterwards == "leave"
        self._left: dict[str, list[int]] = {}
        self._pulled = Pulled()

    def collect(self) -> Pulled:
        if not self._leaves:
            for place in PLACES:
                self._server.make_folder(f"{self._root}/{place}")
            for pair in self._left_behind():
                self._take_in(pair)
        look = self._look()
        for entry in look.unsafe:
            self._report_unsafe(entry)
        wanted = [pair for pair in look.ready if not self._is_known(pair)] if self._leaves else look.ready
        enough_at = time.monotonic() + ENOUGH
        for pair in wanted[: self._settings.files]:
            if time.monotonic() >= enough_at:
                self._pulled.again_in = timedelta(0)
                break
            claimed = pair if self._leaves else self._claim(pair)
            if claimed is not None:
                self._take_in(claimed)
        self._remember(look)
        if len(wanted) > self._settings.files:
            self._pulled.again_in = timedelta(0)
        elif look.changing and self._pulled.again_in is None:
            self._pulled.again_in = timedelta(seconds=max(self._settings.quiet_seconds, 1))
        return self._pulled

    # Looking ---------------------------------------------------------------------------------------------------------

    def _look(self) -> Look:
        look = Look()
        found = self._server.entries(self._root)
        if len(found) >= MOST_ENTRIES:
            self._pulled.notice = f"Of the folder only the first {MOST_ENTRIES:,} names are looked at; clear it up."
        entries = [entry for entry in found if not entry.is_folder]
        look.unsafe = [entry for entry in entries if not is_safe(entry.name)]
        files = {entry.name: entry for entry in entries if is_safe(entry.name)}
        finished = {name: entry for name, entry in files.items() if not file_pairs.is_unfinished(name)}
        for name, entry in finished.items():
            if file_pairs.is_refusal(name):
                if not file_pairs.has_document(name, finished):
                    self._wait(look, name)
                continue
            beside = file_pairs.refusal_beside(name, finished)
            pair = Pair(self._root, entry, finished[beside] if beside is not None else None)
            if beside is None and not self._source.connection.refusal_optional:
                self._wait(look, name)
            elif self._is_at_rest(look, pair):
                look.ready.append(pair)
            else:
                look.changing = True
        return look

    def _wait(self, look: Look, name: str) -> None:
        """Note since when it waits for its other half."""
        look.waiting[name] = self._remembered("waiting").get(name) or self._at.isoformat()

    def _is_at_rest(self, look: Look, pair: Pair) -> bool:
        """Whether nothing about it changed for the quiet time, by our clock and by what the server said before."""
        stamp, since = pair.stamp, self._at.isoformat()
        before = self._remembered("stamps").get(pair.payload.name)
        if before is not None and before[1:] == stamp:
            since = before[0]
        look.stamps[pair.payload.name] = [since, *stamp]
        return self._at - datetime.fromisoformat(since) >= timedelta(seconds=self._settings.quiet_seconds)

    def _remembered(self, name: str) -> Mapping[str, Any]:
        found = self._source.cursor.get(name)
        return found if isinstance(found, dict) else {}

    def _is_known(self, pair: Pair) -> bool:
        """Whether it was taken in as it is now, where files are left."""
        known = self._remembered("left").get(pair.payload.name)
        if known is not None:
            self._left[pair.payload.name] = known
        return known == pair.stamp

    def _remember(self, look: Look) -> None:
        """For the next look; what was taken in is gone from the folder, or left and known."""
        place: dict[str, Any] = {"stamps": look.stamps, "waiting": look.waiting}
        if self._leaves:
            place["left"] = self._left
        self._save(place)

    def _save(self, place: dict[str, Any]) -> None:
        with transaction.atomic():
            self._require_unmoved()
            PullSource.objects.filter(pk=self._source.pk).update(cursor=place)
        self._source.cursor = place

    def _require_unmoved(self) -> None:
        row = PullSource.objects.select_for_update(no_key=True).only("cursor", "paused_at").get(pk=self._source.pk)
        if row.cursor != self._source.cursor or row.is_paused:
            raise Overtaken

    # Claiming and putting away ---------------------------------------------------------------------------------------

    def _claim(self, pair: Pair) -> Pair | None:
        """Rename into a folder of its own: of two pullers exactly one succeeds. The document comes last."""
        place = f"{self._root}/taken/{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(6)}"
        self._server.make_folder(place)
        try:
            for part in reversed(pair.parts):
                self._server.rename(f"{self._root}/{part.name}", f"{place}/{part.name}")
        except FileNotFoundError:
            return None  # whatever did move is put back by the next look at what was left behind
        return Pair(place, pair.payload, pair.refusal)

    def _left_behind(self) -> Iterator[Pair]:
        """What a puller had claimed that broke off; the inbox recognises what it had stored already."""
        taken = f"{self._root}/taken"
        for entry in self._server.entries(taken):
            if not entry.is_folder or not _OUR_PLACE.fullmatch(entry.name):
                continue
            place = f"{taken}/{entry.name}"
            parts = [part for part in self._server.entries(place) if not part.is_folder and is_safe(part.name)]
            payloads = [part for part in parts if not file_pairs.is_refusal(part.name)]
            refusals = [part for part in parts if file_pairs.is_refusal(part.name)]
            if payloads:
                yield Pair(place, payloads[0], refusals[0] if refusals else None)
            else:
                self._put_back(place, refusals)

    def _put_back(self, place: str, refusals: list[Entry]) -> None:
        """A refusal whose document was not claimed any more: it waits for it again, or gives way to a newer one."""
        try:
            for refusal in refusals:
                self._server.rename(f"{place}/{refusal.name}", f"{self._root}/{refusal.name}")
            self._server.remove_folder(place)
        except OSError as error:
            log.warning("What was claimed in %s cannot be put back: %s", place, error)
            self._server.rename(place, f"{self._root}/quarantine/{place.rpartition('/')[2]}")

    def _take_in(self, pair: Pair) -> None:
        """Make the message durable, then put its files away. One pair's trouble does not keep the others waiting."""
        try:
            self._receive(pair)
        except FileNotFoundError:
            return  # another puller finished it first
        except _StillWritten:
            self._pulled.again_in = timedelta(seconds=max(self._settings.quiet_seconds, 1))
        except OSError as error:
            if isinstance(error, TimeoutError) or not self._server.is_open:
                raise  # it is the connection, not the file
            trouble = inbox.MessageRefused(
                f"The file cannot be read: {fit_to_show(str(error))}.",
                field="payload",
                remedy="See that the workbench may read it on the server, and have it put there again.",
            )
            self._refuse(pair, trouble)
        except inbox.QuotaReached as full:
            raise NoRoom(full.problem, retry_after=full.retry_after) from full
        except inbox.MessageRefused as refused:
            self._refuse(pair, refused)
        else:
            self._put_away(pair)

    def _receive(self, pair: Pair) -> None:
        contents = [self._content(pair.place, part) for part in pair.parts]
        handed_in = file_pairs.handed_in_as(
            pair.payload.name,
            contents[0],
            refusal=pair.refusal.name if pair.refusal else None,
            answer=contents[1] if pair.refusal else b"",
            purpose=InboxMessage.Purpose(self._settings.purpose),
        )
        by = f"pull:{self._source.slug}"
        receipt = inbox.receive(
            self._source.connection, handed_in, via=InboxMessage.Via.SFTP, by=by, at=self._at
        )  # fmt: skip
        if receipt.is_repeat:
            self._pulled.repeats += 1
        else:
            self._pulled.taken += 1

    def _content(self, place: str, part: Entry) -> bytes:
        """The content of an ordinary file that is not too large; links are not followed."""
        if not part.is_file:
            raise file_pairs.a_link()
        limit = self._source.connection.max_bytes
        content = self._server.read(f"{place}/{part.name}", limit=limit + 1) if part.size <= limit else b""
        size = max(part.size, len(content))
        if size > limit:
            raise file_pairs.too_large(size, self._source.connection)
        if len(content) != part.size:
            raise _StillWritten
        return content

    def _put_away(self, pair: Pair) -> None:
        if self._leaves:
            self._left[pair.payload.name] = pair.stamp
        elif self._settings.afterwards == "delete":
            for part in pair.parts:
                self._server.remove(f"{pair.place}/{part.name}")
            self._server.remove_folder(pair.place)
        else:
            self._server.rename(pair.place, f"{self._root}/done/{pair.place.rpartition('/')[2]}")

    # What cannot be taken in -----------------------------------------------------------------------------------------

    def _refuse(self, pair: Pair, refused: inbox.MessageRefused) -> None:
        """Tell a person and put the files aside. When that breaks off it is told once, however often it is tried."""
        name = pair.place.rpartition("/")[2]
        if self._leaves:
            stamp = "-".join(map(str, pair.stamp))
            report(self._source, pair.payload.name, f"{pair.place}/{pair.payload.name} ({stamp})", refused, at=self._at)
            self._left[pair.payload.name] = pair.stamp
        else:
            aside = f"{self._root}/quarantine/{name}"
            report(self._source, pair.payload.name, f"{aside}/{pair.payload.name}", refused, at=self._at)
            self._server.rename(pair.place, aside)
        self._pulled.unusable += 1

    def _report_unsafe(self, entry: Entry) -> None:
        trouble = inbox.MessageRefused(
            "The name of the file cannot be used: it leads elsewhere, is too long or has control characters.",
            field="payload",
            remedy="Have it renamed at the source. It stays where it is.",
        )
        report(self._source, entry.name, f"{self._root}/{entry.name!r}", trouble, at=self._at)


def is_safe(name: str) -> bool:
    """Whether a name that a server gave can be used in a path: it names a file of that folder and nothing else."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name not in (".", "..")
        and not {"/", "\\"} & set(name)
        and name.isprintable()
    )


def overdue(source: PullSource, settings: SftpSettings, *, at: datetime) -> list[tuple[str, datetime]]:
    """Files that wait for their other half for too long, longest first, as the last look found them."""
    waiting = source.cursor.get("waiting") or {}
    since = [(str(name), datetime.fromisoformat(moment)) for name, moment in waiting.items()]
    limit = at - timedelta(minutes=settings.overdue_minutes)
    return sorted(((name, moment) for name, moment in since if moment <= limit), key=lambda one: (one[1], one[0]))
