"""The offer to undo that stands beside the words about a move: in the fragment, or kept with the message."""

import re
from dataclasses import dataclass
from typing import Self

from django.urls import reverse

from exceptions_app.models import ExceptionCase
from exceptions_app.shortcuts import UNDO_KEY
from exceptions_app.states import UNDOABLE, Action

_TAG = re.compile(r"undo:(EX-[0-9]+):([0-9]+)")


@dataclass(frozen=True, slots=True)
class Undo:
    """The move that led to a revision of an exception."""

    ref: str
    revision: int
    key = UNDO_KEY

    @property
    def url(self) -> str:
        return reverse("exceptions:undo", kwargs={"ref": self.ref})

    def as_tag(self) -> str:
        """For the message that is shown after a redirect, which carries nothing but text."""
        return f"undo:{self.ref}:{self.revision}"

    @classmethod
    def of_tag(cls, tag: str) -> Self | None:
        found = _TAG.fullmatch(tag or "")
        return cls(found[1], int(found[2])) if found else None


def undo_of(action: Action, moved: object) -> Undo | None:
    return Undo(moved.ref, moved.revision) if action in UNDOABLE and isinstance(moved, ExceptionCase) else None
