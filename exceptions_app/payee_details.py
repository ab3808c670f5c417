"""Bank details of a payee that a correction changed: what the second person types again before money goes there.

Whoever gives a payment another account gives the money to somebody else, and a mask may show both accounts alike. So
the one who approves does not only look: they type the new value from the payee's own record, and it has to be the same.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exceptions_app.field_classes import FieldClass, classified_values, mask

# One of these on the way to a value of the class `bank` says whose it is; names of UBL, ISO 20022 and master data.
_ACCOUNTS: Final = frozenset({"PayeeFinancialAccount", "CdtrAcct", "iban"})
_BANKS: Final = frozenset({"FinancialInstitutionBranch", "CdtrAgt", "CdtrAgtAcct", "bic"})

_PAYER: Final = "PayerFinancialAccount"

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PayeeDetail:
    """One value that is not as it came in. `place` is the way to it and its turn among those with the same way."""

    place: _Place
    value: str
    before: str

    @property
    def label(self) -> str:
        """What to type, with the mask of what came in."""
        what = "bank" if _BANKS & set(self.place[0].split("/")) else "account"
        was = f"was {mask(self.before, FieldClass.BANK)}" if self.before else "there was none"
        turn = f" no. {self.place[1] + 1}" if self.place[1] else ""
        return f"The payee's {what}{turn}, typed again ({was})"


def changed_details(came_in: bytes, sent: bytes) -> tuple[PayeeDetail, ...]:
    """What is sent of a payee's bank details that is not as it came in, in the order of the document.

    By place and not by value, so that two payees who exchanged their accounts count. Where nothing stood before, a
    value counts unless the payees had it elsewhere, as in a document that was translated. What came in and cannot be
    read had none, so all of them count.
    """
    if came_in == sent:
        return ()
    then = _details(came_in)
    known = set(then.values())
    return tuple(
        PayeeDetail(place, value, then.get(place, ""))
        for place, value in _details(sent).items()
        if (value != then[place] if place in then else value not in known)
    )


def _details(content: bytes) -> dict[_Place, str]:
    found: dict[_Place, str] = {}
    turns: Counter[str] = Counter()
    for names, text, field_class in classified_values(content) or ():
        if field_class is FieldClass.BANK and (_ACCOUNTS | _BANKS) & set(names) and _PAYER not in names:
            way = "/".join(names)
            found[way, turns[way]] = as_compared(text)
            turns[way] += 1
    return {place: value for place, value in found.items() if value}


def as_compared(value: str) -> str:
    """Groups of four and small letters are how people write it."""
    return "".join(value.split()).upper()


def digest_of(details: Sequence[PayeeDetail]) -> str:
    """SHA-256 of what has to be typed, in hexadecimal; empty when nothing has."""
    if not details:
        return ""
    return hashlib.sha256(json.dumps([[*detail.place, detail.value] for detail in details]).encode()).hexdigest()
