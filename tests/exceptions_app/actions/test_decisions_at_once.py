"""Decisions beside what would forbid them: an edit, another decision, a right or an account that is taken, a rule.

Each round is a race of threads with a connection of their own, which start together. What a round leaves is judged by
the rows and by the clock: whatever was over before the other began counts.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from exceptions_app.actions.approval_rules import Asked, approve_rule, propose_end, propose_rule
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready, approve
from exceptions_app.actions.grants import add_to_role, grant_role, remove_from_role, revoke_role
from exceptions_app.actions.mover import Invalid, lock
from exceptions_app.actions.work import assign
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    Decision,
    ExceptionCase,
    FirstApproval,
    PayloadVersion,
    Proposal,
)
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State, TransitionNotAllowed
from integrations.models import Delivery
from tests.cast import MORNING, SET_UP_AT, Cast, give_role, make_cast, person
from tests.exceptions_app.actions.mending import mend, mend_and_propose, take_in
from tests.exceptions_app.hands import told
from tests.exceptions_app.replay_batches.target import target
from workbench.models import User

__all__ = ["target"]
pytestmark = [pytest.mark.django_db(transaction=True)]
SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))
BY_NIGHT = max(round(200 * SHARE), 10)
LONGEST_HEAD_START = 0.06  # seconds: about what an approval takes
ROUNDS = pytest.mark.parametrize(
    "rounds", [2, pytest.param(BY_NIGHT, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
REFUSED = (NotPermitted, ApprovalNoLongerHolds, TransitionNotAllowed, Invalid)
"""In words. What the database alone refuses would be an error of the server."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One of the calls of a round: what it returned or raised, and from when to when it was under way."""

    result: Any
    began: float
    ended: float

    @property
    def done(self) -> bool:
        return not isinstance(self.result, Exception)

    def was_over_before(self, other: "Ran") -> bool:
        return self.ended < other.began


def race(*calls: Callable[[], Any], random: Random) -> list[Ran]:
    """All of them at once, but for a moment by which one or the other comes later; refusals are in words."""
    barrier = threading.Barrier(len(calls))
    ran: dict[int, Ran] = {}
    # A third of the rounds start as one.
    heads = [random.choice((0, 0, random.uniform(0, LONGEST_HEAD_START))) for _ in calls]

    def run(place: int) -> None:
        result: Any = None
        database.ensure_connection()
        barrier.wait(60)
        time.sleep(heads[place])
        began = time.monotonic()
        try:
            result = calls[place]()
        except Exception as error:  # noqa: BLE001 - the test looks at what was raised
            result = error
        finally:
            ran[place] = Ran(result, began, time.monotonic())
            database.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [ran[place] for place in range(len(calls))]
    assert [one.result for one in found if not one.done and not isinstance(one.result, REFUSED)] == []
    return found


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def proposed(cast: Cast, number: int) -> tuple[ExceptionCase, Proposal]:
    case = take_in(cast, f"INV-{number:04}", message=f"message-{number}")
    return case, mend_and_propose(case, by=cast.clerk)


