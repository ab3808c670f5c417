"""An office in which people edit, propose, decide, lend their right and change their roles in any order.

Every step is an action of the product on the real database. Beside it `Log` keeps what was done, by whom and when, and
says from that alone who may have agreed to what was released: it reads nothing of what the product says about duties.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from exceptions_app.actions import batch_run, work
from exceptions_app.actions.approval_rules import Asked, approve_rule, propose_end, propose_rule
from exceptions_app.actions.batch_propose import ItemsRefused, ListChanged
from exceptions_app.actions.correct import correct, latest_version
from exceptions_app.actions.decide import ApprovalNoLongerHolds, approve, reject
from exceptions_app.actions.delegations import delegate, end_delegation
from exceptions_app.actions.grants import add_to_role, remove_from_role
from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import propose_mapping, withdraw_mapping
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import CheckFailed, propose_dismissal, propose_replay, withdraw
from exceptions_app.batch_states import BatchMoveNotAllowed
from exceptions_app.mapping_states import MappingMoveNotAllowed
from exceptions_app.models import (
    ApprovalRule,
    Decision,
    Delegation,
    ExceptionCase,
    FirstApproval,
    MappingDecision,
    MappingProposal,
    Proposal,
)
from exceptions_app.states import Outcome, TransitionNotAllowed
from exceptions_app.value_rows import RowsInvalid
from integrations.connectors.registry import get_connector
from integrations.models import Delivery
from integrations.outbox import AlreadyUnderWay
from tests.arrivals import configure
from tests.cast import Cast, person
from tests.exceptions_app.hands import Scene, decide_by_sql
from tests.exceptions_app.value_mappings.mapping import row, scope
from tests.exceptions_app.value_mappings.refused import refused
from workbench.models import User

CASES = 6
PEOPLE = 6
APPROVES, HIGH = "controller", "director"
ROLES = ("clerk", APPROVES, HIGH)
FIRST_ROLES = (
    ("clerk", APPROVES), ("clerk", APPROVES), ("clerk",), (APPROVES, HIGH), (APPROVES, HIGH), (APPROVES,),
)  # fmt: skip
RULES = ((2, ""), (1, HIGH))  # how many approve, and the role that each of them has
WHY = "Agreed with sales."
REFUSALS = (
    PermissionDenied, Invalid, ChangedMeanwhile, ApprovalNoLongerHolds, CheckFailed, ItemsRefused, ListChanged,
    TransitionNotAllowed, MappingMoveNotAllowed, BatchMoveNotAllowed, RowsInvalid, AlreadyUnderWay,
)  # fmt: skip


@dataclass(slots=True)
class Proposed:
    """What is proposed on one exception: since which step, everybody who had a hand in it, and what rules asked then.

    `first` is who agreed as the first of two.
    """

    step: int
    hands: frozenset[int]
    rules: frozenset[int] = frozenset()
    first: int | None = None


@dataclass(slots=True)
class Log:
    """What was done, as whoever looked on would have written it down. People are numbers from 0."""

    step: int = 0
    hands: dict[int, set[int]] = field(default_factory=lambda: {place: set() for place in range(CASES)})
    open: dict[int, Proposed] = field(default_factory=dict)
    mapped: dict[int, Proposed] = field(default_factory=dict)  # several may wait at a time: by their keys
    rules: set[int] = field(default_factory=set)  # of RULES those in force
    since: dict[tuple[int, str], int] = field(  # since which step somebody has a role
        default_factory=lambda: {(who, role): 0 for who, roles in enumerate(FIRST_ROLES) for role in roles}
    )
    human: dict[int, int] = field(default_factory=lambda: {who: who for who in range(PEOPLE)})
    lent: list[tuple[int, int, int]] = field(default_factory=list)  # giver, taker and the step
    ended: set[tuple[int, int, int]] = field(default_factory=set)
    agreed: list[int] = field(default_factory=list)  # exceptions whose proposal somebody agreed to

    def proposed_by(self, who: int, place: int) -> Proposed:
        return Proposed(self.step, frozenset(self.hands[place] | {who}), frozenset(self.rules))

    def takes(self, to: Proposed) -> int:
        """How many must agree: as was asked when it was proposed, and no fewer than what came into force since asks."""
        return max((RULES[rule][0] for rule in to.rules | self.rules), default=1)

    def may_agree(self, who: int, to: Proposed) -> bool:
        """As the only one, or as the first of two."""
        roles = {RULES[rule][1] for rule in to.rules | self.rules} - {""}
        return self.is_second_person(who, to) and all(self._held_before(who, role, to) for role in roles)

    def may_release(self, who: int, to: Proposed) -> bool:
        """With two, the first could still agree, and is to the second like somebody with a hand in it."""
        if self.takes(to) < 2:
            return self.may_agree(who, to)
        if to.first is None:
            return False
        return self.may_agree(to.first, to) and self.may_agree(who, replace(to, hands=to.hands | {to.first}))

    def is_second_person(self, who: int, to: Proposed, *, lent_counts: bool = True) -> bool:
        """Another human being, near to nobody with a hand in it, who could decide since before it was proposed."""
        if any(self.human[who] == self.human[hand] for hand in to.hands):
            return False
        if any({giver, taker} == {who, hand} for giver, taker, _ in self.lent for hand in to.hands):
            return False
        givers = [one[0] for one in self.lent if one[1] == who and one[2] <= to.step and one not in self.ended]
        return any(self._held_before(one, APPROVES, to) for one in [who, *(givers if lent_counts else ())])

    def _held_before(self, who: int, role: str, to: Proposed) -> bool:
        return self.since.get((who, role), to.step + 1) <= to.step


class Office:
    """The people, the exceptions and the log; one method for each thing that somebody may do."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.connection = configure(cast.connection, connector="erp", target_url="https://target.example/documents")
        self.other_administrator = person("adam", "Adam Administrator", is_staff=True)
        self.high = Group.objects.create(name=HIGH)
        self.people = [person(f"person{who}", f"Person {who}") for who in range(PEOPLE)]
        for who, roles in zip(self.people, FIRST_ROLES, strict=True):
            for role in roles:
                add_to_role(role, who, by=cast.administrator, at=now())
        self.cases = [refused(self.connection, f"49000{place:05}").pk for place in range(CASES)]
        self.began = now()
        self.begin()

    def begin(self) -> None:
        self.log = Log()
        self.trail: list[str] = []
        self.happened: Counter[str] = Counter(runs=1)
        for who in self.people:
            who.email = f"{who.username}@example.test"
        self.seen = newest()

    @property
    def at(self) -> datetime:
        """A moment of the day on which the transaction began, which is today to the database all night long."""
        return self.began + timedelta(milliseconds=self.log.step)

    def by(self, who: int) -> dict[str, Any]:
        return {"by": self.people[who], "at": self.at, "because": WHY}

    def does(self, what: str, act: Callable[[], Any]) -> Any:
        """What came of it; None when it was refused, and then nothing of it stays. Anything else is an error."""
        self.log.step += 1
        self.happened["steps"] += 1
        self.trail.append(what)
        try:
            with transaction.atomic():
                return act() or True
        except REFUSALS:
            self.happened["refused"] += 1
            self.trail[-1] += " (refused)"
            return None

    def hands_of(self, who: int, place: int, *, own: bool) -> int:
        """Who works on it, when somebody does and it is to be them: others are mostly told that somebody does."""
        working = ExceptionCase.objects.values_list("assignee", flat=True).get(pk=self.cases[place])
        return self.number_of(working) if own and working is not None else who

    def proposed(self, place: int) -> int:
        """Of the exceptions on which something is proposed, one; this one when there is none."""
        waiting = sorted(self.log.open)
        return waiting[place % len(waiting)] if waiting else place

    # On one exception ---------------------------------------------------------------------------------------------

    def corrects(self, who: int, place: int, value: int) -> None:
        case, by = self.cases[place], self.by(who)
        version = latest_version(ExceptionCase.objects.get(pk=case))
        content = bytes(version.content)
        steps = get_connector("erp").operations_for(content, {"/lines/0/account": f"8004{value:02}"})
        if self.does(
            f"{who} corrects {place}",
            lambda: correct(case, base_version=version.number, operations=steps, **by),
        ):
            self.log.hands[place].add(who)
            self.log.open.pop(place, None)

    def takes_over(self, who: int, place: int) -> None:
        by = self.people[who]
        self.does(f"{who} takes {place} over", lambda: work.assign(self.cases[place], to=by, by=by, at=self.at))

    def proposes(self, who: int, place: int, *, closing: bool) -> None:
        case, by = self.cases[place], self.by(who)
        propose = partial(propose_dismissal, outcome=Outcome.FIXED_AT_SOURCE) if closing else propose_replay
        if self.does(f"{who} proposes to {'close' if closing else 'send'} {place}", lambda: propose(case, **by)):
            self.log.open[place] = self.log.proposed_by(who, place)

    def withdraws(self, who: int, place: int) -> None:
        if self.does(f"{who} withdraws {place}", lambda: withdraw(self.cases[place], by=self.people[who], at=self.at)):
            self.log.open.pop(place)

    def decides(self, who: int, place: int, *, agrees: bool) -> None:
        shown = self.shown(place)
        if shown is None:
            return
        case, by = self.cases[place], self.by(who)
        if agrees:
            self.does(f"{who} approves {place}", lambda: approve(case, frozen_sha256=shown.frozen_sha256, **by))
        elif self.does(f"{who} rejects {place}", lambda: reject(case, frozen_sha256=shown.frozen_sha256, **by)):
            self.log.open.pop(place)

    def decides_by_sql(self, who: int, place: int, *, first: bool) -> None:
        """Past every action. Nothing of it stays: whether the database let it through is all that is asked."""
        shown = self.shown(place)
        if shown is None:
            return
        scene = Scene(self.cast, ExceptionCase.objects.get(pk=self.cases[place]), shown)
        try:
            with transaction.atomic():
                decide_by_sql(scene, self.people[who], table="firstapproval" if first else "decision")
                transaction.set_rollback(True)
        except IntegrityError:
            self.happened["refused by the database"] += 1
            return
        to = self.log.open[place]
        may = self.log.may_agree(who, to) and self.log.takes(to) == 2 if first else self.log.may_release(who, to)
        assert may, f"the database let person {who} agree to {to} of exception {place}"

    def shown(self, place: int) -> Proposal | None:
        return Proposal.objects.filter(case=self.cases[place], state=Proposal.State.OPEN).first()

    # On mappings --------------------------------------------------------------------------------------------------

    def maps(self, who: int, places: Sequence[int], value: int) -> None:
        mended = {pk: ExceptionCase.objects.get(pk=pk).revision for pk in (self.cases[place] for place in places)}
        wanted = scope(self.cast, connection=self.connection)
        rows = [row(target=f"8005{value:02}", begins="2026-01-01")]
        done = self.does(
            f"{who} maps, for {places}",
            lambda: propose_mapping(wanted, rows, mends=mended, **self.by(who)),
        )
        if done:
            for place in places:
                self.log.hands[place].add(who)
                self.log.open[place] = self.log.proposed_by(who, place)
            self.log.mapped[done.pk] = Proposed(self.log.step, frozenset({who}))

    def waiting(self) -> MappingProposal | None:
        return MappingProposal.objects.filter(state="awaiting_approval").order_by("pk").last()

    def decides_on_mapping(self, who: int, *, agrees: bool) -> None:
        shown = self.waiting()
        if shown is not None:
            decide = approve_mapping if agrees else reject_mapping
            by, seen = self.by(who), shown.frozen_sha256
            what = f"{who} {'approves' if agrees else 'rejects'} a mapping"
            self.does(what, lambda: decide(shown.pk, frozen_sha256=seen, **by))

    def withdraws_mapping(self, who: int) -> None:
        shown = self.waiting()
        if shown is not None:
            self.does(f"{who} withdraws a mapping", lambda: withdraw_mapping(shown.pk, by=self.people[who], at=self.at))

    def batches_go_on(self) -> None:
        self.does("batches go on", batch_run.start_due)
        for place, pk in enumerate(self.cases):
            if (
                place in self.log.open
                and self.shown(place) is None
                and not Delivery.objects.filter(subject=f"case:EX-{pk}")
            ):
                self.log.open.pop(place)  # given back to work by a batch that was rejected or withdrawn

    # On people ----------------------------------------------------------------------------------------------------

    def changes_role(self, who: int, role: str, *, gains: bool) -> None:
        change = add_to_role if gains else remove_from_role
        changed = self.does(
            f"{who} {'gains' if gains else 'loses'} {role}",
            lambda: [change(role, self.people[who], by=self.cast.administrator, at=self.at)],
        )
        if changed == [True] and gains:
            self.log.since[who, role] = self.log.step
        elif changed == [True]:
            self.log.since.pop((who, role))

    def lends(self, giver: int, taker: int) -> None:
        to, today = self.people[taker], self.began.date()
        if self.does(
            f"{giver} lends to {taker}",
            lambda: delegate(to, first_day=today, last_day=today, **self.by(giver)),
        ):
            self.log.lent.append((giver, taker, self.log.step))

    def takes_back(self, which: int) -> None:
        counting = [one for one in self.log.lent if one not in self.log.ended]
        if counting:
            one = counting[which % len(counting)]
            given = Delegation.objects.get(giver=self.people[one[0]], taker=self.people[one[1]], ended_at=None)
            if self.does(f"{one[0]} takes back", lambda: end_delegation(given.pk, by=self.people[one[0]], at=self.at)):
                self.log.ended.add(one)

    def shares_address(self, who: int, other: int) -> None:
        """Two accounts of one human being, as far as anybody can tell."""
        self.log.step += 1
        self.trail.append(f"{who} has the address of {other}")
        User.objects.filter(pk=self.people[who].pk).update(email=self.people[other].email.upper())
        self.people[who].refresh_from_db()
        self.log.human[who] = self.log.human[other]

    def changes_rules(self, which: int) -> None:
        """Comes into force, or ends when it is. Two who keep the rules do it."""
        approvers, role = RULES[which]
        by: dict[str, Any] = {"by": self.cast.administrator, "at": self.at, "because": WHY}
        asked = Asked(above=Decimal(0), currency="EUR", approvers=approvers, role=self.high if role else None)
        held = ApprovalRule.objects.filter(state="in_force", approvers=approvers).first()

        def change() -> None:
            rule = propose_rule(asked, **by) if held is None else propose_end(held.pk, **by)
            approve_rule(rule.pk, by=self.other_administrator, at=self.at, frozen_sha256=rule.frozen_sha256)

        assert self.does(f"rule {which} comes or goes", change)
        self.log.rules ^= {which}

    # What must hold -----------------------------------------------------------------------------------------------

    def nothing_wrong_was_released(self) -> None:
        """Of each decision since the last look: whoever agreed may have. And nothing is released without one."""
        firsts, decisions, mappings = self.seen
        for first in FirstApproval.objects.filter(pk__gt=firsts).select_related("proposal"):
            place, who = self.cases.index(first.proposal.case_id), self.number_of(first.decider_id)
            to = self.log.open[place]
            assert self.log.may_agree(who, to), f"person {who} agreed to {to} of exception {place}, as the first"
            to.first = who
        for found in Decision.objects.filter(pk__gt=decisions, verdict="approved").select_related("proposal"):
            place, who = self.cases.index(found.proposal.case_id), self.number_of(found.decider_id)
            to = self.log.open.pop(place)
            assert self.log.may_release(who, to), f"person {who} agreed to {to} of exception {place}"
            self.log.agreed.append(place)
            self.happened.update({"released": 1, "by two": to.first is not None})
        for mapping in MappingDecision.objects.filter(pk__gt=mappings, verdict="approved"):
            who, asked = self.number_of(mapping.decider_id), self.log.mapped.pop(mapping.proposal_id)
            may = self.log.is_second_person(who, asked, lent_counts=False)
            assert may, f"person {who} agreed to the mapping {asked}"
            self.happened["mapped"] += 1
        self.seen = newest()
        subjects = Delivery.objects.filter(operation="submit").values_list("subject", flat=True)
        closed = ExceptionCase.objects.filter(pk__in=self.cases, closed_at__isnull=False).values_list("pk", flat=True)
        gone = [int(subject.rpartition("-")[2]) for subject in subjects] + list(closed)
        assert sorted(self.cases.index(pk) for pk in gone) == sorted(self.log.agreed)

    def number_of(self, pk: int) -> int:
        return [one.pk for one in self.people].index(pk)


def newest() -> list[int]:
    models: tuple[Any, ...] = (FirstApproval, Decision, MappingDecision)
    return [model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0 for model in models]
