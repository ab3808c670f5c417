"""Carrying out a field map: a payload in, a document out, with every step shown and every fault named."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from itertools import islice
from typing import Any, Final

from integrations.connectors.json_document.pointers import pointer_to
from integrations.fieldmaps.declaration import ByMapping, Declaration, Known, Rule
from integrations.fieldmaps.source import BadPath, Source, read_source
from integrations.fieldmaps.values import NotConvertible, TargetValue, as_date, as_decimal, convert
from integrations.mapped_values import MappedValue, MappedValues, NoMappings, Unmapped
from integrations.refusals import MOST_ALLOWED
from integrations.value_kinds import not_mapped

MOST_ROWS: Final = 10_000
_DIGITS_OF_A_SUM: Final = 100  # ten thousand numbers of 50 digits have 55


@dataclass(frozen=True, slots=True)
class Step:
    """One value on its way, for the preview: from where, what stood there, to where, what stands there now."""

    rule: str
    source: str
    was: str
    to: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that could not be mapped. `to` is where it should have gone, `was` what stood in the source.

    `allowed` are the values that could have been written there, where a table says which; the first of them.
    """

    rule: str
    source: str
    to: str
    problem: str
    remedy: str
    was: str = ""
    allowed: tuple[str, ...] = ()
    unmapped: Unmapped | None = None


@dataclass(frozen=True, slots=True)
class Reads:
    """What a map reads, in words: where a value is missing, and who would have to write it."""

    place: str
    writer: str


FROM_THE_SOURCE: Final = Reads("the source", "the source send")
FROM_CANONICAL: Final = Reads("the canonical document", "the inbound map or the source write")


@dataclass(slots=True)
class Mapped:
    """What a map made of a payload. With faults it is not whole and must not be sent.

    `ways` says for every place that was read where its value goes first, also when nothing stood there; `tables` by
    which table, where it goes there by one. `mapped_values` are those that a value mapping gave.
    """

    document: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ways: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Mapping[str, str]] = field(default_factory=dict)
    mapped_values: list[MappedValue] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.faults

    @property
    def payload(self) -> bytes:
        """The document as JSON with exact numbers, keys in the order of the rules."""
        return as_json(self.document)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Decimals as texts: a target reads “12.10” the same everywhere, and no float ever stands between."""
    return json.dumps(_exact(document), ensure_ascii=False, indent=2).encode()


def map_payload(
    declaration: Declaration, payload: bytes, media_type: str, *, context: Mapping[Known, str] | None = None
) -> Mapped:
    """Raises MessageNotUnderstood for a payload that cannot be read at all; every other fault is in the result."""
    return map_source(declaration, read_source(payload, media_type), context=context)


def map_source(
    declaration: Declaration,
    source: Source,
    *,
    context: Mapping[Known, str] | None = None,
    reads: Reads = FROM_THE_SOURCE,
    values: MappedValues | None = None,
) -> Mapped:
    """The same for a payload that is already read. `reads` is what faults call it."""
    run = _Run(Mapped(), source, context or {}, reads, values or NoMappings())
    run.carry_out(declaration.rules, source, (), run.mapped.document)
    return run.mapped


class _Unmapped(Exception):
    def __init__(
        self,
        problem: str,
        remedy: str,
        *,
        was: str = "",
        allowed: tuple[str, ...] = (),
        unmapped: Unmapped | None = None,
    ) -> None:
        super().__init__(problem)
        self.unmapped = unmapped
        self.problem = problem
        self.remedy = remedy
        self.was = was
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class _Run:
    mapped: Mapped
    top: Source
    context: Mapping[Known, str]
    reads: Reads
    values: MappedValues

    def carry_out(
        self, rules: tuple[Rule, ...], row: Source, above: tuple[str | int, ...], into: dict[str, Any]
    ) -> None:
        for rule in rules:
            source, to = self.top if rule.top else row, pointer_to(*above, *rule.to)
            for place in _places(rule, source):
                self._remember_way(place, to, rule)
            try:
                if rule.each is not None:
                    self._carry_out_for_each(rule, source, (*above, *rule.to), into)
                    continue
                was, value = self._value_of(rule, source)
            except BadPath as error:
                self._fault(rule, source, to, _Unmapped(str(error), "Correct the rule."))
            except _Unmapped as error:
                self._fault(rule, source, to, error)
            else:
                if value is not None:
                    _put(into, rule.to, value)
                    self.mapped.steps.append(Step(rule.place, _origin(rule, source), was, to, _shown(value)))

    def _remember_way(self, place: str, to: str, rule: Rule) -> None:
        """The first way of a value is the one that its faults tell."""
        if place not in self.mapped.ways:
            self.mapped.ways[place] = to
            if rule.table is not None:
                self.mapped.tables[place] = rule.table

    def _fault(self, rule: Rule, source: Source, to: str, found: _Unmapped) -> None:
        fault = Fault(
            rule.place, _origin(rule, source), to, found.problem, found.remedy, found.was, found.allowed, found.unmapped
        )
        self.mapped.faults.append(fault)

    def _carry_out_for_each(self, rule: Rule, source: Source, to: tuple[str | int, ...], into: dict[str, Any]) -> None:
        found = source.each(rule.each or "")
        if len(found) > MOST_ROWS:
            raise _Unmapped(
                f"The list has {len(found):,} rows, more than the {MOST_ROWS:,} of one document.",
                f"Have {self.reads.writer} it in parts.",
            )
        rows: list[dict[str, Any]] = []
        for index, row in enumerate(found):
            rows.append({})
            self.carry_out(rule.rules, row, (*to, index), rows[-1])
        if rows:
            _put(into, rule.to, rows)
        elif rule.required:
            problem = f"The list is empty or missing in {self.reads.place}."
            raise _Unmapped(problem, f"Have {self.reads.writer} its rows.")

    def _value_of(self, rule: Rule, source: Source) -> tuple[str, TargetValue | None]:
        """What stood in the source, and what it becomes; None when there is nothing to write."""
        if rule.value is not None:
            return "", rule.value
        if rule.summed:
            return _sum_of(rule, source, self.reads)
        was = self.context.get(rule.context, "") if rule.context else _text_at(source, rule.source)
        text: str | None = was if was.strip() else rule.default
        if text is None:
            if rule.required:
                missing = f"known of this message ({rule.context})" if rule.context else f"there in {self.reads.place}"
                remedy = f"Have {self.reads.writer} it, or give a default."
                raise _Unmapped(f"The value is not {missing}.", remedy, was=was, allowed=_allowed(rule))
            return was, None
        text = (
            _looked_up(text, rule, self.reads) if rule.mapping is None else self._by_mapping(text, rule, rule.mapping)
        )
        return was, None if text is None else _converted(text, rule)

    def _by_mapping(self, text: str, rule: Rule, by: ByMapping) -> str | None:
        """What the value mapping knows goes before the table of the rule."""
        day = self._day(rule, by)
        entity = _text_at(self.top, by.entity) if by.entity else ""
        found = self.values.find(by.kind, text, on=day, entity=entity) if day else None
        if found is not None:
            self.mapped.mapped_values.append(found)
            return found.target
        if rule.table is not None and (text in rule.table or rule.otherwise != "refuse"):
            return _looked_up(text, rule, self.reads)
        raise _Unmapped(
            not_mapped(by.kind, text),
            f"Propose a mapping of it, or have {self.reads.writer} a value that is mapped.",
            was=text,
            allowed=_allowed(rule),
            unmapped=Unmapped(by.kind.value, text, day.isoformat() if day else ""),
        )

    def _day(self, rule: Rule, by: ByMapping) -> date | None:
        """The day for which the mapping is asked: a day of the document, or the one on which it was received."""
        text = (_text_at(self.top, by.on) if by.on else "") or self.context.get(Known.RECEIVED_DATE, "")
        if not text:
            return None
        try:
            return date.fromisoformat(as_date(text, rule.date_format if by.on else ""))
        except NotConvertible as error:
            problem = f"The day for which the value is mapped is not known: {error}"
            raise _Unmapped(problem, f"Have {self.reads.writer} it.", was=text) from None


def _text_at(source: Source, path: str) -> str:
    found = source.texts(path)
    if len(found) > 1:
        raise _Unmapped(
            f"There are {len(found)} values.",
            "Use each for a list, or name one row, such as /items/0.",
            was=", ".join(found[:6]),
        )
    return found[0] if found else ""


def _allowed(rule: Rule) -> tuple[str, ...]:
    """What the rule's table can write, each once and in its order; nothing where it has none."""
    return tuple(islice(dict.fromkeys(rule.table.values()), MOST_ALLOWED)) if rule.table is not None else ()


