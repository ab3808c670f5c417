"""What a batch changes, by meaning: its items grouped by the business fields that they change, and what stands out.

Everything is added up by the database, in as many statements for one item as for ten thousand. The rules by which an
item stands out are told in `docs/decisions/batches.md`; they are part of no decision's hash.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from django.db import connection as database

from exceptions_app.field_classes import masked_value
from exceptions_app.models import BatchLook, ReplayBatch
from exceptions_app.models.case import REF_PREFIX

MOST_GROUPS = 20  # the most frequent changes; the items of all others stand out
SAMPLE = 10  # items of those that do not stand out
MOST_SHOWN = 50  # of those that stand out, the largest first; all of them are counted
FAR_OUT = 3  # times the distance of the quartiles beyond the third one

# Of each field what it was when it came in, and what it will be; a field that ends as it began is no change.
_ITEMS = """
WITH item AS MATERIALIZED (
    SELECT i.id, i.position, i.case_id, i.amount, i.currency, c.counterparty, c.document_number, w.number AS upto
    FROM exceptions_app_batchitem i
    JOIN exceptions_app_exceptioncase c ON c.id = i.case_id
    JOIN exceptions_app_proposal p ON p.id = i.proposal_id
    JOIN exceptions_app_payloadversion w ON w.id = p.version_id
    WHERE i.batch_id = %(batch)s
), version AS MATERIALIZED (
    SELECT item.id, v.number, v.changes, v.operations FROM item
    JOIN exceptions_app_payloadversion v ON v.case_id = item.case_id AND v.number BETWEEN 2 AND item.upto
), step AS MATERIALIZED (
    SELECT version.id, version.number, c.value ->> 'path' AS path, c.value ->> 'label' AS label,
        c.value ->> 'term' AS term,
        c.value ->> 'was' AS was, c.value ->> 'will_be' AS will_be
    FROM version CROSS JOIN LATERAL jsonb_array_elements(version.changes) c
), net AS (
    SELECT id, (array_agg(label ORDER BY number DESC))[1] AS label, (array_agg(term))[1] AS term,
        (array_agg(was ORDER BY number))[1] AS was,
        (array_agg(will_be ORDER BY number DESC))[1] AS will_be
    FROM step GROUP BY id, path
), told AS (
    SELECT id, jsonb_agg(DISTINCT jsonb_build_array(label, was, will_be, term)) AS changes
    FROM net WHERE was <> will_be GROUP BY id
), beyond AS (
    SELECT DISTINCT version.id FROM version CROSS JOIN LATERAL jsonb_array_elements(version.operations) o
    WHERE o.value ->> 'op' <> 'test' AND NOT EXISTS (
        SELECT 1 FROM step WHERE step.id = version.id AND step.number = version.number
            AND step.path = o.value ->> 'path'
    )
), meant AS MATERIALIZED (
    SELECT item.*, coalesce(told.changes, '[]') AS changes, beyond.id IS NOT NULL AS others
    FROM item LEFT JOIN told ON told.id = item.id LEFT JOIN beyond ON beyond.id = item.id
), ranked AS (
    SELECT changes, others, row_number() OVER (ORDER BY count(*) DESC, min(position)) AS place
    FROM meant GROUP BY changes, others
), grouped AS MATERIALIZED (
    SELECT meant.*, least(ranked.place, %(groups)s + 1) AS place FROM meant
    JOIN ranked ON ranked.changes = meant.changes AND ranked.others = meant.others
), sums AS MATERIALIZED (
    SELECT place, currency, count(*) AS number, sum(amount) AS total, min(amount) AS least, max(amount) AS most,
        percentile_disc(0.25) WITHIN GROUP (ORDER BY amount) AS first,
        percentile_disc(0.75) WITHIN GROUP (ORDER BY amount) AS third
    FROM grouped GROUP BY place, currency
)
"""
_SUMS = """
SELECT sums.*, ranked.changes, ranked.others FROM sums LEFT JOIN ranked ON ranked.place = sums.place
    AND sums.place <= %(groups)s
ORDER BY sums.place, sums.currency
"""
_STANDING_OUT = """
, known AS (
    SELECT counterparty FROM (SELECT DISTINCT counterparty FROM item) named WHERE EXISTS (
        SELECT 1 FROM exceptions_app_exceptioncase e
        WHERE e.connection_id = %(target)s AND e.counterparty = named.counterparty AND e.opened_at <= %(at)s
            AND NOT EXISTS (SELECT 1 FROM item WHERE item.case_id = e.id)
    )
), first_time AS (
    SELECT DISTINCT ON (counterparty) id FROM item
    WHERE counterparty NOT IN (SELECT counterparty FROM known)
    ORDER BY counterparty, amount DESC NULLS LAST, position
), judged AS MATERIALIZED (
    SELECT grouped.id, grouped.position, grouped.case_id, grouped.document_number, grouped.counterparty,
        grouped.amount, grouped.currency, grouped.place,
        coalesce(grouped.amount > sums.third + %(far)s * (sums.third - sums.first), false) AS far_out,
        first_time.id IS NOT NULL AS first_time, grouped.place > %(groups)s AS rare
    FROM grouped JOIN sums ON sums.place = grouped.place AND sums.currency = grouped.currency
    LEFT JOIN first_time ON first_time.id = grouped.id
), outlier AS (
    SELECT judged.*, count(*) OVER () AS of_all FROM judged WHERE far_out OR first_time OR rare
    ORDER BY amount DESC NULLS LAST, position LIMIT %(shown)s
), sampled AS (
    SELECT judged.*, count(*) OVER () AS of_all FROM judged WHERE NOT (far_out OR first_time OR rare)
    ORDER BY sha256(convert_to(%(frozen)s || ':' || position, 'UTF8')) LIMIT %(sample)s
)
SELECT * FROM outlier UNION ALL SELECT * FROM sampled
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One business field; empty text stands for absent."""

    label: str
    was: str
    will_be: str


@dataclass(frozen=True, slots=True)
class Money:
    """The items of a group in one currency. The amounts are None where none of them has one."""

    currency: str
    number: int
    total: Decimal | None
    least: Decimal | None
    most: Decimal | None


@dataclass(slots=True)
class ChangeGroup:
    """Items that change the same. `others`: they change places as well that no business field names.

    `is_rest`: what the items of all the rarer changes have is different in each.
    """

    changes: Sequence[Change]
    others: bool
    is_rest: bool
    money: list[Money] = field(default_factory=list)

    @property
    def number(self) -> int:
        return sum(part.number for part in self.money)


@dataclass(frozen=True, slots=True)
class Look:
    """Who opened an item from the page of the decision."""

    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item that is to be looked at by itself."""

    position: int
    ref: str
    document_number: str
    counterparty: str
    amount: Decimal | None
    currency: str
    reasons: Sequence[str]
    looks: Sequence[Look]


