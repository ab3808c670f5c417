"""What a field map may say. A map that says anything else is refused before it can be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from integrations.connectors.json_document.pointers import BadPointer, pointer_to, steps_of

MOST_RULES: Final = 500
DEEPEST: Final = 4  # levels of `each`


class As(StrEnum):
    """The type of a value in the target."""

    TEXT = "text"
    DECIMAL = "decimal"  # exact, with a point, whatever mark the source has
    INTEGER = "integer"
    DATE = "date"  # ISO 8601
    BOOLEAN = "boolean"


_RULE: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to"],
    "oneOf": [{"required": ["from"]}, {"required": ["value"]}, {"required": ["sum"]}, {"required": ["each"]}],
    "properties": {
        "to": {"type": "string", "maxLength": 300},
        "from": {"type": "string", "maxLength": 300},
        "value": {"type": ["string", "number", "boolean"]},
        "sum": {"type": "string", "maxLength": 300},
        "each": {"type": "string", "maxLength": 300},
        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}, "minItems": 1, "maxItems": MOST_RULES},
        "as": {"enum": [kind.value for kind in As]},
        "date_format": {"type": "string", "maxLength": 40},
        "decimal_mark": {"enum": [".", ","]},
        "table": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 5000},
        "otherwise": {"enum": ["refuse", "keep", "leave out"]},
        "default": {"type": "string", "maxLength": 300},
        "required": {"type": "boolean"},
        "note": {"type": "string", "maxLength": 500},
    },
    "dependentRequired": {"each": ["rules"], "rules": ["each"], "otherwise": ["table"]},
}
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"rule": _RULE},
    "type": "object",
    "additionalProperties": False,
    "required": ["rules"],
    "properties": {
        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}, "minItems": 1, "maxItems": MOST_RULES},
        "note": {"type": "string", "maxLength": 500},
    },
}
_VALIDATOR: Final = Draft202012Validator(SCHEMA)


class MapNotUnderstood(ValueError):
    """A declaration that is refused. `place` is the JSON Pointer into it, `remedy` what to do."""

    def __init__(self, problem: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.place = place
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `place` is where it stands in the declaration, for messages: "/rules/3"."""

    place: str
    to: tuple[str, ...]
    source: str = ""
    value: str | int | float | bool | None = None
    summed: str = ""
    each: str | None = None
    rules: tuple["Rule", ...] = ()
    kind: As = As.TEXT
    date_format: str = ""
    decimal_mark: str = "."
    table: Mapping[str, str] | None = None
    otherwise: str = "refuse"
    default: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class FieldMap:
    rules: tuple[Rule, ...]


def read_map(declared: object) -> FieldMap:
    """The map that a JSON document declares; raises MapNotUnderstood with the place of the first fault."""
    fault = best_match(_VALIDATOR.iter_errors(declared))
    if fault is not None:
        raise _refusal(fault)
    assert isinstance(declared, dict)  # noqa: S101 - the schema says so
    rules = _rules(declared["rules"], "/rules", depth=1)
    return FieldMap(rules)


def _rules(declared: list[dict[str, Any]], place: str, *, depth: int) -> tuple[Rule, ...]:
    if depth > DEEPEST:
        raise MapNotUnderstood(
            f"Lists are nested more than {DEEPEST} levels deep.", place=place, remedy="Map the inner list on its own."
        )
    rules = tuple(_rule(one, f"{place}/{index}", depth=depth) for index, one in enumerate(declared))
    seen: dict[tuple[str, ...], str] = {}
    for rule in rules:
        if rule.to in seen:
            raise MapNotUnderstood(
                f"Two rules write {pointer_to(*rule.to)}: {seen[rule.to]} and {rule.place}.",
                place=f"{rule.place}/to",
                remedy="Keep one of them.",
            )
        seen[rule.to] = rule.place
    _refuse_overlaps(rules)
    return rules


def _refuse_overlaps(rules: tuple[Rule, ...]) -> None:
    """A value cannot be a text and a group of fields at once."""
    written = {rule.to: rule for rule in rules}
    for rule in rules:
        for length in range(1, len(rule.to)):
            above = written.get(rule.to[:length])
            if above is not None:
                raise MapNotUnderstood(
                    f"{pointer_to(*above.to)} is written as a whole by {above.place} and in part by {rule.place}.",
                    place=f"{rule.place}/to",
                    remedy="Write either the whole or its parts.",
                )


def _rule(declared: dict[str, Any], place: str, *, depth: int) -> Rule:
    return Rule(
        place=place,
        to=_target(declared["to"], place),
        source=declared.get("from", ""),
        value=declared.get("value"),
        summed=declared.get("sum", ""),
        each=declared.get("each"),
        rules=_rules(declared["rules"], f"{place}/rules", depth=depth + 1) if "each" in declared else (),
        kind=As(declared.get("as", As.DECIMAL if "sum" in declared else As.TEXT)),
        date_format=declared.get("date_format", ""),
        decimal_mark=declared.get("decimal_mark", "."),
        table=declared.get("table"),
        otherwise=declared.get("otherwise", "refuse"),
        default=declared.get("default"),
        required=declared.get("required", False),
    )


def _target(pointer: str, place: str) -> tuple[str, ...]:
    try:
        steps = steps_of(pointer)
    except BadPointer:
        steps = ()
    if not steps or not all(steps):
        raise MapNotUnderstood(
            f"“{pointer}” is no place in the target.", place=f"{place}/to", remedy="Write it as /invoice/number."
        )
    return steps


def _refusal(fault: ValidationError) -> MapNotUnderstood:
    place = pointer_to(*fault.absolute_path)
    match fault.validator:
        case "oneOf":
            problem = "A rule takes its value from exactly one of from, value, sum and each."
        case "additionalProperties":
            problem = f"This is no word of a field map: {fault.message}."
        case "required" | "dependentRequired":
            problem = f"Something is missing: {fault.message}."
        case _:
            problem = f"This cannot stand here: {fault.message}."
    return MapNotUnderstood(problem, place=place, remedy="See the documentation of field maps for what a rule may say.")
