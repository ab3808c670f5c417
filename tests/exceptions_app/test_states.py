import re
from pathlib import Path

import pytest

from exceptions_app.states import (
    APPROVING,
    DECIDED_IN,
    OPEN_STATES,
    TRANSITIONS,
    Action,
    Kind,
    Outcome,
    ProposalKind,
    State,
    Transition,
    TransitionNotAllowed,
    Verb,
    refusal_of,
    target_of,
)

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_table_has_a_row_for_every_action():
    assert set(TRANSITIONS) == set(Action)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_target_of_follows_the_table_and_refuses_the_rest(action: Action, state: State, kind: Kind):
    row = TRANSITIONS[action]
    if state in row.sources and kind in row.kinds:
        assert target_of(action, state=state, kind=kind) == row.leads_to(state)
        assert refusal_of(action, state=state, kind=kind) == ""
    else:
        with pytest.raises(TransitionNotAllowed) as refused:
            target_of(action, state=state, kind=kind)
        assert refused.value.reason == refusal_of(action, state=state, kind=kind) != ""


def test_no_move_but_reopen_comment_another_cause_and_the_report_of_a_wrong_booking_starts_from_a_closed_state():
    closed = frozenset(State) - OPEN_STATES
    assert {action for action, row in TRANSITIONS.items() if row.sources & closed} == {
        Action.REOPEN,
        Action.COMMENT,
        Action.REPORT_WRONG_BOOKING,
        Action.REGROUP,
    }


def test_nothing_on_its_way_can_be_moved_by_a_person_except_by_what_decides_nothing():
    by_person = {action for action, row in TRANSITIONS.items() if State.REPLAYING in row.sources and not row.by_machine}
    assert by_person == {Action.ASSIGN, Action.COMMENT, Action.TAG, Action.REGROUP}


def test_what_is_unknown_is_left_by_a_person_only_with_the_agreement_of_another():
    leaving = {
        action
        for action, row in TRANSITIONS.items()
        if State.OUTCOME_UNKNOWN in row.sources
        and row.leads_to(State.OUTCOME_UNKNOWN) is not State.OUTCOME_UNKNOWN
        and not row.by_machine
    }
    assert leaving == {Action.APPROVE_BOOKED, Action.APPROVE_ABSENT}
    assert {TRANSITIONS[action].verb for action in leaving} == {Verb.APPROVE}


def test_a_state_stays_only_where_a_move_may_start():
    assert [action for action, row in TRANSITIONS.items() if not row.stays_in <= row.sources] == []


def test_every_proposal_is_agreed_to_by_a_move_of_its_own_place():
    assert set(APPROVING) == set(ProposalKind)
    assert {TRANSITIONS[action].verb for action in APPROVING.values()} == {Verb.APPROVE}
    assert frozenset().union(*(TRANSITIONS[action].sources for action in APPROVING.values())) == DECIDED_IN


def test_only_an_approval_leads_out_of_the_house():
    leading_out = {action for action, row in TRANSITIONS.items() if row.to is State.REPLAYING}
    assert leading_out == {Action.APPROVE, Action.RETRY}
    assert TRANSITIONS[Action.RETRY].by_machine  # with a decision of its policy, which the database asks for
    assert TRANSITIONS[Action.APPROVE].verb is Verb.APPROVE


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.read_text().split(heading, 1)[1]
    rows = []
    for line in section.splitlines():
        if line.startswith("| `"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows


def test_page_lists_every_state_and_outcome():
    rows = _rows("# States and moves")
    assert [row[0].strip("`") for row in rows] == [state.value for state in State]
    assert {row[0].strip("`") for row in rows if row[2] == "yes"} == {state.value for state in OPEN_STATES}
    outcomes = re.search(r"has an outcome: (.*)\.", PAGE.read_text())
    assert outcomes is not None
    assert re.findall(r"`(\w+)`", outcomes[1]) == [outcome.value for outcome in Outcome]


def _destination(row: Transition) -> str:
    if row.to is None:
        return "—"
    staying = ", ".join(state.value for state in State if state in row.stays_in)
    return f"{row.to.value} (— in {staying})" if staying else row.to.value


def test_page_agrees_with_the_table():
    expected = [
        [
            action.value,
            {state.value for state in row.sources},
            _destination(row),
            row.verb.value if row.verb else "(machine)",
            {kind.value for kind in row.kinds},
            row.past,
        ]
        for action, row in TRANSITIONS.items()
    ]
    found = [
        [
            move.strip("`"),
            set(re.findall(r"`(\w+)`", sources)),
            to.replace("`", ""),
            verb.strip("`"),
            set(kinds.split(", ")),
            event.strip("`"),
        ]
        for move, sources, to, verb, kinds, event in _rows("## Moves")
    ]
    assert found == expected
