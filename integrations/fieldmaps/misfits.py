"""What is wrong with the shape of a declaration, in words and without those of the schema."""

from collections.abc import Iterable
from typing import Any, Final

from jsonschema.exceptions import ValidationError

SEE: Final = "docs/field-maps.md lists every word of a map and of a rule."
_KINDS: Final = {
    "object": "a group in braces",
    "array": "a list in brackets",
    "string": "a text in quotes",
    "boolean": "true or false",
    "number": "a number",
}


def problem_of(fault: ValidationError) -> tuple[str, str]:
    """The problem, and what to do."""
    value: Any = fault.instance
    asked: Any = fault.validator_value
    schema: Any = fault.schema
    match fault.validator:
        case "oneOf":
            return "A rule takes its value from exactly one of from, value, sum, each and context.", "Keep one of them."
        case "additionalProperties" if asked is False:
            unknown = sorted(set(value) - set(schema.get("properties", {})))
            return f"{_quoted(unknown)} {_is_are(unknown)} no word of a field map.", SEE
        case "required":
            missing = [name for name in asked if name not in value]
            return f"{_quoted(missing)} {_is_are(missing)} missing.", SEE
        case "dependentRequired":
            return _one_without_the_other(value, asked)
        case "enum":
            return f"{_shown(value)} cannot stand here.", f"Write {_listed(asked)}."
        case "anyOf" if all("required" in one for one in asked):
            return f"One of {_listed([one['required'][0] for one in asked])} is missing.", SEE
        case "type" | "anyOf":
            return f"{_shown(value)} cannot stand here.", f"Write {_expected(schema)}."
        case _:
            return _of_its_size(fault.validator, value, asked)


def _of_its_size(bound: object, value: Any, asked: Any) -> tuple[str, str]:
    match bound:
        case "minItems":
            return "An empty list cannot stand here.", "Write one entry at least, or leave it out."
        case "maxItems" | "maxProperties":
            return f"{len(value):,} entries cannot stand here; {asked:,} are the most.", "Divide it."
        case "maxLength":
            return f"A text of {len(value):,} characters cannot stand here; {asked:,} are the most.", "Shorten it."
        case _:
            return f"{_shown(value)} cannot stand here.", SEE


def _one_without_the_other(rule: dict[str, Any], needs: dict[str, list[str]]) -> tuple[str, str]:
    for word, others in needs.items():
        missing = [other for other in others if other not in rule]
        if word in rule and missing:
            return f"“{word}” stands without {_quoted(missing)}: “{missing[0]}” is missing.", SEE
    return "Something is missing.", SEE


def _expected(schema: dict[str, Any]) -> str:
    asked = schema.get("anyOf", [schema])
    kinds = [kind for one in asked for kind in _as_list(one.get("type", []))]
    return _listed([_KINDS.get(kind, kind) for kind in kinds], quoted=False)


def _as_list(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "A group in braces"
    if isinstance(value, list):
        return "A list in brackets" if value else "An empty list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else f"“{str(value)[:60]}”"


def _quoted(names: Iterable[str]) -> str:
    return _listed(list(names), last="and")


def _listed(names: Iterable[Any], *, quoted: bool = True, last: str = "or") -> str:
    words = [f"“{str(name)[:60]}”" if quoted else str(name) for name in list(names)[:10]]
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _is_are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"
