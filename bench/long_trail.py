"""A long audit trail: what its exports and its verification cost in time and memory, and whether that grows with it.

Each piece of work is a process of its own, whose peak of memory is its own; what it costs on the shortest trail of the
run is the floor of the memory. Sealing keeps up beside writers or it does not: its lag is measured at a fixed rate.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

from django.db import connection, connections, transaction
from django.utils.timezone import now

from audit.log import Entry, record, record_many
from audit.models import AuditEvent, AuditSeal
from audit.seal import seal
from bench.figures import Figure
from bench.servers import ROOT
from bench.sizes import Size

CLIENTS = 8
RATE = 500  # events a second
TICK = 1.0  # seconds between two looks of the sealer, as the schedule has it
LONG = 5.0  # seconds of a transaction that holds sealing back
_NAME = "long trail"
_TABLES = """
    CREATE TABLE IF NOT EXISTS bench_thing (id bigint PRIMARY KEY, revision bigint NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS bench_version (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, thing bigint NOT NULL, body bytea NOT NULL
    );
"""


def measure(size: Size) -> list[Figure]:
    _as_owner(_TABLES + f"GRANT ALL ON bench_thing, bench_version TO {_quoted_user()};")
    return [*_cost_of_auditing(size), *_lag(size), *_lengths(size)]


# What grows with the trail -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ran:
    seconds: float
    megabytes: float


def _lengths(size: Size) -> list[Figure]:
    figures: list[Figure] = []
    first: dict[str, _Ran] = {}
    with tempfile.TemporaryDirectory(prefix="wb-bench-pack-") as directory:
        pack = Path(directory) / "pack.zip"
        for length in size.trail:
            _grow_to(length)
            for what in WORK:
                ran = _in_a_process(what, pack)
                floor = first.setdefault(what, ran)
                figures += _figures(what, ran, floor, length=length, shortest=size.trail[0])
    return figures


def _figures(what: str, ran: _Ran, floor: _Ran, *, length: int, shortest: int) -> list[Figure]:
    speed = ran.seconds / length / (floor.seconds / shortest)
    told = Figure(
        _NAME, f"{what}, {length:,} events", "per second", ours=length / ran.seconds, floor=shortest / floor.seconds,
        ratio=speed, lowest=speed, highest=speed, cpu_ms=0.0, floor_is=f"the same of {shortest:,}",
    )  # fmt: skip
    memory = ran.megabytes / floor.megabytes
    return [
        told,
        replace(
            told, what=f"{what}, {length:,} events, peak of memory", unit="MB", ours=ran.megabytes,
            floor=floor.megabytes, ratio=memory, lowest=memory, highest=memory,
        ),
    ]  # fmt: skip


_PROLOGUE = """
import json, resource, sys, time, hashlib
from pathlib import Path
out = Path(sys.argv[1])
"""
_DJANGO = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
import django
django.setup()
from django.utils.timezone import now
from audit.queries import EventFilter, matching
events = matching(EventFilter(scopes=None))
at = now()
"""
_STARTED = "started = time.perf_counter()\n"
_EPILOGUE = """
took = time.perf_counter() - started
# Of the program alone: what a process inherits of its parent's peak is not in VmHWM.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([took, int(peak.split()[1]) / 1024]))
"""
WORK: dict[str, str] = {
    "JSON Lines streamed": _DJANGO + _STARTED + """
from audit.export import export_jsonl
assert sum(len(chunk) for chunk in export_jsonl(events, at=at)) > 0
""",
    "CSV streamed": _DJANGO + _STARTED + """
from audit.export import export_csv
assert sum(len(chunk) for chunk in export_csv(events)) > 0
""",
    "evidence pack": _DJANGO + _STARTED + """
from audit.evidence import evidence
with out.open("wb") as file:
    for chunk in evidence(events, at=at, by="bench", asked_for={}, lookup=lambda subjects: []):
        file.write(chunk)
""",
    "evidence pack checked without the workbench": _STARTED + """
sys.path.insert(0, str(Path("audit").resolve()))
import verify_evidence
with out.open("rb") as file:
    verify_evidence.verify(file, {}, [])
""",
    "whole log verified in the database": _DJANGO + _STARTED + """
from audit.verify import verify
assert verify().fault is None
""",
    "Parquet in parts": _DJANGO + _STARTED + """
from audit.formats import Asked, writer_of
writer, told, size = writer_of("parquet"), [], 4
rest = events.select_related("seal").order_by("at", "id")
last = None
while page := list((rest if last is None else rest.filter(at__gte=last.at, id__gt=last.pk))[:5000]):
    body, group = writer.page(page, {}, at_byte=size)
    told.append(group)
    size += len(body)
    last = page[-1]
writer.end(Asked(at=at, by="bench", filters={}), told, rows=0, at_byte=size, so_far=lambda: [])
""",
}  # fmt: skip


def _in_a_process(what: str, pack: Path) -> _Ran:
    program = _PROLOGUE + WORK[what] + _EPILOGUE
    done = subprocess.run(
        [sys.executable, "-c", program, str(pack)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{what}: {done.stderr}")
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {seconds:.1f} s, {megabytes:.0f} MB", file=sys.stderr, flush=True)
    return _Ran(seconds, megabytes)


def _grow_to(length: int) -> None:
    while (there := AuditSeal.objects.count()) < length:
        with transaction.atomic():
            record_many([_entry(there + place) for place in range(min(5_000, length - there))])
        while seal(limit=5_000, at=now()):
            pass


def _entry(place: int) -> Entry:
    return Entry(
        action="case.corrected", subject=f"case:EX-{place}", scope="NL01/e-invoicing", actor="clerk", at=now(),
        summary=f"clerk corrected EX-{place}.", because="The date is on the order.", correlation_id=f"EX-{place}",
        data={"from": "in_progress", "to": "in_progress", "version": 2, "fields": ["BT-2"]},
    )  # fmt: skip


# What auditing costs whoever waits -----------------------------------------------------------------------------------


def _cost_of_auditing(size: Size) -> list[Figure]:
    """Eight clients, each with transactions of three statements: without an event, with one, and sealed meanwhile."""
    _as_owner(f"INSERT INTO bench_thing (id) SELECT generate_series(1, {CLIENTS}) ON CONFLICT DO NOTHING")
    rounds = [
        [_rate(size, audited=False), _rate(size, audited=True), _sealed_meanwhile(lambda: _rate(size, audited=True))]
        for _ in range(size.rounds)
    ]
    bare = median(one[0] for one in rounds)
    return [
        _against_bare(words, [one[place] for one in rounds], bare=bare, ratios=[one[0] / one[place] for one in rounds])
        for place, words in ((1, "each with an event"), (2, "each with an event, sealed meanwhile"))
    ]


def _against_bare(words: str, rates: Sequence[float], *, bare: float, ratios: Sequence[float]) -> Figure:
    return Figure(
        _NAME, f"{CLIENTS} clients, {words}", "per second", ours=median(rates), floor=bare, ratio=median(ratios),
        lowest=min(ratios), highest=max(ratios), cpu_ms=0.0, floor_is="the same transactions without an event",
    )  # fmt: skip


def _rate(size: Size, *, audited: bool) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda client: _transactions(client, size.transactions, audited=audited), range(1, CLIENTS + 1)))
    return CLIENTS * size.transactions / (time.perf_counter() - started)


def _transactions(client: int, number: int, *, audited: bool) -> None:
    try:
        for place in range(number):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT revision FROM bench_thing WHERE id = %s FOR UPDATE", [client])
                cursor.execute("UPDATE bench_thing SET revision = revision + 1 WHERE id = %s", [client])
                cursor.execute("INSERT INTO bench_version (thing, body) VALUES (%s, %s)", [client, b"x" * 2_000])
                if audited:
                    entry = _entry(place)
                    record(**{name: getattr(entry, name) for name in Entry.__dataclass_fields__})
    finally:
        connections.close_all()


def _sealed_meanwhile(work: Callable[[], float]) -> float:
    with _Sealer():
        return work()


# How far sealing is behind -------------------------------------------------------------------------------------------


class _Sealer:
    """Seals as the schedule does, and notes when what was sealed could be seen to be."""

    def __init__(self) -> None:
        self.sealed: list[tuple[int, datetime]] = []  # up to this size at that time
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Sealer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            size = AuditSeal.objects.count()
            while True:
                is_last = self._over.is_set()
                while sealed := seal(limit=1_000, at=now()):
                    size += sealed
                    self.sealed.append((size, now()))
                if is_last:
                    return
                self._over.wait(TICK)
        finally:
            connections.close_all()


def _lag(size: Size) -> list[Figure]:
    return [_lag_with(size, long=False), _lag_with(size, long=True)]


def _lag_with(size: Size, *, long: bool) -> Figure:
    first = AuditSeal.objects.count()
    with _Sealer() as sealer:
        over = threading.Event()
        holder = threading.Thread(target=_hold, args=(over,))
        if long:
            holder.start()
        _write_at_rate(size.seconds)
        over.set()
        if long:
            holder.join()
    lags = _lags(first, sealer.sealed)
    if len(lags) != size.seconds * RATE + (AuditEvent.objects.filter(action="bench.held").count() if long else 0):
        raise RuntimeError("Sealing has left a gap.")
    p99 = quantiles(lags, n=100)[98] if len(lags) > 1 else lags[0]
    words = f"with transactions of {LONG:.0f} s open" if long else "without long transactions"
    return Figure(
        _NAME, f"lag of sealing at {RATE} events a second, {words}: 99 of 100 within", "s", ours=p99,
        floor=median(lags), ratio=p99 / 2.0, lowest=min(lags), highest=max(lags), cpu_ms=0.0,
        floor_is="the median; the ratio is against 2 s, of rounds has the shortest and the longest lag in seconds",
    )  # fmt: skip


def _lags(first: int, sealed: Sequence[tuple[int, datetime]]) -> list[float]:
    events = AuditSeal.objects.filter(sequence__gt=first).order_by("sequence").values_list("sequence", "event__at")
    lags, place = [], 0
    for sequence, at in events:
        while sealed[place][0] < sequence:
            place += 1
        lags.append((sealed[place][1] - at).total_seconds())
    return lags


def _write_at_rate(seconds: int) -> None:
    """Eight writers with short transactions of a few events each, together at the rate."""
    started = time.perf_counter()

    def write(client: int) -> None:
        try:
            for step in range(client, seconds * 50, CLIENTS):
                time.sleep(max(0.0, started + step / 50 - time.perf_counter()))
                with transaction.atomic():
                    record_many([_entry(step * 10 + place) for place in range(RATE // 50)])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(write, range(CLIENTS)))


def _hold(over: threading.Event) -> None:
    """Transactions that write first and commit late, one after the other."""
    try:
        while not over.is_set():
            with transaction.atomic():
                record_many([replace(_entry(0), action="bench.held")])
                over.wait(LONG)
    finally:
        connections.close_all()


def _as_owner(statements: str) -> None:
    from bench import floors  # noqa: PLC0415 - it reads the addresses of servers that are started by then

    with floors.bare_connection() as bare:
        bare.execute(statements)


def _quoted_user() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_user)")
        return str(cursor.fetchone()[0])
