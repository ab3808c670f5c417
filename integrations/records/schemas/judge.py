"""What is wrong with a canonical document, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.description import NUMERIC, Part, Term, json_schema, label_of

MOST_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps a document from being canonical. `steps` lead to its place."""

    steps: tuple[str | int, ...]
    problem: str
    was: str = ""


def findings(object_type: str, document: Any) -> list[Finding]:
    """What is wrong, in the order of the document; none means that it is canonical."""
    described = DESCRIPTIONS[object_type]
    errors = _validator(object_type).iter_errors(document)
    found = dict.fromkeys(finding for error in errors for finding in _in_words(described, error))
    return sorted(found, key=lambda finding: _order(described, finding.steps))[:MOST_FINDINGS]


@lru_cache(maxsize=len(DESCRIPTIONS))
def _validator(object_type: str) -> Any:
    return Draft202012Validator(
        json_schema(DESCRIPTIONS[object_type]), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def _order(described: Part, steps: tuple[str | int, ...]) -> list[int]:
    """Where a field stands in the description; what is not described stands at the end."""
    order: list[int] = []
    found: Part | Term | None = described
    for step in steps:
        if isinstance(step, int):
            order.append(step)
            continue
        names = list(found.by_name) if isinstance(found, Part) else []
        order.append(names.index(step) if step in names else len(names))
        found = found.by_name.get(step) if isinstance(found, Part) else None
    return order


def _in_words(described: Part, error: ValidationError) -> Iterator[Finding]:
    steps = tuple(error.absolute_path)
    label = label_of(described, steps)
    match error.validator:
        case "required":
            for name in cast("list[str]", error.validator_value):
                if name not in cast("dict[str, Any]", error.instance):
                    yield Finding((*steps, name), f"{label_of(described, (*steps, name))} is missing.")
        case "additionalProperties":
            known = cast("dict[str, Any]", error.schema)["properties"]
            for name in sorted(set(cast("dict[str, Any]", error.instance)) - set(known)):
                yield Finding((*steps, name), f"“{name[:80]}” is no field of {label_in_sentence(described, steps)}.")
        case "minItems":
            least = cast("int", error.validator_value)
            yield Finding(steps, f"{label} are too few: at least {least} must be there.")
        case "const":
            yield Finding(steps, f"{label} is not {error.validator_value}.", _text(error.instance))
        case _:
            yield Finding(steps, _misfit(described, steps, label, error.instance), _text(error.instance))


def label_in_sentence(described: Part, steps: tuple[str | int, ...]) -> str:
    return f"a canonical {described.label.lower()}" if not steps else label_of(described, steps).lower()


def _misfit(described: Part, steps: tuple[str | int, ...], label: str, value: Any) -> str:
    term = _at(described, steps)
    if isinstance(term, Part):
        return f"{label} is not {'a list' if term.is_list and not _is_row(steps) else 'a group of fields'}."
    if term is not None and isinstance(value, str) and not value.strip():
        return f"{label} is empty."
    shown = f" “{_text(value)[:40]}”" if _text(value) else ""
    return f"{label}{shown} is not {_expected(term)}."


def _is_row(steps: tuple[str | int, ...]) -> bool:
    return bool(steps) and isinstance(steps[-1], int)


def _expected(term: Term | None) -> str:
    if term is None:
        return "what is expected there"
    if term.kind in NUMERIC:
        return "an exact number, such as 1234.50"
    if term.kind == "date":
        return "a date, such as 2026-03-31"
    return term.expected or "a text"


def _at(described: Part, steps: tuple[str | int, ...]) -> Part | Term | None:
    found: Part | Term | None = described
    for step in steps:
        if isinstance(found, Part) and not isinstance(step, int):
            found = found.by_name.get(step)
    return found


def _text(value: Any) -> str:
    return "" if isinstance(value, dict | list) or value is None else str(value)
