"""What is proven here, held against the target's own list, in both directions.

From the list to us: a document of ours that stands there more than once, with other content, or though nothing was
booked as far as we know. From us to the list: what is proven here and not there. Whatever looks wrong by the list alone
is asked for by its name before it is said, since a list has an edge and a name has none.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from django.db.models import QuerySet

from integrations.connectors.base import CannotList, Endpoint, Listed, Listing, TargetClient
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import Comparison, ComparisonFinding, Connection, Delivery, Effect

_AT_ONCE: Final = 200  # names that are looked up together
_S = Delivery.State
Item = TypeVar("Item")
Kind = ComparisonFinding.Kind
# Which of several deliveries of one document speaks for it: the one that booked it, else the one that sent it last.
_SPEAKS_FIRST: Final = (_S.CONFIRMED, _S.ALREADY_THERE, _S.CONFLICT)


class CannotCompare(Exception):
    """The target of this connection has no list that we can read; the text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing on which we and the list do not agree."""

    kind: ComparisonFinding.Kind
    delivery: Delivery
    entries: tuple[Listed, ...]

    @property
    def references(self) -> list[str]:
        return sorted({entry.reference for entry in self.entries})

    @property
    def fingerprint(self) -> str:
        """The same for the same disagreement, so that it is raised once."""
        parts = (
            str(self.delivery.connection_id),
            self.kind,
            self.delivery.object_type,
            self.delivery.business_key,
            *(self.references or [str(self.delivery.pk)]),
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(slots=True)
class Outcome:
    """What a comparison came to. `earliest_left_out`: when the first document that is still under way was decided."""

    listed: int = 0
    matched: int = 0
    not_ours: int = 0
    left_out: int = 0
    earliest_left_out: datetime | None = None
    found: list[Found] = field(default_factory=list)


def lists_what_it_has(connection: Connection) -> bool:
    try:
        return isinstance(_client(connection), Listing)
    except UnknownConnector:
        return False


def _client(connection: Connection) -> TargetClient:
    endpoint = Endpoint(connection.target_url, connection.target_token, connection.timeout_seconds)
    return get_connector(connection.connector).client(endpoint)


def compare(connection: Connection, *, since: datetime, until: datetime) -> Outcome:
    """Hold what we know against what the target booked in [since, until). Writes nothing.

    Raises CannotCompare where its connector reads no list, CannotList when the list could not be read to its end: half
    a list would name as missing what is merely not read.
    """
    client = _client(connection)
    if not isinstance(client, Listing):
        raise CannotCompare(f"{connection} has no list of what it booked that its connector could read.")
    outcome = Outcome()
    listed: dict[str, list[Listed]] = {}
    for entry in client.booked_between(since, until):
        outcome.listed += 1
        listed.setdefault(entry.business_key, []).append(entry)
    outcome.not_ours += len(listed.pop("", ()))
    for names in _in_parts(listed):
        _from_the_list({name: listed[name] for name in names}, connection, client, outcome)
    for effects in _in_parts(_proven(connection, since=since, until=until)):
        _from_us([effect for effect in effects if effect.business_key not in listed], client, outcome)
    return outcome


def _in_parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while part := list(islice(rest, _AT_ONCE)):
        yield part


def _from_the_list(
    listed: Mapping[str, Sequence[Listed]], connection: Connection, client: Listing, outcome: Outcome
) -> None:
    deliveries = _of_each_name(connection, listed)
    references = _known_references(connection, listed)
    for name, entries in listed.items():
        ours = deliveries.get(name)
        if not ours:
            outcome.not_ours += len(entries)
        elif any(delivery.is_live for delivery in ours):
            _leave_out(ours, outcome)
        else:
            _judge(entries, _spokesman(ours), references.get(name, frozenset()), client, outcome)


def _of_each_name(connection: Connection, names: Iterable[str]) -> dict[str, list[Delivery]]:
    """The deliveries under each name of which any may have reached the target, the newest first."""
    found: dict[str, list[Delivery]] = {}
    sent = Delivery.objects.filter(
        connection=connection, operation__in=Delivery.BOOKING, business_key__in=list(names)
    ).exclude(sends=0, state=_S.CANCELLED)
    for delivery in sent.select_related("content", "connection").order_by("-id"):
        found.setdefault(delivery.business_key, []).append(delivery)
    return found


def _known_references(connection: Connection, names: Iterable[str]) -> dict[str, frozenset[str]]:
    known: dict[str, set[str]] = {}
    seen = Effect.objects.filter(connection=connection, business_key__in=list(names), is_ours=True)
    for name, reference in seen.values_list("business_key", "reference"):
        known.setdefault(name, set()).add(reference)
    return {name: frozenset(references) for name, references in known.items()}


def _leave_out(ours: Sequence[Delivery], outcome: Outcome) -> None:
    """What is under way is judged when it has ended, by a later run."""
    outcome.left_out += 1
    decided_at = min(delivery.created_at for delivery in ours)
    earliest = outcome.earliest_left_out
    outcome.earliest_left_out = min(decided_at, earliest) if earliest is not None else decided_at


def _spokesman(ours: Sequence[Delivery]) -> Delivery:
    return next((delivery for state in _SPEAKS_FIRST for delivery in ours if delivery.state == state), ours[0])


def _judge(
    entries: Sequence[Listed], delivery: Delivery, known: frozenset[str], client: Listing, outcome: Outcome
) -> None:
    content = bytes(delivery.content.body)
    if not content:  # erased since: only its reference can be compared
        is_known = any(entry.reference in known for entry in entries)
        outcome.matched += is_known
        outcome.not_ours += 0 if is_known else len(entries)
        return
    same = _same(entries, client, content)
    if len(same) == 1 and known and same[0].reference not in known:
        # Known by another reference: an older document than this list, or merely another name for the same one.
        same = _same(client.booked_under(content), client, content) or same
    if len(same) > 1:
        _find(Kind.TWICE_THERE, delivery, same, outcome)
    elif delivery.state in Delivery.BOOKED:
        if same:
            outcome.matched += 1
        else:
            _find(Kind.OTHER_CONTENT, delivery, entries, outcome)
    elif same and delivery.state in (_S.REFUSED, _S.CANCELLED):
        _find(Kind.NOT_CONFIRMED_HERE, delivery, same, outcome)
    else:
        outcome.not_ours += len(entries)  # under a name of ours, and known to be another's, or a conflict already


def _same(entries: Iterable[Listed], client: Listing, content: bytes) -> list[Listed]:
    """One of each reference: a list that tells a document twice has booked it once."""
    found = {entry.reference: entry for entry in entries if client.is_same(entry, content)}
    return list(found.values())


def _find(kind: ComparisonFinding.Kind, delivery: Delivery, entries: Iterable[Listed], outcome: Outcome) -> None:
    outcome.found.append(Found(kind, delivery, tuple(entries)))


def _proven(connection: Connection, *, since: datetime, until: datetime) -> Iterator[Effect]:
    """What was seen at the target in this time with our content, each name once."""
    proven: QuerySet[Effect] = Effect.objects.filter(
        connection=connection,
        is_ours=True,
        observed_at__gte=since,
        observed_at__lt=until,
        seen_by__in=(Effect.SeenBy.CONFIRMED, Effect.SeenBy.PROBE, Effect.SeenBy.EVIDENCE),
    )
    names: set[str] = set()
    for effect in proven.select_related("delivery__content", "delivery__connection").iterator(chunk_size=_AT_ONCE):
        if effect.business_key not in names:
            names.add(effect.business_key)
            yield effect


def _from_us(effects: Iterable[Effect], client: Listing, outcome: Outcome) -> None:
    """What the list of the period lacks may have been booked before or after it: so it is asked for by its name."""
    for effect in effects:
        content = bytes(effect.delivery.content.body)
        if not content:  # erased since, and nothing to ask by
            continue
        same = _same(client.booked_under(content), client, content)
        if not same:
            _find(Kind.MISSING_THERE, effect.delivery, (), outcome)
        elif len(same) > 1:
            _find(Kind.TWICE_THERE, effect.delivery, same, outcome)
        else:
            outcome.matched += 1


def keep_finding(found: Found, comparison: Comparison, *, subject: str) -> ComparisonFinding:
    return ComparisonFinding.objects.create(
        comparison=comparison,
        kind=found.kind,
        delivery=found.delivery,
        references=found.references,
        told=[told_of(entry) for entry in found.entries],
        fingerprint=found.fingerprint,
        subject=subject,
    )


def told_of(entry: Listed) -> dict[str, Any]:
    """The entry as it can be kept: numbers as the digits that came."""
    kept: dict[str, Any] = json.loads(json.dumps(entry.told, default=str))
    return kept


__all__ = [
    "CannotCompare",
    "CannotList",
    "Found",
    "Kind",
    "Outcome",
    "compare",
    "keep_finding",
    "lists_what_it_has",
    "told_of",
]
