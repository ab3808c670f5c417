import re
from pathlib import Path

import pytest

from exceptions_app.handover_states import (
    STATE_WORDS,
    TRANSACTION_MOVES,
    Move,
    MoveNotAllowed,
    TransactionState,
    destination,
)

PAGE = (
    (Path(__file__).parents[3] / "docs" / "states.md")
    .read_text()
    .split("## Transactions handed over", 1)[1]
    .split("\n## ", 1)[0]
)


def test_table_has_a_row_for_every_move_and_words_for_every_state():
    assert set(TRANSACTION_MOVES) == set(Move)
    assert set(STATE_WORDS) == set(TransactionState)


@pytest.mark.parametrize("state", TransactionState)
@pytest.mark.parametrize("move", Move)
def test_destination_follows_the_table_and_refuses_the_rest(move: Move, state: TransactionState):
    row = TRANSACTION_MOVES[move]
    if state in row.sources:
        assert destination(move, state=state) == row.to
    else:
        with pytest.raises(MoveNotAllowed):
            destination(move, state=state)


def test_nothing_leads_out_of_delivered_and_duplicate():
    final = {TransactionState.DELIVERED, TransactionState.DUPLICATE}
    assert [move for move, row in TRANSACTION_MOVES.items() if row.sources & final] == []


def test_page_agrees_with_the_table():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")
    ]
    states, moves = rows[: len(TransactionState)], rows[len(TransactionState) :]
    assert [(state.strip("`"), words) for state, words in states] == [
        (state.value, STATE_WORDS[state]) for state in TransactionState
    ]
    found = [
        (move.strip("`"), set(re.findall(r"`(\w+)`", sources)), to.strip("`"), tells.strip("`—"), event.strip("`"))
        for move, sources, to, tells, event in moves
    ]
    assert found == [
        (
            move.value,
            {state.value for state in row.sources},
            row.to.value,
            f"transaction.{row.tells}" if row.tells else "",
            row.past,
        )
        for move, row in TRANSACTION_MOVES.items()
    ]
