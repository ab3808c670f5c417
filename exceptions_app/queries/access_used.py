"""When somebody last did with a verb what it is for, as the audit trail of the last 400 days tells it.

The trail holds what was done, not what was looked at. Whoever does something with an exception sees it, so that is a
use of `see` too; of those who only look the trail knows nothing, and says so.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection as database

from exceptions_app.states import TRANSITIONS, Verb

_CONFIGURING = "configure_connection"
_INGESTING = "ingest_messages"
_ADMINISTERING = "administer"
NOT_TOLD: Final = frozenset({Verb.SEE.value})
"""Verbs of whose use there are no events of their own."""
DAYS: Final = 400
"""How far the trail is read back: more than a year, so that what is done once a year is found."""

# What the trail calls what is done with each verb, beside the moves of exceptions.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    Verb.COMMENT: ("case.commented", "cause.noted", "case.playbook_used"),
    Verb.CORRECT: ("message.read_again", "message.set_aside", "message.file_set_aside", "pull_source.gap_set_aside",
                   "cause.owner_set", "cause.joined", "cause.taken_back", "cause.split"),
    Verb.PROPOSE: ("batch.proposed", "batch.suspended", "batch.resumed", "batch.cancelled", "value_mapping.begun",
                   "value_mapping.proposed", "value_mapping.withdrawn", "playbook.written"),
    Verb.APPROVE: ("batch.approved", "batch.rejected", "value_mapping.approved", "value_mapping.rejected",
                   "playbook.approved", "playbook.rejected"),
    Verb.EXPORT: ("audit.exported", "audit.export_started", "audit.export_downloaded"),
    Verb.REVEAL: ("case.values_revealed",),
    Verb.EMERGENCY: ("emergency.taken",),
    _INGESTING: ("message.received", "transaction.handed_over"),
    _CONFIGURING: (
        "configuration.added", "configuration.changed", "connection.paused", "connection.resumed",
        "connection.breaker_reset", "connection.maintenance_planned", "connection.maintenance_cancelled",
        "connection.webhook_secret_rotated", "field_map.saved", "field_map.activated", "field_map.switched_off",
        "pull_source.paused", "pull_source.resumed", "pull_source.asked", "pull_source.set_back",
    ),
    _ADMINISTERING: (
        "grant.given", "grant.taken", "role.given", "role.taken", "role.added", "person.added", "person.changed",
        "person.joined", "configuration.added", "configuration.changed", "exchange_rates.imported", "token.made",
        "token.withdrawn", "keys.changed", "access_review.opened", "access_review.confirmed", "access_review.ended",
    ),
}  # fmt: skip


def _verbs_by_event() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for move in TRANSITIONS.values():
        if move.verb is not None:
            found[move.past].add(move.verb.value)
    for verb, events in _BESIDE.items():
        for event in events:
            found[event].add(str(verb))
    return found


_OF_EXCEPTIONS = frozenset(verb.value for verb in Verb)
# What of the configuration is about a connection; the rest, such as a queue, is the administration's alone.
_OF_CONNECTIONS = frozenset({"connection", "pull_source", "retry_policy"})
VERBS_BY_EVENT: Final[Mapping[str, Collection[str]]] = _verbs_by_event()
# Where it was done: the scope names queue and legal entity of an exception, or the connection; an event of a connection
# itself, and of how often is tried again there, names it in its subject. Read by the index of actor and time.
_ASKED = """
    SELECT e.actor, e.action, CASE
            WHEN starts_with(e.subject, 'connection:') THEN e.subject
            WHEN starts_with(e.subject, 'retry_policy:') AND split_part(e.subject, ':', 2) <> 'all'
                THEN 'connection:' || split_part(e.subject, ':', 2)
            ELSE e.scope
        END AS place,
        CASE WHEN starts_with(e.action, 'configuration.') THEN split_part(e.subject, ':', 1) END AS about,
        max(e.at)
    FROM public.audit_event e
    WHERE e.actor = ANY(%(people)s) AND e.at >= %(since)s AND e.action = ANY(%(events)s)
    GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Use:
    """When, and whether the trail tells the place: a list of several places, or an export, names none."""

    at: datetime
    tells_place: bool


class Used:
    """The last use by person, verb and place."""

    def __init__(self) -> None:
        self._at: dict[str, dict[tuple[str, str], datetime]] = defaultdict(dict)

    def note(self, person: str, verb: str, place: str, at: datetime) -> None:
        theirs = self._at[person]
        theirs[verb, place] = max(at, theirs.get((verb, place), at))

    def of(self, person: str, verb: str, kind: str, place: str) -> Use | None:
        """In this place; and where it was used in none that is told, then."""
        theirs = self._at.get(person, {})
        there, anywhere = theirs.get((verb, f"{kind}:{place}")), theirs.get((verb, ""))
        if there is not None:
            return Use(there, tells_place=True)
        return Use(anywhere, tells_place=False) if anywhere is not None else None

    def anywhere(self, person: str, verbs: Collection[str], *, place: str = "") -> datetime | None:
        """The last time that they used any of these verbs; in that place, or in none that is told."""
        return max(
            (
                at
                for (verb, where), at in self._at.get(person, {}).items()
                if verb in verbs and (not place or where in (place, ""))
            ),
            default=None,
        )


def used_by(people: Collection[str], *, at: datetime) -> Used:
    """All that these people did last, in the DAYS before. One query."""
    used, since = Used(), at - timedelta(days=DAYS)
    with database.cursor() as cursor:
        cursor.execute(_ASKED, {"people": sorted(people), "events": sorted(VERBS_BY_EVENT), "since": since})
        for actor, action, told, about, last in cursor.fetchall():
            for verb in VERBS_BY_EVENT[action]:
                if verb == _CONFIGURING and about is not None and about not in _OF_CONNECTIONS:
                    continue
                for place in _places(told, verb):
                    used.note(actor, verb, place, last)
                    if place and verb in _OF_EXCEPTIONS:
                        used.note(actor, Verb.SEE.value, place, last)
    return used


def _places(told: str, verb: str) -> tuple[str, ...]:
    """The places of a use, by what its event tells; an empty one where it tells none that the verb is granted on."""
    of_connection = verb in (_CONFIGURING, _INGESTING)
    if verb == _ADMINISTERING:
        return ("workbench:workbench",)
    if told.startswith("connection"):
        return (f"connection:{told[len('connection:') :]}",) if of_connection else ("",)
    entity, _, queue = told.partition("/")
    return (f"queue:{queue}", f"entity:{entity}") if queue and not of_connection else ("",)
