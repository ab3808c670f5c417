"""What a person types into the search box: words, and tokens such as `queue:e-invoicing` or `amount:>1000`.

A token becomes a filter of the lists, under the filter's own name. Nothing here asks a database: whether there is such
a queue, the filter says.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exceptions_app.amounts import TypedAmount, read_amount
from exceptions_app.two_amounts import read_two_ways
from exceptions_app.wording import Said, say, together

# A token, a text in quotes, which is searched for as it stands, or a word.
_PART = re.compile(r'(?P<name>[A-Za-z_]+):(?P<value>"[^"]*"|\S*)|"(?P<quoted>[^"]*)"|(?P<word>\S+)')
_COMPARED = re.compile(r"(?P<sign>>=|<=|>|<|=)?\s*(?P<value>.+)")
_AGE = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<number>[0-9]{1,4})(?P<unit>[dw]?)", re.IGNORECASE)
_DAYS = MappingProxyType({"": 1, "d": 1, "w": 7})
_SHORT = 60  # characters of what was typed that are repeated in a notice

Filters = Mapping[str, str]

IS: Mapping[str, Filters] = MappingProxyType(
    {
        "open": {"state": "open"},
        "closed": {"state": "closed"},
        "new": {"state": "new"},
        "in_progress": {"state": "in_progress"},
        "waiting": {"state": "waiting"},
        "awaiting_approval": {"state": "awaiting_approval"},
        "replaying": {"state": "replaying"},
        "outcome_unknown": {"state": "outcome_unknown"},
        "resolved": {"state": "resolved"},
        "dismissed": {"state": "dismissed"},
        "failed": {"kind": "failed"},
        "held": {"kind": "held"},
        "overdue": {"due": "overdue"},
        "mine": {"assignee": "me"},
        "unassigned": {"assignee": "nobody"},
        "snoozed": {"snoozed": "only"},
    }
)
_AMOUNT_FILTERS = MappingProxyType(
    {
        ">": ("amount_above",),
        ">=": ("amount_min",),
        "<": ("amount_below",),
        "<=": ("amount_max",),
        "=": ("amount_min", "amount_max"),
    }
)


class Misread(ValueError):
    """The value of a token that cannot be used; what is said of it is for whoever typed it."""

    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Token:
    """One kind of token: what it narrows to, an example, and the filters that its value becomes."""

    name: str
    means: str
    example: str
    filters: Callable[[str], Filters]


@dataclass(frozen=True, slots=True)
class SearchText:
    """A text, taken apart. `typed` says for each filter which token of the text it came from."""

    words: str
    filters: Filters
    typed: Mapping[str, str]
    notices: tuple[Said, ...]


def _is(value: str) -> Filters:
    wanted = value.lower().replace("-", "_")
    if wanted not in IS:
        *first, last = sorted(IS)
        raise Misread(say("There is {first} and {last}.", first=", ".join(first), last=last))
    return IS[wanted]


def _amount(value: str) -> Filters:
    first, between, last = value.partition("..")
    if between:
        lower, upper = _bound("amount_min", first), _bound("amount_max", last)
        if lower.get("currency", upper.get("currency")) != upper.get("currency", lower.get("currency")):
            raise Misread(say("Write one currency, such as amount:100..200EUR."))
        return {**lower, **upper}
    compared = _COMPARED.fullmatch(value)
    if compared is None:
        raise Misread(say("Write an amount, such as amount:>1000."))
    found: dict[str, str] = {}
    for name in _AMOUNT_FILTERS[compared["sign"] or "="]:
        found |= _bound(name, compared["value"])
    return found


def _bound(name: str, text: str) -> Filters:
    amount: TypedAmount | None = read_amount(text)
    if amount is None:
        raise Misread(say("Write an amount, such as amount:>1000, amount:<=99.50EUR or amount:100..200."))
    if not amount.is_clear:
        raise Misread(read_two_ways(text, amount))
    return {name: f"{amount.values[0]:f}"} | ({"currency": amount.currency} if amount.currency else {})


def _age(value: str) -> Filters:
    found = _AGE.fullmatch(value)
    if found is None:
        raise Misread(say("Write a number of days or weeks, such as age:>2d or age:<1w."))
    days = str(int(found["number"]) * _DAYS[found["unit"].lower()])
    return {"age_max": days} if (found["sign"] or ">").startswith("<") else {"age": days}


def _kind(value: str) -> Filters:
    """What went wrong with it, or what it is."""
    wanted = value.lower().replace("-", "_").replace(" ", "_")
    return {"kind": wanted} if wanted in ("failed", "held") else {"object_type": wanted}


def _assignee(value: str) -> Filters:
    return {"assignee": value.removeprefix("@")}


def _priority(value: str) -> Filters:
    return {"priority": value.upper().removeprefix("P")}


def _same(name: str, change: Callable[[str], str] = str) -> Callable[[str], Filters]:
    """The filter of the same name, with the value in the spelling that it has there."""

    def filters(value: str) -> Filters:
        return {name: change(value)}

    return filters


TOKENS: Mapping[str, Token] = MappingProxyType(
    {
        token.name: token
        for token in (
            Token("is", "state, failed or held, overdue, mine or unassigned", "is:open", _is),
            Token("queue", "queue, by the name in its address", "queue:e-invoicing", _same("queue", str.lower)),
            Token("entity", "legal entity, by its code", "entity:NL01", _same("entity")),
            Token("code", "code of the error that leads", "code:BR-03", _same("code")),
            Token("amount", "amount, with or without its currency", "amount:>1000", _amount),
            Token("age", "days or weeks since it was opened", "age:>2d", _age),
            Token("assignee", "who has it: me, nobody or a user name", "assignee:me", _assignee),
            Token("customer", "part of the buyer's name or number", "customer:nordwind", _same("customer")),
            Token("supplier", "part of the seller's or the payee's name or number", "supplier:acme", _same("supplier")),
            Token("kind", "failed, held, or what it is, such as invoice", "kind:held", _kind),
            Token("tag", "tag; of several, with commas between them, all", "tag:month-end", _same("tag", str.lower)),
            Token("currency", "currency, by its ISO 4217 code", "currency:EUR", _same("currency", str.upper)),
            Token("priority", "priority, 1 to 4", "priority:1", _priority),
            Token("connection", "connection, by the name in its address", "connection:bank", _same("connection")),
        )
    }
)


def read(text: str) -> SearchText:
    """The words and the filters of a text. What is not understood is left out, and a notice says so.

    Two tokens of one filter cannot both hold; the later one does, and a notice says that as well.
    """
    words: list[str] = []
    filters: dict[str, str] = {}
    typed: dict[str, str] = {}
    notices: list[Said] = []
    for name, value, whole in _parts(text):
        if not name:
            words.append(value)
            continue
        try:
            meant = _meant(name, value)
        except Misread as problem:
            notices.append(together(say("“{token}” was left out.", token=whole[:_SHORT]), problem.said))
            continue
        replaced = {typed[one] for one in meant if one in typed and filters[one] != meant[one]}
        notices += [
            say("“{token}” is used instead of “{other}”.", token=whole[:_SHORT], other=other[:_SHORT])
            for other in sorted(replaced)
        ]
        filters |= meant
        typed |= dict.fromkeys(meant, whole)
    return SearchText(" ".join(words), filters, typed, tuple(notices))


def _parts(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and the whole text of each token; a word has no name."""
    for part in _PART.finditer(text):
        if part["name"] is not None:
            yield part["name"].lower(), part["value"].strip('"').strip(), part[0]
        else:
            yield "", (part["word"] if part["quoted"] is None else part["quoted"]), part[0]


def _meant(name: str, value: str) -> Filters:
    token = TOKENS.get(name)
    if token is None:
        known = ", ".join(f"{one}:" for one in TOKENS)
        no_such = say("There is no “{name}:” to search by.", name=name[:_SHORT])
        quoted = say("What stands in quotes is searched for as it is.")
        raise Misread(together(no_such, say("There is {known}.", known=known), quoted))
    if not value:
        raise Misread(say("Write what is wanted directly after the colon, such as {example}.", example=token.example))
    return token.filters(value)
