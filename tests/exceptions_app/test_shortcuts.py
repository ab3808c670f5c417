"""Keys: each does one thing where it is pressed, and the list of them leaves none out."""

import pytest

from exceptions_app import policies, shortcuts
from exceptions_app.models import ExceptionCase
from exceptions_app.navigation import ENTRIES
from exceptions_app.shortcuts import ACTION_KEYS
from exceptions_app.states import Action, Kind, State, Verb, refusal_of
from workbench.models import User

OF_THE_PAGE = {"u", "g", "j", "k", "m", "o", "x", "b", "y", "[", "]", "?", "/"}
NEVER_BY_ONE_KEY = {Action.APPROVE, Action.REJECT, Action.DISMISS, Action.DECLINE, Action.REVERSE}


def listed(group):
    return [key for shortcut in group for key in shortcut.keys]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_no_state_permits_two_actions_of_one_key(state, kind):
    possible = [
        ACTION_KEYS[action]
        for action in ACTION_KEYS
        if action is not Action.WAKE and not refusal_of(action, state=state, kind=kind)
    ]
    assert len(possible) == len(set(possible))


def test_what_is_snoozed_is_woken_and_the_rest_snoozed():
    """Both have one key; by the state alone either is possible, and the policies permit one of them."""
    assert ACTION_KEYS[Action.WAKE] == ACTION_KEYS[Action.SNOOZE]
    case = ExceptionCase(state=State.NEW, kind=Kind.FAILED)
    clerk = policies.Standing(User(pk=1), frozenset({Verb.CORRECT}))
    for snoozed_by, possible in ((None, Action.SNOOZE), (7, Action.WAKE)):
        case.snoozed_by_id = snoozed_by
        assert [found for found in (Action.SNOOZE, Action.WAKE) if policies.may(found, case, clerk).allowed] == [
            possible
        ]


def test_keys_of_actions_are_free_and_listed():
    keys = set(ACTION_KEYS.values())
    assert keys & OF_THE_PAGE == set()
    assert keys <= set(listed(shortcuts.IN_AN_EXCEPTION))


def test_nothing_that_ends_a_case_has_a_key():
    assert NEVER_BY_ONE_KEY & set(ACTION_KEYS) == set()


def test_every_place_has_a_letter_of_its_own():
    letters = [entry.key for entry in ENTRIES if entry.key]
    assert len(letters) == len(set(letters)) >= 10


@pytest.mark.parametrize("group", [shortcuts.EVERYWHERE, shortcuts.IN_A_LIST, shortcuts.IN_AN_EXCEPTION])
def test_no_key_is_listed_twice(group):
    assert len(listed(group)) == len(set(listed(group)))
