"""The structure of a posting as JSON Schema (draft 2020-12), made from its fields, and what it objects to in words."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from integrations.connectors.erp.document import Posting
from integrations.connectors.erp.terms import LAYOUTS, LINES, NUMERIC, Layout, Term
from integrations.connectors.json_document.pointers import pointer_to
from integrations.refusals import RefusalError, Severity

CODE: Final = "STRUCTURE"
MAX_ERRORS: Final = 200


def schema_of(layout: Layout) -> dict[str, Any]:
    """A field that must be there must say something; one that need not may be null. Further fields are allowed."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": layout.title,
        **_object(layout.head),
        "required": ["type", *_required(layout.head), LINES],
        "properties": {
            "type": {"const": layout.object_type},
            **_properties(layout.head),
            LINES: {"type": "array", "minItems": layout.fewest_lines, "items": _object(layout.line)},
        },
    }


def _object(terms: Mapping[str, Term]) -> dict[str, Any]:
    return {"type": "object", "required": _required(terms), "properties": _properties(terms)}


def _required(terms: Mapping[str, Term]) -> list[str]:
    return [term.name for term in terms.values() if term.required]


def _properties(terms: Mapping[str, Term]) -> dict[str, Any]:
    return {term.name: _property(term) for term in terms.values()}


def _property(term: Term) -> dict[str, Any]:
    allowed = ["string", "number"] if term.kind in NUMERIC else ["string"]
    if term.required:
        return {"type": allowed, "pattern": r"\S"}
    return {"type": [*allowed, "null"]}


@lru_cache(maxsize=len(LAYOUTS))
def _validator(object_type: str) -> Any:
    return Draft202012Validator(schema_of(LAYOUTS[object_type]))


def structure_errors(posting: Posting) -> Iterator[RefusalError]:
    """What the structure lacks, each with the path at which it would stand."""
    found = _validator(posting.layout.object_type).iter_errors(dict(posting.content))
    for count, error in enumerate(
        sorted(found, key=lambda error: [str(step).zfill(9) for step in error.absolute_path])
    ):
        if count == MAX_ERRORS:
            return
        yield from _in_words(posting, error)


def _in_words(posting: Posting, error: ValidationError) -> Iterator[RefusalError]:
    steps = tuple(str(step) for step in error.absolute_path)
    if error.validator == "required":
        named = next(name for name in cast("list[str]", error.validator_value) if repr(name) in error.message)
        yield _error(posting, (*steps, named), "is missing", error.message)
    elif error.validator == "minItems":
        fewest = posting.layout.fewest_lines
        noun = "line" if fewest == 1 else "lines"
        yield _error(posting, steps, f"are too few: at least {fewest} {noun} must be there", error.message)
    elif error.validator == "pattern":
        yield _error(posting, steps, "is empty", error.message)
    else:
        wanted = _wanted(error.validator_value)
        yield _error(posting, steps, f"is not {wanted}", error.message)


def _wanted(types: Any) -> str:
    names = {"array": "a list of lines", "object": "a set of fields"}
    if isinstance(types, str):
        return names.get(types, f"of the type {types}")
    return "an amount, as text or as a number" if "number" in types else "a text"


def _error(posting: Posting, steps: tuple[str, ...], what: str, text: str) -> RefusalError:
    label = _label_of(posting, steps)
    return RefusalError(
        code=CODE,
        severity=Severity.ERROR,
        text=text[:500],
        plain=f"{label} {what}.",
        path=pointer_to(*steps),
        field_path=pointer_to(*steps),
        field=label,
    )


def _label_of(posting: Posting, steps: tuple[str, ...]) -> str:
    """What a person calls the place that a path leads to."""
    term = posting.term_at(steps)
    if term is not None:
        return term.label
    if steps in ((), (LINES,)):
        return "The lines" if steps else "The posting"
    return f"Line {int(steps[1]) + 1}" if len(steps) == 2 else steps[-1].replace("_", " ")
