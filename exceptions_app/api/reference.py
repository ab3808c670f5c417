"""The OpenAPI document as people read it: operations by their subject, their fields, answers, examples and problems."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from exceptions_app.api.problem_kinds import KINDS, ProblemKind
from exceptions_app.api.schema import answers_of

_METHODS = ("get", "post", "put", "patch", "delete")
_SHAPE = "#/components/schemas/"
_LIMITS = {
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minimum": "at least {}",
    "maximum": "at most {}", "minItems": "at least {} entries", "maxItems": "at most {} entries",
    "default": "{} when left out", "pattern": "matches {}",
}  # fmt: skip

_Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Type:
    """In words, such as “list of”, and the shape that is meant when it has a name."""

    words: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter (`where` is path, query or header) or a field of a shape."""

    name: str
    type: Type
    description: str
    required: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    type: Type
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `problems` are the kinds of refusal that it may answer with."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: Type | None
    body_examples: tuple[Example, ...]
    answers: tuple[Answer, ...]
    problems: tuple[ProblemKind, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    description: str
    fields: tuple[Field, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Reference:
    groups: Mapping[str, list[Operation]] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()


@cache
def reference() -> Reference:
    """Made once: it is the same for everybody until the next start, and making it takes a second."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return reference_of(document)


def reference_of(document: Mapping[str, Any]) -> Reference:
    """The reference of an OpenAPI 3.1 document. Operations without a summary are not for readers."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in (method for method in _METHODS if methods.get(method, {}).get("summary")):
            operation = methods[method]
            groups.setdefault(operation["tags"][0], []).append(
                _operation(method, path, operation, answers_of(document, operation))
            )
    shapes = tuple(_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return Reference({name: groups[name] for name in sorted(groups)}, shapes)


def _operation(
    method: str, path: str, operation: Mapping[str, Any], all_answers: Mapping[str, Mapping[str, Any]]
) -> Operation:
    body = _content(operation.get("requestBody", {}))
    refusals = _answers(all_answers, refused=True)
    problems = {example for _, answer in refusals for example in _content(answer)["examples"]}
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=tuple(_parameter(found) for found in operation.get("parameters", ())),
        body=_type(body["schema"]) if body["schema"] else None,
        body_examples=_examples(body),
        answers=tuple(_answer(status, answer) for status, answer in _answers(all_answers, refused=False)),
        problems=tuple(sorted((_KINDS[slug.lower()] for slug in problems), key=lambda kind: (kind.status, kind.slug))),
    )


_KINDS = {kind.slug: kind for kind in KINDS}


def _answers(answers: Mapping[str, Mapping[str, Any]], *, refused: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for status, answer in answers.items():
        if (status >= "400") is refused:
            yield status, answer


def _content(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema and the examples of the first media type of a body or an answer."""
    for found in holder.get("content", {}).values():
        return {"schema": found.get("schema", {}), "examples": found.get("examples", {})}
    return {"schema": {}, "examples": {}}


def _answer(status: str, answer: Mapping[str, Any]) -> Answer:
    content = _content(answer)
    return Answer(status, answer.get("description", ""), _type(content["schema"]), _examples(content))


def _examples(content: Mapping[str, Any]) -> tuple[Example, ...]:
    return tuple(
        Example(example.get("summary", name), json.dumps(example["value"], indent=2, ensure_ascii=False))
        for name, example in content["examples"].items()
    )


def _parameter(found: Mapping[str, Any]) -> Field:
    return Field(
        found["name"], _type(found["schema"]), found.get("description", ""), found.get("required", False), found["in"]
    )


def _shape(name: str, schema: _Schema) -> Shape:
    required = schema.get("required", ())
    fields = [
        Field(field_name, _type(found), found.get("description", ""), field_name in required)
        for field_name, found in schema.get("properties", {}).items()
    ]
    return Shape(name, schema.get("description", ""), tuple(fields), _type(schema))


def _type(schema: _Schema) -> Type:
    """What a value may be, with its limits."""
    if not schema:
        return Type("anything")
    if "$ref" in schema:
        return Type("", schema["$ref"].removeprefix(_SHAPE))
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return _one_of([_type(found) for found in schema[choice]])
    if "enum" in schema:
        return Type("one of " + ", ".join(str(value) for value in schema["enum"] if value not in ("", None)))
    if schema.get("type") == "array":
        items = _type(schema.get("items", {}))
        return Type(_with_limits(f"list of {items.words}".rstrip(), schema), items.shape)
    return Type(_with_limits(_simple(schema), schema))


def _one_of(types: list[Type]) -> Type:
    shapes = [found.shape for found in types if found.shape]
    words = [found.words for found in types if found.words]
    if len(shapes) == 1:
        return Type("".join(f"{found} or " for found in words), shapes[0])
    return Type(" or ".join([*shapes, *words]))


def _simple(schema: _Schema) -> str:
    kinds = schema.get("type", "object")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    words = " or ".join(str(name) for name in names)
    return f"{words} ({schema['format']})" if "format" in schema else words


def _with_limits(words: str, schema: _Schema) -> str:
    limits = [
        text.format(json.dumps(schema[name], ensure_ascii=False) if name == "default" else schema[name])
        for name, text in _LIMITS.items()
        if name in schema
    ]
    return ", ".join([words, *limits])
