"""How a canonical document is described: fields with the names that people use, in groups and in lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.records.record import ValueKind

DECIMAL: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,10})?$"
NUMERIC: Final = frozenset({ValueKind.AMOUNT, ValueKind.QUANTITY, ValueKind.PERCENT})


@dataclass(frozen=True, slots=True)
class Term:
    """One field. `pattern` restricts a text; `expected` then says in words what it must look like."""

    name: str
    label: str
    kind: ValueKind = ValueKind.TEXT
    required: bool = False
    hint: str = ""
    pattern: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A group of fields, or a list of such groups when `fewest` is a number; `noun` is one of the list in a sentence.

    `version` is set for a document as a whole: "invoice/1".
    """

    name: str
    label: str
    members: tuple["Term | Part", ...]
    required: bool = False
    fewest: int | None = None
    noun: str = ""
    version: str = ""

    @property
    def by_name(self) -> Mapping[str, "Term | Part"]:
        return {member.name: member for member in self.members}

    @property
    def is_list(self) -> bool:
        return self.fewest is not None


def json_schema(part: Part) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a canonical document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:exception-workbench:canonical:{part.version.replace('/', ':')}",
        **_group(part),
    }


def _group(part: Part) -> dict[str, Any]:
    properties: dict[str, Any] = {member.name: _member(member) for member in part.members}
    required = [member.name for member in part.members if member.required]
    if part.version:
        properties = {"version": {"const": part.version, "title": "Kind and version"}, **properties}
        required = ["version", *required]
    return {
        "title": part.label,
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _member(member: Term | Part) -> dict[str, Any]:
    if isinstance(member, Term):
        return _term(member)
    if not member.is_list:
        return _group(member)
    items = {**_group(member), "title": member.noun.capitalize()}
    return {"title": member.label, "type": "array", "minItems": member.fewest, "items": items}


def _term(term: Term) -> dict[str, Any]:
    described: dict[str, Any] = {"title": term.label}
    if term.hint:
        described["description"] = term.hint
    if term.kind in NUMERIC:
        return {**described, "type": ["string", "number"], "pattern": DECIMAL}
    if term.kind is ValueKind.DATE:
        return {**described, "type": "string", "format": "date"}
    pattern = term.pattern or (r"\S" if term.required else "")
    return {**described, "type": "string", **({"pattern": pattern} if pattern else {})}


def every_term(part: Part, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Term]]:
    """Each field with its place, a list as `*`: "/lines/*/tax_code"."""
    for member in part.members:
        way = (*above, member.name)
        if isinstance(member, Term):
            yield "/" + "/".join(way), member
        else:
            yield from every_term(member, (*way, "*") if member.is_list else way)


def label_of(part: Part, steps: tuple[str | int, ...]) -> str:
    """What a person calls a place: "Tax code of line 2"; the name as it stands where nothing is described."""
    found: Part | Term = part
    words = part.label
    of = ""
    for step in steps:
        if not isinstance(found, Part):
            break
        if isinstance(step, int) or (found.is_list and str(step).isdigit()):
            words, of = f"{found.noun.capitalize()} {int(step) + 1}", f" of {found.noun} {int(step) + 1}"
            continue
        member = found.by_name.get(str(step))
        if member is None:
            return f"{str(step).replace('_', ' ').capitalize()}{of}"
        found, words = member, f"{member.label}{of}"
        if isinstance(found, Part) and not found.is_list:
            of = f" of the {found.label.lower()}{of}"
    return words
