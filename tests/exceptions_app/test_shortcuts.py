"""Keys: each does one thing where it is pressed, and the list of them leaves none out."""

import pytest

from exceptions_app import shortcuts
from exceptions_app.navigation import ENTRIES
from exceptions_app.shortcuts import ACTION_KEYS
from exceptions_app.states import Action, Kind, State, refusal_of

OF_THE_PAGE = {"g", "j", "k", "m", "o", "x", "b", "y", "[", "]", "?", "/"}
NEVER_BY_ONE_KEY = {Action.APPROVE, Action.REJECT, Action.DISMISS, Action.DECLINE, Action.REVERSE}


def listed(group):
    return [key for shortcut in group for key in shortcut.keys]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("state", State)
def test_no_state_permits_two_actions_of_one_key(state, kind):
    possible = [ACTION_KEYS[action] for action in ACTION_KEYS if not refusal_of(action, state=state, kind=kind)]
    assert len(possible) == len(set(possible))


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
