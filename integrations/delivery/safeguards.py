"""What keeps one effect from becoming two, by name, so that a rehearsal can show what each of them is for.

All of them stand, always. No setting and no variable of the environment takes one away: only `remove` does, which the
workers of a rehearsal call when they start, and which refuses on every database but a rehearsal's own.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from django.db import connection as database

# What a rehearsal writes beside its database when it makes it; only a superuser of the cluster can.
MARK_OF_A_REHEARSAL = "A rehearsal of the Exception Workbench. Nothing in it is business."


class Safeguard(StrEnum):
    STABLE_KEY = "stable-key"
    INTENT_FIRST = "intent-first"
    ASK_FIRST = "ask-first"
    SETTLE_TIME = "settle-time"
    EPOCH = "epoch"
    LEASE = "lease"
    APPROVAL = "approval"
    ONE_LIVE = "one-live"  # the database's own indexes
    IN_TIME = "in-time"


WORDS: Final[Mapping[Safeguard, str]] = MappingProxyType(
    {
        Safeguard.STABLE_KEY: "Every attempt of one content goes by the same key.",
        Safeguard.INTENT_FIRST: "The intent to send is committed before the first byte leaves.",
        Safeguard.ASK_FIRST: "What may have been sent is asked about before it is sent again.",
        Safeguard.SETTLE_TIME: "“Not there” counts only once a late effect would have shown.",
        Safeguard.EPOCH: "A worker whose claim was taken over writes and sends nothing more.",
        Safeguard.LEASE: "Nobody takes a delivery from a worker that is at work on it.",
        Safeguard.APPROVAL: "The approved decision is looked up before anything is sent.",
        Safeguard.ONE_LIVE: "No second delivery of a document begins while one is under way.",
        Safeguard.IN_TIME: "No request begins to leave once the lease of its intent is over.",
    }
)


class NotARehearsal(Exception):
    """Something that only a rehearsal may do was tried where business is done."""


_removed: set[Safeguard] = set()


def stands(safeguard: Safeguard) -> bool:
    return safeguard not in _removed


def remove(safeguard: Safeguard) -> None:
    """In this process and until it ends. Raises NotARehearsal."""
    require_rehearsal(f"take away the safeguard {safeguard}")
    _removed.add(safeguard)


def require_rehearsal(purpose: str) -> None:
    """Raises NotARehearsal on every database that does not bear the mark of one."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        )
        mark = cursor.fetchone()[0]
    if mark != MARK_OF_A_REHEARSAL:
        raise NotARehearsal(f"Only a rehearsal may {purpose}, on a database of its own; this is none.")
