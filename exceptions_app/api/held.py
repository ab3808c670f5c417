"""A conflict as JSON: what we would send and what the target holds, field by field."""

from typing import Any

from exceptions_app.field_classes import masked_value
from exceptions_app.queries.conflicts import Conflict, HeldBeside, Pair


def conflict_as_json(found: Conflict | None, *, shows: bool = False) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "reference": found.reference,
        "told_at": found.told_at,
        "why_not_shown": found.why.value if found.why is not None else "",
        "ours": {"version": found.ours.version, "sha256": found.ours.sha256},
        "held_count": found.named,
        "held": [_held(document, shows=shows) for document in found.documents],
    }


def _held(beside: HeldBeside, *, shows: bool) -> dict[str, Any]:
    held = beside.held
    return {
        "reference": held.reference,
        "shows": held.shows.value,
        "sha256": held.sha256,
        "booked_at": held.booked_at,
        "came_in": held.came_in,
        "counts": {match.value: count for match, count in beside.counts.items()},
        "fields": [_pair(pair, shows=shows) for pair in beside.pairs],
    }


def _pair(pair: Pair, *, shows: bool) -> dict[str, Any]:
    field, theirs = pair.field, pair.theirs
    if theirs and not shows:
        theirs = masked_value(theirs, path=field.path, term=field.term)
    return {
        "term": field.term,
        "label": field.label,
        "group": field.group,
        "kind": field.kind.value,
        "path": field.path,
        "match": pair.match.value,
        "ours": pair.ours,
        "currency": field.currency,
        "theirs": theirs,
        "currency_there": pair.currency_there,
    }
