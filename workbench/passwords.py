"""Passwords that somebody who knows this installation would try first."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError

# How many characters a password has to have beside such words.
LEAST_BESIDE = 8
WORDS = ("workbench", "exception", "exceptions", "clerk", "controller", "auditor", "support", "administrator", "admin")


class OwnWordsValidator:
    """Refuses what is little more than the names of this product, of its roles, and of whoever runs it."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        # The longest first, so that of one that contains another nothing is left over.
        self.words = sorted({word.casefold() for word in (*WORDS, *words)}, key=len, reverse=True)

    def validate(self, password: str, user: Any = None) -> None:
        del user
        left = password.casefold()
        for word in self.words:
            left = left.replace(word, "")
        if left != password.casefold() and len(left) < LEAST_BESIDE:
            raise ValidationError(
                f"This is little more than a word that is known here. Write {LEAST_BESIDE} characters beside it.",
                code="password_of_own_words",
            )

    def get_help_text(self) -> str:
        return "Your password cannot be little more than the name of this product, of a role or of your company."
