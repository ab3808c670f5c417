"""People, roles, delegations, edits, proposals, decisions, rules and mappings in any order: see `any_order`."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from time import process_time
from typing import Self

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.utils.timezone import now

from exceptions_app import policies
from exceptions_app.actions import first_approval
from tests.cast import Cast
from tests.exceptions_app import any_order
from tests.exceptions_app.any_order import CASES, PEOPLE, ROLES, RULES, Office

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]
RUNS, STEPS = 1_000, 50
SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Whom and what a step is about."""

    who: int
    other: int
    some: list[int]  # people, in the order in which they try
    working: int  # mostly whoever works on the exception
    place: int
    waiting: int  # an exception on which something is proposed, when there is one
    places: list[int]
    value: int
    role: str
    yes: bool

    @classmethod
    def of(cls, office: Office, random: Random) -> Self:
        who, place = random.randrange(PEOPLE), random.randrange(CASES)
        return cls(
            who=who,
            other=random.randrange(PEOPLE),
            some=random.sample(range(PEOPLE), random.randint(1, PEOPLE)),
            working=office.hands_of(who, place, own=random.random() < 0.7),
            place=place,
            waiting=office.proposed(place),
            places=random.sample(range(CASES), random.randint(0, 2)),
            value=random.randrange(100),
            role=random.choice(ROLES),
            yes=random.random() < 0.6,
        )


def prepare(office: Office, drawn: Drawn) -> None:
    office.corrects(drawn.working, drawn.place, drawn.value)
    office.proposes(drawn.working, drawn.place, closing=False)


def approve(office: Office, drawn: Drawn) -> None:
    for who in drawn.some:
        office.decides(who, drawn.waiting, agrees=True)


def approve_by_sql(office: Office, drawn: Drawn) -> None:
    for who in drawn.some:
        office.decides_by_sql(who, drawn.waiting, first=not drawn.yes)


def approve_mapping(office: Office, drawn: Drawn) -> None:
    for who in drawn.some:
        office.decides_on_mapping(who, agrees=True)


# What may be done, and how often it is. What brings something to a decision comes most often: where nothing waits there
# is nothing to refuse.
WHAT: Mapping[Callable[[Office, Drawn], None], int] = {
    prepare: 6,
    lambda office, drawn: office.corrects(drawn.working, drawn.place, drawn.value): 3,
    lambda office, drawn: office.proposes(drawn.working, drawn.place, closing=not drawn.yes): 5,
    lambda office, drawn: office.withdraws(drawn.working, drawn.waiting): 1,
    lambda office, drawn: office.takes_over(drawn.who, drawn.place): 1,
    approve: 8,
    approve_by_sql: 4,
    lambda office, drawn: office.decides(drawn.who, drawn.waiting, agrees=False): 1,
    lambda office, drawn: office.maps(drawn.who, drawn.places, drawn.value): 4,
    approve_mapping: 4,
    lambda office, drawn: office.decides_on_mapping(drawn.who, agrees=False): 1,
    lambda office, drawn: office.withdraws_mapping(drawn.who): 1,
    lambda office, _drawn: office.batches_go_on(): 3,
    lambda office, drawn: office.changes_role(drawn.who, drawn.role, gains=drawn.yes): 4,
    lambda office, drawn: office.changes_rules(drawn.value % len(RULES)): 3,
    lambda office, drawn: office.lends(drawn.who, drawn.other): 2,
    lambda office, drawn: office.takes_back(drawn.value): 1,
    lambda office, drawn: office.shares_address(drawn.who, drawn.other): 1,
}


def play(office: Office, *, runs: int, first: int = 0) -> Counter[str]:
    """So many runs, each by its number the same each time; what happened in them, counted. Nothing of a run stays."""
    happened: Counter[str] = Counter()
    began = process_time()
    for number in range(first, first + runs):
        with transaction.atomic():
            office.begin()
            try:
                random = Random(number)  # noqa: S311 — repeatable, not secret
                for _ in range(STEPS):
                    drawn = Drawn.of(office, random)
                    random.choices(list(WHAT), list(WHAT.values()))[0](office, drawn)
                    office.nothing_wrong_was_released()
            except Exception as error:
                error.add_note(f"in run {number}, after these: " + "; ".join(office.trail))
                raise
            finally:
                transaction.set_rollback(True)
        happened.update(office.happened)
    print(dict(happened), f"{process_time() - began:.0f} s of computing, the database's not counted")
    return happened


@pytest.fixture
def office(cast: Cast) -> Office:
    return Office(cast)


HAPPENED = ("released", "by two", "mapped", "refused", "refused by the database")


def all_happened(seen: Counter[str]) -> None:
    """Where nothing is released, or nobody is refused, nothing is tried."""
    assert min(seen[what] for what in HAPPENED) > 0, seen


def test_nothing_is_released_that_somebody_with_a_hand_in_it_agreed_to_or_too_few(office: Office):
    all_happened(play(office, runs=12))


@pytest.mark.nightly
@pytest.mark.timeout(14_400)
def test_nothing_is_released_so_in_a_thousand_runs(office: Office):
    """Others each night."""
    all_happened(play(office, runs=max(round(RUNS * SHARE), 10), first=now().toordinal() * RUNS))


def nobody_asks_who(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policies, "require", lambda _action, case, by, where=None: where or policies.standing(by, case))


def one_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first_approval, "is_first", lambda _where: False)


@pytest.mark.parametrize("without", [nobody_asks_who, one_is_enough])
def test_without_a_policy_and_the_trigger_it_is_found_out(
    office: Office, monkeypatch: pytest.MonkeyPatch, without: Callable[[pytest.MonkeyPatch], None]
):
    without(monkeypatch)
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE exceptions_app_decision DISABLE TRIGGER USER")
    with pytest.raises(AssertionError, match=r"^person \d agreed to|^the database let person \d agree"):
        play(office, runs=12)


def test_without_a_policy_the_trigger_alone_lets_nobody_agree(office: Office, monkeypatch: pytest.MonkeyPatch):
    nobody_asks_who(monkeypatch)
    monkeypatch.setattr(any_order, "REFUSALS", (*any_order.REFUSALS, IntegrityError))
    all_happened(play(office, runs=4))
