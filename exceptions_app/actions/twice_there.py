"""A document of ours that the target holds more than once: nothing is sent again, and one of them is reversed."""

from collections.abc import Sequence
from typing import Final

from exceptions_app.policies import TWICE_THERE
from exceptions_app.wording import say
from integrations.refusals import Category

GENERAL: Final = say("The target booked this document more than once.")  # no name, amount or value of the document


def words_for(references: Sequence[str]) -> str:
    """`The target booked this document more than once: CLR-1 and CLR-2. One of them stays, …`"""
    said = f"{GENERAL.removesuffix('.')}: {' and '.join(references)}." if references else GENERAL
    return f"{said} One of them stays, and each other one is reversed."


def changes(words: str) -> dict[str, str]:
    """What it makes of an exception: by the sub-category the policies know that there is nothing to send."""
    return {"category": Category.RECONCILIATION_BREAK.value, "sub": TWICE_THERE, "problem": words[:300]}
