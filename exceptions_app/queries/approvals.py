"""Proposals that wait for a second person: who decides what, and who may not because they had a hand in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from django.contrib.auth.models import AbstractUser
from django.db.models import DecimalField, Prefetch, Q, QuerySet, Sum, Value
from django.db.models.functions import Abs, Coalesce

from exceptions_app import policies
from exceptions_app.duties import kept_from
from exceptions_app.field_classes import masked_value
from exceptions_app.models import Contributor, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.queries import keyset
from exceptions_app.queries.counters import by_themselves, waiting_for_decision_of
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import APPROVING, DECIDED_IN, ProposalKind, Verb
from integrations.connectors.registry import CONNECTORS
from integrations.records.record import readable_term

PAGE_SIZE = 50
SHOWN_CHANGES = 3  # of one proposal in a list

_SMALLEST = Decimal(-(10**18))
SORTS: Mapping[str, Sort] = MappingProxyType(
    {
        sort.name: sort
        for sort in (
            Sort("largest", (Key("amount_or_smallest", "decimal", descending=True), Key("id", "integer"))),
            Sort("oldest", (Key("proposed_at", "time"), Key("id", "integer"))),
        )
    }
)
DEFAULT_SORT = SORTS["largest"]
# Fields that hold amounts; of a number that is none, such as an account, nothing is known that would group its digits.
_AMOUNTS = frozenset(
    (name.label, name.term) for connector in CONNECTORS.values() for name in connector.vocabulary if name.is_amount
)


@dataclass(frozen=True, slots=True)
class Change:
    """One business field: its label and standard term, what it was when it came in and what it will be."""

    label: str
    term: str
    was: str
    will: str
    is_amount: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal in a list. `reason` says why the person may not decide on it, empty when they may."""

    proposal: Proposal
    changes: tuple[Change, ...]
    reason: str

    @property
    def shown_changes(self) -> tuple[Change, ...]:
        return self.changes[:SHOWN_CHANGES]

    @property
    def more_changes(self) -> int:
        return len(self.changes) - len(self.shown_changes)

    @property
    def case(self) -> ExceptionCase:
        return self.proposal.case


def to_decide(
    user: AbstractUser, reach: Reach, *, sort: Sort = DEFAULT_SORT, cursor: str = "", direction: Direction = "after"
) -> Page[Proposal]:
    """One page of the proposals that the person may decide on. Raises InvalidCursor."""
    return _page(waiting_for_decision_of(user, reach), sort, cursor, direction)


def prepared_by(
    user: AbstractUser, reach: Reach, *, sort: Sort = DEFAULT_SORT, cursor: str = "", direction: Direction = "after"
) -> Page[Proposal]:
    """One page of the open proposals that the person had a hand in and someone else must decide on."""
    return _page(prepared(user, reach), sort, cursor, direction)


def prepared(user: AbstractUser, reach: Reach) -> QuerySet[Proposal]:
    """Open proposals that the person made or whose content they corrected, without those decided on with others."""
    handled = Contributor.objects.filter(person=user.pk).values("proposal")
    return by_themselves(
        Proposal.objects.filter(
            Q(proposer=user.pk) | Q(pk__in=handled), state=Proposal.State.OPEN, case__state__in=sorted(DECIDED_IN),
            case__in=cases_within(reach),
        )
    )  # fmt: skip


def sortable(proposals: QuerySet[Proposal]) -> QuerySet[Proposal]:
    """With what SORTS order by. By size: giving a large amount back deserves the same look as asking for it."""
    return proposals.annotate(
        amount_or_smallest=Coalesce(Abs("case__amount"), Value(_SMALLEST), output_field=DecimalField())
    )


def _page(proposals: QuerySet[Proposal], sort: Sort, cursor: str, direction: Direction) -> Page[Proposal]:
    corrections = PayloadVersion.objects.filter(number__gt=1).defer("content", "operations").order_by("number")
    found = (
        sortable(proposals)
        .select_related(
            "case", "case__queue", "case__entity", "case__cause", "version", "proposer", "first_approval__decider"
        )
        .defer("version__content", "version__operations")
        .prefetch_related("contributors", Prefetch("case__versions", corrections, to_attr="corrections"))
    )
    return keyset.page(found, sort, size=PAGE_SIZE, cursor=cursor, direction=direction)


def waiting_of(proposals: Iterable[Proposal], user: AbstractUser, reach: Reach) -> list[Waiting]:
    """What a list shows of each proposal, with the policy's answer. One query."""
    shown = list(proposals)
    kept = kept_from(user, shown)
    return [
        Waiting(proposal, _net_changes(proposal), _reason(proposal, user, reach) or kept.get(proposal.pk, ""))
        for proposal in shown
    ]


def _reason(proposal: Proposal, user: AbstractUser, reach: Reach) -> str:
    """Why the person may not decide. Of what they prepared, no grant would change that, so grants are left aside."""
    case, contributors = proposal.case, _contributors(proposal)
    verbs = frozenset(Verb) if user.pk in contributors else reach.verbs_of(case)
    standing = policies.Standing(user, verbs, proposal, contributors)
    return policies.may(APPROVING[ProposalKind(proposal.kind)], case, standing).reason


def _corrections(proposal: Proposal) -> list[PayloadVersion]:
    versions: list[PayloadVersion] = proposal.case.corrections  # type: ignore[attr-defined]
    return [version for version in versions if version.number <= proposal.version.number]


def _contributors(proposal: Proposal) -> frozenset[int]:
    """As `policies.contributors_of`, from what was fetched with the page."""
    listed = {contributor.person_id for contributor in proposal.contributors.all()}
    versions = _corrections(proposal)
    authors = {version.author_id for version in versions if version.author_id is not None}
    made = {int(hand["person"]) for version in versions for hand in version.hands}
    return frozenset({proposal.proposer_id} | listed | authors | made)


def _net_changes(proposal: Proposal) -> tuple[Change, ...]:
    """From what came in to what is proposed: a field that was changed and changed back is left out."""
    named: dict[str, tuple[str, str]] = {}
    terms: dict[str, str] = {}
    amounts: set[str] = set()
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for version in _corrections(proposal):
        for change in version.changes:
            path = change["path"]
            named[path] = (_named(change), readable_term(change["term"]))
            terms[path] = change["term"]
            if (change["label"], change["term"]) in _AMOUNTS:
                amounts.add(path)
            first.setdefault(path, change["was"])
            last[path] = change["will_be"]
    return tuple(
        Change(
            *named[path],
            masked_value(first[path], path=path, term=terms[path]),
            masked_value(last[path], path=path, term=terms[path]),
            is_amount=path in amounts,
        )
        for path in named
        if first[path] != last[path]
    )


def _named(change: Mapping[str, str]) -> str:
    """The label of a field; of one row among several, such as “Line 3”, the row first."""
    group = change.get("group", "")
    return f"{group}: {change['label']}" if group[-1:].isdigit() else change["label"]


def money_of(proposals: QuerySet[Proposal]) -> dict[str, Decimal]:
    """The money of the proposals, per currency."""
    sums = proposals.exclude(case__currency="").values("case__currency").annotate(sum=Sum("case__amount"))
    return {found["case__currency"]: found["sum"] for found in sums.order_by("case__currency")}
