"""Value mappings as pages and the API show them: lists, what holds, what held before, and what is proposed."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from exceptions_app.mapping_states import OPEN, MappingState
from exceptions_app.models import MappingEntry, MappingProposal, MappingRow, MendOutcome, ValueMapping
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.value_mapping import ValueMappingQuerySet
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.mapping_standing import mappings_within, waiting_for_mapping_decision_of
from exceptions_app.queries.reach import Reach, cases_within, reach_of

PAGE_SIZE = 50
MOST_PROPOSALS = 50
MOST_REASONS = 20
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
IN_ORDER = Sort("position", (Key("position", "integer"),))
_SHOWN = ("connection", "entity", "queue")


@dataclass(frozen=True, slots=True)
class MappingLine:
    """A mapping in a list: how many rows hold, and how many proposals wait."""

    mapping: ValueMapping
    holding: int
    waiting: int


def mapping_page(
    reach: Reach,
    *,
    search: str = "",
    kind: str = "",
    connection: str = "",
    cursor: str = "",
    direction: Direction = "after",
) -> Page[ValueMapping]:
    """Newest first. Raises keyset.InvalidCursor."""
    found = mappings_for(reach, search=search, kind=kind, connection=connection)
    return keyset.page(found, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def mappings_for(reach: Reach, *, search: str = "", kind: str = "", connection: str = "") -> ValueMappingQuerySet:
    """Mappings that the person may see. `search` finds those with a value that holds."""
    found: ValueMappingQuerySet = mappings_within(reach).select_related(*_SHOWN)
    if kind:
        found = found.filter(kind=kind)
    if connection:
        found = found.filter(connection__slug=connection)
    if search:
        found = found.filter(Exists(_searched(MappingEntry.objects.filter(mapping=OuterRef("pk")), search)))
    return found


def _searched(entries: QuerySet[MappingEntry], search: str) -> QuerySet[MappingEntry]:
    named = Q(source_value__icontains=search) | Q(target_value__icontains=search)
    return entries.filter(named, retired_in=None)


def lines_of(mappings: Sequence[ValueMapping]) -> list[MappingLine]:
    """Two queries, whatever the number of mappings; none for none."""
    if not mappings:
        return []
    keys = [mapping.pk for mapping in mappings]
    entries = MappingEntry.objects.filter(mapping__in=keys, retired_in=None).order_by()
    holding = dict(entries.values_list("mapping").annotate(number=Count("pk")))
    proposals = MappingProposal.objects.filter(mapping__in=keys, state=MappingState.AWAITING_APPROVAL).order_by()
    waiting = dict(proposals.values_list("mapping").annotate(number=Count("pk")))
    return [MappingLine(mapping, holding.get(mapping.pk, 0), waiting.get(mapping.pk, 0)) for mapping in mappings]


def connections_with_mappings(reach: Reach) -> list[tuple[str, str]]:
    """Slug and name, for the filter."""
    found = mappings_within(reach).order_by("connection__name")
    return list(found.values_list("connection__slug", "connection__name").distinct())


def find_mapping(user: AbstractUser, ref: str) -> ValueMapping | None:
    """The mapping, when the person may see it; None as for one that is not there."""
    found: ValueMappingQuerySet = mappings_within(reach_of(user)).with_ref(ref)
    return found.select_related(*_SHOWN, "created_by").first()


def entry_page(
    mapping: ValueMapping, *, search: str = "", replaced: bool = False, cursor: str = "", direction: Direction = "after"
) -> Page[MappingEntry]:
    """The newest first. Raises keyset.InvalidCursor."""
    found = entries_of(mapping, search=search, replaced=replaced)
    return keyset.page(found, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def entries_of(mapping: ValueMapping, *, search: str = "", replaced: bool = False) -> QuerySet[MappingEntry]:
    """What holds, or what was replaced or ended, with who brought it."""
    entries = MappingEntry.objects.filter(mapping=mapping, retired_in__isnull=not replaced)
    if search:
        entries = entries.filter(Q(source_value__icontains=search) | Q(target_value__icontains=search))
    return entries.select_related("row__proposal__proposer", "row__proposal__decision__decider")


def count_entries(mapping: ValueMapping) -> tuple[int, int]:
    """How many hold, and how many were replaced or ended."""
    found = MappingEntry.objects.filter(mapping=mapping).aggregate(
        holding=Count("pk", filter=Q(retired_in=None)), replaced=Count("pk", filter=Q(retired_in__isnull=False))
    )
    return found["holding"], found["replaced"]


def proposals_for(mapping: ValueMapping) -> list[MappingProposal]:
    """The newest first, a bounded number of them."""
    return list(every_proposal_for(mapping).order_by("-pk")[:MOST_PROPOSALS])


def every_proposal_for(mapping: ValueMapping) -> QuerySet[MappingProposal]:
    return _shown(MappingProposal.objects.filter(mapping=mapping))


def proposals_within(reach: Reach) -> QuerySet[MappingProposal]:
    """Of the mappings that the person may see."""
    return _shown(MappingProposal.objects.filter(mapping__in=mappings_within(reach).values("pk")))


def _shown(proposals: QuerySet[MappingProposal]) -> QuerySet[MappingProposal]:
    return proposals.select_related("mapping", "proposer", "batch", "decision__decider")


def mappings_to_decide(user: AbstractUser, reach: Reach) -> list[MappingProposal]:
    """Proposals that wait for a decision that the person may make, the oldest first."""
    found = waiting_for_mapping_decision_of(user, reach).select_related(*_of_proposal()).order_by("pk")
    return list(found[:MOST_PROPOSALS])


def mappings_prepared_by(user: AbstractUser) -> list[MappingProposal]:
    """Those that the person proposed and that wait, the oldest first."""
    found = MappingProposal.objects.filter(proposer=user.pk, state__in=sorted(OPEN))
    return list(found.select_related(*_of_proposal()).order_by("pk")[:MOST_PROPOSALS])


def _of_proposal() -> tuple[str, ...]:
    return ("proposer", "batch", *(f"mapping__{name}" for name in _SHOWN))


def find_proposal(user: AbstractUser, ref: str) -> MappingProposal | None:
    """The proposal, when the person may see its mapping; None as for one that is not there."""
    found = MappingProposal.objects.with_ref(ref).filter(mapping__in=mappings_within(reach_of(user)).values("pk"))
    return found.select_related(*_of_proposal(), "decision__decider").first()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why some exceptions of the list do not go with the mapping, with the first of them."""

    words: str
    number: int
    first: str


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far the exceptions of a proposal are prepared."""

    prepared: int
    left_out: int
    reasons: Sequence[LeftOut]  # of exceptions that the person may see

    @property
    def ended(self) -> int:
        return self.prepared + self.left_out


def preparation_of(proposal: MappingProposal, reach: Reach) -> Preparation | None:
    """None for one with which nothing was prepared in the background. Two queries, whatever the number."""
    if not proposal.mends:
        return None
    outcomes = MendOutcome.objects.filter(item__proposal=proposal).order_by()
    found = outcomes.aggregate(
        prepared=Count("pk", filter=Q(proposal__isnull=False)), left_out=Count("pk", filter=Q(proposal=None))
    )
    visible = outcomes.filter(proposal=None, item__case__in=cases_within(reach).values("pk"))
    reasons = visible.values_list("detail").annotate(number=Count("pk"), first=Min("item__case"))
    told = [
        LeftOut(words, number, f"{REF_PREFIX}{first}")
        for words, number, first in reasons.order_by("-number", "detail")[:MOST_REASONS]
    ]
    return Preparation(found["prepared"], found["left_out"], told)


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a proposal with what it replaces."""

    row: MappingRow
    was: tuple[MappingEntry, ...]


def row_page(
    proposal: MappingProposal, *, cursor: str = "", direction: Direction = "after"
) -> tuple[Page[MappingRow], list[ShownRow]]:
    """The rows in their order, with what each replaces. Two queries. Raises keyset.InvalidCursor."""
    page = keyset.page(
        MappingRow.objects.filter(proposal=proposal), IN_ORDER, size=PAGE_SIZE, cursor=cursor, direction=direction
    )
    return page, with_replaced(page.rows)


def with_replaced(rows: Sequence[MappingRow]) -> list[ShownRow]:
    """One query, whatever the number of rows."""
    replaced = MappingEntry.objects.in_bulk({number for row in rows for number in row.replaces})
    return [ShownRow(row, tuple(replaced[number] for number in row.replaces if number in replaced)) for row in rows]
