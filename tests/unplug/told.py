"""What a sender was told about what it handed over."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from tests.unplug.ways import Way

TIME_OUT = 5  # seconds that a sender waits
PROBLEM = "application/problem+json"
# Refused for now, with nothing kept. 503 is not among them: there the answer itself says that it is not known.
NOTHING_KEPT = frozenset({429, 507})


class Word(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Told:
    """`kind` is for the report; a sender asks again in `again_in` seconds; `fault` is what no sender should meet."""

    word: Word
    kind: str
    again_in: float = 1.0
    fault: str = ""


@dataclass(slots=True)
class Item:
    """Something handed over under its own identifiers, and what its sender was told each time."""

    way: "Way"
    identifiers: tuple[str, ...]
    history: list[Told] = field(default_factory=list)
    persists: bool = True  # whether the sender comes again after a refusal

    @property
    def is_settled(self) -> bool:
        last = self.history[-1].word if self.history else Word.NOT_KNOWN
        return last is Word.ACCEPTED or (last is Word.REFUSED and not self.may_come_again)

    @property
    def may_come_again(self) -> bool:
        """Whoever was once left in the dark has to ask again; whoever was only ever refused may as well give up."""
        return self.persists or any(told.word is Word.NOT_KNOWN for told in self.history)

    @property
    def accepted(self) -> bool:
        return bool(self.history) and self.history[-1].word is Word.ACCEPTED

    @property
    def given_up(self) -> bool:
        return self.is_settled and not self.accepted


def by_http(answer: requests.Response) -> Told:
    """An answer of the workbench. A refusal must be a problem that says what to do, and when it passes by itself."""
    if answer.ok:
        return Told(Word.ACCEPTED, str(answer.status_code))
    if answer.headers.get("Content-Type") != PROBLEM:
        return Told(Word.NOT_KNOWN, str(answer.status_code), fault=f"{answer.status_code} {answer.text[:500]}")
    problem = answer.json()
    kind = f"{answer.status_code} {problem['type'].rpartition('#')[2]}"
    seconds = answer.headers.get("Retry-After", "")
    passing = answer.status_code in NOTHING_KEPT or answer.status_code == 503 or kind == "409 request-in-flight"
    fault = "" if passing and seconds.isdecimal() and problem["detail"] else f"{kind} {seconds} {answer.text[:500]}"
    word = Word.REFUSED if answer.status_code in NOTHING_KEPT else Word.NOT_KNOWN
    return Told(word, kind, again_in=min(float(seconds or 1), TIME_OUT), fault=fault)


def by_network(error: requests.RequestException) -> Told:
    """No answer: a connection that was refused carried nothing; after any other trouble it is not known."""
    if isinstance(error, requests.Timeout):
        return Told(Word.NOT_KNOWN, "no answer in time")
    if "Connection refused" in str(error):
        return Told(Word.REFUSED, "connection refused")
    return Told(Word.NOT_KNOWN, "connection broken")


def kinds_of(items: "list[Item]") -> Counter[str]:
    """How often senders were told what, other than that it was accepted."""
    return Counter(told.kind for item in items for told in item.history if told.word is not Word.ACCEPTED)
