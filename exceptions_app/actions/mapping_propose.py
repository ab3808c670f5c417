"""Proposing a change of a value mapping: rows with what each replaces, frozen with their hash."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import mapping_log
from exceptions_app.actions.batch_decide import cancel_batch
from exceptions_app.actions.batch_propose import ListChanged, propose_batch
from exceptions_app.actions.correct import correct
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.batch_states import MOST_ITEMS
from exceptions_app.hands import Hand, mapping_in_words
from exceptions_app.mapping_states import AT_ONCE, MOST_MENDS, POLICY, MappingAction, MappingState
from exceptions_app.models import (
    LegalEntity,
    MappingEntry,
    MappingMend,
    MappingProposal,
    MappingRow,
    Queue,
    ReplayBatch,
    Route,
    UnmappedValue,
    ValueMapping,
)
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.mapping_effect import Holding, Rows, mendable, mends_of
from exceptions_app.queries.mapping_standing import mapping_standing, may_propose, require_on_proposal
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.value_rows import WrittenRow, require_usable
from exceptions_app.wording import say
from integrations.connectors.base import CorrectionError
from integrations.doorbell import ring_on_commit
from integrations.models import Connection
from integrations.value_kinds import ValueKind

MOST_REASON = 500
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which mapping: its kind and target, and the legal entity that it is for, None for all of them.

    `queue` is the team that will own it when nobody has proposed anything for it before; it has no say afterwards.
    """

    kind: str
    connection: Connection
    entity: LegalEntity | None = None
    queue: Queue | None = None

    def with_rows(self, rows: Sequence[Holding]) -> Rows:
        return Rows(
            kind=self.kind, connection=self.connection, entity_id=self.entity.pk if self.entity else None, rows=rows
        )


@transaction.atomic
def propose_mapping(
    scope: Scope,
    rows: Sequence[WrittenRow],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    mends: Mapping[int, int] | None = None,
) -> MappingProposal:
    """Ask a second person for these rows. Nothing holds before they approve.

    `mends` are open exceptions (number → revision at which they were shown) that go with them: each is corrected by the
    rows, and all are proposed as one batch, which is decided on with the mapping. Up to AT_ONCE of them here, all or
    nothing; more are a list that `mapping_prepare` carries out in the background, before anybody can decide.

    Raises Invalid, value_rows.RowsInvalid with all that is wrong with the rows, policies.NotPermitted, and
    batch_propose.ListChanged when an exception cannot go with them any more.
    """
    if not because.strip():
        raise Invalid("because", say("Say why these values belong together; the person who decides will read it."))
    mapping = _mapping_of(scope, by=by, at=at)
    ruling = may_propose(mapping, mapping_standing(mapping, by))
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)
    replaced = require_usable(rows, entries_holding(mapping, {row.source_value for row in rows}))
    written = [
        MappingRow(
            position=index + 1,
            source_value=row.source_value,
            target_value=row.target_value,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            replaces=sorted(entry.pk for entry in replaced[index]),
        )
        for index, row in enumerate(rows)
    ]
    because = because.strip()[:MOST_REASON]
    if mends and len(mends) > AT_ONCE:
        listed = _list_of(rows_of(mapping, rows), mends, by=by)
        return _freeze(mapping, written, listed=listed, by=by, at=at, because=because)
    batch = _batch_of(mapping, rows, mends, by=by, at=at, because=because) if mends else None
    return _freeze(mapping, written, batch=batch, by=by, at=at, because=because)


@transaction.atomic
def propose_mends(
    mapping_id: int, mends: Mapping[int, int], *, by: AbstractUser, at: datetime, because: str
) -> ReplayBatch:
    """Correct open exceptions by what holds already, and propose them as a batch like any other.

    For what came in, or was held back, after the mapping was decided on. Raises as `propose_mapping`.
    """
    if not because.strip():
        raise Invalid("because", say("Say why these are to be replayed; the person who decides will read it."))
    if not mends:
        raise Invalid("items", say("Choose at least one exception."))
    mapping = mapping_log.lock_mapping(mapping_id)
    ruling = may_propose(mapping, mapping_standing(mapping, by))
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)
    return _batch_of(mapping, holding_rows(mapping), mends, by=by, at=at, because=because.strip()[:MOST_REASON])


def holding_rows(mapping: ValueMapping) -> list[MappingEntry]:
    """All that holds now, whatever the day."""
    held = MappingEntry.objects.filter(mapping=mapping, retired_in=None).select_related("row__proposal")
    return list(held.order_by("pk"))


def rows_of(mapping: ValueMapping, rows: Sequence[Holding]) -> Rows:
    return Rows(kind=mapping.kind, connection=mapping.connection, entity_id=mapping.entity_id, rows=rows)