def agree(case: ExceptionCase, proposal: Proposal, by: User) -> Callable[[], Any]:
    """As a request does it: the account as it was when the request came."""
    return partial(approve, case.pk, by=by, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def sent(case: ExceptionCase) -> list[str]:
    return list(Delivery.objects.filter(subject=case.subject).values_list("content_sha256", flat=True))


def is_whole(case: ExceptionCase, proposal: Proposal, *, approved: bool) -> None:
    """Either all of an approval is there or nothing."""
    case.refresh_from_db()
    decided = Decision.objects.filter(proposal=proposal).count()
    if approved:
        assert (case.state, sent(case), decided) == (State.REPLAYING, [proposal.content_sha256], 1)
    else:
        assert (case.state == State.REPLAYING, sent(case), decided) == (False, [], 0)


def both_happened(seen: Counter[bool], rounds: int) -> None:
    """A race that always ends in the same way is none."""
    print(f"{rounds} rounds: approved in {seen[True]}, refused in {seen[False]}")
    assert rounds < 50 or min(seen[True], seen[False]) > 0, seen


@ROUNDS
def test_edit_and_approval_never_send_what_was_not_approved(cast: Cast, rounds: int):
    """The author of the edit may approve as well, so that what they lack is nothing but clean hands."""
    give_role(cast.second_clerk, "controller")
    seen: Counter[bool] = Counter()
    random = Random(rounds)  # noqa: S311 - repeatable, not secret
    for number in range(rounds):
        case, proposal = proposed(cast, number)
        assign(case.pk, to=cast.second_clerk, by=cast.second_clerk, at=MORNING)
        decider = (cast.controller, cast.second_clerk)[number % 2]
        edit = partial(mend, case, by=cast.second_clerk, date="2026-11-02", base_version=2)
        edited, approved = race(edit, agree(case, proposal, decider), random=random)
        assert edited.done != approved.done
        is_whole(case, proposal, approved=approved.done)
        wrote = PayloadVersion.objects.filter(case=case, number__lte=proposal.version.number, author=decider)
        assert not (approved.done and wrote.exists())
        seen[approved.done] += 1
    both_happened(seen, rounds)


@ROUNDS
def test_of_several_approvals_one_counts(cast: Cast, rounds: int):
    """Two people, each in two tabs."""
    give_role(cast.second_clerk, "controller")
    random = Random(rounds)  # noqa: S311
    deciders = (cast.controller, cast.second_clerk)
    first: Counter[bool] = Counter()
    for number in range(rounds):
        case, proposal = proposed(cast, number)
        ran = race(*[agree(case, proposal, who) for who in deciders * 2], random=random)
        assert [one.done for one in ran].count(True) == 1
        is_whole(case, proposal, approved=True)
        winner = Decision.objects.get(proposal=proposal).decider_id
        again = [isinstance(one.result, DecidedAlready) for one in ran if not one.done]
        assert again.count(True) == 1, "the other tab of the same person is told that they did it"
        first[winner == cast.controller.pk] += 1
    assert rounds < 50 or min(first[True], first[False]) > 0


Way = Callable[[Cast], tuple[User, Callable[[], object], Callable[[], object]]]


def role_taken(cast: Cast) -> tuple[User, Callable[[], object], Callable[[], object]]:
    """Who decides, what takes the right from them, and what gives it back."""
    signed: dict[str, Any] = {"by": cast.administrator, "at": MORNING}
    give = partial(add_to_role, "controller", cast.controller, by=machine(SETUP), at=SET_UP_AT)
    return cast.controller, partial(remove_from_role, "controller", cast.controller, **signed), give


def account_made_inactive(cast: Cast) -> tuple[User, Callable[[], object], Callable[[], object]]:
    switch = partial(make_active, cast.controller, by=cast.administrator)
    return cast.controller, partial(switch, False), partial(switch, True)


def make_active(who: User, is_active: bool, *, by: User) -> None:
    changes = {"is_active": {"was": not is_active, "will_be": is_active}}
    with transaction.atomic():
        told("person.changed", f"person:{who.username}", by=by, at=MORNING, changes=changes)
        User.objects.filter(pk=who.pk).update(is_active=is_active)


def place_taken(cast: Cast) -> tuple[User, Callable[[], object], Callable[[], object]]:
    places = [cast.einvoicing]
    give = partial(grant_role, "controller", places, by=machine(SETUP), at=SET_UP_AT)
    return cast.controller, partial(revoke_role, "controller", places, by=cast.administrator, at=MORNING), give


WAYS: tuple[Way, ...] = (role_taken, place_taken, account_made_inactive)


@ROUNDS
def test_approval_beside_what_takes_the_right_to_it(cast: Cast, rounds: int):
    """Whoever lost it before they asked is refused, and nothing is approved in part."""
    seen: Counter[bool] = Counter()
    random = Random(rounds)  # noqa: S311
    ways = [way(cast) for way in WAYS]
    for number in range(max(rounds, len(ways))):
        decider, take, give = ways[number % len(ways)]
        case, proposal = proposed(cast, number)
        taken, approved = race(take, agree(case, proposal, decider), random=random)
        assert taken.done
        assert not (taken.was_over_before(approved) and approved.done)
        assert approved.done or isinstance(approved.result, NotPermitted)
        is_whole(case, proposal, approved=approved.done)
        seen[approved.done] += 1
        give()
    both_happened(seen, rounds)


@pytest.mark.parametrize("way", WAYS)
def test_right_that_is_taken_while_an_approval_waits_is_missing(cast: Cast, way: Way):
    """It is read once the exception is locked, and not when the request came."""
    decider, take, _ = way(cast)
    case, proposal = proposed(cast, 1)
    results: dict[str, object] = {}

    def run(name: str, call: Callable[[], object]) -> threading.Thread:
        def calling() -> None:
            try:
                results[name] = call()
            except Exception as error:  # noqa: BLE001 - the test looks at what was raised
                results[name] = error
            finally:
                database.close()

        thread = threading.Thread(target=calling)
        thread.start()
        return thread

    with transaction.atomic():
        lock(case.pk)
        waiting = run("approved", agree(case, proposal, decider))
        try:
            until_somebody_waits()
            run("taken", take).join()
        finally:
            transaction.on_commit(waiting.join)
    assert not isinstance(results["taken"], Exception), results
    assert isinstance(results["approved"], NotPermitted), results
    is_whole(case, proposal, approved=False)


def until_somebody_waits() -> None:
    """For a lock, in the database; asked on the connection that holds it."""
    for _ in range(3000):
        with database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@ROUNDS
def test_approval_beside_a_rule_that_asks_for_two(cast: Cast, rounds: int):
    """Whoever approves after it came into force is the first of two; meanwhile nothing may come of it, in words."""
    adam = person("adam", "Adam Administrator", is_staff=True)
    seen: Counter[bool] = Counter()
    random = Random(rounds)  # noqa: S311
    for number in range(rounds):
        case, proposal = proposed(cast, number)
        asked = Asked(above=Decimal(100), currency="EUR", approvers=2)
        rule = propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")
        keep = partial(approve_rule, rule.pk, by=adam, at=MORNING, frozen_sha256=rule.frozen_sha256)
        kept, approved = race(keep, agree(case, proposal, cast.controller), random=random)
        assert kept.done
        if not approved.done:
            is_whole(case, proposal, approved=False)
            approved = Ran(agree(case, proposal, cast.controller)(), approved.began, approved.ended)
        alone = isinstance(approved.result, Decision)
        assert not (kept.was_over_before(approved) and alone)
        assert FirstApproval.objects.filter(proposal=proposal).exists() is not alone
        is_whole(case, proposal, approved=alone)
        seen[alone] += 1
        end = propose_end(rule.pk, by=adam, at=MORNING, because="For the next round.")
        approve_rule(end.pk, by=cast.administrator, at=MORNING, frozen_sha256=end.frozen_sha256)
    both_happened(seen, rounds)
