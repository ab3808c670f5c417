"""Carrying out a field map: a payload in, a document out, with every step shown and every fault named."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from integrations.connectors.json_document.pointers import pointer_to
from integrations.fieldmaps.declaration import FieldMap, Rule
from integrations.fieldmaps.source import BadPath, Source, read_source
from integrations.fieldmaps.values import NotConvertible, TargetValue, as_decimal, convert


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
    """A value that could not be mapped. `to` is where it should have gone."""

    rule: str
    source: str
    to: str
    problem: str
    remedy: str


@dataclass(slots=True)
class Mapped:
    """What a map made of a payload. With faults it is not whole and must not be sent."""

    document: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.faults

    @property
    def payload(self) -> bytes:
        """The document as JSON with exact numbers, keys in the order of the rules."""
        return json.dumps(_exact(self.document), ensure_ascii=False, indent=2).encode()


def map_payload(field_map: FieldMap, payload: bytes, media_type: str) -> Mapped:
    """Raises MessageNotUnderstood for a payload that cannot be read at all; every other fault is in the result."""
    mapped = Mapped()
    _apply(field_map.rules, read_source(payload, media_type), mapped, (), mapped.document)
    return mapped


def _apply(
    rules: tuple[Rule, ...], source: Source, mapped: Mapped, above: tuple[str | int, ...], into: dict[str, Any]
) -> None:
    for rule in rules:
        to = pointer_to(*above, *rule.to)
        try:
            if rule.each is not None:
                _apply_to_each(rule, source, mapped, (*above, *rule.to), into)
                continue
            was, value = _value_of(rule, source)
        except BadPath as error:
            mapped.faults.append(Fault(rule.place, _origin(rule), to, str(error), "Correct the rule."))
            continue
        except _Unmapped as error:
            mapped.faults.append(Fault(rule.place, _origin(rule), to, error.problem, error.remedy))
            continue
        if value is not None:
            _put(into, rule.to, value)
            mapped.steps.append(Step(rule.place, _origin(rule), was, to, _shown(value)))


def _apply_to_each(rule: Rule, source: Source, mapped: Mapped, to: tuple[str | int, ...], into: dict[str, Any]) -> None:
    rows: list[dict[str, Any]] = []
    for index, row in enumerate(source.each(rule.each or "")):
        rows.append({})
        _apply(rule.rules, row, mapped, (*to, index), rows[-1])
    if rows:
        _put(into, rule.to, rows)
    elif rule.required:
        raise _Unmapped("The list is empty or missing in the source.", "Have the source send its rows.")


class _Unmapped(Exception):
    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def _value_of(rule: Rule, source: Source) -> tuple[str, TargetValue | None]:
    """What stood in the source, and what it becomes; None when there is nothing to write."""
    if rule.value is not None:
        value = Decimal(str(rule.value)) if isinstance(rule.value, float) else rule.value
        return "", value
    if rule.summed:
        return _sum_of(rule, source)
    found = source.texts(rule.source)
    if len(found) > 1:
        raise _Unmapped(f"There are {len(found)} values.", "Use each for a list, or name one row, such as /items/0.")
    was = found[0] if found else ""
    text: str | None = was if was.strip() else rule.default
    if text is None:
        if rule.required:
            raise _Unmapped("The value is missing in the source.", "Have the source send it, or give a default.")
        return was, None
    text = _looked_up(text, rule)
    return was, None if text is None else _converted(text, rule)


def _looked_up(text: str, rule: Rule) -> str | None:
    if rule.table is None or text in rule.table:
        return text if rule.table is None else rule.table[text]
    if rule.otherwise == "refuse":
        raise _Unmapped(f"The table has no entry for “{text[:80]}”.", "Add it to the table of this rule.")
    return text if rule.otherwise == "keep" else None


def _converted(text: str, rule: Rule) -> TargetValue:
    try:
        return convert(text, rule)
    except NotConvertible as error:
        raise _Unmapped(str(error), "Correct it at the source, or the form that the rule expects.") from None


def _sum_of(rule: Rule, source: Source) -> tuple[str, TargetValue]:
    texts = source.texts(rule.summed)
    try:
        total = sum((as_decimal(text, mark=rule.decimal_mark) for text in texts), Decimal())
    except NotConvertible as error:
        raise _Unmapped(str(error), "Correct it at the source.") from None
    return " + ".join(texts[:6]) + (" + …" if len(texts) > 6 else ""), total


def _origin(rule: Rule) -> str:
    if rule.value is not None:
        return "always the same"
    return f"sum of {rule.summed}" if rule.summed else rule.each if rule.each is not None else rule.source


def _put(into: dict[str, Any], to: tuple[str, ...], value: Any) -> None:
    for step in to[:-1]:
        into = into.setdefault(step, {})
    into[to[-1]] = value


def _shown(value: TargetValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _exact(value: Any) -> Any:
    """Decimals as texts: a target reads “12.10” the same everywhere, and no float ever stands between."""
    if isinstance(value, dict):
        return {key: _exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return f"{value:f}" if isinstance(value, Decimal) else value