def mend_reason(mapping: ValueMapping, because: str) -> str:
    """Why an exception is corrected and replayed that goes with a mapping."""
    return f"By {mapping.ref} ({mapping.title}): {because}"[:MOST_REASON]


def _list_of(rows: Rows, mends: Mapping[int, int], *, by: AbstractUser) -> list[MappingMend]:
    """The list as the person saw it. Whether each can go is judged when its turn comes. Raises ListChanged."""
    if len(mends) > MOST_MENDS:
        raise Invalid(
            "items", say("At most {most_mends} exceptions go with one mapping.", most_mends=f"{MOST_MENDS:,}")
        )
    seen = dict(mendable(rows, reach_of(by)).filter(pk__in=list(mends)).values_list("pk", "revision"))
    if seen != mends:
        raise ListChanged
    return [
        MappingMend(position=position, case_id=number, revision=revision)
        for position, (number, revision) in enumerate(sorted(mends.items()), start=1)
    ]


def _batch_of(
    mapping: ValueMapping,
    rows: Sequence[Holding],
    mends: Mapping[int, int],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
) -> ReplayBatch:
    """The exceptions, corrected by the rows and proposed as one list. Raises ListChanged."""
    if len(mends) > MOST_ITEMS:
        raise Invalid(
            "items", say("At most {most_items} exceptions can be proposed in one go.", most_items=f"{MOST_ITEMS:,}")
        )
    scope, reason = rows_of(mapping, rows), mend_reason(mapping, because)
    found = {mend.case.pk: mend for mend in mends_of(scope, by=by, reach=reach_of(by), among=mends)}
    hands = _hands(rows, mends, kind=mapping.kind)
    for number, revision in sorted(mends.items()):
        mend = found.get(number)
        if mend is None or mend.refusal or mend.case.revision != revision:
            raise ListChanged
        try:
            correct(
                number, by=by, at=at, because=reason, base_version=mend.version, operations=mend.operations,
                hands=hands.get(number, ()), by_mapping=True,
            )  # fmt: skip
        except (ChangedMeanwhile, TransitionNotAllowed, CorrectionError) as error:
            raise ListChanged from error
    return propose_batch(mends, by=by, at=at, because=reason)


def _hands(rows: Sequence[Holding], numbers: Iterable[int], *, kind: str) -> dict[int, list[Hand]]:
    """By exception: who wrote the rows that hold of the values that it lacks. Rows that are proposed now have none."""
    writers: defaultdict[str, set[Hand]] = defaultdict(set)
    for row in rows:
        if isinstance(row, MappingEntry):
            what = mapping_in_words(row.mapping_id, row.version)
            writers[row.source_value].add(Hand(row.row.proposal.proposer_id, "valued", what))
    if not writers:
        return {}
    lacking = UnmappedValue.objects.filter(case__in=list(numbers), kind=kind, value__in=list(writers))
    hands: defaultdict[int, set[Hand]] = defaultdict(set)
    for number, value in lacking.values_list("case", "value"):
        hands[number] |= writers[value]
    return {number: sorted(people) for number, people in hands.items()}


def entries_holding(mapping: ValueMapping, source_values: Iterable[str]) -> list[MappingEntry]:
    """What holds of these values now, whatever the day."""
    held = MappingEntry.objects.filter(mapping=mapping, retired_in=None, source_value__in=list(source_values))
    return list(held.order_by("pk"))