@dataclass(frozen=True, slots=True)
class Changes:
    """A batch by meaning. `rest` counts the items that do not stand out, of which `sample` was drawn."""

    groups: Sequence[ChangeGroup]
    outliers: Sequence[ShownItem]
    outliers_count: int
    sample: Sequence[ShownItem]
    rest: int

    @property
    def shown(self) -> Sequence[ShownItem]:
        return [*self.outliers, *self.sample]


def changes_of(batch: ReplayBatch) -> Changes:
    """Three queries."""
    outliers, sample, looks = *standing_out(batch), looks_of(batch)
    return Changes(
        groups=_groups(_rows(_SUMS, batch)),
        outliers=_shown(outliers, looks),
        outliers_count=outliers[0]["of_all"] if outliers else 0,
        sample=_shown(sample, looks),
        rest=sample[0]["of_all"] if sample else 0,
    )


def standing_out(batch: ReplayBatch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The items that stand out, the largest of them, and the sample of the others. One query.

    The sample follows from the frozen hash alone: drawn again, it is the same, and nobody chose it.
    """
    rows = _rows(_STANDING_OUT, batch)
    outliers = [row for row in rows if _reasons(row)]
    sample = [row for row in rows if not _reasons(row)]
    return sorted(outliers, key=_largest_first), sorted(sample, key=itemgetter("position"))


def _largest_first(row: Mapping[str, Any]) -> tuple[bool, Decimal, int]:
    return row["amount"] is None, -(row["amount"] or Decimal()), row["position"]


def _rows(statement: str, batch: ReplayBatch) -> list[dict[str, Any]]:
    """What a statement over the items, judged as `_ITEMS` does, finds for one batch."""
    values: dict[str, int | str | datetime] = {
        "batch": batch.pk,
        "target": batch.connection_id,
        "at": batch.proposed_at,
        "frozen": batch.frozen_sha256,
        "groups": MOST_GROUPS,
        "far": FAR_OUT,
        "shown": MOST_SHOWN,
        "sample": SAMPLE,
    }
    with database.cursor() as cursor:
        cursor.execute(_ITEMS + statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _groups(rows: Iterable[Mapping[str, Any]]) -> list[ChangeGroup]:
    found: dict[int, ChangeGroup] = {}
    for row in rows:
        is_rest = row["place"] > MOST_GROUPS
        changes = [] if is_rest else [_change(*parts) for parts in json.loads(row["changes"])]
        group = found.setdefault(row["place"], ChangeGroup(changes, bool(row["others"]), is_rest))
        group.money.append(Money(row["currency"], row["number"], row["total"], row["least"], row["most"]))
    return list(found.values())


def _change(label: str, was: str, will_be: str, term: str | None) -> Change:
    return Change(label, masked_value(was, term=term or ""), masked_value(will_be, term=term or ""))


def _shown(rows: Iterable[Mapping[str, Any]], looks: Mapping[int, Sequence[Look]]) -> list[ShownItem]:
    return [
        ShownItem(
            position=row["position"],
            ref=f"{REF_PREFIX}{row['case_id']}",
            document_number=row["document_number"],
            counterparty=row["counterparty"],
            amount=row["amount"],
            currency=row["currency"],
            reasons=_reasons(row),
            looks=looks.get(row["position"], ()),
        )
        for row in rows
    ]


def _reasons(row: Mapping[str, Any]) -> list[str]:
    told = {
        "far_out": "Its amount is far above the others of its group.",
        "first_time": "No exception before those of this list names this counterparty.",
        "rare": "Its change is a rare one.",
    }
    return [words for name, words in told.items() if row[name]]


def looks_of(batch: ReplayBatch) -> dict[int, list[Look]]:
    """Who looked at which items by themselves, by position. One query."""
    found: dict[int, list[Look]] = {}
    looks = BatchLook.objects.filter(item__batch=batch).select_related("person", "item").order_by("pk")
    for look in looks:
        found.setdefault(look.item.position, []).append(Look(str(look.person), look.looked_at))
    return found


def looks_for_the_trail(batch: ReplayBatch, *, by: int) -> dict[str, object]:
    """What the event of a decision says of it: what was drawn, what stood out, and at what the decider looked.

    Two queries.
    """
    outliers, sample = standing_out(batch)
    looked = BatchLook.objects.filter(item__batch=batch, person=by).order_by("item__position")
    return {
        "sample": [f"{REF_PREFIX}{row['case_id']}" for row in sample],
        "outliers": outliers[0]["of_all"] if outliers else 0,
        "looked_at": [f"{REF_PREFIX}{number}" for number in looked.values_list("item__case", flat=True)],
    }