def _looked_up(text: str, rule: Rule, reads: Reads) -> str | None:
    if rule.table is None or text in rule.table:
        return text if rule.table is None else rule.table[text]
    if rule.otherwise == "refuse":
        named = f"The table “{rule.table_name}”" if rule.table_name else "The table of this rule"
        raise _Unmapped(
            f"{named} has no entry for “{text[:80]}”.",
            f"Add it to the table, or have {reads.writer} a value that is in it.",
            was=text,
            allowed=_allowed(rule),
        )
    return text if rule.otherwise == "keep" else None


def _converted(text: str, rule: Rule) -> TargetValue:
    try:
        return convert(text, rule)
    except NotConvertible as error:
        raise _Unmapped(str(error), "Correct it at the source, or the form that the rule expects.", was=text) from None


def _sum_of(rule: Rule, source: Source, reads: Reads) -> tuple[str, TargetValue]:
    texts = [text for path in rule.summed for text in source.texts(path)]
    was = " + ".join(texts[:6]) + (" + …" if len(texts) > 6 else "")
    if not texts and rule.required:
        raise _Unmapped(f"There is nothing to add up in {reads.place}.", f"Have {reads.writer} the amounts.")
    try:
        with localcontext(prec=_DIGITS_OF_A_SUM):
            total = sum((as_decimal(text, mark=rule.decimal_mark) for text in texts), Decimal())
    except NotConvertible as error:
        raise _Unmapped(str(error), "Correct it at the source.", was=was) from None
    return was, total


def _paths(rule: Rule) -> tuple[str, ...]:
    if rule.value is not None or rule.context:
        return ()
    return rule.summed or ((rule.each,) if rule.each is not None else (rule.source,))


def _places(rule: Rule, source: Source) -> list[str]:
    return [source.place_of(path) for path in _paths(rule)]


def _origin(rule: Rule, source: Source) -> str:
    if rule.value is not None:
        return "always the same"
    if rule.context:
        return f"known of the message: {rule.context}"
    places = _places(rule, source)
    return f"sum of {' and '.join(places)}" if rule.summed else places[0]


def _put(into: dict[str, Any], to: tuple[str, ...], value: Any) -> None:
    for step in to[:-1]:
        into = into.setdefault(step, {})
    into[to[-1]] = value


def _shown(value: TargetValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return f"{value:f}" if isinstance(value, Decimal) else value
