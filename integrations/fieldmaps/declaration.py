"""What a field map may say. A map that says anything else is refused before it can be saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from integrations import safe_json
from integrations.connectors.json_document.pointers import BadPointer, pointer_to, steps_of
from integrations.fieldmaps.misfits import problem_of
from integrations.value_kinds import ValueKind

MOST_RULES: Final = 500
MOST_BYTES: Final = 1_000_000  # of a declaration as text
MOST_ENTRIES: Final = 5_000  # of one table
DEEPEST: Final = 4  # levels of `each`

Tables = Mapping[str, Mapping[str, str]]


class Known(StrEnum):
    """What the workbench itself knows about a message, beside what stands in it."""

    CONNECTION = "connection"  # its name in addresses
    MESSAGE = "message"  # the sender's identifier of the message
    RECEIVED_DATE = "received_date"  # ISO 8601, in the time zone of the workbench
    SENDER = "sender"  # the account, folder or source that handed it in


class As(StrEnum):
    """The type of a value in the target."""

    TEXT = "text"
    DECIMAL = "decimal"  # exact, with a point, whatever mark the source has
    INTEGER = "integer"
    DATE = "date"  # ISO 8601
    BOOLEAN = "boolean"


_PATH: Final[dict[str, Any]] = {"type": "string", "maxLength": 300}
_TABLE: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "maxProperties": MOST_ENTRIES,
}
_MAPPING: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind"],
    "properties": {"kind": {"enum": list(ValueKind)}, "on": _PATH, "entity": _PATH},
}
_RULE: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to"],
    "oneOf": [{"required": [origin]} for origin in ("from", "value", "sum", "each", "context")],
    "properties": {
        "to": _PATH,
        "from": _PATH,
        "value": {"type": ["string", "number", "boolean"]},
        "sum": {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1, "maxItems": 20}]},
        "context": {"enum": [known.value for known in Known]},
        "top": {"type": "boolean"},
        "each": _PATH,
        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}, "minItems": 1, "maxItems": MOST_RULES},
        "as": {"enum": [kind.value for kind in As]},
        "date_format": {"type": "string", "maxLength": 40},
        "decimal_mark": {"enum": [".", ","]},
        "table": {"anyOf": [{"type": "string"}, _TABLE]},
        "mapping": {"anyOf": [{"enum": list(ValueKind)}, _MAPPING]},
        "otherwise": {"enum": ["refuse", "keep", "leave out"]},
        "default": {"type": "string", "maxLength": 300},
        "required": {"type": "boolean"},
        "note": {"type": "string", "maxLength": 500},
    },
    "dependentRequired": {"each": ["rules"], "rules": ["each"], "otherwise": ["table"]},
    "dependentSchemas": {"top": {"anyOf": [{"required": ["from"]}, {"required": ["sum"]}, {"required": ["each"]}]}},
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
        "tables": {"type": "object", "additionalProperties": _TABLE, "maxProperties": 50},
        "when": {
            "type": "object",
            "additionalProperties": False,
            "required": ["from", "is"],
            "properties": {
                "from": _PATH,
                "is": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 50},
            },
        },
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
class ByMapping:
    """The value mapping of a rule: of which kind, and where in the whole payload the day and the legal entity stand.

    Without `on` it is the day on which the message was received.
    """

    kind: ValueKind
    on: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `place` is where it stands in the declaration, for messages: "/rules/3"."""

    place: str
    to: tuple[str, ...]
    source: str = ""
    value: str | int | Decimal | bool | None = None
    summed: tuple[str, ...] = ()
    each: str | None = None
    context: Known | None = None
    top: bool = False  # whether its paths start at the top of the payload, and not at the row
    rules: tuple["Rule", ...] = ()
    kind: As = As.TEXT
    date_format: str = ""
    decimal_mark: str = "."
    table: Mapping[str, str] | None = None
    table_name: str = ""
    mapping: ByMapping | None = None
    otherwise: str = "refuse"
    default: str | None = None
    required: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """Which payloads a map is for: those with one of these texts at this path."""

    source: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a field map says, read."""

    rules: tuple[Rule, ...]
    when: When | None = None
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: str = ""


@lru_cache(maxsize=32)  # a text may have a megabyte
def read_text(text: str) -> Declaration:
    """The map that a JSON text declares; raises MapNotUnderstood with the place of the first fault."""
    try:
        declared = safe_json.loads(text.encode("utf-8", "surrogatepass"), max_bytes=MOST_BYTES)
    except safe_json.UnsafeJson as error:
        raise MapNotUnderstood(error.problem, place=error.pointer, remedy=error.remedy) from None
    return read_map(declared)


def read_map(declared: object) -> Declaration:
    """The map that a JSON document declares; raises MapNotUnderstood with the place of the first fault."""
    fault = best_match(_VALIDATOR.iter_errors(declared))
    if fault is not None:
        raise _refusal(fault)
    assert isinstance(declared, dict)  # noqa: S101 - the schema says so
    tables = declared.get("tables", {})
    when = declared.get("when")
    return Declaration(
        rules=_rules(declared["rules"], "/rules", tables, depth=1),
        when=When(when["from"], tuple(when["is"])) if when else None,
        tables=tables,
        note=declared.get("note", ""),
    )


def _rules(declared: list[dict[str, Any]], place: str, tables: Tables, *, depth: int) -> tuple[Rule, ...]:
    if depth > DEEPEST:
        raise MapNotUnderstood(
            f"Lists are nested more than {DEEPEST} levels deep.", place=place, remedy="Map the inner list on its own."
        )
    rules = tuple(_rule(one, f"{place}/{index}", tables, depth=depth) for index, one in enumerate(declared))
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


def _rule(declared: dict[str, Any], place: str, tables: Tables, *, depth: int) -> Rule:
    table, table_name = _table(declared.get("table"), place, tables)
    summed = declared.get("sum", ())
    return Rule(
        place=place,
        to=_target(declared["to"], place),
        source=declared.get("from", ""),
        value=_constant(declared.get("value")),
        summed=(summed,) if isinstance(summed, str) else tuple(summed),
        each=declared.get("each"),
        context=Known(declared["context"]) if "context" in declared else None,
        top=declared.get("top", False),
        rules=_rules(declared["rules"], f"{place}/rules", tables, depth=depth + 1) if "each" in declared else (),
        kind=As(declared.get("as", As.DECIMAL if "sum" in declared else As.TEXT)),
        date_format=declared.get("date_format", ""),
        decimal_mark=declared.get("decimal_mark", "."),
        table=table,
        table_name=table_name,
        mapping=_by_mapping(declared.get("mapping")),
        otherwise=declared.get("otherwise", "refuse"),
        default=declared.get("default"),
        required=declared.get("required", False),
        note=declared.get("note", ""),
    )


def _by_mapping(declared: str | dict[str, str] | None) -> ByMapping | None:
    if declared is None:
        return None
    given = {"kind": declared} if isinstance(declared, str) else declared
    return ByMapping(ValueKind(given["kind"]), given.get("on", ""), given.get("entity", ""))


def _constant(value: Any) -> str | int | Decimal | bool | None:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _table(
    declared: str | Mapping[str, str] | None, place: str, tables: Tables
) -> tuple[Mapping[str, str] | None, str]:
    """The table of a rule and its name; a table that stands in the rule itself has none."""
    if not isinstance(declared, str):
        return declared, ""
    if declared not in tables:
        known = ", ".join(f"“{name}”" for name in tables) or "none"
        raise MapNotUnderstood(
            f"There is no table “{declared[:80]}”.",
            place=f"{place}/table",
            remedy=f"Declare it under tables; declared are: {known}.",
        )
    return tables[declared], declared


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
    problem, remedy = problem_of(fault)
    return MapNotUnderstood(problem, place=pointer_to(*fault.absolute_path), remedy=remedy)
