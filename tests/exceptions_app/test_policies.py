"""Who may do what, and why not: the one answer that pages, API and actions share."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm, remove_perm

from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.mover import lock
from exceptions_app.actions.work import assign, claim
from exceptions_app.machines import SETUP, WORKER, machine
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.policies import (
    REVERSIBLE,
    STANDS_THERE,
    NotPermitted,
    Standing,
    contributors_of,
    may,
    possibilities,
    require,
    require_reveal,
    require_verb,
    standing,
    verbs_of,
)
from exceptions_app.states import (
    TRANSITIONS,
    Action,
    Kind,
    ProposalKind,
    State,
    TransitionNotAllowed,
    Verb,
    refusal_of,
    target_of,
)
from tests.cast import MORNING, Cast, give_role, grant, person
from tests.factories import make_case, make_proposal, make_version
from workbench.models import User

pytestmark = pytest.mark.django_db

EVERYONE = ("clerk", "second_clerk", "controller", "support", "auditor", "outsider", "administrator")
WORKING = {Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE, Verb.REVEAL}


def allowed(case: ExceptionCase, user: AbstractUser) -> set[Action]:
    return {choice.action for choice in possibilities(case, standing(user, case)) if choice.allowed}


def reason(action: Action, case: ExceptionCase, user: AbstractUser) -> str:
    return may(action, case, standing(user, case)).reason


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("clerk", WORKING),
        ("controller", {Verb.SEE, Verb.COMMENT, Verb.APPROVE, Verb.REVEAL}),
        ("support", {Verb.SEE}),
        ("auditor", {Verb.SEE, Verb.EXPORT}),
        ("outsider", set()),
        ("administrator", set()),
    ],
)
def test_role_gives_its_verbs_and_no_other(cast: Cast, who: str, verbs: set[Verb]):
    assert verbs_of(getattr(cast, who), make_case(cast)) == verbs


def test_verb_counts_only_when_queue_and_entity_both_grant_it(cast: Cast):
    case = make_case(cast)
    user = person("nora", "Nora New")
    grant(user, [Verb.CORRECT, Verb.SEE], cast.einvoicing)
    assert verbs_of(user, case) == set()
    grant(user, [Verb.SEE], cast.netherlands)
    assert verbs_of(user, case) == {Verb.SEE}
    assert verbs_of(user, make_case(cast, queue=cast.holds)) == set()
    assert verbs_of(user, make_case(cast, entity=cast.germany)) == set()


def test_verb_may_come_from_the_person_on_one_side_and_from_a_group_on_the_other(cast: Cast):
    user = person("nora", "Nora New", role="clerk")
    for verb in Verb:
        remove_perm(verb.value, cast.clerk.groups.get(), cast.netherlands)
    assert verbs_of(user, make_case(cast)) == set()
    assign_perm(Verb.SEE.value, user, cast.netherlands)
    assert verbs_of(user, make_case(cast)) == {Verb.SEE}


def test_superuser_and_someone_who_left_hold_no_verb(cast: Cast):
    case = make_case(cast)
    cast.outsider.is_superuser = True
    cast.clerk.is_active = False
    assert verbs_of(cast.outsider, case) == verbs_of(cast.clerk, case) == set()


def test_a_lost_grant_counts_at_once(cast: Cast):
    case = make_case(cast)
    require(Action.CLAIM, case, cast.clerk)
    remove_from_role("clerk", cast.clerk, by=machine(SETUP), at=MORNING)
    with pytest.raises(NotPermitted):
        require(Action.CLAIM, case, cast.clerk)


@pytest.mark.alike
@pytest.mark.parametrize("who", EVERYONE)
@pytest.mark.parametrize("action", [action for action in Action if TRANSITIONS[action].by_machine])
def test_no_person_makes_a_move_of_the_machine(cast: Cast, who: str, action: Action):
    case = make_case(cast)
    case.state = next(iter(TRANSITIONS[action].sources))
    with pytest.raises(NotPermitted) as refused:
        require(action, case, getattr(cast, who))
    assert refused.value.reason == "Only the machine makes this move."


def test_machine_makes_no_move_of_a_person(cast: Cast):
    case = make_case(cast)
    worker = machine(WORKER)
    assert allowed(case, worker) == set()
    for action in (Action.CLAIM, Action.CORRECT, Action.PROPOSE):
        with pytest.raises(NotPermitted):
            require(action, case, worker)


def test_without_the_verb_nothing_is_learned_about_the_state(cast: Cast):
    new, proposed = make_case(cast), make_case(cast)
    make_proposal(proposed, cast.clerk)
    proposed.refresh_from_db()
    for action in (action for action in Action if not TRANSITIONS[action].by_machine):
        assert reason(action, new, cast.outsider) == reason(action, proposed, cast.outsider)
        with pytest.raises(NotPermitted):
            require(action, new, cast.outsider)


def test_reason_names_the_verb_the_queue_and_the_entity(cast: Cast):
    assert reason(Action.CLAIM, make_case(cast), cast.controller) == (
        "You may not work on exceptions in E-invoicing for Meridian Industries NV. "
        "An administrator can grant it on both."
    )


def test_clerk_may_work_and_not_decide(cast: Cast):
    case = make_case(cast)
    assert {Action.CLAIM, Action.CORRECT, Action.HOLD, Action.PROPOSE, Action.DISMISS} <= allowed(case, cast.clerk)
    make_proposal(case, cast.clerk)
    case.refresh_from_db()
    assert not {Action.APPROVE, Action.REJECT, Action.APPROVE_CLOSURE} & allowed(case, cast.clerk)
    assert Action.WITHDRAW in allowed(case, cast.clerk)
    assert Action.WITHDRAW not in allowed(case, cast.second_clerk)


def test_controller_decides_and_does_not_work(cast: Cast):
    case = make_case(cast)
    assert allowed(case, cast.controller) <= {Action.COMMENT}
    make_proposal(case, cast.clerk)
    case.refresh_from_db()
    assert {Action.APPROVE, Action.REJECT} <= allowed(case, cast.controller)
    assert Action.APPROVE_CLOSURE not in allowed(case, cast.controller)


def test_kind_of_approval_follows_the_proposal(cast: Cast):
    case = make_case(cast)
    make_proposal(case, cast.clerk, kind=ProposalKind.DISMISS)
    case.refresh_from_db()
    assert Action.APPROVE_CLOSURE in allowed(case, cast.controller)
    assert reason(Action.APPROVE, case, cast.controller) == "This proposal is of another kind."


def both_roles(cast: Cast) -> User:
    """Someone with the roles of clerk and controller: nobody is kept from that, so their hands are looked at."""
    give_role(cast.second_clerk, "controller")
    return cast.second_clerk


@pytest.mark.parametrize("action", [Action.APPROVE, Action.REJECT])
def test_proposer_does_not_decide_whatever_their_roles(cast: Cast, action: Action):
    user = both_roles(cast)
    case = make_case(cast)
    make_proposal(case, user)
    case.refresh_from_db()
    assert reason(action, case, user) == ("You proposed this; someone else must decide. Conrad Controller can.")


def test_author_of_any_version_on_the_way_does_not_decide(cast: Cast):
    user = both_roles(cast)
    case = make_case(cast)
    make_version(case, user)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    make_version(case, cast.clerk)
    proposal = make_proposal(case, cast.clerk)
    case.refresh_from_db()
    assert contributors_of(proposal) == {user.pk, cast.clerk.pk}
    assert reason(Action.APPROVE, case, user) == (
        "You prepared this correction; someone else must decide. Conrad Controller can."
    )


def test_author_of_what_a_list_shows_is_told_that_they_prepared_it(cast: Cast):
    """A list knows who had a hand in it, and not by which part."""
    case = make_case(cast)
    make_version(case, cast.second_clerk)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    proposal = make_proposal(case, cast.clerk)
    case.refresh_from_db()
    listed = Standing(cast.second_clerk, frozenset(Verb), proposal, frozenset({cast.clerk.pk, cast.second_clerk.pk}))
    assert may(Action.APPROVE, case, listed).reason == "You prepared this correction; someone else must decide."
    assert may(Action.APPROVE, case, replace(listed, user=cast.controller)).allowed


def test_author_counts_even_when_nobody_listed_them(cast: Cast):
    """The list could be wrong; who wrote a version is a fact."""
    user = both_roles(cast)
    case = make_case(cast)
    version = make_version(case, user)
    proposal = Proposal.objects.create(
        case=case, kind="replay", version=version, target=cast.connection, policy_version="any", content_sha256="0",
        frozen_sha256="0", proposer=cast.clerk, because="Mended.", proposed_at=MORNING,
    )  # fmt: skip
    assert not proposal.contributors.exists()
    assert contributors_of(proposal) == {user.pk, cast.clerk.pk}


def test_colleague_who_has_it_is_named(cast: Cast):
    case = claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    work = "hold resume snooze wake correct translate propose release decline dismiss reverse"
    for action in map(Action, work.split()):
        where = [(state, kind) for state in State for kind in Kind if not refusal_of(action, state=state, kind=kind)]
        case.state, case.kind = where[0]
        assert reason(action, case, cast.second_clerk).startswith("Clara Clerk is working on this."), action
    case.refresh_from_db()
    assert Action.ASSIGN in allowed(case, cast.second_clerk)
    assert Action.CORRECT in allowed(case, cast.clerk)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_nobody_is_offered_what_the_table_refuses(cast: Cast, state: State, kind: Kind):
    case = make_case(cast, kind=kind)
    case.state = state
    for who in EVERYONE:
        for action in allowed(case, getattr(cast, who)):
            target_of(action, state=state, kind=kind)


# What changes nothing by itself: a question to the target, and what a second person has to agree to.
BESIDE = {State.OUTCOME_UNKNOWN: {Action.ASK_AGAIN, Action.CONFIRM_BOOKED, Action.DECLARE_ABSENT}}


@pytest.mark.parametrize("state", [State.REPLAYING, State.OUTCOME_UNKNOWN, State.RESOLVED])
def test_nobody_is_offered_a_way_to_touch_what_is_in_flight_or_booked(cast: Cast, state: State):
    case = make_case(cast)
    case.state = state
    harmless = {Action.ASSIGN, Action.COMMENT, Action.TAG, Action.REGROUP} | BESIDE.get(state, set())
    for who in EVERYONE:
        assert allowed(case, getattr(cast, who)) <= harmless


@pytest.mark.parametrize("action", [Action.APPROVE, Action.CORRECT, Action.RESUME])
def test_require_leaves_what_the_table_refuses_to_the_table(cast: Cast, action: Action):
    """With the verb, the person is told about the state and not about a permission that is not the matter."""
    case = make_case(cast)
    case.state = State.RESOLVED
    user = cast.controller if action is Action.APPROVE else cast.clerk
    require(action, case, user)
    with pytest.raises(TransitionNotAllowed):
        target_of(action, state=State.RESOLVED, kind=Kind.FAILED)


def test_every_refused_possibility_says_why(cast: Cast):
    case = make_case(cast)
    for who in EVERYONE:
        for choice in possibilities(case, standing(getattr(cast, who), case)):
            assert (choice.reason == "") is choice.allowed
            assert choice.label != ""


def test_possibilities_offer_no_move_of_the_machine(cast: Cast):
    case = make_case(cast)
    shown = {choice.action for choice in possibilities(case, standing(cast.clerk, case))}
    assert shown == {action for action, row in TRANSITIONS.items() if not row.by_machine}


def test_standing_is_read_once_for_all_questions(cast: Cast):
    case = make_case(cast)
    make_proposal(case, cast.clerk)
    case = lock(case.pk)
    with CaptureQueriesContext(database) as reading:
        where: Standing = standing(cast.controller, case)
    with CaptureQueriesContext(database) as asking:
        possibilities(case, where)
    assert (len(reading) <= 6, len(asking)) == (True, 0)


@pytest.mark.parametrize(
    "scope",
    [
        lambda cast: {"queue": cast.holds},
        lambda cast: {"entity": cast.germany},
        lambda cast: {"queue": cast.holds, "entity": cast.germany},
    ],
)
def test_clerk_of_one_place_sees_and_does_nothing_elsewhere(cast: Cast, scope: Callable[[Cast], dict[str, object]]):
    case = make_case(cast, **scope(cast))  # type: ignore[arg-type]
    assert allowed(case, cast.local_clerk) == set()
    assert not ExceptionCase.objects.visible_to(cast.local_clerk).exists()
    here = make_case(cast)
    assert list(ExceptionCase.objects.visible_to(cast.local_clerk)) == [here]


def test_what_stands_in_the_way_while_it_is_worked_on_is_said_and_nothing_else_is_refused(cast: Cast):
    """Each sentence where it belongs, and the same move allowed as soon as the reason is gone."""
    case, clerk, colleague = make_case(cast), cast.clerk, cast.second_clerk
    assert reason(Action.WAKE, case, clerk) == "It is not snoozed."
    assert {Action.SNOOZE, Action.CLAIM, Action.PROPOSE, Action.CORRECT} <= allowed(case, clerk)
    case.snoozed_by = colleague
    assert reason(Action.SNOOZE, case, clerk) == "It is snoozed already. Wake it first."
    assert {Action.WAKE, Action.CLAIM, Action.PROPOSE} <= allowed(case, clerk)
    case.snoozed_by, case.assignee = None, clerk
    assert reason(Action.CLAIM, case, clerk) == "You have this exception already."
    assert reason(Action.CLAIM, case, colleague).endswith(" has this exception. Assign it to yourself to take it over.")
    assert reason(Action.TRANSLATE, case, clerk).startswith("No field map held this exception")
    case.sub = HELD_BY_FIELD_MAP
    assert {Action.TRANSLATE, Action.PROPOSE} <= allowed(case, clerk)
    for sub in STANDS_THERE:
        case.sub = sub
        assert reason(Action.PROPOSE, case, clerk).startswith("The target has this document already"), sub
        assert {Action.CORRECT, Action.DISMISS} <= allowed(case, clerk)
        wrongly = (
            "Nothing that was booked wrongly is known" if sub not in REVERSIBLE else "This target takes no reversing"
        )
        assert reason(Action.REVERSE, case, clerk).startswith(wrongly), sub
    case.connection.connector = "erp"
    assert STANDS_THERE - {"other_content_there"} == REVERSIBLE
    for sub in (*STANDS_THERE, ""):
        case.sub = sub
        assert (Action.REVERSE in allowed(case, clerk)) is (sub in REVERSIBLE), sub
    held = make_case(cast, kind=Kind.HELD)
    assert Action.RELEASE in allowed(held, clerk)
    held.sub = "twice_there"
    assert reason(Action.RELEASE, held, clerk).startswith("The target has this document already")


def test_nothing_is_stated_of_an_outcome_while_something_is_proposed(cast: Cast):
    case = make_case(cast)
    proposal = make_proposal(case, cast.clerk)
    case.refresh_from_db()
    case.state = State.OUTCOME_UNKNOWN
    [before, after] = [
        possibilities(case, Standing(cast.clerk, frozenset(Verb), what), [Action.CONFIRM_BOOKED])[0]
        for what in (None, proposal)
    ]
    assert before.allowed
    assert (after.allowed, after.reason.startswith("Something is proposed already.")) == (False, True)


def test_only_who_proposed_it_withdraws_it(cast: Cast):
    case = make_case(cast)
    make_proposal(case, cast.clerk)
    case.refresh_from_db()
    assert reason(Action.WITHDRAW, case, cast.second_clerk) == "Only the person who proposed it may withdraw it."
    require(Action.WITHDRAW, case, cast.clerk)
    for action, by in (
        (Action.WITHDRAW, cast.clerk),
        (Action.APPROVE, cast.controller),
        (Action.REJECT, cast.controller),
    ):
        nothing = may(action, case, replace(standing(by, case), proposal=None))
        assert (nothing.allowed, nothing.reason) == (False, "Nothing is proposed here."), action


def test_masked_values_are_shown_to_who_holds_the_verb_for_it(cast: Cast):
    case = make_case(cast)
    require_reveal(case, cast.clerk)
    with pytest.raises(NotPermitted, match="You may not have masked values shown in E-invoicing"):
        require_reveal(case, cast.support)
    require_verb(Action.APPROVE, case, cast.controller)
    require_verb(Action.RECUR, case, cast.outsider)  # which asks for no verb
    with pytest.raises(NotPermitted, match="You may not approve or reject in E-invoicing"):
        require_verb(Action.APPROVE, case, cast.clerk)
