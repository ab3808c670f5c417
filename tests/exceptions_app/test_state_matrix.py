"""Who may do what in which state: the table of moves and the roles say it, and action, page and API do as they say.

What is expected is worked out here from the table and from the roles alone. Whoever holds no verb on the place finds
nothing there; whoever lacks the verb is refused in words that name it; and where the table has no row for the state,
whoever holds the verb is told that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from exceptions_app.actions.grants import ROLES
from exceptions_app.actions.mover import lock, move
from exceptions_app.models import Decision, ExceptionCase, Proposal
from exceptions_app.policies import VERB_WORDS, NotPermitted, Standing, require, standing
from exceptions_app.states import HAS_NO_BUTTON, TRANSITIONS, Action, Kind, ProposalKind, State, Verb, refusal_of
from tests import factories
from tests.cast import MORNING, Cast, grant, grant_every_verb_abroad, person
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.views import growing_lists
from workbench.models import User

__all__ = ["api"]
# What people may is the same on any engine, and this asks it at length.
pytestmark = [pytest.mark.django_db, pytest.mark.one_engine, pytest.mark.timeout(900)]

WHY = {"because": "A reason."}
SHOWN = {"frozen_sha256": "0" * 64}
# What fits the form, so that nobody is refused for what they typed.
TYPED: dict[Action, dict[str, Any]] = {
    Action.ASSIGN: {"to": "cem"},
    Action.HOLD: {"waiting_for": "An answer."},
    Action.SNOOZE: {"event": "comment"},
    Action.TAG: {"add": ["vat"]},
    Action.PROPOSE: WHY,
    Action.RELEASE: WHY,
    Action.DECLINE: WHY,
    Action.DISMISS: WHY | {"outcome": "fixed_at_source"},
    Action.REVERSE: WHY | {"reference": "DOC-1"},
    Action.REPORT_WRONG_BOOKING: WHY,
    Action.APPROVE: SHOWN,
    Action.REJECT: SHOWN | WHY,
    Action.CONFIRM_BOOKED: WHY | {"reference": "DOC-1"},
    Action.DECLARE_ABSENT: WHY,
    Action.COMMENT: {"text": "A word."},
    Action.REOPEN: WHY,
}
# A form to assign offers people only to whoever may, and one to reverse what was booked where something was.
NOT_BY_PAGE = {Action.ASSIGN, Action.REVERSE}
OF_A_PROPOSAL = {Action.WITHDRAW, Action.APPROVE, Action.REJECT}
# A correction is looked at as a document before anybody is asked for a verb: `actions/test_correct.py`.
ELSEWHERE = HAS_NO_BUTTON | {Action.CORRECT}
MOVES = [action for action, row in TRANSITIONS.items() if not row.by_machine and action not in ELSEWHERE]


def cases_in_every_state(cast: Cast) -> Iterator[ExceptionCase]:
    """With what is proposed in each of the ways that a person can propose something."""
    yield factories.make_case(cast)
    yield factories.make_case(cast, kind=Kind.HELD)
    yield factories.claim(factories.make_case(cast), cast.clerk)
    waiting = factories.make_case(cast)
    with transaction.atomic():
        move(lock(waiting.pk), Action.HOLD, by=cast.clerk, at=MORNING, summary="On hold.", waiting_for="An answer.")
    yield waiting
    for kind in (ProposalKind.REPLAY, ProposalKind.RELEASE, ProposalKind.DISMISS):
        case = factories.make_case(cast, kind=Kind.HELD if kind is ProposalKind.RELEASE else Kind.FAILED)
        factories.make_proposal(case, cast.clerk, kind=kind)
        yield case
    growing_lists.unknown(cast, 0, 1)
    yield ExceptionCase.objects.get(state=State.OUTCOME_UNKNOWN)
    replaying = factories.make_case(cast)
    factories.make_version(replaying, cast.clerk)
    with transaction.atomic():
        factories.make_proposal(replaying, cast.clerk)
        Decision.objects.create(
            proposal=Proposal.objects.get(case=replaying), verdict="approved", decider=cast.controller,
            frozen_sha256=Proposal.objects.get(case=replaying).frozen_sha256, decided_at=MORNING,
        )  # fmt: skip
        move(lock(replaying.pk), Action.APPROVE, by=cast.controller, at=MORNING, summary="Approved.")
        Proposal.objects.filter(case=replaying).update(state="approved", closed_at=MORNING)
    yield replaying
    yield factories.resolve(factories.make_case(cast), cast.clerk, approver=cast.controller)
    yield factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and what they were granted on the place of the exceptions."""

    user: User
    verbs: frozenset[Verb]


