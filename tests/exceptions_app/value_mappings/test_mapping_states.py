"""The states of proposed mappings, as data and as the documentation tells them."""

import re
from pathlib import Path

import pytest

from exceptions_app.mapping_states import (
    MAPPING_MOVES,
    MAPPING_STATE_WORDS,
    MappingAction,
    MappingMoveNotAllowed,
    MappingState,
    mapping_destination,
)

PAGE = (Path(__file__).parents[3] / "docs" / "states.md").read_text()
SECTION = PAGE.split("## Proposed value mappings", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("state", MappingState)
@pytest.mark.parametrize("action", MappingAction)
def test_destination_follows_the_table_and_refuses_the_rest(action: MappingAction, state: MappingState):
    if state in MAPPING_MOVES[action].sources:
        assert mapping_destination(action, state=state) == MAPPING_MOVES[action].to
    else:
        with pytest.raises(MappingMoveNotAllowed, match=f"the proposal is {MAPPING_STATE_WORDS[state]}"):
            mapping_destination(action, state=state)


def test_documentation_tells_the_states_and_moves_as_they_are():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("| `")
    ]
    states = {cells[0].strip("`"): cells[1] for cells in rows if len(cells) == 2}
    assert states == {state.value: words for state, words in MAPPING_STATE_WORDS.items()}
    moves = {
        cells[0].strip("`"): (set(re.findall(r"`(\w+)`", cells[1])), cells[2].strip("`"), cells[3].strip("`"))
        for cells in rows
        if len(cells) == 4
    }
    assert moves == {
        action.value: ({state.value for state in row.sources}, row.to.value, row.past)
        for action, row in MAPPING_MOVES.items()
    }
