"""What there is to judge by: the ledger of each target, the database, and what the people noted."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from workbench.rehearsal.lanes import Lane
from workbench.rehearsal.target import Record, Target

_ALL_CASES: Final = """
    SELECT e.id, e.state, e.outcome, e.reference, c.slug AS connection,
        EXISTS (SELECT 1 FROM exceptions_app_decision d JOIN exceptions_app_proposal p ON p.id = d.proposal_id
            WHERE p.case_id = e.id AND d.verdict = 'approved') AS approved,
        ARRAY(SELECT p.content_sha256::text FROM exceptions_app_decision d
            JOIN exceptions_app_proposal p ON p.id = d.proposal_id
            WHERE p.case_id = e.id AND d.verdict = 'approved') AS approved_sha256
    FROM exceptions_app_exceptioncase e JOIN integrations_connection c ON c.id = e.connection_id"""
_CASES: Final = f"{_ALL_CASES} ORDER BY e.id"
_OUTCOME_UNKNOWN: Final = f"{_ALL_CASES} WHERE e.state = 'outcome_unknown'"
_ALL_DELIVERIES: Final = """
    SELECT d.id, d.state, d.subject, d.business_key, d.key, d.content_sha256, d.reference, d.detail, d.created_at,
        d.finished_at, d.due_at, d.due_at > now() + interval '10 minutes' AS parked, c.slug AS connection
    FROM integrations_delivery d JOIN integrations_connection c ON c.id = d.connection_id
    WHERE d.operation = 'submit'"""
_DELIVERIES: Final = f"{_ALL_DELIVERIES} ORDER BY d.id"
_LIVE: Final = f"{_ALL_DELIVERIES} AND d.state IN ('queued', 'probing', 'sending', 'unknown')"
_ATTEMPTS: Final = """
    SELECT a.id, a.delivery_id, a.phase, a.epoch, a.started_at, n.outcome, n.finished_at
    FROM integrations_deliveryattempt a JOIN integrations_delivery d ON d.id = a.delivery_id
    LEFT JOIN integrations_deliveryanswer n ON n.attempt_id = a.id
    WHERE d.operation = 'submit' ORDER BY a.id"""
_COMPARED: Final = """
    SELECT DISTINCT c.slug FROM integrations_comparison r JOIN integrations_connection c ON c.id = r.connection_id
    WHERE r.state = 'complete'"""
_FLAGGED: Final = """
    SELECT DISTINCT c.slug, d.business_key FROM integrations_comparisonfinding f
    JOIN integrations_delivery d ON d.id = f.delivery_id JOIN integrations_connection c ON c.id = d.connection_id
    WHERE f.kind = 'twice_there'"""
SOURCE: Final = "source"  # so begins the key by which a source booked itself what it then lost sight of
LIVE: Final = ("queued", "probing", "sending", "unknown")


@dataclass(frozen=True, slots=True)
class Case:
    id: int
    state: str
    outcome: str
    reference: str
    connection: str
    approved: bool
    approved_sha256: list[str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery."""

    id: int
    state: str
    subject: str
    business_key: str
    key: str
    content_sha256: str
    reference: str
    detail: str
    created_at: datetime
    finished_at: datetime | None
    due_at: datetime
    parked: bool
    connection: str

    @property
    def case_id(self) -> int:
        return int(self.subject.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class Attempt:
    id: int
    delivery_id: int
    phase: str
    epoch: int
    started_at: datetime
    outcome: str | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one lane."""

    lane: Lane
    cases: Mapping[int, Case]
    deliveries: Sequence[Sent]
    attempts: Mapping[int, Sequence[Attempt]]  # of each delivery, in the order in which they were begun
    effects: Mapping[str, Sequence[Record]]  # by business key
    requests: Mapping[str, Sequence[Record]]  # what the workers submitted and the target saw, by the hash of its bytes
    acknowledged: frozenset[int]  # cases whose approval was confirmed to the person
    settle_seconds: float
    lease_seconds: float
    by_case: Mapping[int, Sequence[Sent]] = field(default_factory=dict)
    compared: bool = False  # whether the target's own list was held against the database when all was over
    flagged: frozenset[str] = frozenset()  # business keys that the comparison found more than once there

    def effects_for(self, case: Case) -> list[Record]:
        keys = {delivery.business_key for delivery in self.by_case.get(case.id, ())}
        return [effect for key in keys for effect in self.effects.get(key, ())]


def number_of(effect: Record) -> str:
    """What the target calls it, as the workbench notes it."""
    if "partner" in effect:
        return f"{effect['business_key']}/{effect['version']}"
    return f"{effect['document']}/{effect['fiscal_year']}"


def is_of(lane: Lane, connection: str) -> bool:
    return connection.rpartition("-")[0] == lane.kind


def gather_live(lane: Lane, database: "psycopg.Connection[Any]") -> Evidence:
    """Nothing but what may be under way yet, for whoever waits until nothing is, and looks often."""
    return Evidence(
        lane,
        {case.id: case for case in _rows(database, Case, _OUTCOME_UNKNOWN) if is_of(lane, case.connection)},
        [sent for sent in _rows(database, Sent, _LIVE) if is_of(lane, sent.connection)],
        attempts={},
        effects={},
        requests={},
        acknowledged=frozenset(),
        settle_seconds=0,
        lease_seconds=0,
    )


def gather(
    lane: Lane,
    target: Target,
    database: "psycopg.Connection[Any]",
    notes: Path,
    *,
    settle_seconds: float,
    lease_seconds: float,
) -> Evidence:
    cases = {case.id: case for case in _rows(database, Case, _CASES) if is_of(lane, case.connection)}
    deliveries = [sent for sent in _rows(database, Sent, _DELIVERIES) if is_of(lane, sent.connection)]
    ours = {delivery.id for delivery in deliveries}
    by_case: dict[int, list[Sent]] = defaultdict(list)
    for delivery in deliveries:
        by_case[delivery.case_id].append(delivery)
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in _rows(database, Attempt, _ATTEMPTS):
        if attempt.delivery_id in ours:
            attempts[attempt.delivery_id].append(attempt)
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    approved = {note["case"] for note in map(json.loads, lines) if note["word"] == "approved"}
    return Evidence(
        lane,
        cases,
        deliveries,
        attempts,
        _by("business_key", target.records("effect")),
        _by("sha256", [record for record in target.records("attempt") if not record["key"].startswith(SOURCE)]),
        frozenset(approved & set(cases)),
        settle_seconds,
        lease_seconds,
        by_case,
        any(is_of(lane, slug) for (slug,) in database.execute(_COMPARED)),
        frozenset(key for slug, key in database.execute(_FLAGGED) if is_of(lane, slug)),
    )


def _rows(database: "psycopg.Connection[Any]", kind: type[Any], query: str) -> list[Any]:
    with database.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query).fetchall()


def _by(name: str, records: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record[name]].append(record)
    return found
