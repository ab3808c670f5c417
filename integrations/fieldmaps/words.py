"""A field map as people read it: every rule a sentence, every difference between two versions what was and will be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from integrations.connectors.json_document.pointers import pointer_to
from integrations.fieldmaps.declaration import As, Declaration, Known, Rule
from integrations.models import Direction
from integrations.records.schemas import DESCRIPTIONS
from integrations.value_kinds import KIND_WORDS

_KNOWN = {
    Known.CONNECTION: "the name of the connection",
    Known.MESSAGE: "the sender's identifier of the message",
    Known.RECEIVED_DATE: "the day on which it was received",
    Known.SENDER: "who handed it in",
}
_DIRECTIONS = {Direction.INBOUND: "from the source", Direction.OUTBOUND: "to the target"}
_OTHERWISE = {
    "refuse": "a value that is not in it is a fault",
    "keep": "a value that is not in it stays as it is",
    "leave out": "a value that is not in it is left out",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One rule as a sentence. `to` is the whole place in the target, a row of a list as `*`."""

    place: str
    to: str
    words: str
    note: str
    required: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions, each in words; empty where one of them says nothing."""

    label: str
    was: str
    will: str


def title_of(direction: str, object_type: str) -> str:
    """What people call a map: “Invoice from the source”."""
    return f"{DESCRIPTIONS[object_type].label} {_DIRECTIONS[Direction(direction)]}"


def readings(declaration: Declaration) -> list[Reading]:
    return list(_readings(declaration.rules, ()))


def _readings(rules: tuple[Rule, ...], above: tuple[str, ...]) -> Iterator[Reading]:
    for rule in rules:
        yield Reading(rule.place, pointer_to(*above, *rule.to), in_words(rule), rule.note, rule.required)
        yield from _readings(rule.rules, (*above, *rule.to, "*"))


def in_words(rule: Rule) -> str:
    """ "from /deal/amount, as decimal with “,” as decimal mark, required" """
    parts = [_origin(rule)]
    if rule.kind is As.DECIMAL and not rule.summed:
        parts.append("as decimal" + (" with “,” as decimal mark" if rule.decimal_mark == "," else ""))
    elif rule.kind is As.DATE:
        parts.append("as date" + (f" written as {rule.date_format}" if rule.date_format else ""))
    elif rule.kind is not As.TEXT and not rule.summed:
        parts.append(f"as {rule.kind.value}")
    if rule.table is not None:
        named = f"the table “{rule.table_name}”" if rule.table_name else f"its own table of {len(rule.table)}"
        parts.append(f"by {named}, {_OTHERWISE[rule.otherwise]}")
    if rule.mapping is not None:
        day = f" on {rule.mapping.on}" if rule.mapping.on else ""
        before = ", which goes before the table" if rule.table is not None else ""
        parts.append(f"by the value mapping of {KIND_WORDS[rule.mapping.kind].title.lower()}{day}{before}")
    if rule.default is not None:
        parts.append(f"“{rule.default}” when missing")
    if rule.required:
        parts.append("required")
    return ", ".join(parts)


def _origin(rule: Rule) -> str:
    if rule.value is not None:
        return f"always {_constant(rule.value)}"
    if rule.context is not None:
        return _KNOWN[rule.context]
    top = " of the whole payload" if rule.top else ""
    if rule.summed:
        mark = " with “,” as decimal mark" if rule.decimal_mark == "," else ""
        return f"the sum of {' and '.join(rule.summed)}{top}{mark}"
    return f"one for each of {rule.each}{top}" if rule.each is not None else f"from {rule.source}{top}"


def _constant(value: str | int | Decimal) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{value}”" if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else str(value)


def differences(before: Declaration, after: Declaration) -> list[Difference]:
    """Rules by the place that they write, in the order of the later version, then what is gone; then tables."""
    was, will = (_said(declaration) for declaration in (before, after))
    places = dict.fromkeys((*will, *was))
    return [
        Difference(place, was.get(place, ""), will.get(place, ""))
        for place in places
        if was.get(place, "") != will.get(place, "")
    ]


def _said(declaration: Declaration) -> Mapping[str, str]:
    said: dict[str, str] = {}
    if declaration.note:
        said["What the map is for"] = declaration.note
    if declaration.when:
        said["Which payloads it is for"] = f"{declaration.when.source} is {' or '.join(declaration.when.texts)}"
    for rule, to in _every_rule(declaration.rules, ()):
        said[to] = in_words(rule) + (f" ({rule.note})" if rule.note else "")
        if rule.table is not None and not rule.table_name:
            said |= {f"{to}, entry “{key}”": value for key, value in rule.table.items()}
    for name, table in declaration.tables.items():
        said |= {f"Table “{name}”, entry “{key}”": value for key, value in table.items()}
    return said


def _every_rule(rules: tuple[Rule, ...], above: tuple[str, ...]) -> Iterator[tuple[Rule, str]]:
    for rule in rules:
        yield rule, pointer_to(*above, *rule.to)
        yield from _every_rule(rule.rules, (*above, *rule.to, "*"))