def people(cast: Cast) -> list[Person]:
    neighbour = person("nora", "Nora Neighbour")
    grant_every_verb_abroad(neighbour, cast)
    half = person("hal", "Hal Half")
    grant(half, Verb, cast.einvoicing)
    return [
        Person(cast.clerk, ROLES["clerk"]),
        Person(cast.second_clerk, ROLES["clerk"]),
        Person(cast.local_clerk, ROLES["clerk"]),
        Person(cast.controller, ROLES["controller"]),
        Person(cast.support, ROLES["support"]),
        Person(cast.auditor, ROLES["auditor"]),
        Person(cast.outsider, frozenset()),
        Person(cast.administrator, frozenset()),
        Person(neighbour, frozenset()),
        Person(half, frozenset()),  # on the queue alone
    ]


def expected(action: Action, case: ExceptionCase, who: Person, proposer: int | None) -> tuple[int, str]:
    """Status, and words of the refusal; 0 where the two tables leave it to what else is known of the exception."""
    if Verb.SEE not in who.verbs:
        return 404, ""
    row = TRANSITIONS[action]
    own = action in (Action.APPROVE, Action.REJECT) and proposer == who.user.pk
    if own:
        return 403, "someone else must decide"
    if row.verb not in who.verbs:
        return 403, f"You may not {VERB_WORDS[row.verb or Verb.SEE]} in {case.queue.name} for {case.entity.name}."
    if action in OF_A_PROPOSAL and proposer is None:
        return 0, ""  # that nothing is proposed is told in other words
    if said := refusal_of(action, state=State(case.state), kind=Kind(case.kind)):
        return 409, said
    return 0, ""


def test_what_is_not_allowed_is_refused_with_its_reason_and_what_is_out_of_scope_is_not_there(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    cases = list(cases_in_every_state(cast))
    for case in cases:
        case.refresh_from_db()
    assert {State(case.state) for case in cases} == set(State)
    everybody = [(who, signed_in(who.user), api(who.user)) for who in people(cast)]
    seen = {403: 0, 404: 0, 409: 0}
    wrong: list[str] = []
    for nth_case, case in enumerate(cases):
        proposer = Proposal.objects.filter(case=case, state="open").values_list("proposer", flat=True).first()
        for who, browser, program in everybody:
            where = standing(who.user, case)  # the same for every move: what follows changes nothing
            for nth_move, action in enumerate(MOVES):
                status, words = expected(action, case, who, proposer)
                by_action(action, case, where, status, words)
                # Whom nothing is there for asks for each move in every third state: which it is, is not looked at.
                turn = nth_case + nth_move
                if not status or (status == 404 and turn % 3):
                    continue
                # A page is drawn for each refusal, so it has every fourth turn: each person and each move meets both.
                answer = (by_api if turn % 4 or action in NOT_BY_PAGE else by_page)(action, case, browser, program)
                if answer.status_code != status or not said_in(words, answer.content.decode()):
                    wrong.append(f"{who.user} {action} {case.state}: {answer.status_code}, not {status} “{words}”")
                seen[status] += 1
        assert (case.state, case.revision) == ExceptionCase.objects.values_list("state", "revision").get(pk=case.pk)
    assert wrong == []
    assert min(seen.values()) > 100, seen


def said_in(words: str, told: str) -> bool:
    return words in unescape(told)


def by_action(action: Action, case: ExceptionCase, where: Standing, status: int, words: str) -> None:
    """The rule that every function asks first. Of a wrong state the function itself tells."""
    if status in (403, 404):
        with pytest.raises(NotPermitted) as refused:
            require(action, case, where.user, where=where)
        assert words in refused.value.reason


def by_page(action: Action, case: ExceptionCase, browser: Client, program: Api) -> Any:
    typed = {"revision": str(case.revision), "agreed": "on", "wakes_on": "comment", **TYPED.get(action, {})}
    browser.raise_request_exception = False
    return browser.post(reverse(f"exceptions:{action}", args=[case.ref]), typed)


def by_api(action: Action, case: ExceptionCase, browser: Client, program: Api) -> Any:
    return program.post(f"exceptions/{case.ref}/{action}", TYPED.get(action, {}), if_match="*")


def test_move_of_the_machine_has_no_address():
    machines = [action for action, row in TRANSITIONS.items() if row.by_machine]
    assert machines
    for action in machines:
        for name in ("exceptions", "api"):
            with pytest.raises(NoReverseMatch):
                reverse(f"{name}:{action}", args=["EX-1"])
