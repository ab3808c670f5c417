"""Which key does what: said once, for the pages that carry the keys and for the page that lists them.

A key never sends anything by itself: it moves, opens or focuses. Those that act at once, such as claiming
and resuming, are undone as easily. Single keys can be switched off (WCAG 2.2, success criterion 2.1.4).
"""

from dataclasses import dataclass
from types import MappingProxyType

from exceptions_app.states import Action

ACTION_KEYS = MappingProxyType(
    {
        Action.ASSIGN: "a",
        Action.COMMENT: "c",
        Action.CORRECT: "e",
        Action.CLAIM: "i",
        Action.PROPOSE: "r",
        Action.RELEASE: "r",
        Action.HOLD: "s",
        Action.RESUME: "s",
        Action.SNOOZE: "z",
        Action.TAG: "l",
        Action.WAKE: "z",
        Action.WITHDRAW: "w",
    }
)
"""An exception never permits two actions of one key."""
UNDO_KEY = "u"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`keys` as they are pressed one after the other; those joined by a plus sign are pressed together."""

    keys: tuple[str, ...]
    does: str


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    shortcuts: tuple[Shortcut, ...]


EVERYWHERE = (
    Shortcut(("Ctrl+K",), "Go anywhere or do anything on this page: type a part of its name, or a number"),
    Shortcut(
        ("Ctrl+Enter",),
        "Send the form that you are in, or take the next step of the page; what is still needed is gone to first",
    ),
    Shortcut(("↑",), "In an empty reason: what you wrote last; again for the one before"),
    Shortcut(("/",), "Search"),
    Shortcut(("?",), "Show these keys"),
    Shortcut(("Esc",), "Leave a field or close what is open; from an exception or a proposal, back to the list"),
)
IN_A_LIST = (
    Shortcut(("j",), "Next line"),
    Shortcut(("k",), "Previous line"),
    Shortcut(("Enter",), "Open it; the letter o does so too"),
    Shortcut(("i",), "Claim the exception of this line"),
    Shortcut(("x",), "Choose this line, or not; with Shift all lines since the last one that was chosen"),
    Shortcut(("b",), "Do something with all that are chosen"),
    Shortcut(("]",), "Next page"),
    Shortcut(("[",), "Previous page"),
)
IN_AN_EXCEPTION = (
    Shortcut(("]",), "Next exception of the list that you came from"),
    Shortcut(("[",), "Previous exception of that list"),
    Shortcut(("i",), "Claim it"),
    Shortcut(("e",), "Correct: to the first field with a problem"),
    Shortcut(("r",), "To the proposal of a replay or a release"),
    Shortcut(("m",), "Map the value that is not known, for every exception that has it"),
    Shortcut(("a",), "Assign it to somebody"),
    Shortcut(("s",), "Put it on hold, or take it up again"),
    Shortcut(("z",), "Snooze it: out of the lists until a time or until something happens; or wake it"),
    Shortcut(("l",), "Label it: put tags on, or take them off"),
    Shortcut((UNDO_KEY,), "Undo what you just did, while the message about it offers that"),
    Shortcut(("w",), "Withdraw the proposal"),
    Shortcut(("c",), "Comment"),
    Shortcut(("y",), "Copy its number"),
)
GO_TO = "g"
"""Pressed before the letter of a place in the navigation."""