def frozen_rows_hash(
    mapping: ValueMapping, rows: Iterable[MappingRow], *, batch: ReplayBatch | None, policy: str
) -> str:
    """What a decision is bound to: these rows for this scope, what each replaces, and the batch that goes with them.

    `policy` is that of the proposal, so that what was decided under earlier rules can be checked under later ones.
    """
    parts = {
        "policy": policy,
        "kind": mapping.kind,
        "target": mapping.connection.slug,
        "entity": mapping.entity.code if mapping.entity else "",
        "rows": [
            [row.position, row.source_value, row.target_value, _iso(row.valid_from), _iso(row.valid_to), row.replaces]
            for row in rows
        ],
        "batch": batch.frozen_sha256 if batch else "",
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _mapping_of(scope: Scope, *, by: AbstractUser, at: datetime) -> ValueMapping:
    """The mapping of that scope, locked; made when nobody has proposed anything for it yet."""
    if scope.kind not in list(ValueKind):
        raise Invalid("kind", say("Choose what is mapped: {list}.", list=", ".join(ValueKind)))
    known = ValueMapping.objects.filter(kind=scope.kind, connection=scope.connection, entity=scope.entity)
    found = known.values_list("pk", flat=True).first()
    if found is not None:
        return mapping_log.lock_mapping(found)
    if scope.queue is None:
        raise Invalid("queue", say("Choose the team that owns this mapping."))
    _refuse_where_nothing_leads(scope)
    # Somebody else may propose the first rows of the same mapping now: the second one waits here, and finds it.
    Connection.objects.select_for_update(no_key=True).get(pk=scope.connection.pk)
    found = known.values_list("pk", flat=True).first()
    if found is not None:
        return mapping_log.lock_mapping(found)
    made = ValueMapping(
        kind=scope.kind, connection=scope.connection, entity=scope.entity, queue=scope.queue, created_by_id=by.pk,
        created_at=at,
    )  # fmt: skip
    made.save(force_insert=True)
    summary = f"{by} began {made.ref}: {made.title}, owned by {made.queue}."
    data = {**_named(made), "owner": made.queue.slug}
    mapping_log.record(made, "value_mapping.begun", by=by, at=at, summary=summary, data=data)
    return mapping_log.lock_mapping(made.pk)


def _refuse_where_nothing_leads(scope: Scope) -> None:
    routes = Route.objects.filter(connection=scope.connection) | Route.objects.filter(connection=None)
    if scope.entity is not None and not routes.filter(entity=scope.entity).exists():
        raise Invalid(
            "entity",
            say("No route leads from {connection} to {entity}.", connection=scope.connection, entity=scope.entity),
        )


def _named(mapping: ValueMapping) -> dict[str, object]:
    return {
        "kind": mapping.kind,
        "target": mapping.connection.slug,
        "entity": mapping.entity.code if mapping.entity else "",
    }


def _freeze(
    mapping: ValueMapping,
    rows: Sequence[MappingRow],
    *,
    batch: ReplayBatch | None = None,
    listed: Sequence[MappingMend] = (),
    by: AbstractUser,
    at: datetime,
    because: str,
) -> MappingProposal:
    proposal = MappingProposal(
        mapping=mapping,
        state=MappingState.PREPARING if listed else MappingState.AWAITING_APPROVAL,
        policy_version=POLICY,
        count=len(rows),
        mends=len(listed),
        batch=batch,
        frozen_sha256=frozen_rows_hash(mapping, rows, batch=batch, policy=POLICY),
        proposer_id=by.pk,
        because=because,
        proposed_at=at,
    )
    proposal.save(force_insert=True)
    for row in rows:
        row.proposal = proposal
    MappingRow.objects.bulk_create(rows)
    for item in listed:
        item.proposal = proposal
    MappingMend.objects.bulk_create(listed, batch_size=_ROWS_AT_ONCE)
    if listed:
        ring_on_commit()
    many = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    mapping_log.record(
        mapping,
        "value_mapping.proposed",
        by=by,
        at=at,
        because=because,
        summary=f"{by} proposed {proposal.ref}, {many} of {mapping.ref} ({mapping.title}).",
        data={
            **_named(mapping),
            "proposal": proposal.ref,
            "rows": told(rows),
            "rows_total": len(rows),
            "batch": batch.ref if batch else "",
            "mends": len(listed),
            "policy": POLICY,
            "frozen_sha256": proposal.frozen_sha256,
        },
    )
    return proposal


MOST_TOLD = 100  # rows in one audit event; the proposal has all, and its hash covers them


def told(rows: Sequence[MappingRow]) -> list[Mapping[str, str]]:
    return [
        {
            "source": row.source_value,
            "target": row.target_value,
            "from": _iso(row.valid_from),
            "to": _iso(row.valid_to),
        }
        for row in rows[:MOST_TOLD]
    ]


@transaction.atomic
def withdraw_mapping(proposal_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> MappingProposal:
    """Take one's own proposal back before it is decided."""
    proposal = mapping_log.lock_proposal(proposal_id)
    require_on_proposal(MappingAction.WITHDRAW, proposal, by)
    proposal.state = MappingState.WITHDRAWN
    proposal.closed_at = at
    proposal.closed_because = because.strip()[:MOST_REASON] or f"Withdrawn by {by}."
    proposal.save(update_fields=["state", "closed_at", "closed_because"])
    if proposal.batch is not None:
        words = because.strip() or f"{proposal.ref} was withdrawn."
        cancel_batch(proposal.batch.pk, by=by, at=at, because=words)
    if proposal.mends and proposal.batch is None:
        ring_on_commit()  # what was prepared so far is given back
    mapping_log.record(
        proposal.mapping,
        "value_mapping.withdrawn",
        by=by,
        at=at,
        because=because,
        summary=f"{by} withdrew {proposal.ref} for {proposal.mapping.ref}.",
        data={"proposal": proposal.ref, "frozen_sha256": proposal.frozen_sha256},
    )
    return proposal
